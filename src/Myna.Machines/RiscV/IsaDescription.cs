namespace Myna.Machines.RiscV;

/// <summary>The harts' instruction set as the device tree tells it (Linux binding riscv/extensions).</summary>
internal static class IsaDescription
{
    public static readonly string[] Extensions =
    [
        "i", "m", "a", "f", "d", "c", "zicbom", "zicboz", "zicntr", "zicond", "zicsr", "zifencei", "zihpm", "zawrs",
        "zba", "zbb", "zbc", "zbs", "sscofpmf", "sstc", "svinval", "svnapot", "svpbmt",
    ];

    /// <summary>The same as the older property riscv,isa.</summary>
    public static string Isa => "rv64imafdc_" + string.Join('_', Extensions.Where(e => e.Length > 1));

    public const string MmuType = "riscv,sv57";
}
