using System.Diagnostics;
using Myna.Host;

namespace Myna.Hardware.Time;

/// <summary>Host time since the machine was made, less the time it was paused. Callbacks run on a thread of its own.</summary>
public sealed class RealClock : Clock, IDisposable
{
    private const long Running = -1;
    private readonly TimerQueue _timers;
    private readonly WaitEvent _wake = new();
    private readonly Thread _thread;
    private readonly Lock _lock = new();
    private long _origin;
    private long _frozen = Running;
    private volatile bool _disposed;

    /// <param name="paused">Time stands still until <see cref="Resume"/>.</param>
    public RealClock(bool paused = false)
    {
        _origin = HostNow();
        if (paused)
            _frozen = 0;
        _timers = new TimerQueue(_ => _wake.Set());
        _thread = new Thread(Run) { IsBackground = true, Name = "clock" };
        _thread.Start();
    }

    /// <inheritdoc/>
    public override ulong Now
    {
        get
        {
            long frozen = Volatile.Read(ref _frozen);
            return (ulong)(frozen != Running ? frozen : HostNow() - Volatile.Read(ref _origin));
        }
    }

    /// <inheritdoc/>
    public override ClockTimer CreateTimer(Action callback) => _timers.Create(callback);

    /// <summary>Time stands still; no callback starts afterwards, one that has begun may still run.</summary>
    public void Pause()
    {
        lock (_lock)
        {
            if (_frozen == Running)
                Volatile.Write(ref _frozen, (long)Now);
        }
    }

    /// <summary>Time goes on from where it stood.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            if (_frozen == Running)
                return;
            Volatile.Write(ref _origin, HostNow() - _frozen);
            Volatile.Write(ref _frozen, Running);
        }
        _wake.Set();
    }

    /// <summary>Sets the time, while paused (loading a saved machine).</summary>
    public void SetNow(ulong nanoseconds)
    {
        lock (_lock)
        {
            if (_frozen == Running)
                throw new InvalidOperationException("the clock runs");
            Volatile.Write(ref _frozen, (long)nanoseconds);
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _wake.Set();
        if (Thread.CurrentThread != _thread)
        {
            _thread.Join();
            _wake.Dispose();
        }
    }

    private void Run()
    {
        while (!_disposed)
        {
            bool running = Volatile.Read(ref _frozen) == Running;
            if (running && _timers.TakeDue(Now) is { } callback)
            {
                callback();
                continue;
            }
            ulong next = running ? _timers.Earliest : ulong.MaxValue;
            if (next == ulong.MaxValue)
            {
                _wake.Wait(-1);
                continue;
            }
            ulong now = Now;
            if (next > now)
                _wake.Wait((long)Math.Min(next - now, long.MaxValue));
        }
    }

    private static long HostNow()
    {
        long ticks = Stopwatch.GetTimestamp();
        return Stopwatch.Frequency == 1_000_000_000 ? ticks : (long)((Int128)ticks * 1_000_000_000 / Stopwatch.Frequency);
    }
}
