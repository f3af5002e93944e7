using Myna.Cpu;
using Myna.Cpu.Debugging;
using Myna.Machines;

namespace Myna.Control;

/// <summary>A <see cref="Machine"/> as a debugger drives it.</summary>
public sealed class MachineTarget(Machine machine) : CpuTarget
{
    /// <inheritdoc/>
    public override IReadOnlyList<VirtualCpu> Cpus => machine.Cpus;

    /// <inheritdoc/>
    public override Task<TargetExit> Ended { get; } = machine.Ended.ContinueWith(
        static ended => new TargetExit(ended.Result.Status), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    /// <inheritdoc/>
    public override bool IsRunning => machine.State == MachineState.Running;

    /// <inheritdoc/>
    public override void Pause() => machine.Pause();

    /// <inheritdoc/>
    protected override void Resume(IReadOnlyCollection<VirtualCpu> cpus) => machine.Resume(cpus);

    /// <inheritdoc/>
    public override void Reset() => machine.Reset();

    /// <inheritdoc/>
    public override void Kill() => machine.PowerOff();
}
