using System.ComponentModel;
using System.Diagnostics;

namespace Myna.Host;

/// <summary>How a host program ended.</summary>
/// <param name="Status">Its exit status.</param>
/// <param name="Error">What it wrote to standard error.</param>
public readonly record struct HostCommandResult(int Status, string Output, string Error);

/// <summary>Runs programs of the host. Arguments are passed as they are: no shell is involved.</summary>
public static class HostCommand
{
    /// <summary>Whether a program of that name is on the search path.</summary>
    public static bool Exists(string program) =>
        program.Contains('/')
            ? File.Exists(program)
            : (Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin").Split(':').Append("/usr/sbin").Append("/sbin")
                .Any(directory => directory.Length > 0 && File.Exists(Path.Combine(directory, program)));

    /// <summary>Runs a program to its end and returns what it wrote as text.</summary>
    /// <exception cref="FileNotFoundException">There is no such program.</exception>
    public static async Task<HostCommandResult> RunAsync(
        string program, IEnumerable<string> arguments, string? directory = null, CancellationToken cancellation = default)
    {
        using var child = new Child(program, arguments, directory);
        Process process = child.Process;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation);
        Task<string> error = process.StandardError.ReadToEndAsync(cancellation);
        await WaitAsync(process, cancellation).ConfigureAwait(false);
        return new(process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
    }

    /// <summary>Runs a program, handing its output to <paramref name="read"/> as a stream.</summary>
    /// <param name="input">Bytes for its standard input.</param>
    /// <exception cref="FileNotFoundException">There is no such program.</exception>
    public static async Task<HostCommandResult> PipeAsync(
        string program, IEnumerable<string> arguments, ReadOnlyMemory<byte> input, Func<Stream, Task> read, CancellationToken cancellation = default)
    {
        using var child = new Child(program, arguments, null);
        Process process = child.Process;
        Task<string> error = process.StandardError.ReadToEndAsync(cancellation);
        Task feed = FeedAsync(process, input, cancellation);
        try
        {
            await read(process.StandardOutput.BaseStream).ConfigureAwait(false);
        }
        catch
        {
            Kill(process);
            throw;
        }
        await feed.ConfigureAwait(false);
        await WaitAsync(process, cancellation).ConfigureAwait(false);
        return new(process.ExitCode, "", await error.ConfigureAwait(false));
    }

    private static async Task FeedAsync(Process process, ReadOnlyMemory<byte> input, CancellationToken cancellation)
    {
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(input, cancellation).ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading everything; its exit status says whether that matters.
        }
    }

    private static async Task WaitAsync(Process process, CancellationToken cancellation)
    {
        try
        {
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Kill(process);
            throw;
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // Already gone.
        }
    }

    /// <summary>
    /// A program that ends with this one, however this one ends: the kernel sends it SIGTERM when the thread that started it
    /// is gone (prctl(2), PR_SET_PDEATHSIG), and that thread waits for its end. Needs setpriv of util-linux.
    /// </summary>
    private sealed class Child : IDisposable
    {
        private const string Guard = "setpriv";
        private readonly ManualResetEventSlim _done = new();
        private readonly Thread _parent;

        /// <exception cref="FileNotFoundException">There is no such program.</exception>
        public Child(string program, IEnumerable<string> arguments, string? directory)
        {
            if (!Exists(program))
                throw new FileNotFoundException($"cannot run {program}: it is not installed", program);
            bool guarded = OperatingSystem.IsLinux() && Exists(Guard);
            var start = guarded ? new ProcessStartInfo(Guard, ["--pdeathsig", "TERM", "--", program, .. arguments]) : new ProcessStartInfo(program, arguments);
            start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
            start.WorkingDirectory = directory ?? "";
            start.Environment["LC_ALL"] = "C.UTF-8";
            Process? process = null;
            Win32Exception? error = null;
            using var started = new ManualResetEventSlim();
            _parent = new Thread(() =>
            {
                try
                {
                    process = Process.Start(start);
                }
                catch (Win32Exception e)
                {
                    error = e;
                }
                started.Set();
                if (process is not null)
                    _done.Wait();
            })
            { IsBackground = true, Name = "host command" };
            _parent.Start();
            started.Wait();
            Process = process ?? throw new FileNotFoundException($"cannot run {program}: {error?.Message}", program, error);
        }

        public Process Process { get; }

        /// <summary>Once the program has ended, or been killed.</summary>
        public void Dispose()
        {
            _done.Set();
            _parent.Join();
            _done.Dispose();
            Process.Dispose();
        }
    }
}
