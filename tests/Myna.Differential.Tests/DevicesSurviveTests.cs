using Myna.Fuzz.Devices;

namespace Myna.Differential.Tests;

/// <summary>A short run of the device fuzzer with fixed seeds.</summary>
public sealed class DevicesSurviveTests
{
    [Theory]
    [InlineData("q35", 1)]
    [InlineData("pc", 5)]
    [InlineData("microvm", 2)]
    [InlineData("virt", 3)]
    [InlineData("virt,aia=aplic-imsic", 4)]
    public void Random_accesses_and_queues_full_of_rubbish_do_no_harm(string board, ulong seed)
    {
        using var fuzzer = new BoardFuzzer(board, seed);
        fuzzer.Run(150_000);
        // Queues that nothing came through would prove little. (How many do depends on when the machine's thread gets to resets.)
        Assert.True(fuzzer.Requests > 10, $"only {fuzzer.Requests} requests");
    }
}
