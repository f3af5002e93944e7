namespace Myna.Cpu.X86;

/// <summary>Modes in which a boot protocol starts the bootstrap processor.</summary>
public enum X86BootMode
{
    /// <summary>Real mode, segments = selector × 16.</summary>
    Real,
    /// <summary>32-bit protected mode, flat segments, paging off, interrupts off (multiboot, PVH, Linux's 32-bit entry).</summary>
    Protected32,
    /// <summary>64-bit mode with the page tables at <see cref="X86BootState.Cr3"/> (Linux's 64-bit entry).</summary>
    Long64,
}

/// <summary>What a boot protocol sets in a CPU that has been reset, instead of the reset vector. Registers that are not named are zero.</summary>
public readonly record struct X86BootState(X86BootMode Mode, ulong Rip)
{
    public ulong Rsp { get; init; }
    public ulong Rax { get; init; }
    public ulong Rbx { get; init; }
    public ulong Rcx { get; init; }
    public ulong Rdx { get; init; }
    public ulong Rsi { get; init; }
    public ulong Rdi { get; init; }
    public ulong Rbp { get; init; }

    /// <summary>Page tables (4 levels) for <see cref="X86BootMode.Long64"/>.</summary>
    public ulong Cr3 { get; init; }

    /// <summary>The table that the selectors below name; the segments are loaded as flat whatever it holds.</summary>
    public ulong GdtBase { get; init; }
    public ushort GdtLimit { get; init; }
    public ushort CodeSelector { get; init; }
    public ushort DataSelector { get; init; }
}
