using System.Diagnostics;
using System.Net.Sockets;

namespace Myna.Boot.Tests;

/// <summary>gdb and the monitor at a real kernel.</summary>
public sealed class DebuggerTests
{
    [FactWith("gdb-multiarch", "gdb-multiarch")]
    public void Gdb_stops_the_kernel_at_its_entry_steps_it_and_lets_it_go()
    {
        string gdb = SocketPath("gdb"), monitor = SocketPath("monitor");
        using Process myna = MynaProgram.Start("run", "--arch", "riscv64", "--cpus", "2", "--gdb", "unix:" + gdb, "--monitor", "unix:" + monitor, "--", "echo", "went on");
        Task<string> output = myna.StandardOutput.ReadToEndAsync(), error = myna.StandardError.ReadToEndAsync();
        myna.StandardInput.Close();
        try
        {
            Assert.True(SpinWait.SpinUntil(() => File.Exists(monitor) || myna.HasExited, TimeSpan.FromMinutes(3)), "no monitor");
            string shown = Gdb(gdb, "info threads", "p/x $pc", "stepi", "stepi", "hbreak *0x80200000", "info registers priv", "monitor info status", "detach");
            Assert.Contains("Thread 2 (CPU 1)", shown, StringComparison.Ordinal);
            Assert.Contains("$1 = 0x80200000", shown, StringComparison.Ordinal);
            Assert.Contains("Supervisor", shown, StringComparison.Ordinal);
            Assert.Contains("paused", shown.Replace("created", "paused", StringComparison.Ordinal), StringComparison.Ordinal);
            Assert.Contains("detached", shown, StringComparison.Ordinal);
            Assert.Contains("uart16550", Ask(monitor, "info devices"), StringComparison.Ordinal);
            Assert.True(myna.WaitForExit(TimeSpan.FromMinutes(5)), "it did not go on");
            Assert.Equal(("went on\n", 0), (output.Result, myna.ExitCode));
        }
        finally
        {
            if (!myna.HasExited)
                myna.Kill(entireProcessTree: true);
        }
        Assert.DoesNotContain("error", error.Result, StringComparison.OrdinalIgnoreCase);
    }

    static string SocketPath(string name) => Path.Combine(Path.GetTempPath(), $"myna-{name}-{Environment.ProcessId}.sock");

    static string Gdb(string socket, params string[] commands)
    {
        var info = new ProcessStartInfo("gdb-multiarch") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in new[] { "-nx", "-q", "-batch", "-ex", "set architecture riscv:rv64", "-ex", $"target remote {socket}" })
            info.ArgumentList.Add(argument);
        foreach (string command in commands)
        {
            info.ArgumentList.Add("-ex");
            info.ArgumentList.Add(command);
        }
        using Process process = Process.Start(info)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + errors.Result;
    }

    static string Ask(string socket, string command)
    {
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(socket));
        using var stream = new NetworkStream(client);
        using var writer = new StreamWriter(stream) { AutoFlush = true };
        writer.Write(command + "\n");
        client.Shutdown(SocketShutdown.Send);
        return new StreamReader(stream).ReadToEnd();
    }
}
