using Myna.Devices.Ports;
using Myna.Devices.Power;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Power;

/// <summary>ICH9 datasheet, section 13.8.3; ACPI specification 6.5, section 4.8.</summary>
public sealed class AcpiPmTests
{
    private const ulong Pm1Status = 0, Pm1Enable = 2, Pm1Control = 4, PmTimer = 8, GpeStatus = 0x20, GpeEnable = 0x28;
    private readonly ManualClock _clock = new();
    private readonly Levels _levels = new();
    private readonly Support.Power _power = new();
    private readonly AcpiPm _pm;

    public AcpiPmTests() => _pm = new AcpiPm(_clock, _levels.Line(9), _power, wideTimer: false);

    private bool Sci => _levels[9];

    [Fact]
    public void The_timer_runs_at_3_579545_MHz()
    {
        _clock.Advance(1_000_000_000);
        Assert.Equal(3_579_545u, _pm.Load(PmTimer));
        Assert.Equal(3_579_545u >> 8 & 0xff, _pm.Load(PmTimer + 1, 1));
        _clock.Advance(4_000_000_000);
        Assert.Equal(3_579_545u * 5 & 0xff_ffff, _pm.Load(PmTimer));
        var wide = new AcpiPm(_clock, default, _power);
        Assert.Equal(3_579_545u * 5, wide.Load(PmTimer));
    }

    [Fact]
    public void The_top_bit_of_the_timer_interrupts_when_it_changes()
    {
        ulong half = Clock.FromTicks(1 << 23, AcpiPm.TimerFrequency);
        _pm.Store(Pm1Enable, 1, 2);
        _clock.Advance(half - 1);
        Assert.False(Sci);
        _clock.Advance(1);
        Assert.True(Sci);
        Assert.Equal(1u, _pm.Load(Pm1Status, 2));
        _pm.Store(Pm1Status, 1, 2);
        Assert.False(Sci);
        _clock.Advance(half);
        Assert.True(Sci);
    }

    [Fact]
    public void The_power_button_is_an_event()
    {
        _pm.PressPowerButton();
        Assert.False(Sci);
        Assert.Equal(0x100u, _pm.Load(Pm1Status, 2));
        _pm.Store(Pm1Enable, 0x100, 2);
        Assert.True(Sci);
        _pm.Store(Pm1Status, 0x100, 2);
        Assert.False(Sci);
        Assert.Null(_power.Status);
    }

    [Fact]
    public void Soft_off()
    {
        _pm.Store(Pm1Control, 1 << 13 | 5 << 10, 2); // S3
        Assert.Null(_power.Status);
        Assert.Equal(0x8000u, _pm.Load(Pm1Status, 2));
        _pm.Store(Pm1Control, 7 << 10 | 1, 2);
        Assert.Null(_power.Status);
        Assert.Equal(7u << 10 | 1, _pm.Load(Pm1Control, 2));
        _pm.Store(Pm1Control, 1 << 13 | 7 << 10, 2);
        Assert.Equal(0, _power.Status);
    }

    [Fact]
    public void General_purpose_events()
    {
        _pm.SignalEvent(9);
        Assert.Equal(0x200u, _pm.Load(GpeStatus));
        _pm.Store(GpeEnable + 1, 2, 1);
        Assert.True(Sci);
        _pm.Store(GpeStatus, 0x200);
        Assert.False(Sci);
        _pm.SignalEvent(10);
        Assert.False(Sci);
    }

    [Fact]
    public void Port_B2_switches_ACPI_mode()
    {
        _pm.Apm.Out(0, AcpiPm.AcpiEnable);
        Assert.Equal(1u, _pm.Load(Pm1Control, 2));
        _pm.Apm.Out(0, AcpiPm.AcpiDisable);
        Assert.Equal(0u, _pm.Load(Pm1Control, 2));
        _pm.Apm.Out(1, 0x12);
        Assert.Equal((3, 0x12), (_pm.Apm.In(0), _pm.Apm.In(1)));
    }

    [Fact]
    public void Reset_control()
    {
        var edges = new Edges();
        var reset = new ResetControl(_power, new(edges, 0), _levels.Line(20));
        reset.Register.Out(0, 0x02);
        reset.Register.Out(0, 0x06);
        Assert.Equal((1, 0), (_power.Resets, edges.Rising));
        reset.Register.Out(0, 0x06);
        Assert.Equal(1, _power.Resets);
        reset.Register.Out(0, 0);
        reset.Register.Out(0, 4);
        Assert.Equal((1, 1), (_power.Resets, edges.Rising));
        Assert.True(_levels[20]);
        reset.Port92.Out(0, 0);
        Assert.False(_levels[20]);
        reset.Port92.Out(0, 3);
        Assert.True(_levels[20]);
        Assert.Equal((2, 3), (edges.Rising, reset.Port92.In()));
        reset.Port92.Out(0, 3);
        Assert.Equal(2, edges.Rising);
        var bare = new ResetControl(_power);
        bare.Register.Out(0, 4);
        Assert.Equal(2, _power.Resets);
    }

    [Fact]
    public void Hardware_reduced_sleep()
    {
        var sleep = new AcpiSleep(_power);
        sleep.Store(AcpiSleep.SLEEP_CONTROL, 1 << 5 | 1 << 2, 1);
        Assert.Equal(0x80u, sleep.Load(AcpiSleep.SLEEP_STATUS, 1));
        sleep.Store(AcpiSleep.SLEEP_STATUS, 0x80, 1);
        Assert.Equal(0u, sleep.Load(AcpiSleep.SLEEP_STATUS, 1));
        sleep.Store(AcpiSleep.RESET, 1, 1);
        Assert.Equal(0, _power.Resets);
        sleep.Store(AcpiSleep.RESET, AcpiSleep.ResetValue, 1);
        Assert.Equal(1, _power.Resets);
        sleep.Store(AcpiSleep.SLEEP_CONTROL, AcpiSleep.SleepTypeOff << 2, 1);
        Assert.Null(_power.Status);
        sleep.Store(AcpiSleep.SLEEP_CONTROL, 1 << 5 | AcpiSleep.SleepTypeOff << 2, 1);
        Assert.Equal(0, _power.Status);
    }

    [Fact]
    public void A_power_button_is_an_event_that_a_read_takes()
    {
        var sleep = new AcpiSleep(_power, _levels.Line(21));
        Assert.Equal(0u, sleep.Load(AcpiSleep.EVENT, 1));
        sleep.PressPowerButton();
        Assert.True(_levels[21]);
        Assert.Equal(AcpiSleep.PowerButton, sleep.Load(AcpiSleep.EVENT, 1));
        Assert.False(_levels[21]);
        Assert.Equal(0u, sleep.Load(AcpiSleep.EVENT, 1));
        sleep.PressPowerButton();
        sleep.Reset();
        Assert.False(_levels[21]);
    }

    [Fact]
    public void Debug_ports()
    {
        var exit = new DebugExit(_power);
        exit.Store(0, 0x10);
        Assert.Equal(0x21, _power.Status);
        List<string> lines = [];
        var log = new Log(lines.Add, ["firmware"]);
        var console = new DebugConsole(log["firmware"]);
        Assert.Equal(0xe9, console.In());
        foreach (char c in "one\r\ntwo\nthree")
            console.Out(0, c);
        Assert.Equal(["firmware: one", "firmware: two"], lines);
        console.Reset();
        Assert.Equal("firmware: three", lines[^1]);
        var post = new PostPort(log["firmware"]);
        post.Out(0, 0x55);
        Assert.Equal((0x55, 0x55), (post.In(), post.Code));
    }

    [Fact]
    public void The_test_device()
    {
        var test = new PcTestDevice(Enumerable.Range(0, 24).Select(_levels.Line));
        test.Store(0, 0x1234_5678);
        test.Out(1, 0xab);
        Assert.Equal(0x1234_ab78u, test.Load(8));
        Assert.Equal(0x1234u, test.Load(2, 2));
        test.Store(4, 0x1000);
        Assert.Equal(0u, test.Load(4));
        test.Interrupts.Out(14, 1);
        Assert.True(_levels[14]);
        test.Interrupts.Out(14, 0);
        Assert.False(_levels[14]);
        test.Memory.Store(0xfff8, 0x1122_3344_5566_7788, 8);
        Assert.Equal(0x3344u, test.Memory.Load(0xfffc, 4) & 0xffff);
    }
}
