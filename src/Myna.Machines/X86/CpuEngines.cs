using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Jit.Memory;

namespace Myna.Machines.X86;

/// <summary>Gives a machine's CPUs the engine that the user chose.</summary>
internal sealed class CpuEngines : IDisposable
{
    private readonly CodePages _pages = new();

    /// <param name="memories">Every RAM and ROM that CPUs can execute from.</param>
    public CpuEngines(Accel accel, bool countInstructions, params ReadOnlySpan<Ram> memories)
    {
        _ = (accel, countInstructions);
        foreach (Ram memory in memories)
            _pages.Add(memory);
    }

    public void Add(Ram memory) => _pages.Add(memory);

    public void Attach(X86Cpu cpu)
    {
        _pages.Add(cpu.Block.Tlb);
        var interpreter = new Interpreter(cpu, _pages);
        cpu.Stepper = interpreter;
        cpu.Engine = interpreter;
    }

    public void Dispose() { }
}
