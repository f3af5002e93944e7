using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Timers;

/// <summary>Motorola MC146818A datasheet.</summary>
public sealed class Mc146818Tests
{
    private const ulong Second = 1_000_000_000;
    private readonly ManualClock _clock = new();
    private readonly Levels _irq = new();
    private readonly Mc146818 _rtc;

    public Mc146818Tests() => _rtc = new Mc146818(_clock, new DateTime(2026, 11, 22, 23, 59, 58), _irq.Line(8));

    private int Get(int register)
    {
        _rtc.Ports.Out(0, register);
        return _rtc.Ports.In(1);
    }

    private void Set(int register, int value)
    {
        _rtc.Ports.Out(0, register);
        _rtc.Ports.Out(1, value);
    }

    private string Time => $"{Get(0x32):x2}{Get(9):x2}-{Get(8):x2}-{Get(7):x2} {Get(4):x2}:{Get(2):x2}:{Get(0):x2} {Get(6)}";

    [Fact]
    public void It_keeps_time_in_BCD_and_24_hours()
    {
        Assert.Equal("2026-11-22 23:59:58 1", Time);
        _clock.Advance(2 * Second);
        Assert.Equal("2026-11-23 00:00:00 2", Time);
        _clock.Advance(86400 * 40 * Second);
        Assert.Equal("2027-01-02 00:00:00 7", Time);
    }

    [Fact]
    public void Binary_and_12_hours()
    {
        Set(11, 0x04);
        Assert.Equal((26, 11, 22, 0x80 | 11, 59, 58), (Get(9), Get(8), Get(7), Get(4), Get(2), Get(0)));
        _clock.Advance(2 * Second);
        Assert.Equal(12, Get(4));
        Set(11, 0x00);
        Assert.Equal(0x12, Get(4));
        _clock.Advance(13 * 3600 * Second);
        Assert.Equal(0x81, Get(4));
        // Setting it the same way.
        Set(4, 0x92);
        Set(11, 0x02);
        Assert.Equal(0x12, Get(4));
    }

    [Fact]
    public void SET_lets_software_write_the_time()
    {
        Set(11, 0x82);
        foreach ((int register, int value) in new[] { (0, 0x30), (2, 0x20), (4, 0x10), (7, 0x31), (8, 0x12), (9, 0x99), (0x32, 0x19) })
            Set(register, value);
        _clock.Advance(10 * Second);
        Assert.Equal(0x30, Get(0));
        Set(11, 0x02);
        Assert.Equal("1999-12-31 10:20:30 6", Time);
        _clock.Advance(86400 * Second);
        Assert.Equal("2000-01-01 10:20:30 7", Time);
    }

    [Fact]
    public void The_divider_restarts_half_a_second_before_an_update()
    {
        Set(10, 0x76);
        _clock.Advance(5 * Second);
        Assert.Equal(0x58, Get(0));
        Set(10, 0x26);
        _clock.Advance(Second / 2 - 1000);
        Assert.Equal(0x58, Get(0));
        _clock.Advance(2000);
        Assert.Equal(0x59, Get(0));
    }

    [Fact]
    public void UIP_announces_an_update_244_microseconds_ahead()
    {
        Assert.Equal(0x26, Get(10));
        _clock.Advance(Second - 245_000);
        Assert.Equal(0x26, Get(10));
        _clock.Advance(2_000);
        Assert.Equal(0xa6, Get(10));
        Set(11, 0x82);
        Assert.Equal(0x26, Get(10));
        Set(11, 0x02);
        _clock.Advance(243_000);
        Assert.Equal(0x26, Get(10));
    }

    [Fact]
    public void Flags_are_set_without_interrupts_and_cleared_by_reading()
    {
        _clock.Advance(Second);
        Assert.Equal(0x50, Get(12));
        // The alarm is at midnight.
        _clock.Advance(2 * Second);
        Assert.Equal(0x70, Get(12));
        Assert.Equal(0, Get(12));
        Assert.False(_irq[8]);
        Assert.Equal(0x80, Get(13));
        Set(13, 0);
        Assert.Equal(0x80, Get(13));
    }

    [Fact]
    public void Update_interrupts()
    {
        Set(11, 0x12);
        _clock.Advance(Second - 1);
        Assert.False(_irq[8]);
        _clock.Advance(1);
        Assert.True(_irq[8]);
        Assert.Equal(0xd0, Get(12));
        Assert.False(_irq[8]);
        _clock.Advance(Second);
        Assert.True(_irq[8]);
        Set(11, 0x82 | 0x10);
        Assert.Equal(0x82, Get(11));
        Assert.False(_irq[8]);
    }

    [Theory]
    [InlineData(0x26, 1024)]
    [InlineData(0x2f, 2)]
    [InlineData(0x23, 8192)]
    [InlineData(0x21, 256)]
    [InlineData(0x20, 0)]
    public void Periodic_interrupts(int a, int hertz)
    {
        Set(10, a);
        Set(11, 0x42);
        Get(12);
        int interrupts = 0;
        ulong end = _clock.Now + Second;
        while (_clock.NextDeadline <= end)
        {
            _clock.AdvanceTo(_clock.NextDeadline);
            Assert.True(_irq[8]);
            Assert.Equal(0xc0, Get(12) & 0xc0);
            interrupts++;
        }
        Assert.Equal(hertz, interrupts);
    }

    [Fact]
    public void Alarms()
    {
        Set(1, 0x05);
        Set(3, 0x00);
        Set(5, 0x00);
        Set(11, 0x22);
        _clock.Advance(7 * Second - 1);
        Assert.False(_irq[8]);
        _clock.Advance(1);
        Assert.True(_irq[8]);
        Assert.Equal(0xa0, Get(12) & 0xa0);
        _clock.Advance(86400 * Second - 1);
        Assert.False(_irq[8]);
        _clock.Advance(1);
        Assert.True(_irq[8]);
        Get(12);
        // "Don't care" hours and minutes: every minute.
        Set(3, 0xff);
        Set(5, 0xc0);
        _clock.Advance(60 * Second);
        Assert.True(_irq[8]);
    }

    [Fact]
    public void Memory_in_two_banks_survives_reset()
    {
        Set(0x40, 0x5a);
        _rtc.Ports.Out(2, 0x40);
        _rtc.Ports.Out(3, 0xa5);
        _rtc[0x10] = 0x33;
        Set(11, 0x7a);
        _rtc.Reset();
        Assert.Equal((0x5a, 0x33, 0x02), (Get(0x40), Get(0x10), Get(11)));
        _rtc.Ports.Out(2, 0x40);
        Assert.Equal(0xa5, _rtc.Ports.In(3));
        Assert.Equal((0x5a, 0xa5), (_rtc[0x40], _rtc[0xc0]));
        Assert.Equal("2026-11-22 23:59:58 1", Time);
        _rtc.Ports.Out(0, 0x8f);
        Assert.True(_rtc.NmiMasked);
        Assert.Equal(0xff, _rtc.Ports.In(0));
    }

    [Fact]
    public void Impossible_dates_run_over()
    {
        Set(8, 0x02);
        Set(7, 0x31);
        Assert.Equal((0x03, 0x03), (Get(8), Get(7)));
    }
}
