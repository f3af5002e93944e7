using Myna.Devices.Display;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Flash;
using Myna.Devices.Interrupts;
using Myna.Devices.Pci;
using Myna.Devices.Power;
using Myna.Devices.Serial;
using Myna.Devices.Timers;
using Myna.Hardware.Backends;
using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.Time;

namespace Myna.Machines.RiscV;

/// <summary>What a board needs from the machine around it.</summary>
/// <param name="Harts">The interrupt inputs of each hart; an input's number is its interrupt's code in mip.</param>
/// <param name="WallClock">Nanoseconds since 1970-01-01 UTC now.</param>
/// <param name="Interrupts">Which interrupt controllers there are.</param>
/// <param name="Variables">What the second flash bank holds and keeps, or null for an erased one.</param>
internal sealed record VirtWiring(VirtInterrupts Interrupts, AddressSpace Memory, Ram Ram, Clock Clock, IReadOnlyList<IInterruptSink> Harts, IPowerControl Power, ulong WallClock, ICharBackend? Console, IFlashBackend? Variables);

/// <summary>The interrupt controllers of a board `virt`.</summary>
internal enum VirtInterrupts
{
    /// <summary>A PLIC: wires only, PCI devices use INTx.</summary>
    Plic,

    /// <summary>IMSICs and an APLIC for S-mode alone, as a built-in firmware leaves them to the kernel: messages and wires.</summary>
    AiaSupervisor,

    /// <summary>IMSICs and APLIC domains for M-mode and S-mode.</summary>
    Aia,
}

/// <summary>
/// The devices of the board `virt`, mapped and wired. Register-compatible with QEMU's board of that name.
/// </summary>
internal sealed class VirtBoard
{
    // Interrupt codes of mip (privileged specification, section "Machine Interrupt Registers").
    private const int MachineSoftware = 3, MachineTimer = 7, SupervisorExternal = 9, MachineExternal = 11;

    private readonly VirtWiring _wiring;
    private readonly IInterruptSink _wires;
    private readonly List<BoardDevice> _devices = [];
    private readonly List<PlatformEntry> _platform = [];

    /// <param name="fwCfg">Files of fw_cfg by name.</param>
    /// <param name="code">What the first flash bank holds, or null for an erased one.</param>
    /// <param name="ramfb">A display that firmware sets up by fw_cfg, or null.</param>
    public VirtBoard(VirtWiring wiring, IReadOnlyDictionary<string, byte[]> fwCfg, byte[]? code = null, Ramfb? ramfb = null)
    {
        _wiring = wiring;
        InterruptLine[] Lines(int input) => [.. wiring.Harts.Select(h => new InterruptLine(h, input))];

        Add(VirtMemoryMap.Clint, new Clint(wiring.Clock, VirtMemoryMap.TimebaseHertz, Lines(MachineSoftware), Lines(MachineTimer)));
        if (wiring.Interrupts == VirtInterrupts.Plic)
        {
            _wires = Add(VirtMemoryMap.Plic, new Plic(VirtMemoryMap.Sources,
                [.. wiring.Harts.SelectMany(h => new[] { new InterruptLine(h, MachineExternal), new InterruptLine(h, SupervisorExternal) })]));
        }
        else
        {
            bool machine = wiring.Interrupts == VirtInterrupts.Aia;
            SupervisorImsic = Add(VirtMemoryMap.ImsicS, new Imsic(VirtMemoryMap.ImsicS, Lines(SupervisorExternal)));
            Aplic supervisor = Add(VirtMemoryMap.AplicS, new Aplic(VirtMemoryMap.Sources, SupervisorImsic, root: !machine));
            _wires = supervisor;
            if (machine)
            {
                MachineImsic = Add(VirtMemoryMap.ImsicM, new Imsic(VirtMemoryMap.ImsicM, Lines(MachineExternal)));
                _wires = Add(VirtMemoryMap.AplicM, new Aplic(VirtMemoryMap.Sources, MachineImsic, supervisor));
            }
        }
        Add(VirtMemoryMap.Test, new SifiveTest(wiring.Power));
        Add(VirtMemoryMap.Rtc, new GoldfishRtc(wiring.Clock, wiring.WallClock, Irq(VirtMemoryMap.RtcIrq)), VirtMemoryMap.RtcIrq);
        Uart = Add(VirtMemoryMap.Uart, new Uart16550(wiring.Clock, VirtMemoryMap.UartHertz, Irq(VirtMemoryMap.UartIrq), wiring.Console), VirtMemoryMap.UartIrq);
        Add(VirtMemoryMap.FwCfg, new FwCfg(wiring.Memory, ramfb is null ? fwCfg : fwCfg.Append(new(Ramfb.FileName, ramfb.File)), wiring.Harts.Count, wiring.Ram.Size, writable: [Ramfb.FileName]));

        Flash = [new Ram("flash0", VirtMemoryMap.FlashSize, readOnly: code is not null), new Ram("flash1", VirtMemoryMap.FlashSize)];
        FlashWindow? window = code is null ? null : new FlashWindow(wiring.Memory, VirtMemoryMap.Flash0, Flash[0], code);
        Add(VirtMemoryMap.Flash0, new CfiFlash(Flash[0], window: window));
        Add(VirtMemoryMap.Flash1, new CfiFlash(Flash[1], backend: wiring.Variables));

        ulong high = VirtMemoryMap.PcieMmio64(wiring.Ram.Size);
        Pci = new PciHost(wiring.Memory,
            [new(VirtMemoryMap.PcieMmio32, VirtMemoryMap.PcieMmio32Size), new(high, VirtMemoryMap.PcieMmio64Size)],
            [Irq(VirtMemoryMap.PcieIrq), Irq(VirtMemoryMap.PcieIrq + 1), Irq(VirtMemoryMap.PcieIrq + 2), Irq(VirtMemoryMap.PcieIrq + 3)], SupervisorImsic);
        wiring.Memory.Map(VirtMemoryMap.PcieEcam, VirtMemoryMap.PcieEcamSize, "pcie-ecam", Pci);
        NotePciDevices();
    }

    /// <summary>With AIA: the interrupt files that harts are given.</summary>
    public Imsic? SupervisorImsic { get; }
    public Imsic? MachineImsic { get; }

    public Uart16550 Uart { get; }
    public PciHost Pci { get; }

    /// <summary>The content of the flash banks, as <see cref="CfiFlash"/> keeps it.</summary>
    public Ram[] Flash { get; }

    /// <summary>Devices with saved state, in the order in which they are saved and reset.</summary>
    public IReadOnlyList<BoardDevice> Devices => _devices;

    /// <summary>Devices at fixed addresses, for the device tree.</summary>
    public IReadOnlyList<PlatformEntry> Platform => _platform;

    /// <param name="Irq">Source of the PLIC or APLIC, 0 for none.</param>
    public readonly record struct PlatformEntry(ulong Address, IPlatformDevice Device, int Irq);

    /// <summary>The line to a source of the PLIC or APLIC.</summary>
    public InterruptLine Irq(int source) => new(_wires, source);

    /// <summary>Maps a device at a fixed address.</summary>
    public T Add<T>(ulong address, T device, int irq = 0) where T : IPlatformDevice, IMmio
    {
        string name = $"{device.NodeName}@{address:x}";
        _wiring.Memory.Map(address, device.Size, name, device);
        _platform.Add(new PlatformEntry(address, device, irq));
        _devices.Add(new BoardDevice(name, device, device.Reset));
        return device;
    }

    /// <summary>A device that is not at an address of its own in the device tree.</summary>
    public void Add(BoardDevice device) => _devices.Add(device);

    /// <summary>PCI functions that were plugged since the last call become devices of the machine.</summary>
    public void NotePciDevices()
    {
        foreach (PciDevice device in Pci.Devices.Where(d => _devices.TrueForAll(known => known.State != d)))
            _devices.Add(BoardDevice.Of(device));
    }
}
