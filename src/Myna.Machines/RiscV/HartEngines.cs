using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;

namespace Myna.Machines.RiscV;

/// <summary>Gives a machine's harts the engine that the user chose; its harts share one translator.</summary>
internal sealed class HartEngines : IDisposable
{
    private readonly HartTranslator? _translator;

    /// <exception cref="MachineException">The translator was asked for and this host cannot have it.</exception>
    public HartEngines(AddressSpace memory, Accel accel, bool countInstructions)
    {
        if (accel == Accel.Interp)
            return;
        if (!HartTranslator.IsSupported)
        {
            if (accel == Accel.Jit)
                throw new MachineException("the translator needs an x86-64 processor with AVX2, BMI2 and FMA; use --accel interp");
            return;
        }
        try
        {
            _translator = new HartTranslator(memory, countInstructions);
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

    public void Attach(Hart hart)
    {
        var interpreter = new Interpreter(hart);
        hart.Stepper = interpreter;
        hart.Engine = _translator?.CreateEngine(hart, interpreter) ?? interpreter;
    }

    public void Dispose() => _translator?.Dispose();
}
