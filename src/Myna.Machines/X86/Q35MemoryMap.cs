using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>
/// Addresses, ports and interrupts of the board `q35`: those of QEMU's machine of that name, which follow Intel's G33 and
/// ICH9 and what firmware for them (SeaBIOS, EDK2) sets up.
/// </summary>
internal static class Q35MemoryMap
{
    /// <summary>RAM reaches up to PCIEXBAR; with more, 2 GiB stay below and the rest lies from 4 GiB on.</summary>
    public const ulong LowRamLimit = 0xb000_0000, LowRamSplit = 0x8000_0000;

    public const ulong Ecam = 0xb000_0000, EcamSize = 0x1000_0000;
    public const ulong PciMemory = 0xc000_0000, PciMemoryEnd = 0xfec0_0000;
    public const ulong IoApic = 0xfec0_0000, Hpet = 0xfed0_0000, Rcba = 0xfed1_c000, LocalApic = 0xfee0_0000;

    /// <summary>Size of the 64-bit PCI window, which lies behind the RAM, aligned to its own size.</summary>
    public const ulong PciMemory64Size = 0x8_0000_0000;

    public const ushort PmBase = 0x600;
    public const int SciInterrupt = 9;

    public const int Cmos = 0x70, FwCfg = 0x510, Com1 = 0x3f8, Com2 = 0x2f8, Com3 = 0x3e8, Com4 = 0x2e8, ResetControl = 0xcf9;
    public const int Com1Irq = 4, Com2Irq = 3, RtcIrq = 8, KeyboardIrq = 1, MouseIrq = 12, CoprocessorIrq = 13, PitIrq = 0;

    /// <summary>The I/O APIC has PIRQ A to H at 16 to 23.</summary>
    public const uint PciInterrupt = 16;

    /// <summary>What firmware programs PIRQ A to D, and E to H, to at the 8259s.</summary>
    public static ReadOnlySpan<byte> PicInterrupts => [10, 11, 10, 11];

    public static ulong PciMemory64(ulong ramEnd) => Math.Max(1, (ramEnd + PciMemory64Size - 1) / PciMemory64Size) * PciMemory64Size;

    public static PcMemory Memory(ulong size) => new(size, LowRamLimit, LowRamSplit,
        new E820Entry(Ecam, EcamSize, E820Type.Reserved),
        new E820Entry(Rcba, 0x4000, E820Type.Reserved),
        new E820Entry(0xfffc_0000, 0x4_0000, E820Type.Reserved));
}
