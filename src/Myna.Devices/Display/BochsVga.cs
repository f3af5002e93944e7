using Myna.Devices.Pci;
using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Display;

/// <summary>
/// QEMU's standard VGA on PCI, 1234:1111 (QEMU documentation, specs/standard-vga): BAR 0 is the video memory, BAR 2 has registers.
/// Boards map the ports and the window of <see cref="Vga"/> besides, if they want a PC's first display.
/// </summary>
[Stateful("bochs-vga")]
public sealed partial class BochsVga : PciDevice, IPcDisplay
{
    private const ushort VendorId = 0x1234, DeviceId = 0x1111, SubsystemVendorId = 0x1af4, SubsystemId = 0x1100;
    private const uint ClassVga = 0x030000, ClassOther = 0x038000;
    private const int MemoryBar = 0, RegisterBar = 2;

    private readonly BochsRegisters _registers;

    [Saved(20)]
    private readonly Vga _vga;

    /// <param name="size">Bytes of video memory, a power of two from 1 MiB to 256 MiB.</param>
    /// <param name="rom">The VGA BIOS, or null: the display is then no PC's first one.</param>
    public BochsVga(Clock clock, ulong size = 16 << 20, byte[]? rom = null, bool legacy = true)
        : base("vga", new PciIdentity(VendorId, DeviceId, legacy ? ClassVga : ClassOther, 2, SubsystemVendorId, SubsystemId))
    {
        Memory = new Ram("vga", size);
        _vga = new Vga(clock, Memory);
        _registers = new BochsRegisters(_vga);
        AddBar(MemoryBar, Memory, prefetchable: true);
        AddBar(RegisterBar, BochsRegisters.Size, is64Bit: false, prefetchable: false);
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
        if (bar != RegisterBar)
            return base.ReadBar(bar, offset, size, out value);
        value = _registers.Read(offset, size);
        return true;
    }

    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar != RegisterBar)
            return base.WriteBar(bar, offset, size, value);
        _registers.Write(offset, size, value);
        return true;
    }

    public override void Reset()
    {
        base.Reset();
        _vga.Reset();
    }

    public void Dispose() => Memory.Dispose();
}
