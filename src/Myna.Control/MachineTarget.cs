using Myna.Cpu;
using Myna.Machines;

namespace Myna.Control;

/// <summary>A <see cref="Machine"/> as a debugger drives it.</summary>
public sealed class MachineTarget(Machine machine) : IDebugTarget
{
    /// <inheritdoc/>
    public IReadOnlyList<VirtualCpu> Cpus => machine.Cpus;

    /// <inheritdoc/>
    public Task<MachineExit> Ended => machine.Ended;

    /// <inheritdoc/>
    public bool IsRunning => machine.State == MachineState.Running;

    /// <inheritdoc/>
    public void Pause() => machine.Pause();

    /// <inheritdoc/>
    public void Resume(IReadOnlyCollection<VirtualCpu> cpus) => machine.Resume(cpus);

    /// <inheritdoc/>
    public void Reset() => machine.Reset();

    /// <inheritdoc/>
    public void PowerOff() => machine.PowerOff();
}
