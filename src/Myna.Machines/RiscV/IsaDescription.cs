namespace Myna.Machines.RiscV;

/// <summary>The harts' instruction set as the device tree tells it (Linux binding riscv/extensions).</summary>
internal static class IsaDescription
{
    private static readonly string[] s_always =
    [
        "i", "m", "a", "f", "d", "c", "zicbom", "zicbop", "zicboz", "zicntr", "zicond", "zicsr", "zifencei", "zihintntl",
        "zihintpause", "zihpm", "zawrs",
        "zba", "zbb", "zbc", "zbs", "sscofpmf", "sstc", "svinval", "svnapot", "svpbmt",
    ];

    public static IReadOnlyList<string> Extensions(VirtInterrupts interrupts) => interrupts switch
    {
        VirtInterrupts.Aia => [.. s_always, "smaia", "ssaia"],
        VirtInterrupts.AiaSupervisor => [.. s_always, "ssaia"],
        _ => s_always,
    };

    /// <summary>The same as the older property riscv,isa.</summary>
    public static string Isa(VirtInterrupts interrupts) => "rv64imafdc_" + string.Join('_', Extensions(interrupts).Where(e => e.Length > 1));

    public const string MmuType = "riscv,sv57";
}
