using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Exchanges, which are atomic with a memory operand (Intel SDM volume 3, section 9.1.2).</summary>
internal static class Exchanges<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Xchg)]
    public static void Xchg(ref TOps ops, in Insn insn)
    {
        bool first = insn.Op0.Kind == OperandKind.Memory;
        if (first || insn.Op1.Kind == OperandKind.Memory)
        {
            Operand memory = first ? insn.Op0 : insn.Op1;
            Operand register = first ? insn.Op1 : insn.Op0;
            if (Operands<TOps, T, V>.Read(ref ops, in insn, in register, out T value)
                && Operands<TOps, T, V>.LockedUpdate(ref ops, in insn, in memory, AtomicOp.Swap, value, out T old))
            {
                Operands<TOps, T, V>.WriteRegister(ref ops, in register, old);
            }
            return;
        }
        Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T a);
        Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, b);
        Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op1, a);
    }

    [X86Instruction(Mnemonic.Xadd)]
    public static void Xadd(ref TOps ops, in Insn insn)
    {
        Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b);
        T linear = default;
        bool read = insn.HasLock
            ? Operands<TOps, T, V>.LockedUpdate(ref ops, in insn, in insn.Op0, AtomicOp.Add, b, out T a)
            : Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out a, out linear);
        if (!read)
            return;
        T r = ops.Add(a, b);
        if (insn.Op0.Kind == OperandKind.Memory)
        {
            if (!insn.HasLock && !ops.Store(linear, insn.Op0.Width, r))
                return;
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op1, a);
        }
        else
        {
            // The destination is written last: it wins when both are the same register.
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op1, a);
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, r);
        }
        Flags<TOps, T, V>.SetAdd(ref ops, insn.Op0.Width, a, r);
    }

    [X86Instruction(Mnemonic.Cmpxchg)]
    public static void Cmpxchg(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        T accumulator = ops.Get(Operands<TOps, T, V>.Rax);
        Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T desired);
        T old;
        if (insn.Op0.Kind != OperandKind.Memory)
        {
            Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out old);
        }
        else if (insn.HasLock)
        {
            if (!Operands<TOps, T, V>.Address(ref ops, in insn, insn.Op0.Size, write: true, out T target)
                || !ops.LockedCompareExchange(target, width, accumulator, desired, out old))
            {
                return;
            }
        }
        else
        {
            // Memory is written in any case.
            if (!Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out old, out T linear)
                || !ops.Store(linear, width, ops.Select(Cond.Eq, width, accumulator, old, desired, old)))
            {
                return;
            }
        }
        T rax = ops.Get(Operands<TOps, T, V>.Rax);
        // A register that is not written keeps its upper half too.
        Flags<TOps, T, V>.SetSub(ref ops, width, accumulator, old);
        T merged = Merged(ref ops, width, rax, old);
        ops.Set(Operands<TOps, T, V>.Rax, ops.Select(Cond.Eq, width, accumulator, old, rax, merged));
        if (insn.Op0.Kind == OperandKind.Memory)
            return;
        if (width == MemSize.B4)
        {
            T whole = ops.Get(X86Registers.Gpr(insn.Op0.Register));
            ops.Set(X86Registers.Gpr(insn.Op0.Register), ops.Select(Cond.Eq, width, accumulator, old, ops.ZeroExtend(desired, width), whole));
        }
        else
        {
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, ops.Select(Cond.Eq, width, accumulator, old, desired, old));
        }
    }

    private static T Merged(ref TOps ops, MemSize width, T register, T value) => width switch
    {
        MemSize.B8 => value,
        MemSize.B4 => ops.ZeroExtend(value, MemSize.B4),
        _ => ops.Or(ops.And(register, ops.Const(width == MemSize.B2 ? ~0xFFFFUL : ~0xFFUL)), ops.ZeroExtend(value, width)),
    };

    [X86Instruction(Mnemonic.Cmpxchg8b)]
    public static void Cmpxchg8b(ref TOps ops, in Insn insn)
    {
        T expected = Pair(ref ops, Operands<TOps, T, V>.Rax, Operands<TOps, T, V>.Rdx);
        T desired = Pair(ref ops, Operands<TOps, T, V>.Rbx, Operands<TOps, T, V>.Rcx);
        if (!Operands<TOps, T, V>.Address(ref ops, in insn, 8, write: true, out T linear)
            || !ops.LockedCompareExchange(linear, MemSize.B8, expected, desired, out T old))
        {
            return;
        }
        T equal = ops.Set(Cond.Eq, MemSize.B8, old, expected);
        Flags<TOps, T, V>.Merge(ref ops, ops.Shl(equal, ops.Const(6)), LazyFlags.ZF);
        T rax = ops.Get(Operands<TOps, T, V>.Rax);
        T rdx = ops.Get(Operands<TOps, T, V>.Rdx);
        ops.Set(Operands<TOps, T, V>.Rax, ops.Select(Cond.Eq, MemSize.B8, old, expected, rax, ops.ZeroExtend(old, MemSize.B4)));
        ops.Set(Operands<TOps, T, V>.Rdx, ops.Select(Cond.Eq, MemSize.B8, old, expected, rdx, ops.ShrU(old, ops.Const(32))));
    }

    private static T Pair(ref TOps ops, int low, int high)
        => ops.Or(ops.ZeroExtend(ops.Get(low), MemSize.B4), ops.Shl(ops.Get(high), ops.Const(32)));

    [X86Instruction(Mnemonic.Cmpxchg16b)]
    public static void Cmpxchg16b(ref TOps ops, in Insn insn)
    {
        T rax = ops.Get(Operands<TOps, T, V>.Rax);
        T rdx = ops.Get(Operands<TOps, T, V>.Rdx);
        if (!Operands<TOps, T, V>.Address(ref ops, in insn, 16, write: true, out T linear)
            || !ops.RaiseIf(Cond.Ne, ops.And(linear, ops.Const(15)), ops.Const(0), Vector.GP)
            || !ops.LockedCompareExchange16(linear, rax, rdx, ops.Get(Operands<TOps, T, V>.Rbx), ops.Get(Operands<TOps, T, V>.Rcx), out T low, out T high))
        {
            return;
        }
        T differ = ops.Or(ops.Xor(low, rax), ops.Xor(high, rdx));
        Flags<TOps, T, V>.Merge(ref ops, ops.Shl(ops.Set(Cond.Eq, MemSize.B8, differ, ops.Const(0)), ops.Const(6)), LazyFlags.ZF);
        // When the halves are equal, these change nothing.
        ops.Set(Operands<TOps, T, V>.Rax, low);
        ops.Set(Operands<TOps, T, V>.Rdx, high);
    }
}
