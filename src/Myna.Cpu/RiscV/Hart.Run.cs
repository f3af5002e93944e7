using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.State;

namespace Myna.Cpu.RiscV;

/// <summary>The hart's part of the run loop: requests from other harts, WFI, suspension and the stopped state.</summary>
public sealed partial class Hart
{
    [NotSaved("a running machine's requests")] private readonly List<RemoteFence> _posted = [];

    private protected override void ServeMessages()
    {
        PerformPosted();
        CheckCounters();
    }

    private protected override bool IsWaiting => _waiting || _hsmValue != (int)HartState.Started;

    private protected override void TakePending() => TakePendingInterrupt();

    private protected override bool TryWake()
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

    private protected override bool TryWakeToStep()
    {
        if (_hsmValue == (int)HartState.StartPending)
            BeginSupervisor();
        // WFI may end at any time (section "Wait for Interrupt").
        if (_hsmValue == (int)HartState.Started)
            _waiting = false;
        return _hsmValue == (int)HartState.Started;
    }
}
