using Myna.Devices.Pci;
using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Display;

/// <summary>
/// QEMU's standard VGA on PCI, 1234:1111 (QEMU documentation, specs/standard-vga): BAR 0 is the video memory, BAR 2 has
/// the EDID at 0, the VGA's ports 3C0h to 3DFh at 400h, the VBE registers at 500h and the endianness at 604h. Boards map the
/// ports and the window of <see cref="Vga"/> besides, if they want a PC's first display.
/// </summary>
[Stateful("bochs-vga")]
public sealed partial class BochsVga : PciDevice, IScreen, IDisposable
{
    private const ushort VendorId = 0x1234, DeviceId = 0x1111, SubsystemVendorId = 0x1af4, SubsystemId = 0x1100;
    private const uint ClassVga = 0x030000, ClassOther = 0x038000;
    private const int MemoryBar = 0, RegisterBar = 2;
    private const ulong Registers = 0x400, RegistersEnd = 0x420, Vbe = 0x500, VbeEnd = 0x516, Extension = 0x600, Endian = 0x604, LittleEndian = 0x1e1e1e1e;

    [NotSaved("decided by the device's construction")]
    private readonly byte[] _edid;

    [Saved(20)]
    private readonly Vga _vga;

    /// <param name="size">Bytes of video memory, a power of two from 1 MiB to 256 MiB.</param>
    /// <param name="rom">The VGA BIOS, or null: the display is then no PC's first one.</param>
    public BochsVga(Clock clock, ulong size = 16 << 20, byte[]? rom = null, bool legacy = true)
        : base("vga", new PciIdentity(VendorId, DeviceId, legacy ? ClassVga : ClassOther, 2, SubsystemVendorId, SubsystemId))
    {
        _edid = Edid.Build(1280, 800);
        Memory = new Ram("vga", size);
        _vga = new Vga(clock, Memory);
        AddBar(MemoryBar, Memory, prefetchable: true);
        AddBar(RegisterBar, 4096, is64Bit: false, prefetchable: false);
        if (legacy)
            AllowIo();
        if (rom is not null)
            AddRom(rom);
    }

    /// <summary>Video memory.</summary>
    [field: NotSaved("content is saved with the memory")]
    public Ram Memory { get; }

    /// <summary>Ports, and the window at A0000h.</summary>
    public Vga Vga => _vga;

    bool IScreen.IsActive => true;

    public void Draw(Surface surface) => _vga.Draw(surface);

    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        value = 0;
        if (bar != RegisterBar)
            return base.ReadBar(bar, offset, size, out value);
        switch (offset)
        {
            case < Registers:
                for (int i = 0; i < size; i++)
                    value |= offset + (ulong)i < (ulong)_edid.Length ? (ulong)_edid[offset + (ulong)i] << (8 * i) : 0;
                break;
            case < RegistersEnd:
                value = _vga.ReadRegisters(offset - Registers, size);
                break;
            case >= Vbe and < VbeEnd:
                ushort word = _vga.ReadDispi((int)(offset - Vbe) / 2);
                value = size == 1 ? (byte)(word >> (8 * (int)(offset & 1))) : word;
                break;
            case Extension: value = 8; break;
            case Endian: value = LittleEndian; break;
        }
        return true;
    }

    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar != RegisterBar)
            return base.WriteBar(bar, offset, size, value);
        if (offset is >= Registers and < RegistersEnd)
            _vga.WriteRegisters(offset - Registers, size, value);
        else if (offset is >= Vbe and < VbeEnd && size != 1)
            _vga.WriteDispi((int)(offset - Vbe) / 2, (ushort)value);
        return true;
    }

    public override void Reset()
    {
        base.Reset();
        _vga.Reset();
    }

    public void Dispose() => Memory.Dispose();
}
