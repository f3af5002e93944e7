using Myna.Fuzz.RiscV;

namespace Myna.Differential.Tests;

/// <summary>The semantics are one source for both engines: only somebody else's implementation can contradict them.</summary>
public sealed class QemuAgreesTests
{
    [FactIfTool("qemu-riscv64")]
    public void Random_programs_leave_the_same_state_as_under_QEMU()
    {
        const int Programs = 400;
        using var run = new QemuComparison("interp");
        for (ulong seed = 0; seed < Programs; seed++)
        {
            string? report = run.Run(seed);
            Assert.True(report is null, report);
        }
        Assert.True(run.Undecided < Programs * 8 / 10, $"{run.Undecided} undecided");
    }
}
