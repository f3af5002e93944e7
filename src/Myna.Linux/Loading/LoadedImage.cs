using Myna.Linux.Memory;

namespace Myna.Linux.Loading;

/// <summary>A program in memory, ready to run.</summary>
/// <param name="Entry">Where execution begins: the dynamic loader's entry if there is one.</param>
/// <param name="Path">The program as the guest names it; /proc/self/exe.</param>
/// <param name="HostPath">Where the host has it.</param>
/// <param name="ProgramBase">What the program's own addresses were moved by.</param>
/// <param name="InterpreterBase">The same of the dynamic loader; 0 without one.</param>
public sealed record LoadedImage(Target Target, ulong Entry, string Path, string HostPath, ulong ProgramBase, ulong InterpreterBase)
{
    public ulong StackPointer { get; init; }

    /// <summary>i386: the page of code that leads into the kernel; else 0.</summary>
    public ulong EntryPage { get; init; }

    /// <summary>The stack's mapping, for [stack] in /proc/self/maps and pthread_getattr_np.</summary>
    public (ulong Start, ulong End) Stack { get; init; }

    /// <summary>Address of the vDSO; 0 without one.</summary>
    public ulong Vdso { get; init; }

    /// <summary>The arguments as the program got them, and where they lie: /proc/self/cmdline.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>Where the arguments' characters lie, and behind them the environment's.</summary>
    public (ulong Start, ulong End) ArgumentArea { get; init; }

    /// <inheritdoc cref="ArgumentArea"/>
    public (ulong Start, ulong End) EnvironmentArea { get; init; }

    /// <summary>The auxiliary vector as it lies on the stack: /proc/self/auxv.</summary>
    public byte[] AuxiliaryVector { get; init; } = [];
}
