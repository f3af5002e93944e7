using Myna.Cpu.RiscV;
using Myna.Hardware.Memory;

namespace Myna.Fuzz.RiscV;

/// <summary>Engines by name.</summary>
internal static class Engines
{
    /// <summary>Every way of executing that this build knows.</summary>
    public static readonly string[] Names = ["interp", "step", "jit", "jit-counting"];

    /// <summary>Whether an engine stops after a given number of instructions.</summary>
    public static bool Counts(string name) => name != "jit";

    /// <exception cref="ArgumentException">There is no such engine.</exception>
    /// <returns>What to dispose of after the hart, or null.</returns>
    public static IDisposable? Attach(Hart hart, AddressSpace memory, string name)
    {
        var interpreter = new Interpreter(hart);
        hart.Stepper = interpreter;
        hart.Engine = interpreter;
        switch (name)
        {
            case "interp":
                return null;
            case "step":
                // A tracer makes the hart go instruction by instruction, without predecoded pages.
                hart.Tracer = static _ => { };
                return null;
            case "jit" or "jit-counting":
                var translator = new HartTranslator(memory, countInstructions: name != "jit");
                hart.Engine = translator.CreateEngine(hart, interpreter);
                return translator;
            default:
                throw new ArgumentException($"no engine {name}; there are {string.Join(", ", Names)}");
        }
    }
}
