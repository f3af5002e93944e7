namespace Myna.Cpu.Debugging;

/// <summary>What a debugger calls a thread: a CPU of a machine, or a thread of a program.</summary>
/// <param name="id">Not 0; the same as long as the thread lives.</param>
public class DebugThread(long id, VirtualCpu cpu)
{
    public long Id { get; } = id;

    /// <summary>Its registers and its view of memory.</summary>
    public VirtualCpu Cpu { get; } = cpu;

    /// <summary>What the debugger shows beside its number.</summary>
    public virtual string Description => $"CPU {Cpu.Index}";
}

/// <summary>What to do with a thread at the next resume.</summary>
public enum ResumeAction { Stay, Continue, Step }

/// <param name="Signal">Linux's number of the signal that it gets first; 0 for none, <see cref="OwnSignal"/> for the one that stopped it.</param>
public readonly record struct ThreadResume(DebugThread Thread, ResumeAction Action, int Signal = 0)
{
    public const int OwnSignal = -1;
}

/// <summary>A thread stopped, and why.</summary>
/// <param name="Signal">Linux's number of the signal that stopped it; 0: none did, <paramref name="Reason"/> says what.</param>
public sealed record TargetStop(DebugThread Thread, StopReason Reason, int Signal = 0);

/// <summary>How a target ended.</summary>
/// <param name="Status">Exit status.</param>
/// <param name="Signal">Linux's number of the signal that ended it instead; 0 for none.</param>
public readonly record struct TargetExit(int Status, int Signal = 0);
