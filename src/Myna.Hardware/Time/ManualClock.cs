namespace Myna.Hardware.Time;

/// <summary>A clock that moves only when told to: tests, lockstep runs, replays.</summary>
public sealed class ManualClock : Clock
{
    private readonly TimerQueue _timers = new(static _ => { });
    private ulong _now;

    /// <inheritdoc/>
    public override ulong Now => Volatile.Read(ref _now);

    /// <inheritdoc/>
    public override ClockTimer CreateTimer(Action callback) => _timers.Create(callback);

    /// <summary>The earliest deadline, ulong.MaxValue when nothing is armed.</summary>
    public ulong NextDeadline => _timers.Earliest;

    /// <summary>Moves time on and runs the callbacks that fall due, in order, each at its own time.</summary>
    public void Advance(ulong nanoseconds) => AdvanceTo(Now + nanoseconds);

    /// <summary>As <see cref="Advance"/>, to a point in time; an earlier one only runs what is due now.</summary>
    public void AdvanceTo(ulong target)
    {
        while (true)
        {
            ulong next = _timers.Earliest;
            if (next > target || next == ulong.MaxValue)
                break;
            Volatile.Write(ref _now, Math.Max(Now, next));
            _timers.TakeDue(Now)?.Invoke();
        }
        Volatile.Write(ref _now, Math.Max(Now, target));
    }
}
