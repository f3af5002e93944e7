using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Decoding;

/// <summary>Which instructions are one of <see cref="Frequent{TOps, T, V}"/>.</summary>
internal static class FrequentForms
{
    private static readonly (ushort Bits32, ushort Bits64) s_mov = Pair("Mov"), s_add = Pair("Add"), s_sub = Pair("Sub"), s_cmp = Pair("Cmp"),
        s_and = Pair("And"), s_or = Pair("Or"), s_shl = Pair("Shl"), s_shr = Pair("Shr"), s_lea = Pair("Lea"),
        s_test = Pair("Test"), s_load = Pair("Load"), s_store = Pair("Store");

    private static readonly ushort s_loadByte = X86Table.Find("Frequent.LoadByte"), s_storeByte = X86Table.Find("Frequent.StoreByte"),
        s_push = X86Table.Find("Frequent.Push64"), s_pop = X86Table.Find("Frequent.Pop64");

    private static (ushort Bits32, ushort Bits64) Pair(string name) => (X86Table.Find($"Frequent.{name}32"), X86Table.Find($"Frequent.{name}64"));

    /// <returns>The handler, or 0: the general one is right.</returns>
    public static ushort Find(in Insn insn, MemSize codeSize)
    {
        if (insn.OperandCount == 1)
        {
            if (codeSize != MemSize.B8 || insn.Op0.Kind != OperandKind.Gpr || insn.Op0.Size != 8)
                return 0;
            return insn.Mnemonic switch { Mnemonic.Push => s_push, Mnemonic.Pop => s_pop, _ => 0 };
        }
        if (insn.OperandCount != 2 || insn.HasLock)
            return 0;
        bool register = insn.Op0.Kind == OperandKind.Gpr && insn.Op0.Size >= 4;
        if (register && insn.Op1.Kind is OperandKind.Gpr or OperandKind.Immediate && (insn.Op1.Kind == OperandKind.Immediate || insn.Op1.Size == insn.Op0.Size))
        {
            return insn.Mnemonic switch
            {
                Mnemonic.Mov => Of(s_mov, insn.Op0.Size),
                Mnemonic.Add => Of(s_add, insn.Op0.Size),
                Mnemonic.Sub => Of(s_sub, insn.Op0.Size),
                Mnemonic.Cmp => Of(s_cmp, insn.Op0.Size),
                Mnemonic.And => Of(s_and, insn.Op0.Size),
                Mnemonic.Or => Of(s_or, insn.Op0.Size),
                Mnemonic.Test => Of(s_test, insn.Op0.Size),
                Mnemonic.Shl when IsShift(in insn) => Of(s_shl, insn.Op0.Size),
                Mnemonic.Shr when IsShift(in insn) => Of(s_shr, insn.Op0.Size),
                _ => 0,
            };
        }
        if (register && insn.Op1.Kind == OperandKind.Memory)
        {
            if (insn.Mnemonic == Mnemonic.Lea)
                return Of(s_lea, insn.Op0.Size);
            if (insn.Mnemonic == Mnemonic.Mov && insn.Op1.Size == insn.Op0.Size)
                return Of(s_load, insn.Op0.Size);
            return insn.Mnemonic == Mnemonic.Movzx && insn.Op1.Size == 1 ? s_loadByte : (ushort)0;
        }
        if (insn.Mnemonic == Mnemonic.Mov && insn.Op0.Kind == OperandKind.Memory && insn.Op1.Kind == OperandKind.Gpr && insn.Op1.Size >= 4 && insn.Op1.Size == insn.Op0.Size)
            return Of(s_store, insn.Op1.Size);
        return insn.Mnemonic == Mnemonic.Mov && insn.Op0.Kind == OperandKind.Memory && insn.Op1.Kind == OperandKind.Gpr && insn.Op1.Size == 1 ? s_storeByte : (ushort)0;
    }

    // A count of 0 changes no flags.
    private static bool IsShift(in Insn insn)
        => insn.Op1.Kind == OperandKind.Immediate && (insn.Immediate & (insn.Op0.Size == 8 ? 63u : 31u)) != 0;

    private static ushort Of((ushort Bits32, ushort Bits64) pair, int size) => size == 8 ? pair.Bits64 : pair.Bits32;
}
