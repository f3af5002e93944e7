using Myna.Cpu.RiscV;

namespace Myna.Machines.RiscV;

/// <summary>Gives harts the engine that the user chose.</summary>
internal static class HartEngines
{
    public static void Attach(Hart hart, Accel accel)
    {
        var interpreter = new Interpreter(hart);
        hart.Stepper = interpreter;
        hart.Engine = interpreter;
    }
}
