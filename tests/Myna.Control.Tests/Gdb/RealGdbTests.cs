using System.Diagnostics;
using System.Net;
using Myna.Cpu.Debugging;
using Myna.Control.Gdb;

namespace Myna.Control.Tests.Gdb;

/// <summary>A fact that needs gdb-multiarch.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class GdbFactAttribute : FactAttribute
{
    public GdbFactAttribute()
    {
        if (!File.Exists("/usr/bin/gdb-multiarch"))
            Skip = "gdb-multiarch is not installed";
    }
}

/// <summary>gdb itself at the other end.</summary>
public sealed class RealGdbTests
{
    static string Gdb(params string[] commands)
    {
        using var target = new HartTarget();
        return Gdb(target, "riscv:rv64", commands);
    }

    static string Gdb(IDebugTarget target, string architecture, string[] commands)
    {
        using var server = new GdbServer(target, ":0", line => $"monitor: {line}\n");
        var info = new ProcessStartInfo("/usr/bin/gdb-multiarch") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] first = ["set pagination off", $"set architecture {architecture}", $"target remote 127.0.0.1:{((IPEndPoint)server.Address).Port}"];
        foreach (string argument in new[] { "-nx", "-q", "-batch" }.Concat(first.Concat(commands).SelectMany(c => new[] { "-ex", c })))
            info.ArgumentList.Add(argument);
        using Process process = Process.Start(info)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + errors.Result;
    }

    [GdbFact]
    public void It_attaches_and_shows_registers_threads_and_code()
    {
        string output = Gdb("info threads", "p/x $pc", "p $mhartid", "thread 2", "p $mhartid", "p/x $misa", "p $priv", "info registers a0",
            "x/3i $pc", "monitor info status", "p $fcsr", "info registers float", "info all-registers");
        Assert.Contains("* 1    Thread 1 (CPU 0)", output, StringComparison.Ordinal);
        Assert.Contains("  2    Thread 2 (CPU 1)", output, StringComparison.Ordinal);
        Assert.Contains("$1 = 0x80000000", output, StringComparison.Ordinal);
        Assert.Contains("$2 = 0", output, StringComparison.Ordinal);
        Assert.Contains("$3 = 1", output, StringComparison.Ordinal);
        Assert.Contains("$4 = 0x8000000000", output, StringComparison.Ordinal);
        Assert.Contains("csrr\ta0,mhartid", output, StringComparison.Ordinal);
        Assert.Contains("monitor: info status", output, StringComparison.Ordinal);
        Assert.Contains("pmpaddr15", output, StringComparison.Ordinal);
        Assert.DoesNotContain("rror", output, StringComparison.Ordinal);
        Assert.DoesNotContain("arning", output.Replace("warning: No executable", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [GdbFact]
    public void It_steps_breaks_watches_and_writes()
    {
        string output = Gdb("set scheduler-locking on",
            "stepi", "stepi", "p/x $pc", "break *0x8000002c", "continue", "p $a1", "continue", "p $a1", "set $a1 = 100", "continue", "p $a1",
            "delete", "watch *(long*)0x80001000", "continue", "p/x $pc", "delete", "rwatch *(long*)0x80001000", "continue", "p/x $pc",
            "delete", "hbreak *0x80000030", "continue", "p/x $pc", "set *(int*)0x80000100 = 0x12345678", "x/xw 0x80000100", "info breakpoints");
        Assert.Contains("$1 = 0x80000008", output, StringComparison.Ordinal);
        Assert.Contains("$2 = 1\n", output, StringComparison.Ordinal);
        Assert.Contains("$3 = 2\n", output, StringComparison.Ordinal);
        Assert.Contains("$4 = 101\n", output, StringComparison.Ordinal);
        Assert.Contains("Old value = 101\nNew value = 102", output, StringComparison.Ordinal);
        Assert.Contains("$5 = 0x80000020", output, StringComparison.Ordinal);
        Assert.Contains("Value = 102", output, StringComparison.Ordinal);
        Assert.Contains("$6 = 0x80000024", output, StringComparison.Ordinal);
        Assert.Contains("$7 = 0x80000030", output, StringComparison.Ordinal);
        Assert.Contains("0x80000100:\t0x12345678", output, StringComparison.Ordinal);
        Assert.DoesNotContain("rror", output, StringComparison.Ordinal);
    }

    [GdbFact]
    public void Both_harts_run_and_stop_together()
    {
        string output = Gdb("break *0x8000002c thread 2", "continue", "p $mhartid", "thread 1", "p $a1 > 0", "detach");
        Assert.Contains("$1 = 1", output, StringComparison.Ordinal);
        Assert.Contains("detached", output, StringComparison.Ordinal);
        Assert.DoesNotContain("rror", output, StringComparison.Ordinal);
    }

    [GdbFact]
    public void It_shows_and_sets_the_registers_of_an_x86_CPU()
    {
        using var target = new X86Target();
        string output = Gdb(target, "i386:x86-64", ["p/x $rip", "p $cs", "p/x $cr0 & 1", "x/i $pc", "break *0x1014", "continue", "p $rax", "p $eflags",
            "set $rax = 41", "set $ymm2.v4_int64[3] = 77", "p $ymm2.v4_int64[3]", "set $st0 = 1.5", "p $st0", "p $mxcsr", "set $xmm3.v4_float[1] = 2.5", "p $xmm3.v4_float[1]", "info registers",
            "delete", "break *0x1023", "continue", "stepi", "stepi", "p $rbx", "p $xmm0.v2_int64[0]", "delete", "watch *(long*)0x2000", "continue", "info all-registers"]);
        Assert.Contains("$1 = 0x1000", output, StringComparison.Ordinal);
        Assert.Contains("$2 = 8", output, StringComparison.Ordinal);
        Assert.Contains("$3 = 0x1", output, StringComparison.Ordinal);
        Assert.Contains("mov    %cr4,%rcx", output, StringComparison.Ordinal);
        Assert.Contains("$4 = 1", output, StringComparison.Ordinal);
        Assert.Contains("$6 = 77", output, StringComparison.Ordinal);
        Assert.Contains("$7 = 1.5", output, StringComparison.Ordinal);
        Assert.Contains("$8 = [ IM DM ZM OM UM PM ]", output, StringComparison.Ordinal);
        Assert.Contains("$9 = 2.5", output, StringComparison.Ordinal);
        Assert.Contains("$10 = 2", output, StringComparison.Ordinal);
        Assert.Contains("$11 = 41", output, StringComparison.Ordinal);
        Assert.Contains("Old value = 41\nNew value = 42", output, StringComparison.Ordinal);
        Assert.DoesNotContain("rror", output, StringComparison.Ordinal);
    }
}
