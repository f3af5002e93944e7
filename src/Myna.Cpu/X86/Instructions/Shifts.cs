using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Shifts and rotations (Intel SDM volume 1, section 7.3.6). Counts are taken modulo 32, or 64 for 64-bit operands.</summary>
internal static class Shifts<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Shl, Mnemonic.Sal)]
    public static void Shl(ref TOps ops, in Insn insn) => Shift(ref ops, in insn, FlagKind.Shl);

    [X86Instruction(Mnemonic.Shr)]
    public static void Shr(ref TOps ops, in Insn insn) => Shift(ref ops, in insn, FlagKind.Shr);

    [X86Instruction(Mnemonic.Sar)]
    public static void Sar(ref TOps ops, in Insn insn) => Shift(ref ops, in insn, FlagKind.Sar);

    private static void Shift(ref TOps ops, in Insn insn, FlagKind kind)
    {
        MemSize width = insn.Op0.Width;
        T count = Count(ref ops, in insn, in insn.Op1, width);
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        T r = kind switch
        {
            FlagKind.Shl => ops.Shl(a, count),
            FlagKind.Shr => ops.ShrU(Operands<TOps, T, V>.Reduce(ref ops, a, width), count),
            _ => ops.ShrS(width == MemSize.B8 ? a : ops.SignExtend(a, width), count),
        };
        if (Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r) && !EndsAtZero(ref ops, in insn, count))
            Flags<TOps, T, V>.SetUnlessZero(ref ops, kind, width, a, count, r);
    }

    private static T Count(ref TOps ops, in Insn insn, in Operand operand, MemSize width)
    {
        ulong mask = width == MemSize.B8 ? 63u : 31u;
        return operand.Kind == OperandKind.Immediate ? ops.Const(insn.Immediate & mask) : ops.And(ops.Get(Operands<TOps, T, V>.Rcx), ops.Const(mask));
    }

    [X86Instruction(Mnemonic.Shld)]
    public static void Shld(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        T count = Count(ref ops, in insn, in insn.Op2, width);
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b);
        T r;
        switch (width)
        {
            case MemSize.B8:
                // The other operand shifted in two steps: the shift by 64 for count 0 must give nothing.
                T low = ops.ShrU(ops.ShrU(b, ops.Const(1)), ops.Sub(ops.Const(63), count));
                r = ops.Or(ops.Shl(a, count), low);
                break;
            case MemSize.B4:
                r = ops.ShrU(ops.Shl(ops.Or(ops.Shl(a, ops.Const(32)), ops.ZeroExtend(b, MemSize.B4)), count), ops.Const(32));
                break;
            default:
                // Counts above 16 are undefined; processors go on with the destination's bits.
                r = ops.ShrU(ops.Shl(Triple(ref ops, a, b, a), count), ops.Const(32));
                break;
        }
        if (Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r) && !EndsAtZero(ref ops, in insn, count))
            Flags<TOps, T, V>.SetUnlessZero(ref ops, FlagKind.Shl, width, a, count, r);
    }

    [X86Instruction(Mnemonic.Shrd)]
    public static void Shrd(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        T count = Count(ref ops, in insn, in insn.Op2, width);
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b);
        T r = width switch
        {
            MemSize.B8 => ops.Or(ops.ShrU(a, count), ops.Shl(ops.Shl(b, ops.Const(1)), ops.Sub(ops.Const(63), count))),
            MemSize.B4 => ops.ShrU(ops.Or(ops.Shl(b, ops.Const(32)), ops.ZeroExtend(a, MemSize.B4)), count),
            _ => ops.ShrU(Triple(ref ops, a, b, a), count),
        };
        if (Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r) && !EndsAtZero(ref ops, in insn, count))
            Flags<TOps, T, V>.SetUnlessZero(ref ops, FlagKind.Shr, width, a, count, r);
    }

    // Three 16-bit values in bits 47:0.
    private static T Triple(ref TOps ops, T high, T middle, T low)
        => ops.Or(ops.Shl(ops.ZeroExtend(high, MemSize.B2), ops.Const(32)),
            ops.Or(ops.Shl(ops.ZeroExtend(middle, MemSize.B2), ops.Const(16)), ops.ZeroExtend(low, MemSize.B2)));

    [X86Instruction(Mnemonic.Rol)]
    public static void Rol(ref TOps ops, in Insn insn) => Rotate(ref ops, in insn, left: true);

    [X86Instruction(Mnemonic.Ror)]
    public static void Ror(ref TOps ops, in Insn insn) => Rotate(ref ops, in insn, left: false);

    private static void Rotate(ref TOps ops, in Insn insn, bool left)
    {
        MemSize width = insn.Op0.Width;
        int bits = 8 << (int)width;
        T count = Count(ref ops, in insn, in insn.Op1, width);
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        T right = left ? ops.Sub(ops.Const(0), count) : count;
        T r;
        switch (width)
        {
            case MemSize.B8:
                r = ops.RotateRight(a, right);
                break;
            case MemSize.B4:
                r = ops.RotateRight32(a, right);
                break;
            default:
                // 32 bits filled with copies of the operand rotate as the operand does.
                T copies = ops.Mul(ops.ZeroExtend(a, width), ops.Const(width == MemSize.B1 ? 0x0101_0101u : 0x0001_0001u));
                r = ops.RotateRight32(copies, right);
                break;
        }
        if (!Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r))
            return;
        // A count of 0 changes no flag.
        if ((ops.TryConst(count, out ulong known) && known == 0) || EndsAtZero(ref ops, in insn, count))
            return;
        // CF is the bit that went around last; OF compares it with its neighbour at the other end. It is undefined for constant counts but 1,
        // which processors do not care about; where it costs something in hot code it is 0.
        T top = ops.And(ops.ShrU(r, ops.Const((ulong)(bits - 1))), ops.Const(1));
        T carry = left ? ops.And(r, ops.Const(1)) : top;
        T changed = carry;
        if (insn.Op1.Kind != OperandKind.Immediate || known == 1 || width < MemSize.B4)
        {
            T other = left ? top : ops.And(ops.ShrU(r, ops.Const((ulong)(bits - 2))), ops.Const(1));
            changed = ops.Or(carry, ops.Shl(ops.Xor(carry, other), ops.Const(11)));
        }
        Flags<TOps, T, V>.SetCarryAndOverflow(ref ops, changed);
    }

    // A count that is not known may be 0, and then changes no flag: with that the instruction is at its end.
    private static bool EndsAtZero(ref TOps ops, in Insn insn, T count)
        => !ops.TryConst(count, out _) && ops.EndIf(in insn, Cond.Eq, MemSize.B4, count, ops.Const(0));

    [X86Instruction(Mnemonic.Rcl)]
    public static void Rcl(ref TOps ops, in Insn insn) => RotateThroughCarry(ref ops, in insn, left: true);

    [X86Instruction(Mnemonic.Rcr)]
    public static void Rcr(ref TOps ops, in Insn insn) => RotateThroughCarry(ref ops, in insn, left: false);

    private static void RotateThroughCarry(ref TOps ops, in Insn insn, bool left)
    {
        MemSize width = insn.Op0.Width;
        int bits = 8 << (int)width;
        if (!ops.TryConst(Count(ref ops, in insn, in insn.Op1, width), out ulong count))
        {
            ops.Unsupported();
            return;
        }
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        int n = (int)count % (bits + 1);
        T r = a;
        T carry = Flags<TOps, T, V>.Carry(ref ops);
        if (n != 0)
        {
            a = Operands<TOps, T, V>.Reduce(ref ops, a, width);
            // Rotating right by n is rotating left by bits + 1 - n.
            int l = left ? n : bits + 1 - n;
            T low = l == 1 ? carry : ops.Or(ops.Shl(carry, ops.Const((ulong)(l - 1))), ops.ShrU(a, ops.Const((ulong)(bits + 1 - l))));
            r = l == bits ? low : ops.Or(ops.Shl(a, ops.Const((ulong)l)), low);
            carry = ops.And(ops.ShrU(a, ops.Const((ulong)(bits - l))), ops.Const(1));
        }
        if (!Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r) || count == 0)
            return;
        T top = ops.And(ops.ShrU(r, ops.Const((ulong)(bits - 1))), ops.Const(1));
        T other = left ? carry : ops.And(ops.ShrU(r, ops.Const((ulong)(bits - 2))), ops.Const(1));
        Flags<TOps, T, V>.Merge(ref ops, ops.Or(carry, ops.Shl(ops.Xor(top, other), ops.Const(11))), LazyFlags.CF | LazyFlags.OF);
    }
}
