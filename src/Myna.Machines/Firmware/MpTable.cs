using Myna.Machines.Loading;

namespace Myna.Machines.Firmware;

/// <summary>
/// The table of processors and interrupts for systems that do not look at ACPI (Intel MultiProcessor Specification 1.4,
/// chapter 4): CPUs by APIC ID, an ISA bus, one I/O APIC.
/// </summary>
internal static class MpTable
{
    public const int Pins = 24;

    private const int PointerSize = 16, HeaderSize = 44;

    /// <param name="level">Whether the interrupt of a pin is level-triggered, active high, rather than what ISA's are.</param>
    /// <returns>The floating pointer with the table behind it, to be put at a multiple of 16 bytes.</returns>
    public static Func<uint, byte[]> Build(int cpus, uint localApic, uint ioApic, Func<int, bool> level)
    {
        const int Version = 0x14, Enabled = 1, Bootstrap = 2, LevelHigh = 0x0d, Isa = 0, IoApicId = 0, AllApics = 0xff;
        const uint Features = 0x201; // an FPU and an APIC
        const uint Signature = 0x600;
        const int ExtInt = 3, Nmi = 1;
        var entries = new ByteWriter();
        for (int i = 0; i < cpus; i++)
            entries.U8(0).U8(i).U8(Version).U8(Enabled | (i == 0 ? Bootstrap : 0)).U32(Signature).U32(Features).Zero(8);
        entries.U8(1).U8(Isa).Text("ISA", 6);
        entries.U8(2).U8(IoApicId).U8(0x20).U8(Enabled).U32(ioApic);
        for (int pin = 0; pin < Pins; pin++)
            entries.U8(3).U8(0).U16(level(pin) ? LevelHigh : 0).U8(Isa).U8(pin).U8(IoApicId).U8(pin);
        entries.U8(4).U8(ExtInt).U16(0).U8(Isa).U8(0).U8(AllApics).U8(0);
        entries.U8(4).U8(Nmi).U16(0).U8(Isa).U8(0).U8(AllApics).U8(1);
        int count = cpus + 1 + 1 + Pins + 2;
        byte[] table = new ByteWriter().Text("PCMP").U16(HeaderSize + entries.Length).U8(4).U8(0).Text("MYNA", 8).Text("MYNAVM", 12)
            .U32(0).U16(0).U16(count).U32(localApic).U32(0).Bytes(entries.ToArray()).ToArray();
        table[7] = Checksum(table);
        return address =>
        {
            byte[] pointer = new ByteWriter().Text("_MP_").U32(address + PointerSize).U8(1).U8(4).U8(0).Zero(5).ToArray();
            pointer[10] = Checksum(pointer);
            return [.. pointer, .. table];
        };
    }

    private static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
            sum += b;
        return (byte)-sum;
    }
}
