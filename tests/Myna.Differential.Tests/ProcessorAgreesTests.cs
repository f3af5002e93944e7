using Myna.Cpu.X86;
using Myna.Fuzz.X86;

namespace Myna.Differential.Tests;

/// <summary>A test that executes x86 code natively; on other hosts it is skipped and says why.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class TheoryIfNativeX86Attribute : TheoryAttribute
{
    public TheoryIfNativeX86Attribute() => Skip = !OperatingSystem.IsLinux() ? "the host is not Linux" : NativeHost.Missing is { } reason ? $"the host {reason}" : null;
}

/// <summary>A short run of the x86 fuzzer with fixed seeds: the reference is the host's processor.</summary>
public sealed class ProcessorAgreesTests
{
    [TheoryIfNativeX86]
    [InlineData("interp", 1_000_000, 6000)]
    [InlineData("jit", 2_000_000, 6000)]
    public void Random_code_leaves_the_same_state_as_on_the_processor(string engine, ulong seed, int cases)
    {
        if (!OperatingSystem.IsLinux() || (engine == "jit" && !X86Translator.IsSupported))
            return;
        var generator = new CaseGenerator(new InstructionPool(Executors.Model.Allows), new Selection());
        using var run = new X86Comparison(new NativeHost(), Executors.Create(engine), generator);
        for (int i = 0; i < cases; i++)
        {
            string? report = run.Run(seed + (ulong)i);
            Assert.True(report is null, report);
        }
        // Cases that end at their first instruction, or nowhere, would agree as well.
        Assert.True(run.Vectors[3] > cases / 4, $"only {run.Vectors[3]} cases came to their last instruction");
        Assert.True(run.Undecided < (ulong)cases / 100, $"{run.Undecided} undecided");
    }
}
