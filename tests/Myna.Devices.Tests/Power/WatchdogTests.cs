using Myna.Devices.Pci;
using Myna.Devices.Power;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Power;

/// <summary>6300ESB datasheet, chapter 16; QEMU's pvpanic.</summary>
public sealed class WatchdogTests
{
    private const int Config = 0x60, Lock = 0x68;

    private readonly ManualClock _clock = new();
    private readonly Support.Power _power = new();
    private readonly I6300Esb _watchdog;

    public WatchdogTests()
    {
        _watchdog = new I6300Esb(_clock, _power);
        new PciHost(new AddressSpace(), [], Enumerable.Repeat(default(Hardware.Interrupts.InterruptLine), 4)).Add(_watchdog);
    }

    private void Set(ulong offset, ulong value, int size = 4) => Assert.True(_watchdog.WriteBar(0, offset, size, value));

    private void Unlocked(ulong offset, ulong value)
    {
        Set(0xc, 0x80, 1);
        Set(0xc, 0x86, 1);
        Set(offset, value, offset == 0xc ? 2 : 4);
    }

    private ulong Reload
    {
        get
        {
            Assert.True(_watchdog.ReadBar(0, 0xc, 2, out ulong value));
            return value;
        }
    }

    // At 1 kHz a count is 2^15 periods of 30 ns.
    private static ulong Counts(ulong count) => count * (30 << 15);

    private void Start(uint first = 1000, uint second = 500)
    {
        Unlocked(0, first);
        Unlocked(4, second);
        _watchdog.WriteConfig(Lock, 1, 2);
    }

    [Fact]
    public void It_says_that_it_is_a_6300ESB()
    {
        Assert.Equal(0x25ab_8086u, _watchdog.ReadConfig(0, 4));
        Assert.Equal(0x0880u, _watchdog.ReadConfig(8, 4) >> 16);
    }

    [Fact]
    public void Two_stages_pass_and_the_machine_is_reset()
    {
        Start();
        _clock.Advance(Counts(1499));
        Assert.Equal(0, _power.Resets);
        _clock.Advance(Counts(1));
        Assert.Equal(1, _power.Resets);
        Assert.Equal(0x200u, Reload);
        // The flag survives the reset, and is cleared by a one.
        _watchdog.Reset();
        Assert.Equal(0x200u, Reload);
        Unlocked(0xc, 0x200);
        Assert.Equal(0u, Reload);
        _clock.Advance(Counts(1 << 20));
        Assert.Equal(1, _power.Resets);
    }

    [Fact]
    public void A_reload_feeds_it_only_when_unlocked()
    {
        Start();
        for (int i = 0; i < 5; i++)
        {
            _clock.Advance(Counts(1400));
            Unlocked(0xc, 0x100);
        }
        Assert.Equal(0, _power.Resets);
        _clock.Advance(Counts(1400));
        Set(0xc, 0x86, 1);
        Set(0xc, 0x80, 1);
        Set(0xc, 0x100, 2);
        _clock.Advance(Counts(100));
        Assert.Equal(1, _power.Resets);
    }

    [Fact]
    public void The_prescaler_makes_it_1024_times_faster()
    {
        _watchdog.WriteConfig(Config, 2, 4);
        Start();
        _clock.Advance(1500 * (30 << 5) - 1);
        Assert.Equal(0, _power.Resets);
        _clock.Advance(1);
        Assert.Equal(1, _power.Resets);
    }

    [Fact]
    public void A_switched_off_output_resets_nothing()
    {
        _watchdog.WriteConfig(Config, 2, 0x20);
        Start();
        _clock.Advance(Counts(5000));
        Assert.Equal(0, _power.Resets);
    }

    [Fact]
    public void Locked_it_cannot_be_switched_off()
    {
        Start();
        _watchdog.WriteConfig(Lock, 1, 3);
        _watchdog.WriteConfig(Lock, 1, 0);
        Assert.Equal(3u, _watchdog.ReadConfig(Lock, 1));
        _clock.Advance(Counts(1500));
        Assert.Equal(1, _power.Resets);
    }

    [Fact]
    public void Stopped_it_does_nothing_and_starts_anew()
    {
        Start();
        _clock.Advance(Counts(1400));
        _watchdog.WriteConfig(Lock, 1, 0);
        _clock.Advance(Counts(5000));
        _watchdog.WriteConfig(Lock, 1, 2);
        _clock.Advance(Counts(1499));
        Assert.Equal(0, _power.Resets);
        _clock.Advance(Counts(1));
        Assert.Equal(1, _power.Resets);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, null)]
    [InlineData(4, 0)]
    public void Pvpanic_tells_panics_from_crash_kernels_and_shutdowns(ulong written, int? status)
    {
        var port = new Pvpanic(_power, GuestAction.PowerOff);
        Assert.Equal(7u, port.Load(0, 1));
        port.Store(0, written, 1);
        Assert.Equal(status, _power.Status);
        var other = new Support.Power();
        var function = new PvpanicPci(other, GuestAction.Reset);
        Assert.Equal(0x0011_1b36u, function.ReadConfig(0, 4));
        Assert.True(function.ReadBar(0, 0, 1, out ulong events));
        Assert.Equal(7u, events);
        Assert.True(function.WriteBar(0, 0, 1, 1));
        Assert.Equal(1, other.Resets);
    }
}
