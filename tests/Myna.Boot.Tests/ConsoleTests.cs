using System.Diagnostics;

namespace Myna.Boot.Tests;

public class ConsoleTests
{
    [Fact]
    public void A_shell_in_a_pipe_reads_commands_and_power_off_ends_with_zero()
    {
        Result result = MynaProgram.Run("echo answer=$((6 * 7))\npoweroff\n", ["run"]);
        Assert.Equal(0, result.Status);
        Assert.Contains("answer=42", result.Output, StringComparison.Ordinal);
        Assert.Contains("Linux version", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Leaving_the_shell_switches_the_machine_off() => Assert.Equal(0, MynaProgram.Run("exit\n", ["run", "--net", "none"]).Status);

    [Fact]
    public void SIGTERM_ends_a_running_machine()
    {
        using Process process = MynaProgram.Start("run");
        while (process.StandardOutput.ReadLine() is string line && !line.Contains("Linux version", StringComparison.Ordinal))
        {
        }
        _ = process.StandardError.ReadToEndAsync();
        _ = process.StandardOutput.ReadToEndAsync();
        using (Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]))
            kill.WaitForExit();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)));
        Assert.Equal(143, process.ExitCode);
    }

    /// <summary>script(1) gives the program a terminal: it must be as before afterwards, and Ctrl-] must end it.</summary>
    [FactWith("script", "bsdutils")]
    public void The_terminal_is_raw_while_the_guest_runs_and_restored_after()
    {
        string command = $"stty rows 33 cols 77; stty -a >before; \"{MynaProgram.Root}/myna\" run; echo left=$?; stty -a >after; cmp before after && echo same";
        string directory = Directory.CreateTempSubdirectory("myna-test-").FullName;
        try
        {
            var start = new ProcessStartInfo("script", ["-qfc", command, "/dev/null"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = directory,
            };
            start.Environment["SHELL"] = "/bin/sh";
            using Process process = Process.Start(start)!;
            string seen = "";
            bool typed = false, left = false;
            while (process.StandardOutput.Read() is int c and >= 0)
            {
                seen += (char)c;
                if (!typed && seen.EndsWith("myna:~# ", StringComparison.Ordinal))
                {
                    typed = true;
                    process.StandardInput.Write("stty size; echo ready\r");
                    process.StandardInput.Flush();
                }
                if (!left && seen.Contains("\nready\r", StringComparison.Ordinal))
                {
                    left = true;
                    process.StandardInput.Write("\u001d");
                    process.StandardInput.Flush();
                }
            }
            Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)));
            Assert.Contains("33 77", seen, StringComparison.Ordinal);
            Assert.Contains("left=0", seen, StringComparison.Ordinal);
            Assert.Contains("same", seen, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
