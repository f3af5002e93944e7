using System.Globalization;
using Myna.Host;

namespace Myna.Linux;

/// <summary>
/// What the runtime must have been started with when a guest shares its process: no second mapping of its code (a forked child
/// would write its parent's), no compiler on a thread that a child lacks, no listener for diagnostics, and none of the descriptors that programs number themselves. The
/// launcher sees to it; a runtime that was started otherwise starts once more.
/// </summary>
public static class RuntimeSettings
{
    private const string Made = "MYNA_RUNTIME_SETTINGS", Placeholders = "MYNA_PLACEHOLDERS";
    private static readonly System.Buffers.SearchValues<char> NameCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    private const string GuestPrefix = "MYNA_GUEST_";
    private const long SysExecve = 59, SysClose = 3;

    private static readonly string[] Names = ["DOTNET_EnableWriteXorExecute", "DOTNET_EnableDiagnostics", "DOTNET_TieredCompilation"];

    public static bool AreMade => Names.All(n => Environment.GetEnvironmentVariable(n) == "0");

    /// <summary>Variables that are not the guest's.</summary>
    public static IEnumerable<string> VariablesToDrop
        => [Made, Placeholders, .. (Environment.GetEnvironmentVariable(Made) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)];

    /// <summary>A variable as the guest has it, from the environment that <see cref="EnvironmentFor"/> made.</summary>
    public static string Unwrap(string variable)
        => variable.StartsWith(GuestPrefix + "LD_", StringComparison.Ordinal) ? variable[GuestPrefix.Length..] : variable;

    /// <summary>The environment of a new Myna for a guest with this one.</summary>
    /// <param name="guest">Strings as in <see cref="GuestText"/>.</param>
    public static List<string> EnvironmentFor(IEnumerable<string> guest)
    {
        List<string> all = [.. guest.Where(v => !Names.Append(Made).Append(Placeholders).Any(n => v.StartsWith(n + "=", StringComparison.Ordinal)))];
        // The host's dynamic loader, which starts the new Myna, would take the guest's instructions for its own.
        for (int i = 0; i < all.Count; i++)
        {
            if (all[i].StartsWith("LD_", StringComparison.Ordinal))
                all[i] = GuestPrefix + all[i];
        }
        all.AddRange(Names.Select(n => n + "=0"));
        all.Add($"{Made}={string.Join(' ', Names)}");
        return all;
    }

    /// <summary>
    /// A command that starts another one with all low descriptors occupied. This process cannot do it: those that its runtime has
    /// become free by the execve itself.
    /// </summary>
    /// <remarks>A shell keeps no variables whose names are not its own kind: with such ones it is left out.</remarks>
    public static List<string> WithPlaceholders(IEnumerable<string> command, IEnumerable<string> environment)
    {
        const string shell = "/bin/sh";
        const string script = """
            for n in 0 1 2 3 4 5 6 7 8 9; do [ -e "/proc/$$/fd/$n" ] || { eval "exec $n<>/dev/null"; p="$p $n"; }; done
            export MYNA_PLACEHOLDERS="$p"
            exec "$@"
            """;
        return File.Exists(shell) && environment.All(IsShellVariable) ? [shell, "-c", script, "myna", .. command] : [.. command];
    }

    /// <summary>
    /// Occupies the low descriptors from inside, before the runtime opens files of its own (/dev/urandom): where no launcher has.
    /// </summary>
    public static void OccupyLow()
    {
        const long SysFcntl = 72, SysEventFd2 = 290;
        const int F_GETFD = 1, Count = 10;
        var occupied = new List<int>();
        for (int descriptor = 0; descriptor < Count; descriptor++)
        {
            if (HostSyscall.Invoke(SysFcntl, descriptor, F_GETFD) < 0 && HostSyscall.Invoke(SysEventFd2, 0, 0) is >= 0 and long made)
                occupied.Add((int)made);
        }
        PlaceholderNumbers = [.. occupied];
    }

    /// <summary>Descriptors that were occupied for the guest and stay so until it asks for one.</summary>
    public static int[] PlaceholderNumbers { get; private set; } = [.. (Environment.GetEnvironmentVariable(Placeholders) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(n => int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor) ? descriptor : -1).Where(d => d >= 0)];

    /// <summary>Gives the guest the descriptors that were occupied for it.</summary>
    public static void ClosePlaceholders()
    {
        foreach (int descriptor in PlaceholderNumbers)
            _ = HostSyscall.Invoke(SysClose, descriptor);
    }

    /// <summary>Replaces this process by the same command under the right settings.</summary>
    /// <returns>Why it failed.</returns>
    public static string StartAnew()
    {
        List<string> command = GuestText.Split(File.ReadAllBytes("/proc/self/cmdline"));
        command[0] = GuestText.FromHost(Environment.ProcessPath ?? "/proc/self/exe");
        List<string> environment = EnvironmentFor(GuestText.Split(File.ReadAllBytes("/proc/self/environ")));
        command = WithPlaceholders(command, environment);
        return Errno.Name((int)-Execve(command[0], command, environment));
    }

    private static bool IsShellVariable(string variable)
    {
        int equals = variable.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && !char.IsAsciiDigit(variable[0]) && variable.AsSpan(0, equals).IndexOfAnyExcept(NameCharacters) < 0;
    }

    /// <summary>The host's execve.</summary>
    /// <returns>-errno; nothing if it succeeds.</returns>
    public static long Execve(string path, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        int size = path.Length + 256 + arguments.Concat(environment).Sum(s => s.Length + 1 + 16 + 8);
        using var scratch = new HostScratch(size + 4096);
        return HostSyscall.Invoke(SysExecve, scratch.Put(path), Vector(scratch, arguments), Vector(scratch, environment));
    }

    private static long Vector(HostScratch scratch, IReadOnlyList<string> strings)
    {
        long[] addresses = [.. strings.Select(s => scratch.Put(s))];
        Span<byte> vector = scratch.Take(8 * (addresses.Length + 1), out long address);
        for (int i = 0; i < addresses.Length; i++)
            BitConverter.TryWriteBytes(vector[(8 * i)..], addresses[i]);
        return address;
    }
}
