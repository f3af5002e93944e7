using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>AND, OR, XOR, NOT, TEST (Intel SDM volume 1, section 7.3.4).</summary>
internal static class Logic<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.And)]
    public static void And(ref TOps ops, in Insn insn) => Combine(ref ops, in insn, AtomicOp.And);

    [X86Instruction(Mnemonic.Or)]
    public static void Or(ref TOps ops, in Insn insn) => Combine(ref ops, in insn, AtomicOp.Or);

    [X86Instruction(Mnemonic.Xor)]
    public static void Xor(ref TOps ops, in Insn insn)
    {
        if (insn.Op0 == insn.Op1 && insn.Op0.Kind == OperandKind.Gpr)
        {
            // The usual way to clear a register.
            T zero = ops.Const(0);
            Operands<TOps, T, V>.WriteRegister(ref ops, in insn.Op0, zero);
            Flags<TOps, T, V>.SetLogic(ref ops, insn.Op0.Width, zero);
            return;
        }
        Combine(ref ops, in insn, AtomicOp.Xor);
    }

    private static void Combine(ref TOps ops, in Insn insn, AtomicOp op)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
            return;
        T linear = default;
        bool read = insn.HasLock
            ? Operands<TOps, T, V>.LockedUpdate(ref ops, in insn, in insn.Op0, op, b, out T a)
            : Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out a, out linear);
        if (!read)
            return;
        T r = op switch { AtomicOp.And => ops.And(a, b), AtomicOp.Or => ops.Or(a, b), _ => ops.Xor(a, b) };
        if (insn.HasLock || Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, r))
            Flags<TOps, T, V>.SetLogic(ref ops, insn.Op0.Width, r);
    }

    [X86Instruction(Mnemonic.Not)]
    public static void Not(ref TOps ops, in Insn insn)
    {
        if (insn.HasLock)
            Operands<TOps, T, V>.LockedUpdate(ref ops, in insn, in insn.Op0, AtomicOp.Xor, ops.Const(ulong.MaxValue), out _);
        else if (Operands<TOps, T, V>.ReadTarget(ref ops, in insn, in insn.Op0, out T a, out T linear))
            Operands<TOps, T, V>.WriteTarget(ref ops, in insn.Op0, linear, ops.Not(a));
    }

    [X86Instruction(Mnemonic.Test)]
    public static void Test(ref TOps ops, in Insn insn)
    {
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T a))
            return;
        if (insn.Op0 == insn.Op1)
        {
            Flags<TOps, T, V>.SetLogic(ref ops, insn.Op0.Width, a);
            return;
        }
        if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op1, out T b))
            Flags<TOps, T, V>.SetLogic(ref ops, insn.Op0.Width, ops.And(a, b));
    }
}
