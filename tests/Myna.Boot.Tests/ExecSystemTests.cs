using System.Diagnostics;

namespace Myna.Boot.Tests;

/// <summary>What a user program sees of itself, beside a native run of the same source: the reference is the host's kernel.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ExecSystemTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [FactWith("x86_64-linux-gnu-gcc", "gcc")]
    public void A_program_for_RISC_V_sees_what_a_native_one_sees() => Compare("riscv64-linux-gnu-gcc", "riscv64");

    [FactWith("x86_64-linux-gnu-gcc", "gcc")]
    public void A_translated_program_sees_what_a_native_one_sees() => Compare("x86_64-linux-gnu-gcc", "x86_64");

    private void Compare(string compiler, string arch)
    {
        if (!File.Exists("/usr/bin/" + compiler))
            return;
        string native = Compile("x86_64-linux-gnu-gcc", "native"), program = Compile(compiler, "program");
        var start = new ProcessStartInfo(native) { RedirectStandardOutput = true, RedirectStandardInput = true };
        using Process reference = Process.Start(start)!;
        reference.StandardInput.Close();
        string expected = reference.StandardOutput.ReadToEnd();
        reference.WaitForExit();
        Assert.Equal(0, reference.ExitCode);
        Assert.Contains("grown", expected, StringComparison.Ordinal);

        Result result = MynaProgram.Run("exec", "--arch", arch, program);
        // The .NET runtime hides that SIGPIPE was ignored, which the last line tells (docs/limits.md).
        if (Environment.GetEnvironmentVariable("MYNA_NATIVE") == "0")
            Assert.Equal(expected[..expected.LastIndexOf("SigIgn", StringComparison.Ordinal)], result.Output[..result.Output.LastIndexOf("SigIgn", StringComparison.Ordinal)]);
        else
            Assert.Equal(expected, result.Output);
        Assert.Equal(0, result.Status);
    }

    private string Compile(string compiler, string name)
    {
        string source = Path.Combine(AppContext.BaseDirectory, "exec-system.c"), program = Path.Combine(_directory, name);
        using Process compile = Process.Start(compiler, ["-w", "-O1", "-static", "-pthread", "-o", program, source]);
        compile.WaitForExit();
        Assert.Equal(0, compile.ExitCode);
        return program;
    }
}
