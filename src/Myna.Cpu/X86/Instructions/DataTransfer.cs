using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Moves and conversions between integer widths (Intel SDM volume 1, sections 7.3.1 and 7.3.2).</summary>
internal static class DataTransfer<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Mov, Mnemonic.Movnti)]
    public static void Mov(ref TOps ops, in Insn insn)
    {
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T value))
            Operands<TOps, T, V>.Write(ref ops, in insn, in insn.Op0, value);
    }

    [X86Instruction(Mnemonic.Movzx)]
    public static void Movzx(ref TOps ops, in Insn insn)
    {
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T value))
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, insn.Op1.Kind == OperandKind.Memory ? value : ops.ZeroExtend(value, insn.Op1.Width));
    }

    [X86Instruction(Mnemonic.Movsx, Mnemonic.Movsxd)]
    public static void Movsx(ref TOps ops, in Insn insn)
    {
        if (insn.Op1.Kind == OperandKind.Memory)
        {
            if (Operands<TOps, T, V>.Address(ref ops, in insn, insn.Op1.Size, write: false, out T linear)
                && ops.Load(linear, insn.Op1.Width, signed: true, out T loaded))
            {
                Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, loaded);
            }
        }
        else if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T value))
        {
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, ops.SignExtend(value, insn.Op1.Width));
        }
    }

    [X86Instruction(Mnemonic.Lea)]
    public static void Lea(ref TOps ops, in Insn insn)
        => Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, Operands<TOps, T, V>.EffectiveAddress(ref ops, in insn));

    [X86Instruction(Mnemonic.Cbw, Mnemonic.Cwde, Mnemonic.Cdqe)]
    public static void SignExtendRax(ref TOps ops, in Insn insn)
    {
        MemSize to = insn.Mnemonic switch { Mnemonic.Cbw => MemSize.B2, Mnemonic.Cwde => MemSize.B4, _ => MemSize.B8 };
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, to, ops.SignExtend(ops.Get(Operands<TOps, T, V>.Rax), to - 1));
    }

    [X86Instruction(Mnemonic.Cwd, Mnemonic.Cdq, Mnemonic.Cqo)]
    public static void SignExtendToRdx(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.Mnemonic switch { Mnemonic.Cwd => MemSize.B2, Mnemonic.Cdq => MemSize.B4, _ => MemSize.B8 };
        T sign = ops.ShrS(ops.SignExtend(ops.Get(Operands<TOps, T, V>.Rax), size), ops.Const(63));
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rdx, size, sign);
    }

    [X86Instruction(Mnemonic.Bswap)]
    public static void Bswap(ref TOps ops, in Insn insn)
    {
        T value = ops.Get(insn.Op0.Register << 3);
        T swapped = insn.Op0.Width switch
        {
            MemSize.B8 => ops.ByteSwap(value),
            MemSize.B4 => ops.ShrU(ops.ByteSwap(value), ops.Const(32)),
            // Undefined by the manual; processors clear the register.
            _ => ops.Const(0),
        };
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, swapped);
    }

    [X86Instruction(Mnemonic.Movbe)]
    public static void Movbe(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T value))
            return;
        T swapped = ops.ByteSwap(value);
        if (width != MemSize.B8)
            swapped = ops.ShrU(swapped, ops.Const((ulong)(64 - (8 << (int)width))));
        Operands<TOps, T, V>.Write(ref ops, in insn, in insn.Op0, swapped);
    }

    [X86Instruction(Mnemonic.Xlatb)]
    public static void Xlat(ref TOps ops, in Insn insn)
    {
        T offset = ops.Add(ops.Get(Operands<TOps, T, V>.Rbx), ops.ZeroExtend(ops.Get(Operands<TOps, T, V>.Rax), MemSize.B1));
        offset = Operands<TOps, T, V>.Reduce(ref ops, offset, insn.AddressSize);
        if (ops.Linear(insn.Segment, offset, 1, write: false, out T linear) && ops.Load(linear, MemSize.B1, signed: false, out T value))
            Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rax, MemSize.B1, value);
    }

    [X86Instruction(Mnemonic.Cmova, Mnemonic.Cmovae, Mnemonic.Cmovb, Mnemonic.Cmovbe, Mnemonic.Cmove, Mnemonic.Cmovg, Mnemonic.Cmovge, Mnemonic.Cmovl,
        Mnemonic.Cmovle, Mnemonic.Cmovne, Mnemonic.Cmovno, Mnemonic.Cmovnp, Mnemonic.Cmovns, Mnemonic.Cmovo, Mnemonic.Cmovp, Mnemonic.Cmovs)]
    public static void Cmov(ref TOps ops, in Insn insn)
    {
        // Memory is read, and a 32-bit register zero-extended, whatever the condition says.
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T value))
            return;
        Flags<TOps, T, V>.Compare(ref ops, insn.Condition, out Cond cond, out MemSize width, out T a, out T b);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, ops.Select(cond, width, a, b, value, ops.Get(insn.Op0.Register << 3)));
    }

    [X86Instruction(Mnemonic.Seta, Mnemonic.Setae, Mnemonic.Setb, Mnemonic.Setbe, Mnemonic.Sete, Mnemonic.Setg, Mnemonic.Setge, Mnemonic.Setl,
        Mnemonic.Setle, Mnemonic.Setne, Mnemonic.Setno, Mnemonic.Setnp, Mnemonic.Setns, Mnemonic.Seto, Mnemonic.Setp, Mnemonic.Sets)]
    public static void Set(ref TOps ops, in Insn insn)
        => Operands<TOps, T, V>.Write(ref ops, in insn, in insn.Op0, Flags<TOps, T, V>.Set(ref ops, insn.Condition));
}
