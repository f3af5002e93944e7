namespace Myna.Cpu;

/// <summary>Two CPUs in equal machines that execute the same instructions, a subject and a reference, compared as they go.</summary>
public interface ILockstep
{
    /// <summary>Whether both wait for an interrupt.</summary>
    bool Waiting { get; }

    /// <summary>Executed so far, by each.</summary>
    ulong Instructions { get; }

    /// <summary>Executes some instructions on both and compares.</summary>
    /// <returns>Null when they agree, else what the instructions were and what differs.</returns>
    string? Step();
}
