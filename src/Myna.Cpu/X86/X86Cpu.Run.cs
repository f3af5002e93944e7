using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;
using Myna.Jit.X87;

namespace Myna.Cpu.X86;

/// <summary>The CPU's part of the run loop: its inputs, interrupts, HLT, and single steps for the guest.</summary>
public sealed partial class X86Cpu
{
    private readonly Lock _messages = new();

    // Inputs.

    /// <inheritdoc/>
    public ulong TscOffset => Volatile.Read(ref _tscOffset);

    /// <inheritdoc/>
    public void SetIntr(bool level)
    {
        Volatile.Write(ref _intr, level);
        if (level)
            RequestExit(ExitRequests.Interrupt);
    }

    /// <inheritdoc/>
    public void Nmi()
    {
        lock (_messages)
        {
            // One runs and one is latched (section 7.7.1). A processor would have taken the first of two that come before the next block
            // ends at once, so that both count.
            _nmisPending = Math.Min(_nmisPending + 1, _nmiBlocked ? 1 : 2);
        }
        RequestExit(ExitRequests.Interrupt);
    }

    /// <inheritdoc/>
    public void Init()
    {
        lock (_messages)
        {
            _initPending = true;
            _startupPending = -1;
        }
        RequestExit(ExitRequests.Request);
    }

    /// <inheritdoc/>
    public void Startup(byte vector)
    {
        lock (_messages)
        {
            if (!_initPending && !_waitsForStartup)
                return;
            _startupPending = vector;
        }
        RequestExit(ExitRequests.Request);
    }

    private protected override void ServeMessages()
    {
        lock (_messages)
        {
            if (_initPending)
            {
                _initPending = false;
                int startup = _startupPending;
                ResetForInit();
                _startupPending = startup;
                _nmisPending = 0;
                // INIT lets the bootstrap processor begin again (section 10.1).
                _waitsForStartup = Index != 0;
                FlushTranslations();
                UpdateFlags();
            }
            if (_startupPending >= 0 && _waitsForStartup)
            {
                int vector = _startupPending;
                _startupPending = -1;
                _waitsForStartup = false;
                SetRealSegment(SegmentRegister.Cs, (ushort)(vector << 8));
                Block.Context.Pc = (ulong)vector << 12;
                UpdateFlags();
            }
        }
    }

    private protected override void PrepareRun()
    {
        HostX87.ClearExceptions();
        UpdatePvClock();
    }

    internal override bool GuestSteps => Flags.Slow && Engine is not { IsNative: true };

    /// <summary>One instruction that KVM cannot execute.</summary>
    internal void StepForKvm() => StepOne();

    private protected override void StepOne()
    {
        if (Flags.Slow)
            StepSlowly();
        else
            Stepper!.Step();
    }

    private protected override void TakePending()
    {
        // Traps of the instruction before go ahead of interrupts (section 7.9, table 7-2).
        if (_debugPending != 0 && !(_inhibited && _inhibitsDebug && Block.Context.Pc == _inhibitPc))
            DeliverPendingDebug();
        TakePendingInterrupt();
    }

    // HLT, the wait for a start-up message, shutdown.
    private protected override bool IsWaiting => _shutDown || ((_halted || _waitsForStartup) && Engine is not { WaitsForInterrupts: true });

    private protected override bool TryWake()
    {
        // Interrupt controllers have gone to where the CPU will wait.
        if (!_shutDown && Engine is { WaitsForInterrupts: true })
            return true;
        if (_waitsForStartup || _shutDown)
            return false;
        if (_halted && !IsInterruptDeliverable)
            return false;
        _halted = false;
        return true;
    }

    private protected override bool TryWakeToStep()
    {
        if (_waitsForStartup || _shutDown)
            return false;
        _halted = false;
        return true;
    }

    private bool IsInterruptDeliverable => (Volatile.Read(ref _nmisPending) != 0 && !_nmiBlocked) || (Volatile.Read(ref _intr) && (State.OtherFlags & RFlag.IF) != 0 && Engine is not { WaitsForInterrupts: true });

    // Between two instructions.
    private void TakePendingInterrupt()
    {
        if (!IsInterruptDeliverable)
            return;
        if (_inhibited && Block.Context.Pc == _inhibitPc)
        {
            // STI, MOV SS and POP SS: one instruction goes first. An interrupt that comes meanwhile is looked at right behind it.
            _inhibited = false;
            RequestExit(ExitRequests.Interrupt);
            StepOne();
            return;
        }
        _inhibited = false;
        if (Volatile.Read(ref _nmisPending) != 0 && !_nmiBlocked)
        {
            lock (_messages)
            {
                _nmisPending--;
                _nmiBlocked = true;
            }
            Deliver((int)Vector.NMI, EventKind.External, 0, Ip);
            RequestExit(ExitRequests.Interrupt);
            return;
        }
        int vector = LocalApic?.Acknowledge() ?? -1;
        if (vector >= 0)
            Deliver(vector, EventKind.External, 0, Ip);
    }

    // After IF, or what blocks NMIs, has changed: an interrupt may be waiting.
    private void CheckInterrupts()
    {
        if (IsInterruptDeliverable)
            RequestExit(ExitRequests.Interrupt);
    }

    // The next instruction goes first, whatever interrupts there are (SDM volume 3, section 7.8.3; volume 2, STI).
    private void Inhibit(ulong nextPc, bool debugToo)
    {
        _inhibited = true;
        _inhibitsDebug = debugToo;
        _inhibitPc = nextPc;
    }

    /// <summary>One instruction with the guest's own debugging: instruction breakpoints before it, data breakpoints and TF behind it.</summary>
    private void StepSlowly()
    {
        RequestExit(ExitRequests.Slow);
        ref X86Registers r = ref State;
        ulong flags = r.OtherFlags;
        ulong pc = Block.Context.Pc;
        bool inhibited = _inhibited && _inhibitsDebug && pc == _inhibitPc;
        if ((flags & RFlag.RF) == 0 && !inhibited && FindInstructionBreakpoint(pc) is var hit and not 0)
        {
            ReportDebug(hit);
            Deliver((int)Vector.DB, EventKind.Exception, 0, Ip);
            return;
        }
        r.OtherFlags &= ~RFlag.RF;
        _debugPending = inhibited ? _debugPending : 0;
        ulong count = Block.Context.InstructionCount;
        _steppedTrap = (flags & RFlag.TF) != 0;
        _repeats = false;
        Stepper!.Step();
        bool trap = _steppedTrap;
        _steppedTrap = false;
        // Between two iterations RF stays, or becomes, set: the instruction's breakpoint was reported in front of the first (section 18.3.1.1).
        if (_repeats && (_dr7 & 0xFF) != 0)
            r.OtherFlags |= RFlag.RF;
        if (Block.Context.InstructionCount == count)
        {
            // It did not retire, so that there is nothing behind it.
            _debugPending = 0;
            return;
        }
        if (trap)
            _debugPending |= Debug.BS;
        if (_inhibited && _inhibitsDebug && Block.Context.Pc == _inhibitPc)
        {
            // MOV SS and POP SS: single steps are lost, data breakpoints wait (section 7.8.3).
            _debugPending &= ~Debug.BS;
            return;
        }
        DeliverPendingDebug();
    }

    /// <summary>Whether the instruction that is being stepped ends with a single-step trap; what enters a handler takes that back.</summary>
    [NotSaved("valid during one step")] private bool _steppedTrap;

    private void DeliverPendingDebug()
    {
        if (_debugPending == 0)
            return;
        ReportDebug(_debugPending);
        _debugPending = 0;
        Deliver((int)Vector.DB, EventKind.DebugTrap, 0, Ip);
    }

    // Bits 0 to 3 say which breakpoints were hit now; the others are only ever set (section 18.2.3).
    private void ReportDebug(ulong conditions) => _dr6 = _dr6 & ~0xFUL | conditions;

    private ulong FindInstructionBreakpoint(ulong pc)
    {
        ulong hit = 0;
        bool enabled = false;
        for (int i = 0; i < 4; i++)
        {
            if (BreakpointType(i) == 0 && _dr[i] == pc)
            {
                hit |= 1UL << i;
                enabled |= IsBreakpointEnabled(i);
            }
        }
        // DR6 shows conditions that are not enabled too, but they raise nothing.
        return enabled ? hit : 0;
    }

    private void NoteDataBreakpoints(ulong linear, int bytes, WatchKind kind)
    {
        for (int i = 0; i < 4; i++)
        {
            int type = BreakpointType(i);
            if (!IsBreakpointEnabled(i) || (type != 3 && !(type == 1 && kind == WatchKind.Write)))
                continue;
            ulong length = (ulong)BreakpointLength(i);
            ulong start = _dr[i] & ~(length - 1);
            if (start < linear + (ulong)bytes && linear < start + length)
                _debugPending |= 1UL << i;
        }
    }
}
