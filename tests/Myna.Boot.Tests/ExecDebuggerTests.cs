using System.Diagnostics;

namespace Myna.Boot.Tests;

/// <summary>gdb at a user program: threads, breakpoints, watchpoints, signals, calls of its functions, its end.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ExecDebuggerTests : IDisposable
{
    private const string Source = """
        #include <pthread.h>
        #include <signal.h>
        #include <stdio.h>
        #include <unistd.h>
        #include <sys/wait.h>
        volatile int counter, seen; double half = 0.5;
        void handler(int s) { seen++; }
        __attribute__((noinline)) int add(int a, int b) { __asm__ volatile("" ::: "memory"); return a + b; }
        void *worker(void *p) { counter = add(counter, 40); return 0; }
        int main(int argc, char **argv)
        {
            signal(SIGUSR1, handler);
            pthread_t t;
            pthread_create(&t, 0, worker, 0);
            pthread_join(t, 0);
            raise(SIGUSR1);
            if (fork() == 0) _exit(add(1, 2));
            int status;
            wait(&status);
            printf("counter %d seen %d child %d\n", counter, seen, WEXITSTATUS(status));
            fflush(stdout);
            if (argc > 1) *(volatile int *)16 = 1;
            return 7;
        }
        """;

    private readonly string _directory = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [FactWith("gdb-multiarch", "gdb-multiarch")]
    public void It_debugs_a_program_for_RISC_V() => Check("riscv64-linux-gnu-gcc", "riscv64");

    [FactWith("gdb-multiarch", "gdb-multiarch")]
    public void It_debugs_a_translated_program_for_x86_64() => Check("x86_64-linux-gnu-gcc", "x86_64");

    private void Check(string compiler, string arch)
    {
        if (!File.Exists("/usr/bin/" + compiler))
            return;
        string source = Path.Combine(_directory, "debugged.c"), program = Path.Combine(_directory, "debugged");
        File.WriteAllText(source, Source);
        using (Process compile = Process.Start(compiler, ["-g", "-O1", "-static", "-pthread", "-o", program, source]))
        {
            compile.WaitForExit();
            Assert.Equal(0, compile.ExitCode);
        }

        (string shown, Result ended) = Debug(arch, [program],
            "break add", "continue", "info threads", "print b", "finish", "print add(2, 3)", "delete",
            "watch counter", "continue", "delete", "handle SIGUSR1 stop pass", "continue", "print $_siginfo.si_signo",
            "break handler", "stepi", "print/x $pc == &handler || seen == 0", "continue", "continue");
        Assert.Contains("hit Breakpoint 1, add (", shown, StringComparison.Ordinal);
        Assert.Contains("* 2 ", shown, StringComparison.Ordinal);
        Assert.Contains("(debugged)", shown, StringComparison.Ordinal);
        Assert.Contains("$1 = 40", shown, StringComparison.Ordinal);
        Assert.Contains("Value returned is $2 = 40", shown, StringComparison.Ordinal);
        Assert.Contains("$3 = 5", shown, StringComparison.Ordinal);
        Assert.Contains("Old value = 0\nNew value = 40", shown, StringComparison.Ordinal);
        Assert.Contains("received signal SIGUSR1", shown, StringComparison.Ordinal);
        Assert.Contains("$4 = 10", shown, StringComparison.Ordinal);
        Assert.Contains("exited with code 07", shown, StringComparison.Ordinal);
        Assert.Equal((7, "counter 40 seen 1 child 3\n"), (ended.Status, ended.Output));

        (shown, ended) = Debug(arch, [program, "crash"], "handle SIGUSR1 nostop noprint", "continue", "print half", "set var half = 1.25", "print half * 2", "continue");
        Assert.Contains("received signal SIGSEGV", shown, StringComparison.Ordinal);
        Assert.Contains("$1 = 0.5", shown, StringComparison.Ordinal);
        Assert.Contains("$2 = 2.5", shown, StringComparison.Ordinal);
        Assert.Contains("terminated with signal SIGSEGV", shown, StringComparison.Ordinal);
        Assert.Equal(139, ended.Status);

        (shown, ended) = Debug(arch, [program], "break main", "continue", "delete", "detach");
        Assert.Contains("detached", shown, StringComparison.Ordinal);
        Assert.Equal((7, "counter 40 seen 1 child 3\n"), (ended.Status, ended.Output));

        (shown, ended) = Debug(arch, [program], "break main", "continue", "kill");
        Assert.Contains("killed", shown, StringComparison.Ordinal);
        Assert.Equal((137, ""), (ended.Status, ended.Output));
    }

    private (string Shown, Result Ended) Debug(string arch, string[] program, params string[] commands)
    {
        string socket = Path.Combine(_directory, "gdb.sock");
        File.Delete(socket);
        using Process myna = MynaProgram.Start(["exec", "--arch", arch, "--gdb", "unix:" + socket, .. program]);
        Task<string> output = myna.StandardOutput.ReadToEndAsync();
        try
        {
            // It says so when it listens.
            Assert.Contains("waiting for gdb", myna.StandardError.ReadLine() ?? "", StringComparison.Ordinal);
            Task<string> error = myna.StandardError.ReadToEndAsync();
            string shown = Gdb(socket, commands);
            Assert.True(myna.WaitForExit(TimeSpan.FromMinutes(1)), "it did not end\n" + shown);
            return (shown, new Result(myna.ExitCode, output.Result, error.Result));
        }
        finally
        {
            if (!myna.HasExited)
                myna.Kill(entireProcessTree: true);
        }
    }

    private static string Gdb(string socket, string[] commands)
    {
        var info = new ProcessStartInfo("gdb-multiarch") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] first = ["set debuginfod enabled off", "set pagination off", "set remotetimeout 100", $"target remote {socket}"];
        foreach (string argument in new[] { "-nx", "-q", "-batch" }.Concat(first.Concat(commands).SelectMany(c => new[] { "-ex", c })))
            info.ArgumentList.Add(argument);
        using Process process = Process.Start(info)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output + errors.Result;
    }
}
