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
        if (accel == Accel.Interp)
            return;
        if (!X86Translator.IsSupported)
        {
            if (accel == Accel.Jit)
                throw new MachineException("the translator needs an x86-64 processor with AVX2, BMI2 and FMA; use --accel interp");
            return;
        }
        try
        {
            _translator = new X86Translator(_pages, countInstructions);
        }
        catch (IOException e) when (accel == Accel.Auto)
        {
            // A host that forbids executable memory still runs the machine.
            _ = e;
        }
        catch (IOException e)
        {
            throw new MachineException($"the translator gets no executable memory from the host ({e.Message}); use --accel interp", e);
        }
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
