using Myna.Devices.Tests.Support;
using Myna.Devices.Timers;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Timers;

/// <summary>The register map that drivers for SiFive's CLINT know.</summary>
public sealed class ClintTests
{
    [Fact]
    public void Msip_mtimecmp_and_mtime_lie_where_sifive_put_them()
    {
        var clock = new ManualClock();
        var software = new Levels();
        var timer = new Levels();
        var clint = new Clint(clock, 10_000_000, [software.Line(0), software.Line(1)], [timer.Line(0), timer.Line(1)]);
        clint.Store(0x0004, 1);
        Assert.True(software[1]);
        clock.Advance(1234);
        Assert.Equal(12u, clint.Load(0xbff8, 8));
        clint.Store(0x4008, 13, 8);
        Assert.False(timer[1]);
        clock.Advance(100);
        Assert.True(timer[1]);
        Assert.Equal(0u, clint.Load(0xfff8));
        clint.Reset();
        Assert.False(software[1] || timer[1]);
    }
}
