namespace Myna.Hardware.Time;

/// <summary>A machine's only source of time. Device models read no other clock.</summary>
public abstract class Clock
{
    /// <summary>Nanoseconds since the machine was made, never going back; stands still while the machine is paused.</summary>
    public abstract ulong Now { get; }

    /// <summary>Makes a timer, disarmed. Its callback runs on the clock's thread, never inside Arm or Cancel.</summary>
    public abstract ClockTimer CreateTimer(Action callback);

    /// <summary><paramref name="nanoseconds"/> as ticks of a counter of that frequency (hertz), rounded down.</summary>
    public static ulong ToTicks(ulong nanoseconds, ulong hertz) => (ulong)((UInt128)nanoseconds * hertz / 1_000_000_000);

    /// <summary>The first nanosecond at which a counter of that frequency (hertz) shows <paramref name="ticks"/>; saturates.</summary>
    public static ulong FromTicks(ulong ticks, ulong hertz)
    {
        UInt128 ns = ((UInt128)ticks * 1_000_000_000 + hertz - 1) / hertz;
        return ns > ulong.MaxValue ? ulong.MaxValue : (ulong)ns;
    }
}

/// <summary>One deadline of a <see cref="Clock"/>. Thread-safe.</summary>
public abstract class ClockTimer : IDisposable
{
    /// <summary>Fires once when <see cref="Clock.Now"/> reaches the deadline (at once if it has); replaces an earlier one.
    /// ulong.MaxValue means never.</summary>
    public abstract void Arm(ulong deadline);

    /// <summary>Forgets the deadline. A callback that has begun goes on.</summary>
    public abstract void Cancel();

    public abstract void Dispose();
}
