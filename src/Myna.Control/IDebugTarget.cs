using Myna.Cpu;
using Myna.Machines;

namespace Myna.Control;

/// <summary>A machine as a debugger drives it.</summary>
public interface IDebugTarget
{
    IReadOnlyList<VirtualCpu> Cpus { get; }

    /// <summary>Completes when the machine has ended.</summary>
    Task<MachineExit> Ended { get; }

    /// <summary>Whether the machine's time passes.</summary>
    bool IsRunning { get; }

    /// <summary>Stops every CPU and the clock; returns when they stand still. Harmless when they do already.</summary>
    void Pause();

    /// <summary>Lets time pass and these CPUs run.</summary>
    void Resume(IReadOnlyCollection<VirtualCpu> cpus);

    /// <summary>Power-on state again; stays paused if it was.</summary>
    void Reset();

    /// <summary>Ends the machine.</summary>
    void PowerOff();
}
