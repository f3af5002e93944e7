using System.Runtime.CompilerServices;

namespace Myna.Cpu.RiscV;

/// <summary>
/// Exceptions, CSRs and privileged instructions: the hart's business. Nothing here is inlined, so that the execution
/// switch needs no stack frame.
/// </summary>
internal ref partial struct InterpreterOps
{
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Raise(Cause cause, ulong tval)
    {
        EnterHart();
        Retires(_hart.Raise(cause, tval));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool Csr(int csr, CsrOp op, ulong operand, bool writes, out ulong old)
    {
        EnterHart();
        Flow = Flow.Resync;
        return Retires(_hart.Csr(csr, op, operand, writes, out old));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Ecall()
    {
        EnterHart();
        // The built-in SBI answers in place, or sends the hart elsewhere.
        Flow = !_hart.Ecall() ? Flow.Trap : _hart.Block.Context.Pc == Pc ? Flow.Resync : Flow.Return;
    }

    // The manual leaves tval to the implementation: the pc, as with a breakpoint at an address.
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Ebreak() => Raise(Cause.Breakpoint, Pc);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Mret()
    {
        EnterHart();
        Flow = _hart.Mret() ? Flow.Return : Flow.Trap;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Sret()
    {
        EnterHart();
        Flow = _hart.Sret() ? Flow.Return : Flow.Trap;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Wfi()
    {
        EnterHart();
        Resync(_hart.Wfi());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void WaitOnReservation(bool shortTimeout)
    {
        EnterHart();
        Resync(_hart.WaitOnReservation(shortTimeout));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void SfenceVma(bool anyAddress, ulong address, bool anyAsid, ulong asid)
    {
        EnterHart();
        Resync(_hart.SfenceVma(anyAddress, address, anyAsid, asid));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void SfenceInval()
    {
        EnterHart();
        Resync(_hart.SfenceInval());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public void FenceI()
    {
        _hart.FenceI();
        Flow = Flow.Refetch;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool CacheBlock(CacheBlockOp op, ulong address)
    {
        EnterHart();
        return Retires(_hart.CacheBlock(op, address));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public readonly void Pause() => _hart.SpinHint();

    private void Resync(bool done) => Flow = done ? Flow.Resync : Flow.Trap;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Illegal()
    {
        Raise(Cause.IllegalInstruction, _raw);
        return false;
    }
}
