using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>Addresses, ports and interrupts of the board `microvm`; as in QEMU's machine of that name where there is a choice.</summary>
internal static class MicrovmMemoryMap
{
    public const ulong LowRamLimit = 0xc000_0000, LowRamSplit = 0xc000_0000;
    public const ulong VirtioMmio = 0xfeb0_0000, VirtioStride = 0x1000;
    public const ulong IoApic = 0xfec0_0000, LocalApic = 0xfee0_0000;

    /// <summary>Sleep control, sleep status and reset registers of hardware-reduced ACPI.</summary>
    public const int Power = 0x600;

    public const int Cmos = 0x70, Com1 = 0x3f8, Com1Irq = 4, Com2 = 0x2f8, Com2Irq = 3, RtcIrq = 8;

    /// <summary>The pin of the I/O APIC that the power button's events come to.</summary>
    public const int PowerInterrupt = 9;

    /// <summary>A pin of the I/O APIC for each virtio-mmio slot, in order.</summary>
    public static ReadOnlySpan<byte> VirtioInterrupts => [16, 17, 18, 19, 20, 21, 22, 23, 5, 6, 7, 10, 11, 12, 13, 14, 15];

    public static PcMemory Memory(ulong size) => new(size, LowRamLimit, LowRamSplit);
}
