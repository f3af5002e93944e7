using Myna.Devices.Display;
using Myna.Devices.Input;
using Myna.Devices.Pci;
using Myna.Devices.Virtio.Gpu;
using Myna.Hardware.Screens;
using Myna.Machines.Loading;

namespace Myna.Machines.X86;

// What the user looks at and types on.
internal abstract partial class PcBoard
{
    private readonly List<IScreen> _screens = [];
    private readonly List<IKeyboard> _keyboards = [];
    private readonly List<IPointer> _pointers = [];
    private readonly List<IDisposable> _screenMemory = [];
    private Ramfb? _ramfb;
    private Vga? _vga;
    private byte[] _font = [];

    public IReadOnlyList<IScreen> Screens => _screens;
    public IReadOnlyList<IKeyboard> Keyboards => _keyboards;
    public IReadOnlyList<IPointer> Pointers => _pointers;

    /// <summary>The display that the user wants, and the keyboard controller.</summary>
    /// <exception cref="MachineException">The VGA BIOS cannot be read.</exception>
    protected void AddScreen(PciHost pci, I8042? controller)
    {
        if (controller is not null)
        {
            _keyboards.Add(controller);
            _pointers.Add(controller);
        }
        if (Options.Screen is ScreenKind.Std or ScreenKind.Virtio)
            AddVga(pci);
        if (Options.Screen == ScreenKind.Virtio)
            ScreenDevices.AddInput(pci, Memory, Log, _keyboards, _pointers);
        if (Options.Screen == ScreenKind.Ramfb)
        {
            _ramfb = new Ramfb(Memory);
            _screens.Add(_ramfb);
            Add(new BoardDevice("ramfb", _ramfb, _ramfb.Reset));
        }
    }

    /// <summary>The user's USB devices.</summary>
    /// <exception cref="MachineException">There are too many.</exception>
    protected void AddUsb(PciHost pci, IDictionary<DeviceOptions, string> paths, ICollection<RemovableDrive> drives)
        => Usb = UsbDevices.Add(pci, Memory, Clock, Options, new(_keyboards, _pointers, drives, paths));

    /// <summary>The fw_cfg files of the display, which the guest may write.</summary>
    protected IReadOnlyDictionary<string, byte[]> ScreenFiles => _ramfb is null ? new Dictionary<string, byte[]>() : new() { [Ramfb.FileName] = _ramfb.File };

    private void AddVga(PciHost pci)
    {
        byte[]? rom = Options.VgaBios is { } path ? ImageFile.Read(path, "VGA BIOS") : null;
        _font = [.. VgaFont.Find(rom)];
        // Without firmware there is nobody to run it; its font is of use.
        if (!HasFirmware)
            rom = null;
        if (Options.Screen == ScreenKind.Virtio)
            Add(pci, new VirtioVga(new VirtioGpu(Memory, log: Log[LogNames.VirtioGpu]), Clock, rom: rom));
        else
            Add(pci, new BochsVga(Clock, rom: rom));
    }

    private void Add<T>(PciHost pci, T vga) where T : PciDevice, IPcDisplay
    {
        _vga = vga.Vga;
        _screenMemory.Add(vga);
        _screens.Add(vga);
        pci.Add(vga);
        // A guest may run code there.
        AddExecutable(vga.Memory);
        Memory.Map(Vga.WindowStart, Vga.WindowSize, "vga-window", vga.Vga.Window);
        MapPorts(0x1ce, vga.Vga.DispiPorts, "vga-dispi");
        MapPorts(0x3b4, vga.Vga.CrtcMono, "vga-crtc-mono");
        MapPorts(0x3ba, vga.Vga.StatusMono, "vga-status-mono");
        MapPorts(0x3c0, vga.Vga.Registers, "vga");
        MapPorts(0x3d4, vga.Vga.CrtcColour, "vga-crtc");
        MapPorts(0x3da, vga.Vga.StatusColour, "vga-status");
    }

    /// <summary>What firmware leaves to a kernel: text mode, and words about it in the BIOS data area.</summary>
    /// <returns>Whether there is a screen that shows text.</returns>
    private bool PrepareScreen()
    {
        if (_vga is null || _font.Length == 0)
            return false;
        _vga.EnterTextMode(_font);
        Put(0x449, [3, Vga.TextColumns, 0]);
        // The page's size, the cursor's shape, the CRT controller's port; rows less one, lines of a character.
        Put(0x44c, [0x00, 0x10]);
        Put(0x460, [0x0e, 0x0d, 0, 0xd4, 0x03]);
        Put(0x484, [Vga.TextRows - 1, VgaFont.Lines, 0]);
        return true;
    }

    private void DisposeScreen()
    {
        foreach (IDisposable memory in _screenMemory)
            memory.Dispose();
    }
}
