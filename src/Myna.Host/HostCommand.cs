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
        using Process process = Start(program, arguments, directory);
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
        using Process process = Start(program, arguments, null);
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

    private static Process Start(string program, IEnumerable<string> arguments, string? directory)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = directory ?? "",
        };
        start.Environment["LC_ALL"] = "C.UTF-8";
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new FileNotFoundException($"cannot run {program}: {e.Message}", program, e);
        }
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
}
