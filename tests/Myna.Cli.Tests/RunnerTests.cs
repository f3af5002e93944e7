using Myna.Cli.Commands;
using Myna.Exec;
using Myna.Machines;

namespace Myna.Cli.Tests;

public class RunnerTests
{
    [Theory]
    [InlineData("nonsense")]
    [InlineData("plic")]
    public async Task Unknown_logs_are_refused_with_the_list(string name)
    {
        var settings = new RunSettings { Arch = "x86_64", Cpus = 1, Memory = 64 << 20, Accel = Accel.Interp, Kernel = "x", Log = ["virtio-blk", name] };
        UserException error = await Assert.ThrowsAsync<UserException>(() => Runner.RunAsync(settings, CancellationToken.None));
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("virtio-net", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Status);
    }

    /// <summary>--net none asks for no network, which is what lockstep has.</summary>
    [Theory]
    [InlineData("none", false)]
    [InlineData("user", true)]
    public async Task Lockstep_refuses_networks(string network, bool refused)
    {
        var settings = new RunSettings
        {
            Arch = "riscv64", Board = "virt", Cpus = 1, Memory = 64 << 20, Accel = Accel.Lockstep, Firmware = "none",
            Kernel = "a-kernel-that-does-not-exist", Networks = [NetOption.Parse(network)],
        };
        Exception error = await Assert.ThrowsAnyAsync<Exception>(() => Runner.RunAsync(settings, CancellationToken.None));
        Assert.Equal(refused, error.Message.Contains("lockstep", StringComparison.Ordinal));
        Assert.NotEqual(refused, error.Message.Contains("a-kernel-that-does-not-exist", StringComparison.Ordinal));
    }
}
