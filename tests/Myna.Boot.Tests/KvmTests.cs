using Myna.Cpu.X86.Kvm;
using Myna.Host.Kvm;

namespace Myna.Boot.Tests;

/// <summary>The default guest on a processor with hardware virtualization; ./test --hardware-kvm runs these alone.</summary>
public class KvmTests
{
    [TheoryIfHardwareKvm]
    [InlineData("q35", 1)]
    [InlineData("q35", 4)]
    [InlineData("microvm", 2)]
    public void The_default_guest_runs_on_every_cpu(string board, int cpus)
    {
        string script = $"nproc; for c in $(seq {cpus}); do (taskset $((1 << (c - 1))) sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo $i') & done; wait; head -c 20000000 /dev/zero | md5sum";
        Result result = MynaProgram.Run("run", "--accel", "kvm", "--board", board, "--cpus", $"{cpus}", "--", "sh", "-c", script);
        Assert.Equal((0, $"{cpus}\n" + string.Concat(Enumerable.Repeat("20000\n", cpus)), ""), (result.Status, result.Output[..result.Output.LastIndexOf('\n', result.Output.Length - 2)] + "\n", result.Error));
    }

    [TheoryIfHardwareKvm]
    [InlineData("auto")]
    public void Auto_takes_it(string accel)
    {
        Result result = MynaProgram.Run("run", "--accel", accel, "-v", "--", "true");
        Assert.Equal(0, result.Status);
        Assert.DoesNotContain("is translated", result.Error, StringComparison.Ordinal);
    }
}

/// <summary>A test for hosts with VT-x or AMD-V and /dev/kvm, skipped with the reason elsewhere.</summary>
public sealed class TheoryIfHardwareKvmAttribute : TheoryAttribute
{
    public TheoryIfHardwareKvmAttribute() => Skip = s_problem!;

    private static readonly string? s_problem = Find();

    private static string? Find()
    {
        using KvmHost? host = KvmHost.TryOpen(out string reason);
        return host is null ? reason : KvmProbe.WhyNot(host);
    }
}
