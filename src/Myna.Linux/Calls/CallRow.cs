using Myna.Linux.Loading;

namespace Myna.Linux.Calls;

[Flags]
public enum CallFlags
{
    None = 0,
    /// <summary>After -EINTR it begins again if the signal's action has SA_RESTART (signal(7), "Interruption of system calls").</summary>
    Restarts = 1,
    /// <summary>It may not come back, or comes back twice: --strace says its name beforehand.</summary>
    NoReturn = 2,
}

/// <summary>One system call: its name, its numbers, its arguments, and what does it.</summary>
/// <param name="Name">As in the kernel's tables.</param>
/// <param name="RiscV64">Number in asm-generic/unistd.h with riscv's own; -1 for none.</param>
/// <param name="X64">Number on x86-64, which is the host's as well; -1 for none.</param>
/// <param name="Arguments">Kinds of arguments (<see cref="ArgumentKind"/>) in order, separated by spaces.</param>
/// <param name="Handler">Null: the host's call with the same arguments, paths translated.</param>
public sealed record CallRow(string Name, int RiscV64, int X64, string Arguments, CallHandler? Handler = null, CallFlags Flags = CallFlags.None)
{
    private CallArgument[]? _kinds;

    public int NumberFor(AbiKind abi) => abi == AbiKind.RiscV64 ? RiscV64 : X64;

    internal CallArgument[] Kinds => _kinds ??= CallArgument.Parse(Arguments);
}

/// <summary>What an argument means: for --strace, for paths, and for memory that the host's kernel is going to store to.</summary>
internal enum ArgumentKind
{
    Int, Unsigned, Hex, Octal, Pointer, Descriptor, DirectoryDescriptor, Signal,
    /// <summary>"path", or "path@N" when argument N has AT_SYMLINK_NOFOLLOW; "lpath" never follows.</summary>
    Path, LinkPath, Text, OpenFlags,
    /// <summary>"in:N": bytes read by the kernel, argument N says how many.</summary>
    In,
    /// <summary>"out:N": bytes that the kernel writes, argument N says how many at most; "out=N": N of them.</summary>
    Out,
}

/// <param name="Related">The argument that <paramref name="Kind"/> goes with, or -1.</param>
/// <param name="Size">Fixed size in bytes, or 0.</param>
internal readonly record struct CallArgument(ArgumentKind Kind, int Related, int Size)
{
    public static CallArgument[] Parse(string text)
        => text.Length == 0 ? [] : [.. text.Split(' ').Select(One)];

    private static CallArgument One(string word)
    {
        int split = word.IndexOfAny([':', '@', '=']);
        string name = split < 0 ? word : word[..split];
        int number = split < 0 ? -1 : int.Parse(word.AsSpan(split + 1), System.Globalization.CultureInfo.InvariantCulture);
        ArgumentKind kind = name switch
        {
            "int" => ArgumentKind.Int,
            "uint" => ArgumentKind.Unsigned,
            "hex" => ArgumentKind.Hex,
            "oct" => ArgumentKind.Octal,
            "ptr" => ArgumentKind.Pointer,
            "fd" => ArgumentKind.Descriptor,
            "dirfd" => ArgumentKind.DirectoryDescriptor,
            "sig" => ArgumentKind.Signal,
            "path" => ArgumentKind.Path,
            "lpath" => ArgumentKind.LinkPath,
            "text" => ArgumentKind.Text,
            "oflags" => ArgumentKind.OpenFlags,
            "in" => ArgumentKind.In,
            "out" => ArgumentKind.Out,
            _ => throw new ArgumentException($"{word} is no kind of argument", nameof(word)),
        };
        return split >= 0 && word[split] == '=' ? new(kind, -1, number) : new(kind, number, 0);
    }
}
