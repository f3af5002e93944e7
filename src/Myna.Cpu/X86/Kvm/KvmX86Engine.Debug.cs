using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

// A debugger's breakpoints in the processor's debug registers.
public sealed partial class KvmX86Engine
{
    private int _breakpointVersion = -1, _layoutVersion = -1;
    private bool _debugs, _fits;
    private KvmDebugLayout _layout;

    /// <inheritdoc/>
    public bool StopsAtBreakpoints => _machine.UsesGuestDebug && Fits;

    /// <summary>A debugger watches data that the processor cannot watch.</summary>
    private bool WatchesHere => _cpu.WatchesForDebugger && !StopsAtBreakpoints;

    // Breakpoints and watchpoints change while the CPU stands still.
    private bool Fits
    {
        get
        {
            if (_layoutVersion != _cpu.BreakpointVersion)
            {
                _fits = KvmDebugLayout.TryLayOut(_cpu.Breakpoints, _cpu.WatchedRanges, out _layout);
                _layoutVersion = _cpu.BreakpointVersion;
            }
            return _fits;
        }
    }

    private void UpdateGuestDebug()
    {
        if (_breakpointVersion == _cpu.BreakpointVersion)
            return;
        _breakpointVersion = _cpu.BreakpointVersion;
        bool wanted = StopsAtBreakpoints && _layout.Used != 0;
        if (!wanted && !_debugs)
            return;
        KvmGuestDebug debug = default;
        if (wanted)
        {
            debug.Control = KvmGuestDebug.Enable | KvmGuestDebug.UseHardware;
            (debug.Db0, debug.Db1, debug.Db2, debug.Db3, debug.Dr7) = (_layout.Db0, _layout.Db1, _layout.Db2, _layout.Db3, _layout.Dr7);
        }
        if (!_vcpu.TrySetGuestDebug(ref debug))
        {
            // The interpreter looks for them from the next instruction on.
            _machine.UsesGuestDebug = false;
            wanted = false;
        }
        _debugs = wanted;
    }

    // A breakpoint's instruction is still to come; that of a watchpoint is over.
    private void StopForDebugger(ulong dr6)
    {
        PullState();
        if (_debugs && _layout.HitData(dr6) is { } address)
            _cpu.StopAtWatched(address);
    }
}
