using System.Runtime.CompilerServices;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Control: jumps, exceptions, system instructions.</summary>
internal ref partial struct InterpreterOps
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly ulong NextIp(in Insn insn)
        => Mode.Is64 ? Pc + insn.Length : Truncate(Pc + insn.Length - _registers.Bases[(int)SegmentRegister.Cs]);

    // Behind the last instruction of a 16-bit segment, or of 4 GiB, the pointer goes on from 0 as far as relative addresses are concerned.
    private readonly ulong Truncate(ulong ip) => (uint)ip;

    // Linear address of an instruction pointer.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly ulong ToLinear(ulong ip) => Mode.Is64 ? ip : (uint)(ip + _registers.Bases[(int)SegmentRegister.Cs]);

    public bool CheckNear(ulong ip, MemSize operandSize, bool pushes = false)
    {
        ip = ZeroExtend(ip, operandSize);
        if (Mode.Is64 ? IsCanonical(ip) : ip <= _registers.Limits[(int)SegmentRegister.Cs])
            return true;
        EnterCpu();
        if (pushes && !_cpu.ProbePush(operandSize))
            return Retires(false);
        Raise(Instructions.Vector.GP);
        return false;
    }

    private readonly bool IsCanonical(ulong ip)
        => (ulong)((long)(ip << 16) >> 16) == ip || _cpu.IsCanonical(ip);

    public void JumpNear(ulong ip, MemSize operandSize)
    {
        Target = ToLinear(ZeroExtend(ip, operandSize));
        Flow = Flow.Jump;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void JumpRelative(in Insn insn)
    {
        ulong target = Pc + insn.Length + insn.Immediate;
        if (!Mode.Is64)
            target = Mode.Flat && insn.OperandSize == MemSize.B4 ? (uint)target : ToLinear(ZeroExtend(NextIp(in insn) + insn.Immediate, insn.OperandSize));
        Target = target;
        Flow = Flow.Jump;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void BranchRelative(in Insn insn, Cond cond, MemSize width, ulong a, ulong b)
    {
        if (!Holds(cond, width, a, b))
            return;
        if (!Mode.Flat && !Mode.Is64 && !CheckNear(NextIp(in insn) + insn.Immediate, insn.OperandSize))
            return;
        JumpRelative(in insn);
    }

    public readonly bool EndIf(in Insn insn, Cond cond, MemSize width, ulong a, ulong b) => Holds(cond, width, a, b);

    public void Repeat()
    {
        Target = Pc;
        Flow = Flow.Jump;
    }

    // IOps' jumps to known addresses belong to other guests.
    public void Jump(ulong target) => JumpNear(target, MemSize.B8);
    public void JumpIndirect(ulong target) => JumpNear(target, MemSize.B8);

    public void Branch(Cond cond, ulong a, ulong b, ulong target)
    {
        if (Holds(cond, a, b))
            Jump(target);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Raise(Instructions.Vector vector, uint error = 0)
    {
        EnterCpu();
        _cpu.RaiseException(vector, error);
        Flow = Flow.Fault;
    }

    public bool RaiseIf(Cond cond, ulong a, ulong b, Instructions.Vector vector)
    {
        if (!Holds(cond, a, b))
            return true;
        Raise(vector);
        return false;
    }

    public readonly void Unsupported() => throw new InvalidOperationException("the interpreter executes everything");

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void SetDirection(bool backward)
    {
        const ulong DF = 1 << 10;
        _registers.OtherFlags = backward ? _registers.OtherFlags | DF : _registers.OtherFlags & ~DF;
        _cpu.UpdateFlags();
        Flow = Flow.Resync;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void System(in Insn insn)
    {
        EnterCpu();
        Flow = _cpu.ExecuteSystem(in insn);
        // The instruction put its target into the context.
        if (Flow == Flow.Jump)
            Target = _cpu.Block.Context.Pc;
    }
}
