using System.Text;

namespace Myna.Machines.Loading.X86;

/// <summary>What a Linux kernel is told.</summary>
internal static class KernelCommandLine
{
    /// <summary>The board's words in front of the user's; its console only where the user names none.</summary>
    /// <param name="announcement">What the board says in any case.</param>
    /// <param name="room">Bytes that the loader has for it, with the NUL.</param>
    /// <exception cref="MachineException">It is longer than the kernel or the loader allows.</exception>
    public static string Make(X86Kernel kernel, string boardWords, string? userWords, string announcement, ulong room)
    {
        // The first word of a multiboot command line is the kernel's name (section 3.3, "cmdline", by convention of loaders).
        string first = kernel.IsMultiboot ? kernel.Path : NamesConsole(userWords) || kernel.Linux is { NeedsBios: true } ? "" : boardWords;
        string line = string.Join(' ', new[] { first, userWords, kernel.IsMultiboot ? "" : announcement }.Where(s => !string.IsNullOrEmpty(s)));
        int length = Encoding.UTF8.GetByteCount(line);
        ulong maximum = Math.Min(kernel.Linux?.CommandLineSize ?? uint.MaxValue, room - 1);
        return (ulong)length <= maximum ? line
            : throw new MachineException($"the kernel's command line has {length} bytes, but {kernel.Path} takes {maximum}; shorten --append");
    }

    private static bool NamesConsole(string? words) => words is not null && words.Split(' ').Any(static w => w.StartsWith("console=", StringComparison.Ordinal));
}
