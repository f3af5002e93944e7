using System.Runtime.Versioning;

namespace Myna.Fuzz.X86;

/// <summary>Everything that can execute cases, by name.</summary>
internal static class Executors
{
    /// <summary>CPUID of the emulated CPU.</summary>
    public static (uint Eax, uint Ebx, uint Ecx, uint Edx) Announced(uint leaf) => InstructionPool.Host(leaf);

    [SupportedOSPlatform("linux")]
    public static IExecutor Create(string name) => name switch
    {
        "native" => new NativeHost(),
        _ => throw new ArgumentException($"unknown engine {name}"),
    };
}
