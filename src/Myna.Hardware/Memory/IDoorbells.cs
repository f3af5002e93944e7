namespace Myna.Hardware.Memory;

/// <summary>A register whose write only wakes the device's own work: nothing that the CPU does next depends on it.</summary>
/// <param name="Offset">Bytes from the start of the device's range.</param>
/// <param name="Size">Bytes of the write.</param>
/// <param name="Value">The value that it must have, or null for any.</param>
public readonly record struct Doorbell(ulong Offset, int Size, ulong? Value);

/// <summary>
/// A device some of whose registers are doorbells. Whoever executes a guest may have their writes delivered by another thread
/// than the CPU's, later, and several as one.
/// </summary>
public interface IDoorbells : IMmio
{
    /// <summary>The doorbells; the same as long as the device is in the map.</summary>
    IReadOnlyList<Doorbell> Doorbells { get; }
}
