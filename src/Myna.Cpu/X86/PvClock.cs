using Myna.Hardware.State;

namespace Myna.Cpu.X86;

/// <summary>
/// The time that KVM's guests read as kvmclock: nanoseconds since the guest began, which stand still while it does. Part of every PC,
/// so that guests take it along wherever they go on.
/// </summary>
[Stateful("pvclock")]
public sealed partial class PvClock
{
    // Added to the machine's clock.
    [Saved(1)] private ulong _offset;

    /// <summary>At a time of the machine's clock, in nanoseconds.</summary>
    public ulong At(ulong now) => now + _offset;

    /// <summary>It is <paramref name="value"/> at that time of the machine's clock.</summary>
    public void Set(ulong value, ulong now) => _offset = value - now;

    /// <summary>Power-on state.</summary>
    public void Reset() => _offset = 0;

    private void Sync() { }
}
