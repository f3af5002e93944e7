using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>Near transfers of control (Intel SDM volume 1, section 7.3.8).</summary>
internal static class Control<TOps, T, V>
    where TOps : struct, IX86Ops<T, V>, allows ref struct where T : struct where V : struct
{
    [X86Instruction(Mnemonic.Jmp)]
    public static void Jmp(ref TOps ops, in Insn insn)
    {
        if (insn.Op0.Kind == OperandKind.Relative)
        {
            if (CheckRelative(ref ops, in insn))
                ops.JumpRelative(in insn);
        }
        else if (Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T target))
        {
            target = Operands<TOps, T, V>.Reduce(ref ops, target, insn.OperandSize);
            if (ops.CheckNear(target, insn.OperandSize))
                ops.JumpNear(target, insn.OperandSize);
        }
    }

    [X86Instruction(Mnemonic.Call)]
    public static void Call(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.OperandSize;
        if (insn.Op0.Kind == OperandKind.Relative)
        {
            if (CheckRelative(ref ops, in insn) && Operands<TOps, T, V>.Push(ref ops, size, ops.NextIp(in insn)))
                ops.JumpRelative(in insn);
            return;
        }
        if (!Operands<TOps, T, V>.Read(ref ops, in insn, in insn.Op0, out T target))
            return;
        target = Operands<TOps, T, V>.Reduce(ref ops, target, size);
        if (ops.CheckNear(target, size, pushes: true) && Operands<TOps, T, V>.Push(ref ops, size, ops.NextIp(in insn)))
            ops.JumpNear(target, size);
    }

    [X86Instruction(Mnemonic.Ret)]
    public static void Ret(ref TOps ops, in Insn insn)
    {
        MemSize size = insn.OperandSize;
        if (!Operands<TOps, T, V>.LoadStack(ref ops, size, 0, out T target) || !ops.CheckNear(target, size))
            return;
        long released = (1 << (int)size) + (insn.OperandCount == 1 ? (long)(insn.Immediate & 0xFFFF) : 0);
        Operands<TOps, T, V>.SetStackPointer(ref ops, Operands<TOps, T, V>.StackOffset(ref ops, released));
        ops.JumpNear(target, size);
    }

    [X86Instruction(Mnemonic.Ja, Mnemonic.Jae, Mnemonic.Jb, Mnemonic.Jbe, Mnemonic.Je, Mnemonic.Jg, Mnemonic.Jge, Mnemonic.Jl,
        Mnemonic.Jle, Mnemonic.Jne, Mnemonic.Jno, Mnemonic.Jnp, Mnemonic.Jns, Mnemonic.Jo, Mnemonic.Jp, Mnemonic.Js)]
    public static void Jcc(ref TOps ops, in Insn insn)
    {
        Flags<TOps, T, V>.Compare(ref ops, insn.Condition, out Cond cond, out MemSize width, out T a, out T b);
        ops.BranchRelative(in insn, cond, width, a, b);
    }

    [X86Instruction(Mnemonic.Jcxz, Mnemonic.Jecxz, Mnemonic.Jrcxz)]
    public static void Jcxz(ref TOps ops, in Insn insn)
        => ops.BranchRelative(in insn, Cond.Eq, insn.AddressSize, ops.Get(Operands<TOps, T, V>.Rcx), ops.Const(0));

    [X86Instruction(Mnemonic.Loop, Mnemonic.Loope, Mnemonic.Loopne)]
    public static void Loop(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.AddressSize;
        T zero = ops.Const(0);
        T count = ops.Sub(ops.Get(Operands<TOps, T, V>.Rcx), ops.Const(1));
        if (insn.Mnemonic == Mnemonic.Loop)
        {
            Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rcx, width, count);
            ops.BranchRelative(in insn, Cond.Ne, width, count, zero);
            return;
        }
        T equal = Flags<TOps, T, V>.Set(ref ops, insn.Mnemonic == Mnemonic.Loope ? 4 : 5);
        Operands<TOps, T, V>.SetRegister(ref ops, Operands<TOps, T, V>.Rcx, width, count);
        ops.BranchRelative(in insn, Cond.Ne, MemSize.B4, ops.And(equal, ops.Set(Cond.Ne, width, count, zero)), zero);
    }

    /// <summary>Whether a relative jump's target is inside the code segment, where that is a question.</summary>
    private static bool CheckRelative(ref TOps ops, in Insn insn)
    {
        if (ops.Mode.Is64 || ops.Mode.Flat)
            return true;
        T target = ops.Add(ops.NextIp(in insn), ops.Const(insn.Immediate));
        return ops.CheckNear(Operands<TOps, T, V>.Reduce(ref ops, target, insn.OperandSize), insn.OperandSize);
    }

    [X86Instruction(Mnemonic.Bound)]
    public static void Bound(ref TOps ops, in Insn insn)
    {
        MemSize width = insn.Op0.Width;
        int bytes = 1 << (int)width;
        if (!Operands<TOps, T, V>.Address(ref ops, in insn, 2 * bytes, write: false, out T linear)
            || !ops.Load(linear, width, signed: true, out T lower)
            || !ops.Load(ops.Add(linear, ops.Const((ulong)bytes)), width, signed: true, out T upper))
        {
            return;
        }
        T index = ops.SignExtend(ops.Get(insn.Op0.Register << 3), width);
        if (ops.RaiseIf(Cond.LtS, index, lower, Vector.BR))
            ops.RaiseIf(Cond.LtS, upper, index, Vector.BR);
    }
}
