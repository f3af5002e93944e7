using System.Diagnostics;
using System.Text;

namespace Myna.Boot.Tests;

/// <summary>How a run of the program ended.</summary>
public sealed record Result(int Status, string Output, string Error);

/// <summary>Runs ./myna of this source tree as a user does. ./test has built it.</summary>
public static class MynaProgram
{
    /// <summary>For one boot on a busy machine.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    public static string Root { get; } = FindRoot();

    public static Result Run(params string[] arguments) => Run("", arguments);

    /// <param name="input">Its standard input, which ends after it.</param>
    public static Result Run(string input, string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading.
        }
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            process.WaitForExit();
            Assert.Fail($"myna {string.Join(' ', arguments)} did not end; output:\n{output.Result}\n{error.Result}");
        }
        return new(process.ExitCode, output.Result, error.Result);
    }

    public static Process Start(params string[] arguments) => Start([], arguments);

    /// <param name="environment">Variables on top of the tests' own.</param>
    public static Process Start((string Name, string Value)[] environment, string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Root, "myna"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
        };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static string FindRoot()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(Path.Combine(directory, "Myna.slnx")))
            directory = Path.GetDirectoryName(directory);
        return directory ?? throw new InvalidOperationException("the tests do not lie in Myna's source tree");
    }
}

/// <summary>A test that needs a file or a program of the host; skipped where it is missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactWithAttribute : FactAttribute
{
    public FactWithAttribute(string needed, string package) => Skip = Missing(needed, package);

    internal static string? Missing(string needed, string package)
    {
        bool there = needed.Contains('/', StringComparison.Ordinal)
            ? File.Exists(needed)
            : new[] { "/usr/bin", "/usr/sbin", "/bin", "/sbin" }.Any(d => File.Exists(Path.Combine(d, needed)));
        return there ? null : $"{needed} is missing (Debian package {package})";
    }
}

/// <summary>The same for one with data.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class TheoryWithAttribute : TheoryAttribute
{
    public TheoryWithAttribute(string needed, string package) => Skip = FactWithAttribute.Missing(needed, package);
}
