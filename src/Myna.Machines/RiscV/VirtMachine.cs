using Myna.Cpu;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Sbi;
using Myna.Devices.Power;
using Myna.Devices.Display;
using Myna.Devices.Pci;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.Screens;
using Myna.Hardware.Time;
using Myna.Machines.Loading;

namespace Myna.Machines.RiscV;

/// <summary>A board `virt` with its harts, memory, firmware and images.</summary>
internal sealed class VirtMachine : IBoard
{
    private readonly MachineOptions _options;
    private readonly List<IScreen> _screens = [];
    private readonly List<RemovableDrive> _removable = [];
    private readonly List<IKeyboard> _keyboards = [];
    private readonly List<IPointer> _pointers = [];
    private readonly VirtBoard _board;
    private BochsVga? _vga;
    private readonly BootLayout _layout;
    private readonly Hart[] _harts;
    private readonly HartEngines _engines;
    private readonly Ram _ram;
    private readonly Ram _resetRom;

    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    public VirtMachine(MachineOptions options, Clock clock, IPowerControl power)
    {
        _options = options;
        // Reading the images first: their errors are the common ones, and nothing needs to be undone.
        Drives.Refuse(options, usb: true);
        _layout = new BootLayout(options);
        try
        {
            _ram = new Ram("ram", options.Memory, backing: options.MemoryBacking);
        }
        catch (IOException e)
        {
            throw new MachineException($"{options.Memory >> 20} MiB of memory cannot be had from the host ({e.Message}); choose less with --memory", e);
        }
        _resetRom = new Ram("reset-rom", VirtMemoryMap.ResetRomSize, readOnly: true);
        Memory.Map(VirtMemoryMap.ResetRom, _resetRom);

        var platform = new SbiPlatform(Memory, power);
        var firmware = options.Firmware == MachineOptions.FirmwareBuiltIn ? new SbiFirmware(platform) : null;
        _engines = new HartEngines(Memory, options.Accel, options.CountInstructions);
        _harts = new Hart[options.Cpus];
        for (int i = 0; i < _harts.Length; i++)
        {
            _harts[i] = new Hart(new HartOptions
            {
                HartId = i, Memory = Memory, Clock = clock, TimebaseHertz = VirtMemoryMap.TimebaseHertz,
                ResetVector = VirtMemoryMap.ResetRom, Firmware = firmware, Log = options.Log[LogNames.Hart],
            });
            _engines.Attach(_harts[i]);
        }
        VirtInterrupts interrupts = !OptionChecks.HasAia(options) ? VirtInterrupts.Plic
            : firmware is null ? VirtInterrupts.Aia : VirtInterrupts.AiaSupervisor;
        ulong wallClock = options.WallClock ?? (ulong)(DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
        Ramfb? ramfb = CreateRamfb();
        _board = new VirtBoard(new VirtWiring(interrupts, Memory, _ram, clock, _harts, power, wallClock, options.Console, options.FirmwareVariables), options.FwCfg, ReadFlash(options.Flash), ramfb);
        for (int i = 0; i < _harts.Length; i++)
        {
            _harts[i].SupervisorFile = _board.SupervisorImsic?[i];
            _harts[i].MachineFile = _board.MachineImsic?[i];
        }
        platform.Harts = _harts;
        platform.Console = _board.Uart;
        MapRam(power);
        if (ramfb is not null)
            _board.Add(new BoardDevice("ramfb", ramfb, ramfb.Reset));
        AddScreen(clock);
        AddVirtio(clock, power);

        byte[] seed = new byte[32];
        options.Fill(seed);
        _layout.Place(layout => VirtDeviceTree.Build(_board, new VirtTreeOptions(options.Memory, options.Cpus, IsaDescription.Isa(interrupts), IsaDescription.Extensions(interrupts), IsaDescription.MmuType)
        {
            BootArguments = options.Append, Initrd = layout.Initrd, RngSeed = seed,
        }));
    }

    public AddressSpace Memory { get; } = new();
    public AddressSpace? Ports => null;
    public IReadOnlyList<RemovableDrive> RemovableDrives => _removable;
    public IReadOnlyList<IScreen> Screens => _screens;
    public UsbPorts? Usb { get; private set; }
    public IReadOnlyList<IKeyboard> Keyboards => _keyboards;
    public IReadOnlyList<IPointer> Pointers => _pointers;
    public IReadOnlyList<VirtualCpu> Cpus => _harts;
    public IReadOnlyList<BoardDevice> Devices => _board.Devices;
    public IReadOnlyDictionary<string, ulong> Symbols => _layout.Kernel?.Symbols ?? _layout.Firmware?.Symbols ?? new Dictionary<string, ulong>();

    public void FlushConsole() => _board.Uart.Flush();

    public void PowerOn()
    {
        // Harts before devices, so that the devices' lines are what stands at last.
        foreach (Hart hart in _harts)
            hart.Reset();
        foreach (BoardDevice device in _board.Devices)
            device.Reset();
        _layout.Load(Memory, _resetRom);
        if (_options.Firmware == MachineOptions.FirmwareBuiltIn)
            _harts[0].Boot(_layout.Entry, _layout.TreeAddress);
    }

    public void Dispose()
    {
        _engines.Dispose();
        _layout.Dispose();
        _ram.Dispose();
        _vga?.Dispose();
        _resetRom.Dispose();
        foreach (Ram flash in _board.Flash)
            flash.Dispose();
    }

    /// <summary>Maps the RAM, less the pages of HTIF when the program defines tohost and fromhost.</summary>
    private void MapRam(IPowerControl power)
    {
        ulong page = Ram.PageSize;
        if (_options.Firmware == MachineOptions.FirmwareBuiltIn
            || !(Symbols.TryGetValue("tohost", out ulong tohost) && Symbols.TryGetValue("fromhost", out ulong fromhost))
            || Math.Min(tohost, fromhost) < VirtMemoryMap.Ram || Math.Max(tohost, fromhost) + 8 > VirtMemoryMap.Ram + _ram.Size)
        {
            Memory.Map(VirtMemoryMap.Ram, _ram);
            return;
        }
        ulong start = (Math.Min(tohost, fromhost) - VirtMemoryMap.Ram) / page * page;
        ulong end = (Math.Max(tohost, fromhost) + 8 - VirtMemoryMap.Ram + page - 1) / page * page;
        if (end - start > 16 * page)
            throw new MachineException($"tohost and fromhost of {(_layout.Firmware ?? _layout.Kernel)!.Path} lie {end - start} bytes apart; put them side by side");
        var htif = new Htif(Memory, _ram, start, tohost - VirtMemoryMap.Ram - start, fromhost - VirtMemoryMap.Ram - start, power, _board.Uart);
        if (start != 0)
            Memory.Map(VirtMemoryMap.Ram, _ram, 0, start);
        Memory.Map(VirtMemoryMap.Ram + start, end - start, "htif", htif);
        if (end != _ram.Size)
            Memory.Map(VirtMemoryMap.Ram + end, _ram, end, _ram.Size - end);
        _board.Add(new BoardDevice("htif", htif, htif.Reset));
    }

    /// <summary>The display that the user wants; what fw_cfg is to know of it comes first.</summary>
    private Ramfb? CreateRamfb()
    {
        if (_options.Screen != ScreenKind.Ramfb)
            return null;
        var ramfb = new Ramfb(Memory);
        _screens.Add(ramfb);
        return ramfb;
    }

    private void AddScreen(Clock clock)
    {
        switch (_options.Screen)
        {
            case ScreenKind.None:
                return;
            case ScreenKind.Std:
                _vga = new BochsVga(clock, legacy: false);
                _screens.Add(_vga);
                _board.Pci.Add(_vga);
                break;
            case ScreenKind.Virtio:
                ScreenDevices.AddVirtio(_board.Pci, Memory, _options.Log, _screens, _keyboards, _pointers);
                break;
        }
        if (_options.Screen != ScreenKind.Virtio)
            ScreenDevices.AddInput(_board.Pci, Memory, _options.Log, _keyboards, _pointers);
    }

    private void AddVirtio(Clock clock, IPowerControl power)
    {
        (List<PciDevice> pci, List<VirtioDevice> mmio) = UserDevices.Create(Memory, clock, power, _options, VirtMemoryMap.VirtioSlots);
        foreach (PciDevice device in pci)
            UserDevices.Plug(_board.Pci, device);
        Usb = UsbDevices.Add(_board.Pci, Memory, clock, _options, new(_keyboards, _pointers, _removable));
        ScsiDrives.Add(_board.Pci, Memory, _options, new Dictionary<DeviceOptions, string>(ReferenceEqualityComparer.Instance), _removable);
        _board.NotePciDevices();
        for (int i = 0; i < VirtMemoryMap.VirtioSlots; i++)
        {
            var slot = new VirtioMmio(i < mmio.Count ? mmio[i] : null, _board.Irq(VirtMemoryMap.VirtioIrq + i));
            _board.Add(VirtMemoryMap.VirtioMmio + (ulong)i * VirtMemoryMap.VirtioMmioStride, slot, VirtMemoryMap.VirtioIrq + i);
        }
    }

    private static byte[]? ReadFlash(string? path)
    {
        if (path is null)
            return null;
        byte[] bytes = ImageFile.Read(path, "flash image");
        return (ulong)bytes.Length <= VirtMemoryMap.FlashSize ? bytes
            : throw new MachineException($"the flash image {path} has {bytes.Length} bytes; a bank has {VirtMemoryMap.FlashSize >> 20} MiB");
    }
}
