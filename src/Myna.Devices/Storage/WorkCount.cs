namespace Myna.Devices.Storage;

/// <summary>How many commands of a controller are at their back ends, and the wait for none (<see cref="Drain"/>).</summary>
internal sealed class WorkCount
{
    private readonly object _idle = new();
    private int _count;

    public int Value => Volatile.Read(ref _count);

    public void Begin() => Interlocked.Increment(ref _count);

    /// <summary>A command has come back, and all that follows from it has been done. Any thread.</summary>
    public void End()
    {
        if (Interlocked.Decrement(ref _count) != 0)
            return;
        lock (_idle)
            Monitor.PulseAll(_idle);
    }

    /// <summary>Waits until there is none.</summary>
    public void Drain()
    {
        lock (_idle)
        {
            while (Value != 0)
                Monitor.Wait(_idle);
        }
    }
}
