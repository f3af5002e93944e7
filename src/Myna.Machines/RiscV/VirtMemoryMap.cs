namespace Myna.Machines.RiscV;

/// <summary>
/// Addresses and interrupt numbers of the board `virt`: those of QEMU's board of that name (hw/riscv/virt), which Linux,
/// U-Boot and OpenSBI are built for.
/// </summary>
internal static class VirtMemoryMap
{
    public const ulong ResetRom = 0x1000, ResetRomSize = 0xf000;
    public const ulong Test = 0x10_0000;
    public const ulong Rtc = 0x10_1000;
    public const ulong Clint = 0x200_0000;
    public const ulong Plic = 0xc00_0000;
    public const ulong AplicM = 0xc00_0000, AplicS = 0xd00_0000;
    public const ulong ImsicM = 0x2400_0000, ImsicS = 0x2800_0000;
    public const ulong Uart = 0x1000_0000;
    public const ulong VirtioMmio = 0x1000_1000, VirtioMmioStride = 0x1000;
    public const ulong FwCfg = 0x1010_0000;
    public const ulong Flash0 = 0x2000_0000, Flash1 = 0x2200_0000, FlashSize = 32 << 20;
    public const ulong PcieEcam = 0x3000_0000, PcieEcamSize = 0x1000_0000;
    public const ulong PcieMmio32 = 0x4000_0000, PcieMmio32Size = 0x4000_0000;
    public const ulong Ram = 0x8000_0000;
    public const ulong PcieMmio64Size = 0x4_0000_0000;

    public const int VirtioSlots = 8;
    public const int VirtioIrq = 1, UartIrq = 10, RtcIrq = 11, PcieIrq = 0x20, Sources = 96;

    /// <summary>Frequency of mtime (hertz).</summary>
    public const uint TimebaseHertz = 10_000_000;

    /// <summary>Frequency of the UART's clock input (hertz).</summary>
    public const uint UartHertz = 3_686_400;

    /// <summary>The 64-bit PCI window lies behind the RAM, aligned to its own size (16 GiB).</summary>
    public static ulong PcieMmio64(ulong ramSize) => (Ram + ramSize + PcieMmio64Size - 1) / PcieMmio64Size * PcieMmio64Size;
}
