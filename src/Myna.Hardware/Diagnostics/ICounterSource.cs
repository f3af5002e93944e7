namespace Myna.Hardware.Diagnostics;

/// <summary>Something that counts what it does, for the monitor.</summary>
public interface ICounterSource
{
    /// <summary>Names with the values of this moment.</summary>
    IEnumerable<(string Name, ulong Value)> Counters { get; }
}
