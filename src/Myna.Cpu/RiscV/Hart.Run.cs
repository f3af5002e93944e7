using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.State;
using Myna.Host;

namespace Myna.Cpu.RiscV;

/// <summary>The run loop: between two stretches of execution, interrupts, requests from other threads, and waiting.</summary>
public sealed partial class Hart
{
    private readonly WaitEvent _wake = new();
    [NotSaved("a running machine's requests")] private readonly List<RemoteFence> _posted = [];
    [NotSaved("true only inside Run")] private bool _executing;
    [NotSaved("true only inside Run")] private bool _sleeping;
    [NotSaved("translations are flushed after a load")] private bool _mapChanged;
    [NotSaved("debugging")] private bool _watchHit;

    /// <inheritdoc/>
    public override void Kick() => RequestExit(ExitRequests.Kick);

    private protected override void ForgetKick() => Interlocked.And(ref Block.Context.ExitRequest, ~(int)ExitRequests.Kick);

    // Any thread: execution stops at the next block, or the wait ends.
    private void RequestExit(ExitRequests request)
    {
        Interlocked.Or(ref Block.Context.ExitRequest, (int)request);
        if (Volatile.Read(ref _sleeping))
            _wake.Set();
    }

    private bool HasRequest(ExitRequests request) => (Volatile.Read(ref Block.Context.ExitRequest) & (int)request) != 0;

    /// <inheritdoc/>
    public override StopReason Run(ulong maxInstructions = ulong.MaxValue)
    {
        if (Engine is null || Stepper is null)
            throw new InvalidOperationException("the hart has no engine");
        ulong start = Block.Context.InstructionCount;
        ulong limit = maxInstructions > ulong.MaxValue - start ? ulong.MaxValue : start + maxInstructions;
        // Whoever posts a fence sees this, or the fence is seen below.
        Interlocked.Exchange(ref _executing, true);
        try
        {
            RequestExit(ExitRequests.Interrupt | ExitRequests.Request);
            // A breakpoint where the run begins was reported before; execution goes on past it.
            ulong resumed = Block.Context.Pc;
            bool first = true;
            while (true)
            {
                if (Volatile.Read(ref Block.Context.ExitRequest) != 0 && Service() is { } reason)
                    return reason;
                if (Block.Context.InstructionCount >= limit)
                    return StopReason.InstructionLimit;
                if (HasBreakpoints || Tracer is not null)
                {
                    if ((!first || Block.Context.Pc != resumed) && IsBreakpoint(Block.Context.Pc))
                        return StopReason.Breakpoint;
                    Tracer?.Invoke(this);
                    if (Tracer is null && Engine.StopsAtBreakpoints && !IsBreakpoint(Block.Context.Pc))
                        Engine.Run(limit);
                    else
                        Stepper.Step();
                }
                else
                {
                    Engine.Run(limit);
                }
                first = false;
            }
        }
        finally
        {
            Volatile.Write(ref _executing, false);
        }
    }

    // A reason to return, or null to execute on.
    private StopReason? Service()
    {
        var requests = (ExitRequests)Interlocked.Exchange(ref Block.Context.ExitRequest, 0);
        if ((requests & ExitRequests.Request) != 0)
            ServeRequests();
        if ((requests & ExitRequests.Trap) != 0)
            return StopReason.Trap;
        if ((requests & (ExitRequests.Kick | ExitRequests.Signal)) != 0)
            return StopReason.Kicked;
        if (_watchHit)
        {
            _watchHit = false;
            return StopReason.Watchpoint;
        }
        if ((_waiting || _hsmValue != (int)HartState.Started) && Wait() is { } reason)
            return reason;
        TakePendingInterrupt();
        return null;
    }

    private void ServeRequests()
    {
        if (Volatile.Read(ref _mapChanged))
        {
            Volatile.Write(ref _mapChanged, false);
            FlushTranslations();
        }
        PerformPosted();
        CheckCounters();
    }

    // WFI, suspension and the stopped state.
    private StopReason? Wait()
    {
        try
        {
            while (!CanGoOn())
            {
                if (!BlocksWhileWaiting)
                    return StopReason.Waiting;
                // Announced first, then the conditions once more: a request made in between is either seen here or wakes.
                Interlocked.Exchange(ref _sleeping, true);
                Volatile.Write(ref _executing, false);
                if (Volatile.Read(ref Block.Context.ExitRequest) == 0)
                    _wake.Wait(-1);
                Volatile.Write(ref _sleeping, false);
                Interlocked.Exchange(ref _executing, true);
                var requests = (ExitRequests)Interlocked.Exchange(ref Block.Context.ExitRequest, 0);
                if ((requests & ExitRequests.Request) != 0)
                    ServeRequests();
                if ((requests & ExitRequests.Kick) != 0)
                    return StopReason.Kicked;
            }
            return null;
        }
        finally
        {
            Volatile.Write(ref _sleeping, false);
        }
    }

    private bool CanGoOn()
    {
        switch ((HartState)Volatile.Read(ref _hsmValue))
        {
            case HartState.Stopped:
                return false;
            case HartState.StartPending:
                BeginSupervisor();
                return true;
        }
        // An interrupt ends the wait when it is enabled in mie, whatever mstatus says (section "WFI").
        if (_waiting && (Pending & _mie) == 0)
            return false;
        _waiting = false;
        if (_hsmValue == (int)HartState.Suspended)
            EndSuspension();
        return true;
    }
}
