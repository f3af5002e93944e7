namespace Myna.Boot.Tests;

/// <summary>One command in the default guest: what a user sees of it.</summary>
public class GuestCommandTests
{
    [Fact]
    public void Output_error_and_status_are_the_commands()
    {
        Result result = MynaProgram.Run("run", "--", "sh", "-c", "uname -sm; echo wrong >&2; exit 7");
        Assert.Equal((7, "Linux x86_64\n", "wrong\n"), (result.Status, result.Output, result.Error));
    }

    [Fact]
    public async Task The_NET_runtime_does_where_native_code_cannot_be_built()
    {
        using System.Diagnostics.Process process = MynaProgram.Start([("MYNA_NATIVE", "0")], ["run", "--", "uname", "-m"]);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        Assert.Equal("x86_64\n", await process.StandardOutput.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.Equal((0, ""), (process.ExitCode, await error));
    }

    [Fact]
    public void Words_and_standard_input_arrive_unchanged()
    {
        string input = string.Concat(Enumerable.Range(0, 3000).Select(i => $"line {i}\n"));
        Result result = MynaProgram.Run(input, ["run", "--", "sh", "-c", "echo \"$1|$2|$#\"; cat | md5sum", "x", "two  words", "it's $HOME"]);
        string sum = Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(System.Text.Encoding.ASCII.GetBytes(input)));
        Assert.Equal((0, $"two  words|it's $HOME|2\n{sum}  -\n", ""), (result.Status, result.Output, result.Error));
    }

    [Fact]
    public void A_command_that_does_not_exist_gives_127()
    {
        Result result = MynaProgram.Run("run", "--", "no-such-command");
        Assert.Equal(127, result.Status);
        Assert.Contains("no-such-command", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("jit", 1)]
    [InlineData("jit", 2)]
    [InlineData("jit", 4)]
    [InlineData("interp", 1)]
    public void Every_hart_works_under_every_engine(string engine, int cpus)
    {
        // Each processor counts; all of them together must not lose one.
        string script = $"nproc; for c in $(seq {cpus}); do (taskset $((1 << (c - 1))) sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; echo $i') & done; wait";
        Result result = MynaProgram.Run("run", "--accel", engine, "--cpus", $"{cpus}", "--", "sh", "-c", script);
        Assert.Equal((0, $"{cpus}\n" + string.Concat(Enumerable.Repeat("2000\n", cpus)), ""), (result.Status, result.Output, result.Error));
    }

    [Fact]
    public void Binary_output_is_not_touched()
    {
        Result result = MynaProgram.Run("run", "--", "sh", "-c", "printf 'a\\r\\nb\\n\\004\\177c'");
        Assert.Equal("a\r\nb\n\u0004\u007fc", result.Output);
    }

    /// <summary>As a user's shell sets pipes and files up.</summary>
    private static Result Shell(string script)
    {
        var start = new System.Diagnostics.ProcessStartInfo("sh", ["-c", script])
        {
            WorkingDirectory = MynaProgram.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new(process.ExitCode, output, error.Result);
    }

    [Fact]
    public void A_reader_that_leaves_ends_the_command()
    {
        Result result = Shell("{ timeout -k 1 200 ./myna run -- yes </dev/null; echo $? >&2; } | head -n 1");
        Assert.Equal(("y\n", "141\n"), (result.Output, result.Error));
    }

    [Fact]
    public void Output_that_cannot_be_written_fails()
    {
        Result result = Shell("./myna run -- echo hi </dev/null >/dev/full");
        Assert.Equal(1, result.Status);
        Assert.Contains("No space left", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Closed_standard_input_is_empty() => Assert.Equal(0, Shell("timeout -k 1 200 ./myna run -- cat <&-").Status);
}
