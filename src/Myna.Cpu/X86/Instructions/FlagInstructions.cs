using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Instructions on single flags (Intel SDM volume 1, section 7.3.14). IF and the whole register belong to the system instructions.</summary>
internal static class FlagInstructions<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Clc)]
    public static void Clc(ref TOps ops, in Insn insn) => Flags<TOps, T, V>.Merge(ref ops, ops.Const(0), LazyFlags.CF);

    [X86Instruction(Mnemonic.Stc)]
    public static void Stc(ref TOps ops, in Insn insn) => Flags<TOps, T, V>.Merge(ref ops, ops.Const(1), LazyFlags.CF);

    [X86Instruction(Mnemonic.Cmc)]
    public static void Cmc(ref TOps ops, in Insn insn)
        => Flags<TOps, T, V>.SetExplicit(ref ops, ops.Xor(Flags<TOps, T, V>.All(ref ops), ops.Const(LazyFlags.CF)));

    [X86Instruction(Mnemonic.Cld)]
    public static void Cld(ref TOps ops, in Insn insn)
    {
        if (ops.Mode.Backward)
            ops.SetDirection(backward: false);
    }

    [X86Instruction(Mnemonic.Std)]
    public static void Std(ref TOps ops, in Insn insn)
    {
        if (!ops.Mode.Backward)
            ops.SetDirection(backward: true);
    }

    [X86Instruction(Mnemonic.Lahf)]
    public static void Lahf(ref TOps ops, in Insn insn)
    {
        const ulong Kept = LazyFlags.All & 0xFF;
        T flags = ops.Or(ops.And(Flags<TOps, T, V>.All(ref ops), ops.Const(Kept)), ops.Const(2));
        Operands<TOps, T, V>.WriteRegister(ref ops, new Operand(OperandKind.GprHigh, 0, 1), flags);
    }

    [X86Instruction(Mnemonic.Sahf)]
    public static void Sahf(ref TOps ops, in Insn insn)
    {
        const ulong Loaded = LazyFlags.All & 0xFF;
        T ah = ops.ShrU(ops.Get(Operands<TOps, T, V>.Rax), ops.Const(8));
        Flags<TOps, T, V>.Merge(ref ops, ops.And(ah, ops.Const(Loaded)), Loaded);
    }

    // Undocumented: AL = CF ? FF : 0.
    [X86Instruction(Mnemonic.Salc)]
    public static void Salc(ref TOps ops, in Insn insn)
        => Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, MemSize.B1, ops.Sub(ops.Const(0), Flags<TOps, T, V>.Carry(ref ops)));
}
