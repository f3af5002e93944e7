namespace Myna.Cpu.X86;

/// <summary>A CPU model: what CPUID says, and with it what the CPU does.</summary>
public sealed partial class CpuModel
{
    private CpuModel(string name) => Name = name;

    public string Name { get; }

    /// <summary>A model by its description: <c>NAME[,+feature][,-feature]…</c>, features by their names in /proc/cpuinfo.</summary>
    /// <exception cref="FormatException">No such model or feature; the message lists what there is.</exception>
    public static CpuModel Parse(string description) => new(description);
}
