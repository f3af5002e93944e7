using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Jit.Memory;

namespace Myna.Machines.X86;

/// <summary>Gives a machine's CPUs the engine that the user chose; its CPUs share one translator.</summary>
internal sealed class CpuEngines : IDisposable
{
    private readonly CodePages _pages = new();
    private readonly X86Translator? _translator;

    /// <param name="memories">Every RAM and ROM that CPUs can execute from.</param>
    /// <exception cref="MachineException">The translator was asked for and this host cannot have it.</exception>
    public CpuEngines(Accel accel, bool countInstructions, params ReadOnlySpan<Ram> memories)
    {
        foreach (Ram memory in memories)
            _pages.Add(memory);
        _translator = Translators.Create(accel, () => new X86Translator(_pages, countInstructions));
    }

    public void Add(Ram memory) => _pages.Add(memory);

    public void Attach(X86Cpu cpu)
    {
        _pages.Add(cpu.Block.Tlb);
        var interpreter = new Interpreter(cpu, _pages);
        cpu.Stepper = interpreter;
        cpu.Engine = _translator?.CreateEngine(cpu, interpreter) ?? interpreter;
    }

    public void Dispose() => _translator?.Dispose();
}
