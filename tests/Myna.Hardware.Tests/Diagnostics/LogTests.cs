using Myna.Hardware.Diagnostics;
using Xunit;

namespace Myna.Hardware.Tests.Diagnostics;

public class LogTests
{
    private sealed class StoppedTime : TimeProvider
    {
        public long Ticks { get; set; }
        public override long GetTimestamp() => Ticks;
        public override long TimestampFrequency => 1000;
    }

    [Fact]
    public void OnlyNamedComponentsSpeak()
    {
        var lines = new List<string>();
        var log = new Log(lines.Add, ["plic"]);
        int formatted = 0;
        int Count() => ++formatted;

        log["plic"].Guest($"claim {Count()}");
        log["uart"].Guest($"claim {Count()}");
        log["uart"].Info($"claim {Count()}");
        log["uart"].Warn("stopped");

        Assert.Equal(["plic: claim 1", "uart: warning: stopped"], lines);
        Assert.Equal(1, formatted);
    }

    [Fact]
    public void AllNamesEveryComponent()
    {
        var lines = new List<string>();
        var log = new Log(lines.Add, ["all"]);
        log["a"].Info("x");
        Assert.Equal(["a: x"], lines);
    }

    [Fact]
    public void AFloodIsCountedNotShown()
    {
        var lines = new List<string>();
        var time = new StoppedTime();
        LogChannel channel = new Log(lines.Add, ["rtc"], time)["rtc"];
        for (int i = 0; i < LogChannel.Burst + 5; i++)
            channel.Guest($"mistake {i}");
        Assert.Equal(LogChannel.Burst, lines.Count);

        time.Ticks += 1000;
        channel.Guest($"another");
        Assert.Equal(["rtc: 5 more messages were not shown", "rtc: another"], lines[LogChannel.Burst..]);
    }
}
