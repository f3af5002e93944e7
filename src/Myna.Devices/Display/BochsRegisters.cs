namespace Myna.Devices.Display;

/// <summary>
/// The page of registers that QEMU's displays on PCI have in BAR 2 (QEMU documentation, specs/standard-vga): the EDID at 0, the VGA's
/// ports 3C0h to 3DFh at 400h, the VBE registers at 500h and the endianness at 604h.
/// </summary>
internal sealed class BochsRegisters(Vga vga)
{
    public const int Size = 0x1000;

    private const ulong Ports = 0x400, PortsEnd = 0x420, Vbe = 0x500, VbeEnd = 0x516, Extension = 0x600, Endian = 0x604, LittleEndian = 0x1e1e1e1e;

    private readonly byte[] _edid = Edid.Build(1280, 800);

    public ulong Read(ulong offset, int size)
    {
        ulong value = 0;
        switch (offset)
        {
            case < Ports:
                for (int i = 0; i < size; i++)
                    value |= offset + (ulong)i < (ulong)_edid.Length ? (ulong)_edid[offset + (ulong)i] << (8 * i) : 0;
                break;
            case < PortsEnd:
                value = vga.ReadRegisters(offset - Ports, size);
                break;
            case >= Vbe and < VbeEnd:
                ushort word = vga.ReadDispi((int)(offset - Vbe) / 2);
                value = size == 1 ? (byte)(word >> (8 * (int)(offset & 1))) : word;
                break;
            case Extension: value = 8; break;
            case Endian: value = LittleEndian; break;
        }
        return value;
    }

    public void Write(ulong offset, int size, ulong value)
    {
        if (offset is >= Ports and < PortsEnd)
            vga.WriteRegisters(offset - Ports, size, value);
        else if (offset is >= Vbe and < VbeEnd && size != 1)
            vga.WriteDispi((int)(offset - Vbe) / 2, (ushort)value);
    }
}
