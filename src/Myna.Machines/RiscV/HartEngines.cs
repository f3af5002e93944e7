using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;

namespace Myna.Machines.RiscV;

/// <summary>Gives a machine's harts the engine that the user chose; its harts share one translator.</summary>
internal sealed class HartEngines : IDisposable
{
    private readonly HartTranslator? _translator;

    /// <exception cref="MachineException">The translator was asked for and this host cannot have it.</exception>
    public HartEngines(AddressSpace memory, Accel accel, bool countInstructions)
        => _translator = Translators.Create(accel, () => new HartTranslator(memory, countInstructions));

    public void Attach(Hart hart)
    {
        var interpreter = new Interpreter(hart);
        hart.Stepper = interpreter;
        hart.Engine = _translator?.CreateEngine(hart, interpreter) ?? interpreter;
    }

    public void Dispose() => _translator?.Dispose();
}
