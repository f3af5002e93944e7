using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

// A debugger's breakpoints in the processor's debug registers.
public sealed partial class KvmX86Engine
{
    private const int DebugRegisters = 4;

    private int _breakpointVersion = -1;
    private bool _debugs;

    /// <inheritdoc/>
    public bool StopsAtBreakpoints => _machine.UsesGuestDebug && _cpu.Breakpoints.Count <= DebugRegisters;

    // Breakpoints change while the CPU stands still.
    private void UpdateGuestDebug()
    {
        if (_breakpointVersion == _cpu.BreakpointVersion)
            return;
        _breakpointVersion = _cpu.BreakpointVersion;
        bool wanted = StopsAtBreakpoints && _cpu.Breakpoints.Count != 0;
        if (!wanted && !_debugs)
            return;
        KvmGuestDebug debug = default;
        if (wanted)
        {
            debug.Control = KvmGuestDebug.Enable | KvmGuestDebug.UseHardware;
            Span<ulong> addresses = stackalloc ulong[DebugRegisters];
            int count = 0;
            foreach (ulong address in _cpu.Breakpoints)
            {
                addresses[count] = address;
                // Global enable; type and length 0 are execution (SDM volume 3, section 18.2.4).
                debug.Dr7 |= 2UL << (2 * count++);
            }
            (debug.Db0, debug.Db1, debug.Db2, debug.Db3) = (addresses[0], addresses[1], addresses[2], addresses[3]);
        }
        if (!_vcpu.TrySetGuestDebug(ref debug))
        {
            // The interpreter looks for them from the next instruction on.
            _machine.UsesGuestDebug = false;
            wanted = false;
        }
        _debugs = wanted;
    }
}
