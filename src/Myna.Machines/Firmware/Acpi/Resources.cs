using Myna.Machines.Loading;

namespace Myna.Machines.Firmware.Acpi;

/// <summary>Resource descriptors (ACPI 6.5, section 6.4), each encoded; <see cref="Template"/> joins them.</summary>
internal static class Resources
{
    private const byte Memory = 0, Io = 1, Bus = 2;

    // Address space descriptors: fixed at both ends; this device passes the range on (producer) or uses it itself.
    private const byte Producer = 0x0c;

    /// <summary>ResourceTemplate: a buffer that ends with an end tag.</summary>
    public static byte[] Template(params ReadOnlySpan<byte[]> descriptors) => Aml.Buffer(Aml.List(Aml.List(descriptors), [0x79, 0x00]));

    /// <summary>I/O ports at a fixed place, decoded with 16 bits.</summary>
    public static byte[] Ports(int start, int count) => new ByteWriter().U8(0x47).U8(1).U16(start).U16(start).U8(1).U8(count).ToArray();

    /// <summary>An ISA interrupt: edge-triggered, active high.</summary>
    public static byte[] Irq(int irq) => new ByteWriter().U8(0x22).U16(1 << irq).ToArray();

    /// <summary>A global system interrupt, level-triggered, active high.</summary>
    public static byte[] LevelInterrupt(uint gsi) => new ByteWriter().U8(0x89).U16(6).U8(1).U8(1).U32(gsi).ToArray();

    /// <summary>Memory at a fixed place below 4 GiB.</summary>
    public static byte[] FixedMemory(uint start, uint size) => new ByteWriter().U8(0x86).U16(9).U8(1).U32(start).U32(size).ToArray();

    /// <summary>Bus numbers that a bridge passes on.</summary>
    public static byte[] BusRange(int first, int last)
        => new ByteWriter().U8(0x88).U16(13).U8(Bus).U8(Producer).U8(0).U16(0).U16(first).U16(last).U16(0).U16(last - first + 1).ToArray();

    /// <summary>Ports that a bridge passes on.</summary>
    public static byte[] PortRange(int first, int last)
        => new ByteWriter().U8(0x88).U16(13).U8(Io).U8(Producer).U8(3).U16(0).U16(first).U16(last).U16(0).U16(last - first + 1).ToArray();

    /// <summary>Memory below 4 GiB that a bridge passes on, read-write, not cached.</summary>
    public static byte[] MemoryRange(uint first, uint last)
        => new ByteWriter().U8(0x87).U16(23).U8(Memory).U8(Producer).U8(1).U32(0).U32(first).U32(last).U32(0).U32(last - first + 1).ToArray();

    /// <summary>Memory anywhere that a bridge passes on, read-write, prefetchable.</summary>
    public static byte[] WideMemoryRange(ulong first, ulong last)
        => new ByteWriter().U8(0x8a).U16(43).U8(Memory).U8(Producer).U8(7).U64(0).U64(first).U64(last).U64(0).U64(last - first + 1).ToArray();
}
