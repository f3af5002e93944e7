namespace Myna.Hardware.Memory;

/// <summary>Registers or memory of a device whose writes need not arrive at once.</summary>
/// <param name="Offset">Bytes from the start of the device's range.</param>
/// <param name="Size">Bytes, to the end of the last.</param>
public readonly record struct LazyRange(ulong Offset, ulong Size);

/// <summary>
/// A device some of whose writes show in nothing but later accesses of a CPU and in what <see cref="Settle"/> goes ahead of. Whoever executes
/// a guest may gather them: they arrive in order, before any other access to a device.
/// </summary>
public interface ILazyWrites : IMmio
{
    /// <summary>The ranges; the same as long as the device is in the map.</summary>
    IReadOnlyList<LazyRange> LazyWrites { get; }

    /// <summary>Set by who gathers: when the call returns, all writes have arrived. Any thread, but not from inside a device's lock.</summary>
    Action? Settle { set; }
}
