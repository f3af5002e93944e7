using Myna.Cpu.RiscV;
using Myna.Fuzz.RiscV;

namespace Myna.Differential.Tests;

/// <summary>A short run of the fuzzer with fixed seeds; tools/Myna.Fuzz runs it for as long as one likes.</summary>
public sealed class EnginesAgreeTests
{
    [Theory]
    [InlineData("step", 1_000_000, 1500)]
    [InlineData("jit", 2_000_000, 3000)]
    [InlineData("jit-counting", 3_000_000, 3000)]
    public void Random_programs_leave_the_same_state(string engine, ulong seed, int programs)
    {
        if (engine.StartsWith("jit", StringComparison.Ordinal) && !HartTranslator.IsSupported)
            return;
        using var run = new DifferentialRun("interp", engine, Engines.Counts(engine));
        for (int i = 0; i < programs; i++)
        {
            string? report = run.Run(seed + (ulong)i);
            Assert.True(report is null, report);
        }
        // Programs that ran nowhere would agree as well.
        Assert.True(run.Instructions > (ulong)programs * 200, $"only {run.Instructions} instructions");
        Assert.True(run.Undecided < (ulong)programs / 20, $"{run.Undecided} undecided");
    }
}
