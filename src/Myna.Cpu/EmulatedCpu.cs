using Myna.Cpu.Engines;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Host;
using Myna.Jit.Memory;

namespace Myna.Cpu;

/// <summary>
/// A virtual CPU whose instructions an <see cref="ICpuEngine"/> executes: the run loop, waiting, requests from other threads, and
/// debugging, for every instruction set. What differs comes from the members that a CPU overrides; they are called on its thread.
/// </summary>
public abstract class EmulatedCpu : VirtualCpu
{
    private const ulong PageMask = Ram.PageSize - 1;

    private readonly AddressSpace _memory;
    private readonly WaitEvent _wake = new();
    [NotSaved("true only inside Run and Step")] private bool _executing;
    [NotSaved("true only inside Run")] private bool _sleeping;
    [NotSaved("translations are flushed after a load")] private bool _mapChanged;
    [NotSaved("debugging")] private bool _watchHit;

    /// <param name="memory">Physical addresses.</param>
    /// <param name="modes">MMU modes: tables of the soft-TLB.</param>
    protected EmulatedCpu(int index, AddressSpace memory, int modes) : base(index)
    {
        _memory = memory;
        Block = new CpuBlock(modes);
        _memory.Changed += OnMemoryMapChanged;
    }

    /// <summary>Registers, soft-TLB and what generated code needs.</summary>
    public CpuBlock Block { get; }

    /// <summary>Executes this CPU. Set it, and <see cref="Stepper"/>, before the CPU runs.</summary>
    [field: NotSaved("how the CPU is run")]
    public ICpuEngine? Engine { get; set; }

    /// <summary>The interpreter, which steps and traces whatever <see cref="Engine"/> is.</summary>
    [field: NotSaved("how the CPU is run")]
    public ICpuEngine? Stepper { get; set; }

    /// <summary>Counts changes of anything that a fetched instruction stream depends on: flags of translations, address translation,
    /// pending synchronisation of code. An engine that keeps state across instructions compares it.</summary>
    [field: NotSaved("only compared")]
    public uint Generation { get; private protected set; }

    // Requests.

    /// <inheritdoc/>
    public override void Kick() => RequestExit(ExitRequests.Kick);

    private protected override void ForgetKick() => Interlocked.And(ref Block.Context.ExitRequest, ~(int)ExitRequests.Kick);

    /// <summary>Any thread: execution stops at the next block, or the wait ends.</summary>
    private protected void RequestExit(ExitRequests request)
    {
        Interlocked.Or(ref Block.Context.ExitRequest, (int)request);
        if (Volatile.Read(ref _sleeping))
            _wake.Set();
        else
            Engine?.Kick();
    }

    private ExitRequests TakeRequests() => (ExitRequests)Interlocked.Exchange(ref Block.Context.ExitRequest, 0);

    /// <summary>The map of physical addresses is another. Any thread.</summary>
    private protected void OnMemoryMapChanged()
    {
        Volatile.Write(ref _mapChanged, true);
        RequestExit(ExitRequests.Request);
    }

    private protected void FlushTranslations()
    {
        Block.Tlb.Flush();
        Block.FlushJumps();
        Generation++;
    }

    /// <summary>Whether instructions may be executed now: false while the CPU stands still or waits. Any thread.</summary>
    private protected bool IsExecuting => Volatile.Read(ref _executing);

    private void ServeRequests()
    {
        if (Volatile.Read(ref _mapChanged))
        {
            Volatile.Write(ref _mapChanged, false);
            FlushTranslations();
        }
        ServeMessages();
    }

    /// <summary>Does what other threads left to do before they called <see cref="RequestExit"/>.</summary>
    private protected abstract void ServeMessages();

    // The run loop: between two stretches of execution, requests, waiting, interrupts.

    /// <inheritdoc/>
    public override StopReason Run(ulong maxInstructions = ulong.MaxValue)
    {
        if (Engine is null || Stepper is null)
            throw new InvalidOperationException("the CPU has no engine");
        ulong start = Block.Context.InstructionCount;
        ulong limit = maxInstructions > ulong.MaxValue - start ? ulong.MaxValue : start + maxInstructions;
        // Whoever leaves a request sees this, or the request is seen below.
        Interlocked.Exchange(ref _executing, true);
        try
        {
            RequestExit(ExitRequests.Interrupt | ExitRequests.Request);
            PrepareRun();
            // A breakpoint where the run begins was reported before; execution goes on past it.
            ulong resumed = Block.Context.Pc;
            bool first = true;
            while (true)
            {
                if (Volatile.Read(ref Block.Context.ExitRequest) != 0 && Service() is { } reason)
                    return reason;
                if (Block.Context.InstructionCount >= limit)
                    return StopReason.InstructionLimit;
                bool step = false;
                if (HasBreakpoints || Tracer is not null)
                {
                    if ((!first || Block.Context.Pc != resumed) && IsBreakpoint(Block.Context.Pc))
                        return StopReason.Breakpoint;
                    Tracer?.Invoke(this);
                    step = Tracer is not null || !Engine.StopsAtBreakpoints || IsBreakpoint(Block.Context.Pc);
                }
                if (step || GuestSteps)
                    StepOne();
                else
                    Engine.Run(limit);
                first = false;
            }
        }
        finally
        {
            Volatile.Write(ref _executing, false);
        }
    }

    /// <summary>A run begins, perhaps on another thread than the one before.</summary>
    private protected virtual void PrepareRun()
    {
    }

    /// <summary>Whether a debugger or tracer wants instructions executed one by one: changes while the CPU stands still.</summary>
    internal bool IsStepped => Tracer is not null || (HasBreakpoints && Engine is not { StopsAtBreakpoints: true });

    /// <summary>Data accesses are watched for a debugger.</summary>
    internal bool WatchesForDebugger => Watchpoints.Count != 0;

    /// <summary>Whether the guest's own debugging wants every instruction executed by itself.</summary>
    internal virtual bool GuestSteps => false;

    /// <summary>Executes one instruction, with the guest's own debugging.</summary>
    private protected virtual void StepOne() => Stepper!.Step();

    // A reason to return, or null to execute on.
    private StopReason? Service()
    {
        ExitRequests requests = TakeRequests();
        if ((requests & ExitRequests.Request) != 0)
            ServeRequests();
        if ((requests & ExitRequests.Trap) != 0)
            return StopReason.Trap;
        if ((requests & (ExitRequests.Kick | ExitRequests.Signal)) != 0)
            return StopReason.Kicked;
        if (_watchHit)
        {
            _watchHit = false;
            if (!_watchIsOver)
                FinishWatched();
            _watchIsOver = false;
            return StopReason.Watchpoint;
        }
        if (IsWaiting && Wait() is { } reason)
            return reason;
        TakePending();
        return null;
    }

    /// <summary>Whether there is something to wait for before the next instruction: an interrupt, or to be switched on.</summary>
    private protected abstract bool IsWaiting { get; }

    /// <summary>Ends the wait when what it waits for has happened.</summary>
    private protected abstract bool TryWake();

    /// <summary>Between two instructions: enters the handler of a pending interrupt.</summary>
    private protected abstract void TakePending();

    private StopReason? Wait()
    {
        try
        {
            while (!TryWake())
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
                ExitRequests requests = TakeRequests();
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

    /// <inheritdoc/>
    public override StopReason Step()
    {
        if (Stepper is null)
            throw new InvalidOperationException("the CPU has no engine");
        Interlocked.Exchange(ref _executing, true);
        try
        {
            if ((TakeRequests() & ExitRequests.Request) != 0)
                ServeRequests();
            if (!TryWakeToStep())
                return StopReason.Waiting;
            _watchHit = false;
            StepOne();
            if ((Interlocked.And(ref Block.Context.ExitRequest, ~(int)ExitRequests.Trap) & (int)ExitRequests.Trap) != 0)
                return StopReason.Trap;
            if (!_watchHit)
                return StopReason.InstructionLimit;
            FinishWatched();
            return StopReason.Watchpoint;
        }
        finally
        {
            _watchHit = false;
            Volatile.Write(ref _executing, false);
        }
    }

    /// <summary>Ends a wait for interrupts, in which a debugger must not hang.</summary>
    /// <returns>False when the CPU is switched off.</returns>
    private protected abstract bool TryWakeToStep();

    // Debugging.

    [NotSaved("statistics")] private protected ulong _walks;
    [NotSaved("statistics")] private protected ulong _exceptionsTaken;
    [NotSaved("statistics")] private protected ulong _interruptsTaken;

    /// <inheritdoc/>
    public override IEnumerable<(string Name, ulong Value)> Counters =>
    [
        ("instructions", Block.Context.InstructionCount),
        ("exceptions", _exceptionsTaken),
        ("interrupts", _interruptsTaken),
        ("page walks", _walks),
        ("tlb fills", Block.Tlb.Fills),
        ("tlb flushes", Block.Tlb.Flushes),
        .. Engine?.Counters ?? [],
    ];

    /// <inheritdoc/>
    public override bool ReadMemory(ulong va, Span<byte> destination)
    {
        while (destination.Length != 0)
        {
            int run = (int)Math.Min((ulong)destination.Length, Ram.PageSize - (va & PageMask));
            if (!TryTranslate(va, out ulong pa) || !_memory.Read(pa, destination[..run]))
                return false;
            destination = destination[run..];
            va += (ulong)run;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteMemory(ulong va, ReadOnlySpan<byte> source)
    {
        while (source.Length != 0)
        {
            int run = (int)Math.Min((ulong)source.Length, Ram.PageSize - (va & PageMask));
            if (!TryTranslate(va, out ulong pa) || !_memory.Write(pa, source[..run], rom: true))
                return false;
            source = source[run..];
            va += (ulong)run;
        }
        return true;
    }

    /// <summary>Adds to a list for <see cref="VirtualCpu.Mappings"/>: neighbours with the same rights are one range.</summary>
    private protected static void Append(List<Mapping> found, Mapping next)
    {
        if (found.Count != 0 && found[^1] is var last && last.Start + last.Size == next.Start && last.Physical + last.Size == next.Physical
            && last with { Start = 0, Physical = 0, Size = 0 } == next with { Start = 0, Physical = 0, Size = 0 })
            found[^1] = last with { Size = last.Size + next.Size };
        else
            found.Add(next);
    }

    // For lockstep, which compares CPUs of one class.

    /// <summary>Whether both are in front of the same instruction, and of the same part of it.</summary>
    internal virtual bool IsAtSamePoint(EmulatedCpu other) => Pc == other.Pc;

    /// <summary>Whether the registers that ordinary instructions use are the same.</summary>
    internal abstract bool HasSameRegisters(EmulatedCpu other);

    // Watchpoints, and data breakpoints of the guest's own: pages that hold one never enter the soft-TLB, so that every access comes to the slow path.

    [NotSaved("debugging")] private protected bool _watchesData;

    private protected override void OnWatchpointsChanged()
    {
        UpdateWatching();
        FlushTranslations();
    }

    private protected void UpdateWatching() => _watchesData = Watchpoints.Count != 0 || GuestWatchesData || _logsStores;

    [NotSaved("how the CPU is run")] private volatile bool _logsStores;

    /// <summary>Stores of interpreted instructions take the slow path, which notes the pages they write. Any thread.</summary>
    internal void LogStores(bool on)
    {
        _logsStores = on;
        UpdateWatching();
        OnMemoryMapChanged();
    }

    /// <summary>Whether the guest itself has data breakpoints; <see cref="UpdateWatching"/> after it changed.</summary>
    private protected virtual bool GuestWatchesData => false;

    private protected virtual bool GuestWatchesPage(ulong page) => false;

    /// <summary>Whether the page of <paramref name="va"/> must stay out of the soft-TLB.</summary>
    private protected bool IsWatchedPage(ulong va)
    {
        if (!_watchesData)
            return false;
        if (_logsStores)
            return true;
        ulong page = va & ~PageMask;
        foreach (Watchpoint w in Watchpoints)
        {
            if (w.Start < page + Ram.PageSize && page < w.Start + w.Length)
                return true;
        }
        return GuestWatchesPage(page);
    }

    /// <summary>Whether a watchpoint stops this access. The instruction is then abandoned as by a trap, but nothing is raised and pc stays.</summary>
    private protected bool IsWatched(ulong va, int bytes, WatchKind kind)
    {
        if (!_watchesData)
            return false;
        foreach (Watchpoint w in Watchpoints)
        {
            if (w.Start < va + (ulong)bytes && va < w.Start + w.Length && (w.Kind & kind) != 0)
            {
                WatchedAddress = Math.Max(va, w.Start);
                _watchHit = true;
                RequestExit(ExitRequests.Debug);
                return true;
            }
        }
        return false;
    }

    /// <summary>The engine found out about a watched access, behind the instruction that made it.</summary>
    internal void StopAtWatched(ulong address)
    {
        WatchedAddress = address;
        _watchHit = _watchIsOver = true;
        RequestExit(ExitRequests.Debug);
    }

    [NotSaved("debugging")] private bool _watchIsOver;

    /// <summary>An access was stopped by a watchpoint: what gdb expects this architecture to do before it is told.</summary>
    private protected virtual void FinishWatched()
    {
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _memory.Changed -= OnMemoryMapChanged;
        _wake.Dispose();
        GC.SuppressFinalize(this);
    }
}
