using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Timers;

public sealed class GoldfishRtcTests
{
    private const ulong TimeLow = 0, TimeHigh = 4, AlarmLow = 8, AlarmHigh = 0xc, IrqEnabled = 0x10, ClearAlarm = 0x14, AlarmStatus = 0x18, ClearInterrupt = 0x1c;
    private const ulong Start = 1_700_000_000_000_000_000;
    private readonly ManualClock _clock = new();
    private readonly Levels _irq = new();
    private readonly GoldfishRtc _rtc;

    public GoldfishRtcTests() => _rtc = new GoldfishRtc(_clock, Start, _irq.Line(0));

    private ulong Now
    {
        get
        {
            ulong low = _rtc.Load(TimeLow);
            return _rtc.Load(TimeHigh) << 32 | low;
        }
    }

    private void SetAlarm(ulong time)
    {
        _rtc.Store(AlarmHigh, time >> 32);
        _rtc.Store(AlarmLow, (uint)time);
    }

    [Fact]
    public void It_shows_wall_clock_time_and_the_high_half_is_latched_by_the_low_one()
    {
        Assert.Equal(Start, Now);
        ulong low = _rtc.Load(TimeLow);
        _clock.Advance(1ul << 33);
        Assert.Equal(Start, _rtc.Load(TimeHigh) << 32 | low);
        Assert.Equal(Start + (1ul << 33), Now);
    }

    [Fact]
    public void The_guest_can_set_it()
    {
        _rtc.Store(TimeHigh, 7);
        _rtc.Store(TimeLow, 9);
        _clock.Advance(5);
        Assert.Equal((7ul << 32) + 14, Now);
        _rtc.Reset();
        Assert.Equal((7ul << 32) + 14, Now);
    }

    [Fact]
    public void An_alarm_interrupts_once_until_cleared()
    {
        _rtc.Store(IrqEnabled, 1);
        SetAlarm(Start + 1000);
        Assert.Equal(1u, _rtc.Load(AlarmStatus));
        _clock.Advance(999);
        Assert.False(_irq[0]);
        _clock.Advance(1);
        Assert.True(_irq[0]);
        Assert.Equal(0u, _rtc.Load(AlarmStatus));
        _rtc.Store(ClearInterrupt, 1);
        Assert.False(_irq[0]);
        _clock.Advance(10_000);
        Assert.False(_irq[0]);
    }

    [Fact]
    public void An_alarm_in_the_past_fires_at_once_and_a_disabled_interrupt_waits()
    {
        SetAlarm(Start - 1);
        Assert.False(_irq[0]);
        _rtc.Store(IrqEnabled, 1);
        Assert.True(_irq[0]);
    }

    [Fact]
    public void A_cleared_alarm_does_not_fire()
    {
        _rtc.Store(IrqEnabled, 1);
        SetAlarm(Start + 1000);
        _rtc.Store(ClearAlarm, 1);
        _clock.Advance(2000);
        Assert.False(_irq[0]);
    }
}
