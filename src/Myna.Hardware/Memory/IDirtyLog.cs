namespace Myna.Hardware.Memory;

/// <summary>Which pages of RAM have been written, for whoever copies memory while the guest runs. Disposing it ends the log.</summary>
public interface IDirtyLog : IDisposable
{
    /// <summary>Adds the pages written since the last call, or since the log began. While CPUs run, what they write meanwhile comes with a later call.</summary>
    /// <param name="ram">One of the machine's.</param>
    /// <param name="bitmap">One bit for each page, the first in bit 0; bits set before stay set.</param>
    void Collect(Ram ram, Span<ulong> bitmap);
}
