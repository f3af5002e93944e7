using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;

namespace Myna.Machines.RiscV;

/// <summary>Gives the harts of one machine the engine that the user chose.</summary>
internal sealed class HartEngines : IDisposable
{
    private readonly HartTranslator? _translator;

    /// <exception cref="MachineException">The translator was asked for and cannot be had.</exception>
    public HartEngines(AddressSpace memory, Accel accel, bool countInstructions)
    {
        if (accel == Accel.Interp || (accel == Accel.Auto && !HartTranslator.IsSupported))
            return;
        if (!HartTranslator.IsSupported)
            throw new MachineException("this host's processor has no translator yet; use --accel interp");
        try
        {
            _translator = new HartTranslator(memory, countInstructions);
        }
        catch (IOException e)
        {
            throw new MachineException($"no memory for translated code ({e.Message}); use --accel interp", e);
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
