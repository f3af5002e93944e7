namespace Myna.Network;

/// <summary>Something that wants to be called at a time; nanoseconds of the stack's clock.</summary>
internal abstract class Timed
{
    /// <summary>When to be called; ulong.MaxValue is never.</summary>
    public ulong Deadline { get; protected set; } = ulong.MaxValue;

    /// <summary>The earliest entry of the queue for this object.</summary>
    internal ulong Queued { get; set; } = ulong.MaxValue;

    /// <summary>Called once at or after the deadline; sets a new one if it wants another call.</summary>
    public abstract void OnDeadline(ulong now);
}

/// <summary>The deadlines of a stack. Putting one off costs nothing: the queue finds out when the old one comes up.</summary>
internal sealed class Deadlines
{
    readonly PriorityQueue<Timed, ulong> _queue = new();

    /// <summary>No deadline is earlier; ulong.MaxValue when there is none.</summary>
    public ulong Next => _queue.TryPeek(out _, out ulong at) ? at : ulong.MaxValue;

    /// <summary>To be called after a deadline changed.</summary>
    public void Update(Timed timed)
    {
        if (timed.Deadline >= timed.Queued)
            return;
        timed.Queued = timed.Deadline;
        _queue.Enqueue(timed, timed.Deadline);
    }

    public void Run(ulong now)
    {
        while (_queue.TryPeek(out Timed? timed, out ulong at) && at <= now)
        {
            _queue.Dequeue();
            // An entry that an earlier one overtook is stale.
            if (at != timed.Queued)
                continue;
            timed.Queued = ulong.MaxValue;
            if (timed.Deadline <= now)
                timed.OnDeadline(now);
            Update(timed);
        }
    }
}
