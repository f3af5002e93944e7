namespace Myna.Linux.Loading;

/// <summary>The application binary interfaces whose programs run; the columns of the system-call table.</summary>
public enum AbiKind { RiscV64, X64, I386 }

/// <summary>What a program is built for, as the loader and uname(2) need to know it.</summary>
/// <param name="Name">As --arch takes it.</param>
/// <param name="Machine">e_machine.</param>
/// <param name="Is64Bit">The ELF class and the width of a pointer.</param>
/// <param name="Uname">uname(2)'s machine.</param>
/// <param name="Platform">AT_PLATFORM; null for none.</param>
public sealed record Target(AbiKind Abi, string Name, ushort Machine, bool Is64Bit, string Uname, string? Platform)
{
    private const ushort EM_386 = 3, EM_X86_64 = 62, EM_RISCV = 243;

    public static Target RiscV64 { get; } = new(AbiKind.RiscV64, "riscv64", EM_RISCV, true, "riscv64", null);
    public static Target X64 { get; } = new(AbiKind.X64, "x86_64", EM_X86_64, true, "x86_64", "x86_64");
    public static Target I386 { get; } = new(AbiKind.I386, "i386", EM_386, false, "i686", "i686");

    /// <summary>Those that Myna can execute.</summary>
    public static IReadOnlyList<Target> All { get; } = [RiscV64, X64, I386];

    public int PointerSize => Is64Bit ? 8 : 4;

    public static Target? Find(ushort machine, bool is64Bit) => All.FirstOrDefault(t => t.Machine == machine && t.Is64Bit == is64Bit);

    /// <summary>A processor's name for messages.</summary>
    public static string MachineName(ushort machine) => machine switch
    {
        2 => "SPARC",
        3 => "i386",
        4 => "m68k",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "ppc64",
        22 => "s390x",
        40 => "arm",
        42 => "SuperH",
        43 => "SPARC V9",
        62 => "x86-64",
        183 => "arm64",
        243 => "RISC-V",
        258 => "LoongArch",
        _ => $"an unknown processor (e_machine {machine})",
    };
}
