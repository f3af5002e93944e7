using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Timers;

/// <summary>RISC-V ACLINT specification 1.0, section 2.</summary>
public sealed class MtimerTests
{
    private const ulong Mtime = 0x7ff8;
    private readonly ManualClock _clock = new();
    private readonly Levels _harts = new();
    private readonly Mtimer _timer;

    public MtimerTests() => _timer = new Mtimer(_clock, 10_000_000, [_harts.Line(0), _harts.Line(1)]);

    [Fact]
    public void Mtime_counts_at_its_frequency_and_reads_in_halves()
    {
        _clock.Advance((1ul << 32) * 100 + 599);
        Assert.Equal((1ul << 32) + 5, _timer.Load(Mtime, 8));
        Assert.Equal(5u, _timer.Load(Mtime));
        Assert.Equal(1u, _timer.Load(Mtime + 4));
    }

    [Fact]
    public void The_interrupt_comes_when_mtime_reaches_mtimecmp_and_not_a_tick_earlier()
    {
        _timer.Store(8, 10, 8);
        _clock.Advance(999);
        Assert.False(_harts[1]);
        _clock.Advance(1);
        Assert.Equal((false, true), (_harts[0], _harts[1]));
    }

    [Fact]
    public void A_later_mtimecmp_lowers_the_interrupt()
    {
        _timer.Store(0, 0, 8);
        Assert.True(_harts[0]);
        _timer.Store(0, 100, 8);
        Assert.False(_harts[0]);
        _clock.Advance(10_000);
        Assert.True(_harts[0]);
    }

    [Fact]
    public void Mtimecmp_can_be_written_in_halves()
    {
        _timer.Store(0, 0xffff_ffff);
        _timer.Store(4, 2);
        _timer.Store(0, 7);
        Assert.Equal(2ul << 32 | 7, _timer.Load(0, 8));
    }

    [Fact]
    public void After_reset_nothing_is_due()
    {
        _timer.Store(0, 0, 8);
        _timer.Reset();
        Assert.False(_harts[0]);
        Assert.Equal(ulong.MaxValue, _timer.Load(0, 8));
        _clock.Advance(1ul << 40);
        Assert.False(_harts[0]);
    }
}
