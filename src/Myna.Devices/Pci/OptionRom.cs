using System.Buffers.Binary;

namespace Myna.Devices.Pci;

/// <summary>The images in an expansion ROM (PCI 3.0, section 6.3.1).</summary>
internal static class OptionRom
{
    private const int Unit = 512, StructurePointer = 0x18, HeaderSize = 0x1a;

    // In the PCI data structure, "PCIR".
    private const uint Signature = 0x5249_4350;
    private const int Vendor = 4, Device = 6, ImageLength = 16, CodeType = 20, Indicator = 21, StructureSize = 24;
    private const byte PcAt = 0, Last = 0x80;

    /// <summary>The ROM with every image naming a function: firmware runs no others, and one ROM serves cards of several IDs.</summary>
    public static ReadOnlyMemory<byte> For(ReadOnlyMemory<byte> rom, ushort vendor, ushort device)
    {
        byte[] copy = rom.ToArray();
        for (int at = 0; at + HeaderSize <= copy.Length && BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(at)) == 0xaa55;)
        {
            int data = at + BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(at + StructurePointer));
            if (data + StructureSize > copy.Length || BinaryPrimitives.ReadUInt32LittleEndian(copy.AsSpan(data)) != Signature)
                break;
            Span<byte> ids = copy.AsSpan(data + Vendor, 4);
            byte before = Sum(ids);
            BinaryPrimitives.WriteUInt16LittleEndian(ids, vendor);
            BinaryPrimitives.WriteUInt16LittleEndian(copy.AsSpan(data + Device), device);
            // The bytes of an image for BIOSes add up to zero; one of those that may be anything makes up for the difference.
            const int Filler = 6;
            if (copy[data + CodeType] == PcAt)
                copy[at + Filler] += (byte)(before - Sum(ids));
            int length = BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(data + ImageLength)) * Unit;
            if (length == 0 || (copy[data + Indicator] & Last) != 0)
                break;
            at += length;
        }
        return copy;
    }

    private static byte Sum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte b in bytes)
            sum += b;
        return sum;
    }
}
