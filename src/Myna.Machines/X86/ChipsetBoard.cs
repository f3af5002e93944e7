using Myna.Devices.Dma;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Flash;
using Myna.Devices.Input;
using Myna.Devices.Interrupts;
using Myna.Devices.Pci;
using Myna.Devices.Ports;
using Myna.Devices.Power;
using Myna.Devices.Security;
using Myna.Devices.Timers;
using Myna.Devices.Virtio;
using Myna.Hardware.Backends;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.Time;
using Myna.Machines.Firmware.Acpi;
using Myna.Machines.Loading;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>The boards `q35` and `pc`: PCs with one of Intel's chipsets, what every PC has, and the user's devices on PCI.</summary>
internal sealed class ChipsetBoard : PcBoard
{
    private const ulong FourGiB = 1UL << 32, MaximumFirmware = 8 << 20;

    private readonly WiredOr[] _gsi;
    private readonly I8259Pair _pic;
    private readonly Mc146818 _rtc;
    private readonly Chipset _chipset;
    private readonly AcpiPm _pm;
    private readonly Ram? _firmware;
    private readonly Ram? _variables;
    private readonly FirmwareKernel? _kernel;

    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    public ChipsetBoard(MachineOptions options, Clock clock, IPowerControl power, Chipset chipset)
        : base(options, clock, power, chipset.Memory(options.Memory), Console(options))
    {
        _chipset = chipset;
        if (HasFirmware)
        {
            _kernel = options.Kernel is null ? null : new FirmwareKernel(options, Layout, Console(options));
            _firmware = LoadFirmware(options);
            if (options.FirmwareVariables is { } variables)
                _variables = AddVariables(variables, _firmware.Size);
        }
        _pic = new I8259Pair(new InterruptLine(Apics, ApicBus.Lint0));
        Apics.Pic = _pic;
        MapPorts(0x20, _pic.Master, "pic-master");
        MapPorts(0xa0, _pic.Slave, "pic-slave");
        MapPorts(0x4d0, _pic.Elcr, "pic-elcr");
        Add(new BoardDevice("pic", _pic, _pic.Reset));
        Interrupts = new GsiRouter(_pic, IoApic);
        _gsi = [.. Enumerable.Range(0, IoApic.Pins).Select(i => new WiredOr(Interrupts.Line(i)))];
        AddSerial(Gsi(Q35MemoryMap.Com1Irq), Gsi(Q35MemoryMap.Com2Irq), [Gsi(Q35MemoryMap.Com1Irq), Gsi(Q35MemoryMap.Com2Irq)]);

        var hpet = new Hpet(clock, Gsi(Q35MemoryMap.PitIrq), Gsi(Q35MemoryMap.RtcIrq),
            Enumerable.Range(0, IoApic.Pins).Select(i => i is >= 16 and < 20 ? Gsi(i) : default), Apics);
        Memory.Map(Q35MemoryMap.Hpet, Hpet.RegisterSize, "hpet", hpet);
        Add(new BoardDevice("hpet", hpet, hpet.Reset));
        var pit = new I8254(clock, new InterruptLine(hpet, 0));
        Connect(Interrupts, _pic, pit, hpet);
        MapPorts(0x40, pit.Ports, "pit");
        Add(new BoardDevice("pit", pit, pit.Reset));
        var portB = new SystemControlPortB(pit, clock, options.Audio);
        MapPorts(0x61, portB.Ports, "port61");
        Add(new BoardDevice("port61", portB, portB.Reset));
        Coprocessor = new CoprocessorError(Gsi(Q35MemoryMap.CoprocessorIrq));
        MapPorts(0xf0, Coprocessor.Ports, "coprocessor-error");
        Add(new BoardDevice("coprocessor-error", Coprocessor, Coprocessor.Reset));
        _rtc = new Mc146818(clock, WallClock, new InterruptLine(hpet, 1));
        MapPorts(Q35MemoryMap.Cmos, _rtc.Ports, "rtc");
        Add(new BoardDevice("rtc", _rtc, _rtc.Reset));
        FillCmos();

        var a20 = new WiredOr(new InterruptLine(new A20Line(this), 0));
        var reset = new ResetControl(power, new InterruptLine(Apics, ApicBus.InitPin), a20.Add());
        MapPorts(0x92, reset.Port92, "port92");
        Add(new BoardDevice("reset-control", reset, reset.Reset));
        var keyboard = new I8042(Gsi(Q35MemoryMap.KeyboardIrq), Gsi(Q35MemoryMap.MouseIrq), power, a20.Add());
        MapPorts(0x60, keyboard.Data, "i8042-data");
        MapPorts(0x64, keyboard.Command, "i8042-command");
        Add(new BoardDevice("i8042", keyboard, keyboard.Reset));
        _pm = new AcpiPm(clock, Gsi(Q35MemoryMap.SciInterrupt), power);
        MapPorts(0xb2, _pm.Apm, "apm");
        Add(new BoardDevice("acpi-pm", _pm, _pm.Reset));
        AddDebugPorts();

        var wiring = new ChipsetWiring(options, Memory, Ports, Layout, _pm, Gsi, Apics, _firmware is null ? null : new ShadowMemory(Memory, Ram, _firmware));
        RemovableDrives = wiring.RemovableDrives;
        PciHost pci = chipset.Create(wiring);
        var configuration = new PciConfigPorts(pci, reset);
        Ports.Map(PciConfigPorts.Port, PciConfigPorts.Ports, "pci-config", configuration);
        Add(new BoardDevice("pci-config", configuration, configuration.Reset));
        AddScreen(pci, keyboard);
        Dictionary<PciDevice, DeviceOptions> origins = [];
        (List<PciDevice> devices, _) = UserDevices.Create(Memory, clock, power, options, 0, origins: origins);
        Dictionary<DeviceOptions, string> paths = new(ReferenceEqualityComparer.Instance);
        foreach (PciDevice device in devices)
            UserDevices.Plug(pci, device);
        Drives.NameFunctions(origins, paths);
        chipset.AddDrives(pci, wiring, paths);
        Drives.AddNvme(pci, Memory, options, paths);
        Drives.AddSd(pci, wiring, paths);
        AddUsb(pci, paths, wiring.RemovableDrives);
        var dma = new I8237(Memory);
        MapPorts(0x00, dma.Low, "dma-low");
        MapPorts(0x81, dma.Pages, "dma-pages");
        MapPorts(0xc0, dma.High, "dma-high");
        Add(new BoardDevice("dma", dma, dma.Reset));
        if (FloppyDrives.Create(wiring, dma, _rtc, chipset.IsaPath, chipset.HasFloppy, paths) is { } floppy)
        {
            MapPorts(FloppyDrives.Ports, floppy.Registers, "floppy");
            MapPorts(FloppyDrives.DigitalInput, floppy.DigitalInput, "floppy-dir");
            Add(new BoardDevice("floppy", floppy, floppy.Reset));
        }
        ScsiDrives.Add(pci, Memory, options, paths, wiring.RemovableDrives);
        foreach (PciDevice device in pci.Devices)
            Add(BoardDevice.Of(device));

        var extras = new ChipsetTables.Extras(SerialPorts, AddPanic(), AddTpm(), AddGeneration(), TpmLog: HasFirmware && options.Tpm is not null);
        AcpiTableSet tables = chipset.Tables(options.Cpus, Layout, hpet.BlockId, extras);
        UseTables(tables);
        var fwCfg = new FwCfg(Memory, options.FwCfg.Concat(FirmwareFiles(tables, paths)).Concat(ScreenFiles), options.Cpus, options.Memory, FirmwareItems(), [.. ScreenFiles.Keys, VmGenId.AddressFile]);
        if (HasFirmware)
            fwCfg.Refresh(AcpiTableSet.TablesFile, () => chipset.Tables(options.Cpus, Layout, hpet.BlockId, extras).TablesContent());
        MapPorts(Q35MemoryMap.FwCfg, fwCfg.Ports, "fw_cfg");
        Add(new BoardDevice("fw_cfg", fwCfg, fwCfg.Reset));
        AddTestDevices(Gsi);
    }

    public override IReadOnlyList<RemovableDrive> RemovableDrives { get; }

    /// <inheritdoc/>
    public override bool PressPowerButton()
    {
        _pm.PressPowerButton();
        return true;
    }

    public override void Dispose()
    {
        base.Dispose();
        _firmware?.Dispose();
        _variables?.Dispose();
    }

    /// <inheritdoc/>
    protected override void AfterReset()
    {
        if (HasFirmware)
            return;
        _chipset.Prepare(Ports);
        if (HasTestDevices)
            LegacyInterrupts.Prepare(Ports, Memory);
    }

    // Where there is a screen, its keyboard is there too: the last one is Linux's /dev/console.
    private static string Console(MachineOptions options) => options.Screen == ScreenKind.None ? "console=ttyS0" : "console=ttyS0 console=tty0";

    /// <summary>A new source of a global system interrupt.</summary>
    private InterruptLine Gsi(int number) => _gsi[number].Add();

    private Ram LoadFirmware(MachineOptions options)
    {
        byte[] image = ImageFile.Read(options.Firmware!, "firmware");
        if ((ulong)image.Length > MaximumFirmware || image.Length % Ram.PageSize != 0 || image.Length < 64 << 10)
            throw new MachineException($"the firmware {options.Firmware} has {image.Length} bytes; a PC's has 64 KiB to 8 MiB in whole pages");
        var rom = new Ram("bios", (ulong)image.Length, readOnly: true);
        image.CopyTo(rom.GetForWrite(0, image.Length));
        Memory.Map(FourGiB - rom.Size, rom);
        AddExecutable(rom);
        return rom;
    }

    /// <summary>The flash in which UEFI keeps its variables lies directly below its code.</summary>
    private Ram AddVariables(IFlashBackend backend, ulong firmware)
    {
        if (backend.Length + firmware > MaximumFirmware)
            throw new MachineException($"the firmware and its variables have {(firmware + backend.Length) >> 10} KiB; a PC's have 8 MiB at most");
        var cells = new Ram("uefi-vars", backend.Length);
        var flash = new CfiFlash(cells, CfiFlashLayout.Single, backend);
        Memory.Map(FourGiB - firmware - flash.Size, flash.Size, "uefi-vars", flash);
        Add(new BoardDevice("uefi-vars", flash, flash.Reset));
        return cells;
    }

    /// <summary>The user's TPM.</summary>
    private bool AddTpm()
    {
        if (Options.Tpm is not { } backend)
            return false;
        var tpm = new TpmTis(backend, Log[LogNames.Tpm]);
        Memory.Map(TpmTis.Address, TpmTis.Size, "tpm-tis", tpm);
        Add(new BoardDevice("tpm-tis", tpm, tpm.Reset));
        return true;
    }

    /// <summary>The machine's generation identifier, if the user wants one.</summary>
    private bool AddGeneration()
    {
        if (Options.Devices.OfType<GenerationDevice>().FirstOrDefault() is not { } wanted)
            return false;
        Generation = new VmGenId(Memory, _pm, () => wanted.Id ?? NewGeneration());
        Add(new BoardDevice("vmgenid", Generation, Generation.Reset));
        return true;

        // RFC 9562, section 5.4: random but for version and variant.
        Guid NewGeneration()
        {
            Span<byte> bytes = stackalloc byte[16];
            Options.Fill(bytes);
            bytes[7] = (byte)(bytes[7] & 0x0f | 0x40);
            bytes[8] = (byte)(bytes[8] & 0x3f | 0x80);
            return new Guid(bytes);
        }
    }

    /// <summary>pvpanic on the ISA bus, if the user wants it.</summary>
    private bool AddPanic()
    {
        if (Options.Devices.OfType<PanicDevice>().FirstOrDefault(d => d.Isa) is not { } wanted)
            return false;
        var panic = new Pvpanic(Power, wanted.Action, Log[LogNames.Panic]);
        Ports.Map(Pvpanic.Port, Pvpanic.Ports, "pvpanic", panic);
        Add(new BoardDevice("pvpanic", panic, panic.Reset));
        return true;
    }

    private void AddDebugPorts()
    {
        var post = new PostPort(Log[LogNames.Firmware]);
        Ports.Map(0x80, 1, "post", post);
        Add(new BoardDevice("post", post, post.Reset));
        // The test device takes port E9h for itself.
        foreach (ulong port in HasTestDevices ? [0x402] : new ulong[] { 0xe9, 0x402 })
        {
            var console = new DebugConsole(Log[LogNames.Firmware]);
            Ports.Map(port, 1, $"debug@{port:x}", console);
            Add(new BoardDevice($"debug@{port:x}", console, console.Reset));
        }
    }

    /// <summary>What firmware looks up in the clock's RAM (the PC's and QEMU's layout of it).</summary>
    private void FillCmos()
    {
        ulong below = Layout.BelowHole, above = Layout.AboveHole >> 16;
        ulong extended = Math.Min((below >> 10) - 1024, 0xffff), beyond16 = below > 16 << 20 ? Math.Min((below - (16 << 20)) >> 16, 0xffff) : 0;
        _rtc[0x14] = 0x06; // equipment: a coprocessor, a PS/2 mouse
        (_rtc[0x15], _rtc[0x16]) = (0x80, 0x02); // 640 KiB
        (_rtc[0x17], _rtc[0x18]) = (_rtc[0x30], _rtc[0x31]) = ((byte)extended, (byte)(extended >> 8));
        (_rtc[0x34], _rtc[0x35]) = ((byte)beyond16, (byte)(beyond16 >> 8));
        (_rtc[0x5b], _rtc[0x5c], _rtc[0x5d]) = ((byte)above, (byte)(above >> 8), (byte)(above >> 16));
        _rtc[0x5f] = (byte)(Options.Cpus - 1);
        (_rtc[0x38], _rtc[0x3d]) = (0x01, 0x32); // boot from disk, CD, network; no floppy check
    }

    private IEnumerable<KeyValuePair<string, byte[]>> FirmwareFiles(AcpiTableSet tables, Dictionary<DeviceOptions, string> paths)
    {
        if (!HasFirmware)
            return [];
        var map = new ByteWriter();
        foreach ((ulong start, ulong size) in SmbiosDescription().Memory)
            map.U64(start).U64(size).U32((uint)E820Type.Ram);
        byte[] smbios = Myna.Machines.Firmware.Smbios.SmbiosTables.Structures(SmbiosDescription());
        return
        [
            .. tables.LoaderFiles(),
            .. _kernel?.Files ?? [],
            .. Options.Tpm is null ? [] : new KeyValuePair<string, byte[]>[] { new(Tables.TpmLogFile, new byte[Tables.TpmLogSize]) },
            .. Generation is null ? [] : new KeyValuePair<string, byte[]>[] { new(VmGenId.PageFile, Generation.Page), new(VmGenId.AddressFile, Generation.Address) },
            .. Drives.BootOrder(paths, _kernel is null ? [] : [FirmwareKernel.BootPath]),
            new("etc/e820", map.ToArray()),
            new("etc/smbios/smbios-anchor", Myna.Machines.Firmware.Smbios.SmbiosTables.EntryPoint(0, smbios.Length)),
            new("etc/smbios/smbios-tables", smbios),
            // S3 and S4 are not to be had; S5 is sleep type 0.
            new("etc/system-states", [128, 0, 0, 1, 2, 128]),
            new("etc/boot-fail-wait", [0xff, 0xff, 0xff, 0xff]),
        ];
    }

    private IEnumerable<KeyValuePair<ushort, byte[]>> FirmwareItems()
    {
        const ushort Irq0Override = 0x8002;
        return
        [
            new(FwCfg.NOGRAPHIC, [(byte)(Options.Screen == ScreenKind.None ? 1 : 0), 0]),
            new(FwCfg.MAX_CPUS, BitConverter.GetBytes((ushort)Options.Cpus)),
            new(Irq0Override, [1, 0, 0, 0]),
            .. _kernel?.Items ?? [],
        ];
    }

    /// <summary>The gate of address line 20.</summary>
    private sealed class A20Line(ChipsetBoard board) : IInterruptSink
    {
        public void SetLevel(int input, bool level) => board.SetA20(level);
    }
}
