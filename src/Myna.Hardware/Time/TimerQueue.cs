namespace Myna.Hardware.Time;

/// <summary>
/// The deadlines of a clock. A machine has a few dozen timers at most, so the earliest is found by looking at all.
/// </summary>
/// <param name="earlier">Called with a new earliest deadline, outside the lock.</param>
internal sealed class TimerQueue(Action<ulong> earlier)
{
    private readonly Lock _lock = new();
    private readonly Action<ulong> _earlier = earlier;
    private Entry[] _entries = [];

    public ClockTimer Create(Action callback)
    {
        var entry = new Entry(this, callback);
        lock (_lock)
            _entries = [.. _entries, entry];
        return entry;
    }

    /// <summary>The earliest deadline, ulong.MaxValue when there is none.</summary>
    public ulong Earliest
    {
        get
        {
            lock (_lock)
                return EarliestLocked();
        }
    }

    /// <summary>Disarms the earliest timer that is due and returns its callback; null when none is.</summary>
    public Action? TakeDue(ulong now)
    {
        lock (_lock)
        {
            Entry? first = null;
            foreach (Entry e in _entries)
            {
                if (e.Deadline <= now && e.Deadline != ulong.MaxValue && (first is null || e.Deadline < first.Deadline))
                    first = e;
            }
            if (first is null)
                return null;
            first.Deadline = ulong.MaxValue;
            return first.Callback;
        }
    }

    private ulong EarliestLocked()
    {
        ulong earliest = ulong.MaxValue;
        foreach (Entry e in _entries)
            earliest = Math.Min(earliest, e.Deadline);
        return earliest;
    }

    private sealed class Entry(TimerQueue queue, Action callback) : ClockTimer
    {
        public ulong Deadline = ulong.MaxValue;
        public readonly Action Callback = callback;

        public override void Arm(ulong deadline)
        {
            bool isEarliest;
            lock (queue._lock)
            {
                isEarliest = deadline < queue.EarliestLocked();
                Deadline = deadline;
            }
            if (isEarliest)
                queue._earlier(deadline);
        }

        public override void Cancel()
        {
            lock (queue._lock)
                Deadline = ulong.MaxValue;
        }

        public override void Dispose()
        {
            lock (queue._lock)
            {
                Deadline = ulong.MaxValue;
                queue._entries = Array.FindAll(queue._entries, e => !ReferenceEquals(e, this));
            }
        }
    }
}
