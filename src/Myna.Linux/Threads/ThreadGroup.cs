namespace Myna.Linux.Threads;

/// <summary>The threads of a process.</summary>
public sealed class ThreadGroup
{
    private readonly List<GuestThread> _threads = [];

    /// <summary>Guards the list.</summary>
    internal Lock Sync { get; private set; } = new();

    public int Count
    {
        get
        {
            lock (Sync)
                return _threads.Count;
        }
    }

    public GuestThread[] ToArray()
    {
        lock (Sync)
            return [.. _threads];
    }

    internal void Add(GuestThread thread)
    {
        lock (Sync)
            _threads.Add(thread);
    }

    /// <returns>Whether it was the last.</returns>
    internal bool Remove(GuestThread thread)
    {
        lock (Sync)
        {
            _threads.Remove(thread);
            return _threads.Count == 0;
        }
    }

    /// <summary>In a forked child: only the calling thread is left.</summary>
    internal void KeepOnly(GuestThread thread)
    {
        Sync = new Lock();
        _threads.Clear();
        _threads.Add(thread);
    }
}
