using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Timers;

/// <summary>IA-PC HPET specification 1.0a.</summary>
public sealed class HpetTests
{
    private const ulong Conf = 0x10, Status = 0x20, Counter = 0xf0;
    private const ulong Level = 2, Enable = 4, Periodic = 8, SetValue = 0x40, Narrow = 0x100;
    private readonly ManualClock _clock = new();
    private readonly Levels _legacy = new();
    private readonly Edges _edges = new();
    private readonly Levels _levels = new();
    private readonly Messages _messages = new();
    private readonly Hpet _hpet;

    public HpetTests()
    {
        _hpet = new Hpet(_clock, _legacy.Line(0), new(_edges, 8),
            Enumerable.Range(0, 24).Select(i => i == 20 ? _levels.Line(20) : i >= 16 ? new(_edges, i) : default(Hardware.Interrupts.InterruptLine)), _messages);
    }

    private static ulong Config(int timer) => 0x100 + (ulong)timer * 0x20;
    private static ulong Comparator(int timer) => Config(timer) + 8;
    private void Set(ulong register, ulong value) => _hpet.Store(register, value, 8);
    private ulong Get(ulong register) => _hpet.Load(register, 8);
    private void Ticks(ulong ticks) => _clock.Advance(ticks * 10);

    [Fact]
    public void Capabilities()
    {
        Assert.Equal(0x0098_9680_8086_a201ul, Get(0));
        Assert.Equal(0x8086_a201u, _hpet.BlockId);
        Assert.Equal(0x0098_9680u, _hpet.Load(4));
        Assert.Equal(0x00ff_0000_0000_8030ul, Get(Config(0)));
        Set(0, ulong.MaxValue);
        Assert.Equal(0x0098_9680_8086_a201ul, Get(0));
        Set(Config(2), ulong.MaxValue);
        Assert.Equal(0x00ff_0000_0000_ff7eul, Get(Config(2)));
        Assert.Equal(0ul, Get(Config(3)));
    }

    [Fact]
    public void The_main_counter_counts_while_enabled()
    {
        Ticks(100);
        Assert.Equal(0ul, Get(Counter));
        Set(Conf, 1);
        Ticks(100);
        Assert.Equal(100ul, Get(Counter));
        Set(Conf, 0);
        Ticks(100);
        Assert.Equal(100ul, Get(Counter));
        Set(Counter, 0xffff_ffff);
        Set(Conf, 1);
        Ticks(2);
        Assert.Equal(0x1_0000_0001ul, Get(Counter));
        Assert.Equal((1u, 1u), ((uint)_hpet.Load(Counter), (uint)_hpet.Load(Counter + 4)));
    }

    [Fact]
    public void A_one_shot_edge()
    {
        Set(Config(0), Enable | 17 << 9);
        Set(Comparator(0), 1000);
        Set(Conf, 1);
        Ticks(999);
        Assert.Equal(0, _edges.Rising);
        Ticks(1);
        Assert.Equal(1, _edges.Rising);
        Assert.Equal(0ul, Get(Status));
        Ticks(1_000_000);
        Assert.Equal(1, _edges.Rising);
        // A comparator that has passed does not match before the counter comes round.
        Set(Comparator(0), 1000);
        Ticks(1_000_000);
        Assert.Equal(1, _edges.Rising);
        Set(Config(0), Enable | Narrow | 17 << 9);
        Set(Comparator(0), 1000);
        Ticks(1ul << 32);
        Assert.Equal(2, _edges.Rising);
        Ticks(1ul << 32);
        Assert.Equal(3, _edges.Rising);
    }

    [Fact]
    public void A_level_lasts_until_its_status_bit_is_cleared()
    {
        Set(Config(1), Enable | Level | 20 << 9);
        Set(Comparator(1), 50);
        Set(Conf, 1);
        Ticks(50);
        Assert.True(_levels[20]);
        Assert.Equal(2ul, Get(Status));
        Set(Status, 1);
        Assert.True(_levels[20]);
        Set(Conf, 0);
        Assert.False(_levels[20]);
        Set(Conf, 1);
        Assert.True(_levels[20]);
        Set(Status, 2);
        Assert.False(_levels[20]);
        Assert.Equal(0ul, Get(Status));
    }

    [Fact]
    public void Periodic_with_the_comparator_set_by_software()
    {
        Set(Conf, 1);
        Set(Config(2), Enable | Periodic | SetValue | 16 << 9);
        Set(Comparator(2), 5000);
        Assert.Equal(0ul, Get(Config(2)) & SetValue);
        Set(Comparator(2), 10_000);
        Ticks(5000);
        Assert.Equal((1, 15_000ul), (_edges.Rising, Get(Comparator(2))));
        Ticks(10_000);
        Assert.Equal((2, 25_000ul), (_edges.Rising, Get(Comparator(2))));
        Ticks(100_000);
        Assert.Equal(12, _edges.Rising);
    }

    [Fact]
    public void Legacy_replacement_takes_the_places_of_PIT_and_RTC()
    {
        _hpet.SetLevel(0, true);
        Assert.True(_legacy[0]);
        _hpet.SetLevel(1, true);
        _hpet.SetLevel(1, false);
        Assert.Equal(1, _edges.Rising);
        Set(Conf, 3);
        Assert.False(_legacy[0]);
        _hpet.SetLevel(1, true);
        Assert.Equal(1, _edges.Rising);
        Set(Config(1), Enable | 17 << 9);
        Set(Comparator(1), Get(Counter) + 10);
        Ticks(10);
        Assert.Equal(2, _edges.Rising);
        Set(Conf, 0);
        Assert.True(_legacy[0]);
    }

    [Fact]
    public void Messages_instead_of_wires()
    {
        Set(Conf, 1);
        Set(Config(0), Enable | 1 << 14);
        Set(0x110, 0xfee0_1000_0000_0041);
        Set(Comparator(0), 10);
        Ticks(10);
        Assert.Equal([(0xfee0_1000ul, 0x41u)], _messages.Sent);
    }

    [Fact]
    public void A_disabled_comparator_only_passes_time()
    {
        Set(Conf, 1);
        Set(Config(0), Periodic | SetValue | 16 << 9);
        Set(Comparator(0), 100_000);
        Ticks(250_000);
        Assert.Equal(300_000ul, Get(Comparator(0)));
        Set(Config(0), Enable | Periodic | 16 << 9);
        Assert.Equal(0, _edges.Rising);
        Ticks(50_000);
        Assert.Equal(1, _edges.Rising);
    }

    [Fact]
    public void A_period_of_one_tick_does_not_drown_the_host()
    {
        Set(Conf, 1);
        Set(Config(0), Enable | Periodic | SetValue | 16 << 9);
        Set(Comparator(0), 1);
        int callbacks = 0;
        for (; _clock.NextDeadline < 1_000_000; callbacks++)
            _clock.AdvanceTo(_clock.NextDeadline);
        Assert.InRange(callbacks, 10, 60);
    }

    [Fact]
    public void Halves_of_registers()
    {
        _hpet.Store(Comparator(0), 5);
        _hpet.Store(Comparator(0) + 4, 7);
        Assert.Equal(0x7_0000_0005ul, Get(Comparator(0)));
        _hpet.Write(Comparator(0), 1, 9);
        Assert.Equal(0x7_0000_0005ul, Get(Comparator(0)));
    }
}
