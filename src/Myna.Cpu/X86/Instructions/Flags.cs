using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>
/// The arithmetic flags in semantics: setting them leaves their operands in the lazy slots (<see cref="FlagKind"/>), and using
/// them turns the operands into one comparison.
/// </summary>
internal static class Flags<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    // Setting.

    public static void SetExplicit(ref TOps ops, T bits)
    {
        ops.Set(X86Registers.FlagOp, ops.Const(0));
        ops.Set(X86Registers.FlagR, bits);
    }

    public static void SetLogic(ref TOps ops, MemSize width, T result)
    {
        SetOp(ref ops, FlagKind.Logic, width);
        ops.Set(X86Registers.FlagR, result);
    }

    /// <param name="addend">Either of the two; rather the one that stays.</param>
    public static void SetAdd(ref TOps ops, MemSize width, T addend, T result)
    {
        SetOp(ref ops, FlagKind.Add, width);
        ops.Set(X86Registers.FlagA, addend);
        ops.Set(X86Registers.FlagR, result);
    }

    public static void SetSub(ref TOps ops, MemSize width, T a, T b)
    {
        SetOp(ref ops, FlagKind.Sub, width);
        ops.Set(X86Registers.FlagA, a);
        ops.Set(X86Registers.FlagB, b);
    }

    /// <summary>As <see cref="SetSub"/> when the result is kept: then the minuend need not be.</summary>
    public static void SetDifference(ref TOps ops, MemSize width, T b, T result)
    {
        SetOp(ref ops, FlagKind.Difference, width);
        ops.Set(X86Registers.FlagB, b);
        ops.Set(X86Registers.FlagR, result);
    }

    /// <summary>For <see cref="FlagKind.Adc"/>, Sbb, Shl, Shr, Sar and Imul.</summary>
    public static void SetFull(ref TOps ops, FlagKind kind, MemSize width, T a, T b, T result)
    {
        SetOp(ref ops, kind, width);
        ops.Set(X86Registers.FlagA, a);
        ops.Set(X86Registers.FlagB, b);
        ops.Set(X86Registers.FlagR, result);
    }

    /// <summary>For <see cref="FlagKind.Inc"/> and Dec: <paramref name="carry"/> is 0 or 1; and for Mul: it is the upper half.</summary>
    public static void SetResultAndCarry(ref TOps ops, FlagKind kind, MemSize width, T result, T carry)
    {
        SetOp(ref ops, kind, width);
        ops.Set(X86Registers.FlagB, carry);
        ops.Set(X86Registers.FlagR, result);
    }

    /// <summary>As <see cref="SetFull"/>, but nothing changes when the count in <paramref name="b"/> is known to be 0; an unknown one is not 0.</summary>
    public static void SetUnlessZero(ref TOps ops, FlagKind kind, MemSize width, T a, T b, T result)
    {
        if (!ops.TryConst(b, out ulong count) || count != 0)
            SetFull(ref ops, kind, width, a, b, result);
    }

    /// <summary>Changes some flags and keeps the others.</summary>
    /// <param name="bits">Zero outside <paramref name="mask"/>.</param>
    public static void Merge(ref TOps ops, T bits, ulong mask)
        => SetExplicit(ref ops, mask == LazyFlags.All ? bits : ops.Or(ops.And(All(ref ops), ops.Const(LazyFlags.All & ~mask)), bits));

    /// <summary>Changes CF and OF and keeps the others.</summary>
    /// <param name="bits">CF in bit 0, OF in bit 11; the other bits mean nothing.</param>
    public static void SetCarryAndOverflow(ref TOps ops, T bits)
    {
        FlagKind kind = Known(ref ops, out MemSize width);
        const ulong Changed = LazyFlags.CF | LazyFlags.OF;
        if (kind == FlagKind.Explicit)
        {
            T kept = ops.And(ops.Get(X86Registers.FlagR), ops.Const(LazyFlags.All & ~Changed));
            SetExplicit(ref ops, ops.Or(kept, ops.And(bits, ops.Const(Changed))));
            return;
        }
        T adjust = AdjustSource(ref ops, kind);
        T result = Result(ref ops, kind);
        SetFull(ref ops, FlagKind.Parts, width, adjust, bits, result);
    }

    // Using.

    /// <summary>The six flags where RFLAGS has them, all other bits zero.</summary>
    public static T All(ref TOps ops)
    {
        FlagKind kind = Known(ref ops, out MemSize width);
        if (kind == FlagKind.Explicit)
            return ops.Get(X86Registers.FlagR);
        if (typeof(T) == typeof(ulong))
        {
            ops.TryConst(ops.Get(X86Registers.FlagA), out ulong a);
            ops.TryConst(ops.Get(X86Registers.FlagB), out ulong b);
            ops.TryConst(ops.Get(X86Registers.FlagR), out ulong r);
            return ops.Const(LazyFlags.Compute(LazyFlags.Op(kind, width), a, b, r));
        }
        T result = Result(ref ops, kind);
        T zero = ops.Const(0);
        T flags = ops.Shl(ops.Set(Cond.Eq, width, result, zero), ops.Const(6));
        flags = ops.Or(flags, ops.Shl(ops.Set(Cond.LtS, width, result, zero), ops.Const(7)));
        flags = ops.Or(flags, ops.Shl(EvenParity(ref ops, result), ops.Const(2)));
        if (kind == FlagKind.Logic)
            return flags;
        flags = ops.Or(flags, Carry(ref ops));
        flags = ops.Or(flags, ops.Shl(ops.Set(Cond.LtS, width, Overflow(ref ops, kind, width), zero), ops.Const(11)));
        return kind is FlagKind.Mul or FlagKind.Imul ? flags : ops.Or(flags, ops.And(AdjustSource(ref ops, kind), ops.Const(LazyFlags.AF)));
    }

    /// <summary>CF as 0 or 1.</summary>
    public static T Carry(ref TOps ops)
    {
        FlagKind kind = Known(ref ops, out MemSize width);
        switch (kind)
        {
            case FlagKind.Explicit:
                return ops.And(ops.Get(X86Registers.FlagR), ops.Const(1));
            case FlagKind.Inc or FlagKind.Dec:
                return ops.Get(X86Registers.FlagB);
            case FlagKind.Parts:
                return ops.And(ops.Get(X86Registers.FlagB), ops.Const(1));
            case FlagKind.Logic:
                return ops.Const(0);
            case FlagKind.Adc or FlagKind.Sbb when ops.TryCarryOf(ops.Get(X86Registers.FlagR), out T carry):
                return carry;
            default:
                CompareCarry(ref ops, kind, ref width, out Cond cond, out T a, out T b);
                return ops.Set(cond, width, a, b);
        }
    }

    /// <summary>One of the 16 conditions as 0 or 1.</summary>
    public static T Set(ref TOps ops, int condition)
    {
        Compare(ref ops, condition, out Cond cond, out MemSize width, out T a, out T b);
        return ops.Set(cond, width, a, b);
    }

    /// <summary>One of the 16 conditions as a comparison that holds when the condition does.</summary>
    /// <param name="condition">The low four bits of Jcc, SETcc, CMOVcc (Intel SDM volume 1, appendix B).</param>
    public static void Compare(ref TOps ops, int condition, out Cond cond, out MemSize width, out T a, out T b)
    {
        if (typeof(T) == typeof(ulong))
        {
            cond = Holds(ref ops, condition) ? Cond.Eq : Cond.Ne;
            width = MemSize.B8;
            a = b = ops.Const(0);
            return;
        }
        FlagKind kind = Known(ref ops, out width);
        if (kind == FlagKind.Explicit)
        {
            CompareExplicit(ref ops, condition >> 1, out cond, out a, out b);
            width = MemSize.B8;
        }
        else
        {
            switch (condition >> 1)
            {
                case 0: // O
                    cond = Cond.LtS;
                    a = Overflow(ref ops, kind, width);
                    b = ops.Const(0);
                    break;
                case 1: // B
                    CompareCarry(ref ops, kind, ref width, out cond, out a, out b);
                    break;
                case 2: // E
                    CompareEqual(ref ops, kind, out cond, out a, out b);
                    break;
                case 3: // BE
                    CompareBelowOrEqual(ref ops, kind, ref width, out cond, out a, out b);
                    break;
                case 4: // S
                    cond = Cond.LtS;
                    a = Result(ref ops, kind);
                    b = ops.Const(0);
                    break;
                case 5: // P
                    cond = Cond.Ne;
                    a = EvenParity(ref ops, Result(ref ops, kind));
                    b = ops.Const(0);
                    width = MemSize.B4;
                    break;
                case 6: // L
                    CompareLess(ref ops, kind, width, out cond, out a, out b);
                    break;
                default: // LE
                    CompareLessOrEqual(ref ops, kind, ref width, out cond, out a, out b);
                    break;
            }
        }
        if ((condition & 1) != 0)
            cond = Negate(cond);
    }

    // Where all values are known.
    private static bool Holds(ref TOps ops, int condition)
    {
        ops.TryConst(ops.Get(X86Registers.FlagOp), out ulong op);
        ops.TryConst(ops.Get(X86Registers.FlagA), out ulong a);
        ops.TryConst(ops.Get(X86Registers.FlagB), out ulong b);
        ops.TryConst(ops.Get(X86Registers.FlagR), out ulong r);
        return LazyFlags.Holds(condition, op, a, b, r);
    }

    private static Cond Negate(Cond cond) => cond switch
    {
        Cond.Eq => Cond.Ne,
        Cond.Ne => Cond.Eq,
        Cond.LtS => Cond.GeS,
        Cond.GeS => Cond.LtS,
        Cond.LtU => Cond.GeU,
        _ => Cond.LtU,
    };

    private static void SetOp(ref TOps ops, FlagKind kind, MemSize width) => ops.Set(X86Registers.FlagOp, ops.Const(LazyFlags.Op(kind, width)));

    // The kind of the last operation; one that the translator does not know is brought into explicit form first.
    private static FlagKind Known(ref TOps ops, out MemSize width)
    {
        if (!ops.TryConst(ops.Get(X86Registers.FlagOp), out ulong op))
        {
            SetExplicit(ref ops, ops.ComputeFlags());
            op = 0;
        }
        width = (MemSize)(op & 3);
        return (FlagKind)(op >> 2);
    }

    private static T Result(ref TOps ops, FlagKind kind)
        => kind == FlagKind.Sub ? ops.Sub(ops.Get(X86Registers.FlagA), ops.Get(X86Registers.FlagB)) : ops.Get(X86Registers.FlagR);

    private static T EvenParity(ref TOps ops, T result)
    {
        T odd = ops.And(ops.PopCount(ops.ZeroExtend(result, MemSize.B1)), ops.Const(1));
        return ops.Xor(odd, ops.Const(1));
    }

    // A value whose bit 4 is AF.
    private static T AdjustSource(ref TOps ops, FlagKind kind)
    {
        switch (kind)
        {
            case FlagKind.Shl or FlagKind.Shr or FlagKind.Sar:
                return ops.Const(LazyFlags.AF);
            case FlagKind.Logic or FlagKind.Mul or FlagKind.Imul:
                return ops.Const(0);
            case FlagKind.Parts:
                return ops.Get(X86Registers.FlagA);
        }
        T r = Result(ref ops, kind);
        if (kind is FlagKind.Inc or FlagKind.Dec)
        {
            T low = ops.And(r, ops.Const(0xF));
            return ops.Shl(ops.Set(Cond.Eq, MemSize.B4, low, ops.Const(kind == FlagKind.Inc ? 0u : 0xFu)), ops.Const(4));
        }
        T a = Minuend(ref ops, kind);
        T b = kind == FlagKind.Add ? ops.Sub(r, a) : ops.Get(X86Registers.FlagB);
        return ops.Xor(ops.Xor(a, b), r);
    }

    // The first operand; of a sum with a known addend that addend, which is as good.
    private static T Minuend(ref TOps ops, FlagKind kind)
        => kind == FlagKind.Difference ? ops.Add(ops.Get(X86Registers.FlagR), ops.Get(X86Registers.FlagB)) : ops.Get(X86Registers.FlagA);

    // A value whose sign at the operation's width is OF.
    private static T Overflow(ref TOps ops, FlagKind kind, MemSize width)
    {
        T a = Minuend(ref ops, kind);
        T b = ops.Get(X86Registers.FlagB);
        T r = Result(ref ops, kind);
        int bits = 8 << (int)width;
        switch (kind)
        {
            case FlagKind.Add:
                return ops.And(ops.Xor(a, r), ops.Xor(ops.Sub(r, a), r));
            case FlagKind.Adc:
                return ops.And(ops.Xor(a, r), ops.Xor(b, r));
            case FlagKind.Sub or FlagKind.Difference or FlagKind.Sbb:
                return ops.And(ops.Xor(a, b), ops.Xor(a, r));
            case FlagKind.Inc:
                return Negative(ref ops, ops.Set(Cond.Eq, width, r, ops.Const(SignExtended(1UL << (bits - 1), width))));
            case FlagKind.Dec:
                return Negative(ref ops, ops.Set(Cond.Eq, width, r, ops.Const((1UL << (bits - 1)) - 1)));
            case FlagKind.Shl:
                return ops.Xor(r, ops.Shl(a, ops.Sub(b, ops.Const(1))));
            case FlagKind.Shr:
                return ops.Xor(r, ops.Shl(r, ops.Const(1)));
            case FlagKind.Mul:
                return Negative(ref ops, ops.Set(Cond.Ne, MemSize.B8, b, ops.Const(0)));
            case FlagKind.Imul:
                return Negative(ref ops, ops.Set(Cond.Ne, MemSize.B8, HighPart(ref ops, width), ops.Const(0)));
            case FlagKind.Parts:
                return bits > 12 ? ops.Shl(b, ops.Const((ulong)(bits - 12))) : ops.ShrU(b, ops.Const((ulong)(12 - bits)));
            default:
                return ops.Const(0);
        }
    }

    // 0 when the signed product of the slots A and B fits in the width.
    private static T HighPart(ref TOps ops, MemSize width)
    {
        T a = ops.Get(X86Registers.FlagA);
        T b = ops.Get(X86Registers.FlagB);
        if (width == MemSize.B8)
            return ops.Xor(ops.MulHighS(a, b), ops.ShrS(ops.Mul(a, b), ops.Const(63)));
        T product = ops.Mul(ops.SignExtend(a, width), ops.SignExtend(b, width));
        return ops.Xor(product, ops.SignExtend(product, width));
    }

    private static ulong SignExtended(ulong value, MemSize width) => width switch
    {
        MemSize.B1 => (ulong)(sbyte)value,
        MemSize.B2 => (ulong)(short)value,
        MemSize.B4 => (ulong)(int)value,
        _ => value,
    };

    // 0 or all ones from 0 or 1.
    private static T Negative(ref TOps ops, T value) => ops.Sub(ops.Const(0), value);

    private static void CompareCarry(ref TOps ops, FlagKind kind, ref MemSize width, out Cond cond, out T a, out T b)
    {
        T slotA = ops.Get(X86Registers.FlagA);
        T slotB = ops.Get(X86Registers.FlagB);
        T r = ops.Get(X86Registers.FlagR);
        T zero = ops.Const(0);
        // Where the carry is the sign of an expression.
        cond = Cond.LtS;
        b = zero;
        switch (kind)
        {
            case FlagKind.Add:
                cond = Cond.LtU;
                a = r;
                b = slotA;
                break;
            case FlagKind.Sub or FlagKind.Difference:
                cond = Cond.LtU;
                a = Minuend(ref ops, kind);
                b = slotB;
                break;
            case FlagKind.Mul:
                a = slotB;
                cond = Cond.Ne;
                width = MemSize.B8;
                break;
            case FlagKind.Imul:
                a = HighPart(ref ops, width);
                cond = Cond.Ne;
                width = MemSize.B8;
                break;
            case FlagKind.Parts:
                a = ops.And(slotB, ops.Const(1));
                cond = Cond.Ne;
                width = MemSize.B4;
                break;
            case FlagKind.Adc or FlagKind.Sbb when ops.TryCarryOf(r, out T carry):
                a = carry;
                cond = Cond.Ne;
                width = MemSize.B4;
                break;
            case FlagKind.Adc:
                a = ops.Or(ops.And(slotA, slotB), ops.And(ops.Or(slotA, slotB), ops.Not(r)));
                break;
            case FlagKind.Sbb:
                a = ops.Or(ops.And(ops.Not(slotA), slotB), ops.And(ops.Not(ops.Xor(slotA, slotB)), r));
                break;
            case FlagKind.Shl:
                a = ops.Shl(slotA, ops.Sub(slotB, ops.Const(1)));
                break;
            case FlagKind.Shr or FlagKind.Sar:
                a = kind == FlagKind.Shr ? ops.ZeroExtend(slotA, width) : ops.SignExtend(slotA, width);
                T count = ops.Sub(slotB, ops.Const(1));
                a = ops.And(kind == FlagKind.Shr ? ops.ShrU(a, count) : ops.ShrS(a, count), ops.Const(1));
                cond = Cond.Ne;
                width = MemSize.B4;
                break;
            case FlagKind.Inc or FlagKind.Dec:
                a = slotB;
                cond = Cond.Ne;
                width = MemSize.B4;
                break;
            default:
                a = zero;
                cond = Cond.Ne;
                break;
        }
    }

    private static void CompareEqual(ref TOps ops, FlagKind kind, out Cond cond, out T a, out T b)
    {
        cond = Cond.Eq;
        if (kind == FlagKind.Sub)
        {
            a = ops.Get(X86Registers.FlagA);
            b = ops.Get(X86Registers.FlagB);
            return;
        }
        a = ops.Get(X86Registers.FlagR);
        b = ops.Const(0);
    }

    private static void CompareBelowOrEqual(ref TOps ops, FlagKind kind, ref MemSize width, out Cond cond, out T a, out T b)
    {
        switch (kind)
        {
            case FlagKind.Sub or FlagKind.Difference:
                cond = Cond.GeU;
                a = ops.Get(X86Registers.FlagB);
                b = Minuend(ref ops, kind);
                break;
            case FlagKind.Logic:
                cond = Cond.Eq;
                a = ops.Get(X86Registers.FlagR);
                b = ops.Const(0);
                break;
            default:
                a = ops.Or(Carry(ref ops), ops.Set(Cond.Eq, width, Result(ref ops, kind), ops.Const(0)));
                cond = Cond.Ne;
                b = ops.Const(0);
                width = MemSize.B4;
                break;
        }
    }

    private static void CompareLess(ref TOps ops, FlagKind kind, MemSize width, out Cond cond, out T a, out T b)
    {
        cond = Cond.LtS;
        if (kind is FlagKind.Sub or FlagKind.Difference)
        {
            a = Minuend(ref ops, kind);
            b = ops.Get(X86Registers.FlagB);
            return;
        }
        a = Result(ref ops, kind);
        if (kind is not (FlagKind.Logic or FlagKind.Sar))
            a = ops.Xor(a, Overflow(ref ops, kind, width));
        b = ops.Const(0);
    }

    private static void CompareLessOrEqual(ref TOps ops, FlagKind kind, ref MemSize width, out Cond cond, out T a, out T b)
    {
        switch (kind)
        {
            case FlagKind.Sub or FlagKind.Difference:
                cond = Cond.GeS;
                a = ops.Get(X86Registers.FlagB);
                b = Minuend(ref ops, kind);
                break;
            case FlagKind.Logic or FlagKind.Sar:
                cond = Cond.GeS;
                a = ops.Const(0);
                b = ops.Get(X86Registers.FlagR);
                break;
            default:
                CompareLess(ref ops, kind, width, out cond, out a, out b);
                a = ops.Or(ops.Set(cond, width, a, b), ops.Set(Cond.Eq, width, Result(ref ops, kind), ops.Const(0)));
                cond = Cond.Ne;
                b = ops.Const(0);
                width = MemSize.B4;
                break;
        }
    }

    private static void CompareExplicit(ref TOps ops, int pair, out Cond cond, out T a, out T b)
    {
        T flags = ops.Get(X86Registers.FlagR);
        cond = Cond.Ne;
        b = ops.Const(0);
        switch (pair)
        {
            case 0:
                a = ops.And(flags, ops.Const(LazyFlags.OF));
                break;
            case 1:
                a = ops.And(flags, ops.Const(LazyFlags.CF));
                break;
            case 2:
                a = ops.And(flags, ops.Const(LazyFlags.ZF));
                break;
            case 3:
                a = ops.And(flags, ops.Const(LazyFlags.CF | LazyFlags.ZF));
                break;
            case 4:
                a = ops.And(flags, ops.Const(LazyFlags.SF));
                break;
            case 5:
                a = ops.And(flags, ops.Const(LazyFlags.PF));
                break;
            default:
                // OF is bit 11, SF bit 7.
                T differ = ops.Xor(ops.ShrU(flags, ops.Const(4)), flags);
                T less = ops.And(differ, ops.Const(LazyFlags.SF));
                a = pair == 6 ? less : ops.Or(less, ops.And(flags, ops.Const(LazyFlags.ZF)));
                break;
        }
    }
}
