using System.Diagnostics;

namespace Myna.Boot.Tests;

/// <summary>
/// <c>myna binfmt</c> in a user namespace of the test's own, whose kernel has a register of interpreters for it (Linux 6.7);
/// and forks, which need a compiler for the guest.
/// </summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class BinfmtTests : IDisposable
{
    private const string Compiler = "riscv64-linux-gnu-gcc", Package = "gcc-riscv64-linux-gnu";
    private readonly string _directory = Directory.CreateTempSubdirectory("myna-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private static (int Status, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.Result);
    }

    private string Compile(string name, string source)
    {
        string file = Path.Combine(_directory, name + ".c"), program = Path.Combine(_directory, name);
        File.WriteAllText(file, source);
        (int status, string output) = Run(Compiler, "-O2", "-static", "-pthread", "-o", program, file);
        Assert.True(status == 0, output);
        return program;
    }

    [FactWith(Compiler, Package)]
    public void Programs_start_by_themselves_and_in_a_folder_without_anything_else()
    {
        const string mount = "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc";
        string native = Path.Combine(MynaProgram.Root, "artifacts/exec/myna-exec");
        // Neither the kernel nor the build may allow it; nothing is tested then.
        if (!File.Exists(native) || Run("unshare", "-Urm", "sh", "-c", mount).Status != 0)
            return;
        _ = Compile("words", """
            #include <stdio.h>
            int main(int count, char **words) { for (int i = 1; i < count; i++) printf("<%s>", words[i]); return count; }
            """);
        (int status, string output) = Run("unshare", "-Urm", "sh", "-c",
            $"{mount} && {native} binfmt install >/dev/null && {_directory}/words a 'b c' ''; echo \" $?\"; chroot {_directory} /words d; echo \" $?\"; {native} binfmt status; {native} binfmt remove; {_directory}/words");
        Assert.Contains("<a><b c><> 4\n<d> 2\nriscv64: installed", output, StringComparison.Ordinal);
        Assert.NotEqual(0, status);
    }

    [Theory]
    [InlineData(2, "x86_64", "binfmt", "install", "x86_64")]
    [InlineData(2, "pdp11", "binfmt", "install", "pdp11")]
    [InlineData(2, "bogus", "binfmt", "bogus")]
    [InlineData(2, "--bogus", "binfmt", "install", "--bogus")]
    public void Wrong_usage_is_said(int status, string named, params string[] arguments)
    {
        Result result = MynaProgram.Run(arguments);
        Assert.Contains(named, result.Error, StringComparison.Ordinal);
        Assert.Equal(status, result.Status);
    }

    /// <summary>Threads make system calls, end and begin anew while the first one forks; children have threads and children.</summary>
    [FactWith(Compiler, Package)]
    public void Forks_under_load()
    {
        string program = Compile("forks", """
            #include <pthread.h>
            #include <stdio.h>
            #include <unistd.h>
            #include <sys/wait.h>
            static volatile int stop;
            static void *end(void *p) { char b[64]; readlink("/proc/self/exe", b, 64); return p; }
            static int thread(void) { pthread_t t; return pthread_create(&t, 0, end, 0) || pthread_join(t, 0); }
            static void *load(void *p) { while (!stop) { usleep(2000); access("/none", F_OK); thread(); } return 0; }
            int main(void) {
                pthread_t t[3];
                int bad = 0;
                for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, load, 0);
                for (int i = 0; i < 100; i++) {
                    int s, p = fork();
                    if (p == 0) {
                        if (i % 2 && thread()) _exit(99);
                        if (i % 10 == 0) { int g = fork(); if (g == 0) _exit(3); waitpid(g, &s, 0); if (s != 3 << 8) _exit(98); }
                        _exit(i % 90);
                    }
                    if (p < 0 || waitpid(p, &s, 0) != p || s != i % 90 << 8) bad++;
                }
                stop = 1;
                for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
                printf("%d bad\n", bad);
                return 0;
            }
            """);
        Assert.Equal("0 bad\n", MynaProgram.Run("exec", program).Output);
    }
}
