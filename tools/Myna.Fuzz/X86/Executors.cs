using System.Runtime.Versioning;
using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Jit.Memory;

namespace Myna.Fuzz.X86;

/// <summary>Everything that can execute cases, by name.</summary>
internal static class Executors
{
    /// <summary>The emulated CPU.</summary>
    public static CpuModel Model { get; } = CpuModel.Parse("max");

    [SupportedOSPlatform("linux")]
    public static IExecutor Create(string name) => name switch
    {
        "native" => new NativeHost(),
        "interp" or "jit" => new EmulatedRig(name),
        _ => throw new ArgumentException($"unknown engine {name}"),
    };

    /// <summary>Gives a CPU its engine.</summary>
    /// <returns>What several CPUs would share, to be disposed of after the CPU.</returns>
    public static IDisposable? Attach(X86Cpu cpu, Ram ram, string engine)
    {
        var pages = new CodePages();
        pages.Add(ram);
        pages.Add(cpu.Block.Tlb);
        var interpreter = new Interpreter(cpu, pages);
        cpu.Stepper = interpreter;
        cpu.Engine = interpreter;
        if (engine == "interp")
            return null;
        var translator = new X86Translator(pages);
        cpu.Engine = translator.CreateEngine(cpu, interpreter);
        return translator;
    }
}
