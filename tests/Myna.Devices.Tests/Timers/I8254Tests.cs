using Myna.Devices.Ports;
using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Timers;

/// <summary>Intel 8254 datasheet (order 231164). Times are CLK pulses.</summary>
public sealed class I8254Tests
{
    private readonly ManualClock _clock = new();
    private readonly Levels _irq = new();
    private readonly I8254 _pit;
    private readonly SystemControlPortB _port61;
    private ulong _pulses;

    public I8254Tests()
    {
        _pit = new I8254(_clock, _irq.Line(0));
        _port61 = new SystemControlPortB(_pit, _clock);
    }

    private void Wait(ulong pulses)
    {
        _pulses += pulses;
        _clock.AdvanceTo(Clock.FromTicks(_pulses, I8254.Frequency));
    }

    /// <summary>Programs a counter, low byte first.</summary>
    private void Program(int counter, int mode, int count, int bcd = 0)
    {
        _pit.Ports.Out(3, counter << 6 | 0x30 | mode << 1 | bcd);
        _pit.Ports.Out(counter, count & 0xff);
        _pit.Ports.Out(counter, count >> 8);
    }

    private int Count(int counter)
    {
        _pit.Ports.Out(3, counter << 6);
        return _pit.Ports.In(counter) | _pit.Ports.In(counter) << 8;
    }

    private int Status(int counter)
    {
        _pit.Ports.Out(3, 0xe0 | 2 << counter);
        return _pit.Ports.In(counter);
    }

    /// <summary>OUT of counter 2 at each of the next pulses, as H and L.</summary>
    private string Out2(int pulses)
    {
        string shown = "";
        for (int i = 0; i < pulses; i++)
        {
            Wait(1);
            shown += (_port61.Ports.In() & 0x20) != 0 ? 'H' : 'L';
        }
        return shown;
    }

    private void Gate2(bool gate) => _port61.Ports.Out(0, gate ? 1 : 0);

    [Fact]
    public void Mode_0_rises_N_plus_1_pulses_after_the_count_was_written()
    {
        Gate2(true);
        Program(2, 0, 4);
        Assert.Equal("LLLLHHH", Out2(7));
        Program(2, 0, 0x1000);
        Wait(1);
        Assert.Equal(0x1000, Count(2));
        Wait(0xfff);
        Assert.Equal(1, Count(2));
        Wait(2);
        Assert.Equal(0xffff, Count(2));
    }

    [Fact]
    public void Mode_0_stops_while_the_gate_is_low_and_when_the_first_byte_is_written()
    {
        Gate2(true);
        Program(2, 0, 6);
        Wait(3);
        Gate2(false);
        Assert.Equal("LLLLLLLLLL", Out2(10));
        Assert.Equal(4, Count(2));
        Gate2(true);
        Assert.Equal("LLLHH", Out2(5));
        _pit.Ports.Out(2, 3);
        Assert.Equal("LLLLL", Out2(5));
        _pit.Ports.Out(2, 0);
        Assert.Equal("LLLH", Out2(4));
    }

    [Fact]
    public void Mode_1_is_a_one_shot_triggered_by_the_gate_and_again_before_its_end()
    {
        Program(2, 1, 3);
        Assert.Equal("HHHH", Out2(4));
        Gate2(true);
        Assert.Equal("LLLHH", Out2(5));
        Gate2(false);
        Gate2(true);
        Assert.Equal("LL", Out2(2));
        Gate2(false);
        Gate2(true);
        Assert.Equal("LLLH", Out2(4));
    }

    [Fact]
    public void Mode_2_is_low_for_the_last_pulse_of_each_period()
    {
        Gate2(true);
        Program(2, 2, 4);
        Assert.Equal("HHHLHHHLHHHL", Out2(12));
        Gate2(false);
        Assert.Equal("HHHH", Out2(4));
        Gate2(true);
        Assert.Equal("HHHLHHHL", Out2(8));
    }

    [Fact]
    public void Mode_2_takes_a_new_count_at_the_end_of_the_period()
    {
        Gate2(true);
        Program(2, 2, 5);
        Assert.Equal("HH", Out2(2));
        _pit.Ports.Out(2, 3);
        _pit.Ports.Out(2, 0);
        Assert.NotEqual(0, Status(2) & 0x40);
        Assert.Equal("HHLHHLHHL", Out2(9));
        Assert.Equal(0, Status(2) & 0x40);
    }

    [Theory]
    [InlineData(4, "HHLLHHLL")]
    [InlineData(5, "HHHLLHHHLL")]
    [InlineData(2, "HLHL")]
    public void Mode_3_is_a_square_wave(int count, string expected)
    {
        Gate2(true);
        Program(2, 3, count);
        Assert.Equal(expected, Out2(expected.Length));
    }

    [Fact]
    public void Mode_3_counts_by_two_and_takes_a_new_count_with_the_next_half()
    {
        Gate2(true);
        Program(2, 3, 8);
        Wait(1);
        Assert.Equal(8, Count(2));
        Wait(1);
        Assert.Equal(6, Count(2));
        Wait(3);
        Assert.Equal(8, Count(2));
        _pit.Ports.Out(2, 4);
        _pit.Ports.Out(2, 0);
        Assert.Equal("LLLHHLLHHL", Out2(10));
    }

    [Fact]
    public void Mode_4_strobes_once()
    {
        Gate2(true);
        Program(2, 4, 3);
        Assert.Equal("HHHLHHHHH", Out2(9));
        Program(2, 4, 3);
        Wait(2);
        Gate2(false);
        Assert.Equal("HHHH", Out2(4));
        Gate2(true);
        Assert.Equal("HLH", Out2(3));
    }

    [Fact]
    public void Mode_5_strobes_after_each_trigger()
    {
        Program(2, 5, 2);
        Assert.Equal("HHHH", Out2(4));
        Gate2(true);
        Assert.Equal("HHLHH", Out2(5));
        Gate2(false);
        Gate2(true);
        Assert.Equal("HHLHH", Out2(5));
    }

    [Fact]
    public void BCD_counts_in_decimal()
    {
        Program(1, 2, 0x0250, 1);
        Wait(1 + 60);
        Assert.Equal(0x0190, Count(1));
        Program(1, 0, 0, 1);
        Wait(2);
        Assert.Equal(0x9999, Count(1));
    }

    [Fact]
    public void A_latched_count_stays_until_it_is_read()
    {
        Program(1, 2, 1000);
        Wait(1 + 100);
        _pit.Ports.Out(3, 1 << 6);
        Wait(100);
        _pit.Ports.Out(3, 1 << 6);
        Assert.Equal(900, _pit.Ports.In(1) | _pit.Ports.In(1) << 8);
        Assert.Equal(800, _pit.Ports.In(1) | _pit.Ports.In(1) << 8);
    }

    [Fact]
    public void Single_byte_access()
    {
        _pit.Ports.Out(3, 1 << 6 | 0x10 | 4);
        _pit.Ports.Out(1, 200);
        Wait(1 + 50);
        Assert.Equal((150, 150), (_pit.Ports.In(1), _pit.Ports.In(1)));
        _pit.Ports.Out(3, 1 << 6 | 0x20 | 4);
        _pit.Ports.Out(1, 2);
        Wait(1 + 256);
        Assert.Equal((1, 1), (_pit.Ports.In(1), _pit.Ports.In(1)));
    }

    [Fact]
    public void Read_back_gives_status_before_count()
    {
        Program(0, 2, 1000);
        Program(1, 4, 500);
        Wait(1 + 10);
        _pit.Ports.Out(3, 0xc0 | 2 | 4);
        Wait(10);
        Assert.Equal(0x80 | 0x30 | 4, _pit.Ports.In(0));
        Assert.Equal(990, _pit.Ports.In(0) | _pit.Ports.In(0) << 8);
        Assert.Equal(0x80 | 0x30 | 8, _pit.Ports.In(1));
        Assert.Equal(490, _pit.Ports.In(1) | _pit.Ports.In(1) << 8);
        _pit.Ports.Out(3, 1 << 6 | 0x30);
        Assert.Equal(0x40 | 0x30, Status(1));
        Assert.Equal(0xff, _pit.Ports.In(3));
    }

    [Fact]
    public void Counter_0_interrupts_once_in_mode_0_and_each_period_in_mode_2()
    {
        Program(0, 0, 1000);
        Assert.False(_irq[0]);
        Wait(1000);
        Assert.False(_irq[0]);
        Wait(1);
        Assert.True(_irq[0]);
        var edges = new Edges();
        var pit = new I8254(_clock, new(edges, 0));
        pit.Ports.Out(3, 0x34);
        pit.Ports.Out(0, 0);
        pit.Ports.Out(0, 1);
        int before = edges.Rising;
        Wait(1 + 256 * 10);
        Assert.Equal(10, edges.Rising - before);
        pit.Ports.Out(3, 0x36);
        pit.Ports.Out(0, 0);
        pit.Ports.Out(0, 1);
        before = edges.Rising;
        Wait(1 + 256 * 10);
        Assert.Equal(10, edges.Rising - before);
    }

    [Fact]
    public void The_fastest_counter_0_does_not_drown_the_host()
    {
        Program(0, 2, 2);
        int callbacks = 0;
        for (; _clock.NextDeadline < 1_000_000; callbacks++)
            _clock.AdvanceTo(_clock.NextDeadline);
        Assert.InRange(callbacks, 10, 60);
        Program(0, 2, 1);
        Assert.Equal(ulong.MaxValue, _clock.NextDeadline);
    }

    [Fact]
    public void Port_61_remembers_four_bits_and_toggles_with_refresh()
    {
        _port61.Ports.Out(0, 0xff);
        Assert.Equal(0x0f, _port61.Ports.In() & 0xcf);
        int first = _port61.Ports.In() & 0x10;
        _clock.Advance(15_085);
        Assert.NotEqual(first, _port61.Ports.In() & 0x10);
    }
}
