using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>BMI1, BMI2 and ADX (Intel SDM volume 1, sections 5.1.16 and 5.1.17).</summary>
internal static class BitManipulation<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Andn)]
    public static void Andn(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op2, out T b))
            return;
        T r = ops.And(ops.Not(ops.Get(insn.Op1.Register << 3)), b);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
        Flags<TOps, T, V>.SetLogic(ref ops, insn.Op0.Width, r);
    }

    [X86Instruction(Mnemonic.Bextr)]
    public static void Bextr(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T control = ops.Get(insn.Op2.Register << 3);
        T start = ops.ZeroExtend(control, MemSize.B1);
        T length = ops.ZeroExtend(ops.ShrU(control, ops.Const(8)), MemSize.B1);
        T limit = ops.Const(64);
        T zero = ops.Const(0);
        T value = ops.ShrU(Operands<TOps, T, V>.Reduce(ref ops, source, width), start);
        value = ops.Select(Cond.LtU, MemSize.B4, start, limit, value, zero);
        T mask = ops.Select(Cond.LtU, MemSize.B4, length, limit, ops.Sub(ops.Shl(ops.Const(1), length), ops.Const(1)), ops.Const(ulong.MaxValue));
        T r = ops.And(value, mask);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
        Flags<TOps, T, V>.SetExplicit(ref ops, ops.Shl(ops.Set(Cond.Eq, width, r, zero), ops.Const(6)));
    }

    [X86Instruction(Mnemonic.Blsi)]
    public static void Blsi(ref TOps ops, in Insn insn) => Lowest(ref ops, in insn);

    [X86Instruction(Mnemonic.Blsr)]
    public static void Blsr(ref TOps ops, in Insn insn) => Lowest(ref ops, in insn);

    [X86Instruction(Mnemonic.Blsmsk)]
    public static void Blsmsk(ref TOps ops, in Insn insn) => Lowest(ref ops, in insn);

    // CF says whether the source was 0, for BLSI whether it was not.
    private static void Lowest(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T zero = ops.Const(0);
        T below = ops.Sub(source, ops.Const(1));
        T r = insn.Mnemonic switch
        {
            Mnemonic.Blsi => ops.And(source, ops.Sub(zero, source)),
            Mnemonic.Blsr => ops.And(source, below),
            _ => ops.Xor(source, below),
        };
        T carry = ops.Set(insn.Mnemonic == Mnemonic.Blsi ? Cond.Ne : Cond.Eq, width, source, zero);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
        SetWithCarry(ref ops, width, r, carry);
    }

    [X86Instruction(Mnemonic.Bzhi)]
    public static void Bzhi(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T index = ops.ZeroExtend(ops.Get(insn.Op2.Register << 3), MemSize.B1);
        T bits = ops.Const(8u << (int)width);
        T kept = ops.And(source, ops.Sub(ops.Shl(ops.Const(1), index), ops.Const(1)));
        T r = ops.Select(Cond.LtU, MemSize.B4, index, bits, kept, source);
        T carry = ops.Set(Cond.GeU, MemSize.B4, index, bits);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
        SetWithCarry(ref ops, width, r, carry);
    }

    // SF and ZF by the result, OF 0; AF and PF are undefined: 0.
    private static void SetWithCarry(ref TOps ops, MemSize width, T result, T carry)
    {
        T zero = ops.Const(0);
        T flags = ops.Or(ops.Shl(ops.Set(Cond.Eq, width, result, zero), ops.Const(6)), ops.Shl(ops.Set(Cond.LtS, width, result, zero), ops.Const(7)));
        Flags<TOps, T, V>.SetExplicit(ref ops, ops.Or(flags, carry));
    }

    [X86Instruction(Mnemonic.Pdep)]
    public static void Pdep(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op2, out T mask))
            return;
        mask = Operands<TOps, T, V>.Reduce(ref ops, mask, insn.Op0.Width);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, ops.Deposit(ops.Get(insn.Op1.Register << 3), mask));
    }

    [X86Instruction(Mnemonic.Pext)]
    public static void Pext(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op2, out T mask))
            return;
        mask = Operands<TOps, T, V>.Reduce(ref ops, mask, insn.Op0.Width);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, ops.Extract(ops.Get(insn.Op1.Register << 3), mask));
    }

    [X86Instruction(Mnemonic.Rorx)]
    public static void Rorx(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T count = ops.Const(insn.Immediate & 63);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, insn.Op0.Width == MemSize.B8 ? ops.RotateRight(source, count) : ops.RotateRight32(source, count));
    }

    [X86Instruction(Mnemonic.Sarx, Mnemonic.Shlx, Mnemonic.Shrx)]
    public static void ShiftWithoutFlags(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T source))
            return;
        T count = ops.And(ops.Get(insn.Op2.Register << 3), ops.Const(width == MemSize.B8 ? 63u : 31u));
        T r = insn.Mnemonic switch
        {
            Mnemonic.Sarx => ops.ShrS(width == MemSize.B8 ? source : ops.SignExtend(source, width), count),
            Mnemonic.Shlx => ops.Shl(source, count),
            _ => ops.ShrU(Operands<TOps, T, V>.Reduce(ref ops, source, width), count),
        };
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
    }

    [X86Instruction(Mnemonic.Mulx)]
    public static void Mulx(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op2, out T b))
            return;
        T a = ops.Get(Operands<TOps, T, V>.Rdx);
        T low, high;
        if (insn.Op0.Width == MemSize.B8)
        {
            ops.MultiplyWide(a, b, out low, out high);
        }
        else
        {
            low = ops.Mul(ops.ZeroExtend(a, MemSize.B4), ops.ZeroExtend(b, MemSize.B4));
            high = ops.ShrU(low, ops.Const(32));
        }
        // The high half wins when both destinations are the same.
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op1, low);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, high);
    }

    [X86Instruction(Mnemonic.Adcx)]
    public static void Adcx(ref TOps ops, in Insn insn) => AddWithFlag(ref ops, in insn, 0);

    [X86Instruction(Mnemonic.Adox)]
    public static void Adox(ref TOps ops, in Insn insn) => AddWithFlag(ref ops, in insn, 11);

    private static void AddWithFlag(ref TOps ops, in Insn insn, int flag)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
            return;
        T a = ops.Get(insn.Op0.Register << 3);
        T old = Flags<TOps, T, V>.All(ref ops);
        T carry = ops.And(ops.ShrU(old, ops.Const((ulong)flag)), ops.Const(1));
        T partial = ops.Add(a, b);
        T r = ops.Add(partial, carry);
        T carried = ops.Or(ops.Set(Cond.LtU, width, partial, a), ops.Set(Cond.LtU, width, r, partial));
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
        T kept = ops.And(old, ops.Const(LazyFlags.All & ~(1UL << flag)));
        Flags<TOps, T, V>.SetExplicit(ref ops, ops.Or(kept, ops.Shl(carried, ops.Const((ulong)flag))));
    }
}
