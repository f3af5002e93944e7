using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Addition, subtraction and comparison (Intel SDM volume 1, section 7.3.2).</summary>
internal static class Arithmetic<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Add)]
    public static void Add(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b) || !Update(ref ops, in insn, AtomicOp.Add, b, out T a, out T linear))
            return;
        T r = ops.Add(a, b);
        if (Finish(ref ops, in insn, linear, r))
            Flags<TOps, T, V>.SetAdd(ref ops, insn.Op0.Width, b, r);
    }

    [X86Instruction(Mnemonic.Sub)]
    public static void Sub(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b)
            || !Update(ref ops, in insn, AtomicOp.Add, insn.HasLock ? ops.Sub(ops.Const(0), b) : b, out T a, out T linear))
        {
            return;
        }
        T r = ops.Sub(a, b);
        if (Finish(ref ops, in insn, linear, r))
            Flags<TOps, T, V>.SetDifference(ref ops, insn.Op0.Width, b, r);
    }

    [X86Instruction(Mnemonic.Adc)]
    public static void Adc(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
            return;
        if (insn.Op0.Width >= MemSize.B4 && !insn.HasLock)
        {
            AddCarry(ref ops, in insn, subtract: false, b);
            return;
        }
        T addend = ops.Add(b, Flags<TOps, T, V>.Carry(ref ops));
        if (!Update(ref ops, in insn, AtomicOp.Add, addend, out T a, out T linear))
            return;
        T r = ops.Add(a, addend);
        if (Finish(ref ops, in insn, linear, r))
            Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Adc, insn.Op0.Width, a, b, r);
    }

    [X86Instruction(Mnemonic.Sbb)]
    public static void Sbb(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
            return;
        if (insn.Op0.Width >= MemSize.B4 && !insn.HasLock)
        {
            AddCarry(ref ops, in insn, subtract: true, b);
            return;
        }
        T subtrahend = ops.Add(b, Flags<TOps, T, V>.Carry(ref ops));
        if (!Update(ref ops, in insn, AtomicOp.Add, insn.HasLock ? ops.Sub(ops.Const(0), subtrahend) : subtrahend, out T a, out T linear))
            return;
        T r = ops.Sub(a, subtrahend);
        if (Finish(ref ops, in insn, linear, r))
            Flags<TOps, T, V>.SetFull(ref ops, FlagKind.Sbb, insn.Op0.Width, a, b, r);
    }

    private static void AddCarry(ref TOps ops, in Insn insn, bool subtract, T b)
    {
        MemSize width = insn.Op0.Width;
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        T r = ops.AddCarry(width, subtract, a, b, Flags<TOps, T, V>.Carry(ref ops));
        if (Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r))
            Flags<TOps, T, V>.SetFull(ref ops, subtract ? FlagKind.Sbb : FlagKind.Adc, width, a, b, r);
    }

    [X86Instruction(Mnemonic.Cmp)]
    public static void Cmp(ref TOps ops, in Insn insn)
    {
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T a) && Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
            Flags<TOps, T, V>.SetSub(ref ops, insn.Op0.Width, a, b);
    }

    [X86Instruction(Mnemonic.Inc)]
    public static void Inc(ref TOps ops, in Insn insn) => Step(ref ops, in insn, 1, FlagKind.Inc);

    [X86Instruction(Mnemonic.Dec)]
    public static void Dec(ref TOps ops, in Insn insn) => Step(ref ops, in insn, ulong.MaxValue, FlagKind.Dec);

    private static void Step(ref TOps ops, in Insn insn, ulong by, FlagKind kind)
    {
        T one = ops.Const(by);
        if (!Update(ref ops, in insn, AtomicOp.Add, one, out T a, out T linear))
            return;
        T r = ops.Add(a, one);
        if (!Finish(ref ops, in insn, linear, r))
            return;
        T carry = Flags<TOps, T, V>.Carry(ref ops);
        Flags<TOps, T, V>.SetResultAndCarry(ref ops, kind, insn.Op0.Width, r, carry);
    }

    [X86Instruction(Mnemonic.Neg)]
    public static void Neg(ref TOps ops, in Insn insn)
    {
        T zero = ops.Const(0);
        if (insn.HasLock)
        {
            NegLocked(ref ops, in insn);
            return;
        }
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            return;
        T r = ops.Sub(zero, a);
        if (Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r))
            Flags<TOps, T, V>.SetDifference(ref ops, insn.Op0.Width, a, r);
    }

    // There is no atomic operation for it.
    private static void NegLocked(ref TOps ops, in Insn insn)
    {
        if (typeof(T) != typeof(ulong))
        {
            ops.Unsupported();
            return;
        }
        MemSize width = insn.Op0.Width;
        T zero = ops.Const(0);
        if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T expected, out T linear))
            return;
        while (true)
        {
            if (!ops.LockedCompareExchange(linear, width, expected, ops.Sub(zero, expected), out T old))
                return;
            ops.TryConst(ops.Set(Cond.Eq, width, old, expected), out ulong same);
            if (same != 0)
                break;
            expected = old;
        }
        Flags<TOps, T, V>.SetSub(ref ops, width, zero, expected);
    }

    // Reads the destination, under LOCK with the update at once.
    private static bool Update(ref TOps ops, in Insn insn, AtomicOp op, T operand, out T old, out T linear)
    {
        linear = default;
        return insn.HasLock
            ? Operands<TOps, T, V>.LockedUpdate(ref ops, in insn, in insn.Op0, op, operand, out old)
            : Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out old, out linear);
    }

    private static bool Finish(ref TOps ops, in Insn insn, T linear, T result)
        => insn.HasLock || Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, result);
}
