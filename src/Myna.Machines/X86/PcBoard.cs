using Myna.Cpu;
using Myna.Cpu.X86;
using Myna.Devices.FirmwareConfig;
using Myna.Devices.Interrupts;
using Myna.Devices.Ports;
using Myna.Devices.Serial;
using Myna.Devices.Timers;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;
using Myna.Hardware.Time;
using Myna.Machines.Firmware.Acpi;
using Myna.Machines.Firmware.Smbios;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>
/// What the boards with x86 CPUs have in common: CPUs with their local APICs, RAM, an I/O APIC, a serial port, firmware
/// tables, and the start of a kernel without firmware.
/// </summary>
internal abstract partial class PcBoard : IBoard
{
    // Where tables lie when no firmware places them; kernels look for the root pointers from E0000h on in steps of 16 bytes.
    private const ulong RsdpPlace = 0xe0000, AcpiPlace = 0xe0040, SmbiosEntryPlace = 0xf0000, SmbiosPlace = 0xf0020, MpPlace = 0xf8000, GenerationPlace = 0xfe000;
    private const ulong FourGiB = 1UL << 32;
    private const uint UartHertz = 1_843_200;

    private readonly List<BoardDevice> _devices = [];
    private readonly X86Cpu[] _cpus;
    private readonly CpuEngines _engines;
    private readonly DirectBoot? _boot;
    private readonly Ram _ram;
    private readonly Ram? _resetRom;
    private readonly List<Uart16550> _uarts = [];
    private byte[] _rsdp = [], _acpi = [], _mp = [];

    /// <param name="commandLine">What Linux is told unless the user says otherwise.</param>
    /// <param name="announcement">What Linux is told in any case.</param>
    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    protected PcBoard(MachineOptions options, Clock clock, IPowerControl power, PcMemory layout, string commandLine, string announcement = "")
    {
        Options = options;
        Clock = clock;
        Layout = layout;
        Log = options.Log;
        // Reading the images first: their errors are the common ones, and nothing needs to be undone.
        CpuModel model = ParseModel(options.Cpu);
        LogChannel cpuLog = Log[LogNames.Cpu];
        Virtualization.Choice? kvm = Virtualization.Choose(options.Accel, options.Irqchip, ref model, options.Cpu, cpuLog, out string note);
        EngineNote = note;
        if (!HasFirmware)
        {
            if (options.Kernel is null)
                throw new MachineException("there is nothing to start: give a kernel (--kernel FILE) or a firmware (--firmware bios)");
            _boot = new DirectBoot(options, layout, commandLine, announcement);
        }
        try
        {
            _ram = new Ram("ram", options.Memory, backing: options.MemoryBacking);
        }
        catch (IOException e)
        {
            _boot?.Dispose();
            throw new MachineException($"{options.Memory >> 20} MiB of memory cannot be had from the host ({e.Message}); choose less with --memory", e);
        }
        Power = power;
        MapRam();
        if (!HasFirmware)
        {
            _resetRom = ResetRom.Create();
            Memory.Map(FourGiB - _resetRom.Size, _resetRom);
        }
        _cpus = new X86Cpu[options.Cpus];
        var pvClock = new PvClock();
        Add(new BoardDevice("pvclock", pvClock, pvClock.Reset));
        _engines = new CpuEngines(options.Accel, kvm, clock, pvClock, Memory, cpuLog, options.CountInstructions, _resetRom is null ? [_ram] : [_ram, _resetRom]);
        var apicOptions = new LocalApicOptions(model.Has(CpuFeature.X2Apic), model.Has(CpuFeature.TscDeadlineTimer), PhysicalAddressBits: X86Cpu.PhysicalAddressBits);
        for (int i = 0; i < _cpus.Length; i++)
        {
            int index = i;
            _cpus[i] = new X86Cpu(new X86CpuOptions
            {
                Index = i, Count = options.Cpus, Model = model, Memory = Memory, Ports = Ports, Clock = clock, Log = cpuLog, Random = NextRandom, TscHertz = kvm?.TscHertz ?? 1_000_000_000, Paravirtual = kvm?.Paravirtual ?? 0, PvClock = pvClock, FloatingPointError = () => Coprocessor?.Raise(),
                Shutdown = () =>
                {
                    cpuLog.Warn($"CPU {index} shut down (triple fault at 0x{_cpus[index].Pc:x}); the machine {(options.NoReboot ? "stops" : "is reset")}");
                    power.Reset();
                },
            });
            var apic = new LocalApic(Apics, clock, _cpus[i], (uint)i, apicOptions);
            _cpus[i].LocalApic = apic;
            Add(new BoardDevice($"lapic{i}", apic, apic.Reset));
            _engines.Attach(_cpus[i]);
        }
        _engines.Connect(Apics);
        IoApic = new IoApic(Apics);
        Memory.Map(Q35MemoryMap.IoApic, IoApic.RegisterSize, "ioapic", IoApic);
        Add(new BoardDevice("ioapic", IoApic, IoApic.Reset));
    }

    public string EngineNote { get; }

    public AddressSpace Memory { get; } = new();

    /// <summary>The 65,536 I/O ports.</summary>
    public AddressSpace Ports { get; } = new();

    AddressSpace? IBoard.Ports => Ports;

    public IReadOnlyList<VirtualCpu> Cpus => _cpus;
    public IReadOnlyList<BoardDevice> Devices => _devices;
    public IReadOnlyDictionary<string, ulong> Symbols => _boot?.Kernel.Symbols ?? new Dictionary<string, ulong>();

    protected MachineOptions Options { get; }
    protected Clock Clock { get; }
    protected Log Log { get; }
    protected IPowerControl Power { get; }
    protected PcMemory Layout { get; }
    protected Ram Ram => _ram;
    protected ApicBus Apics { get; } = new();
    protected IoApic IoApic { get; }

    /// <summary>The kernel is a test program's, by the protocol that those use.</summary>
    protected bool HasTestDevices => _boot?.Kernel.Protocol == BootProtocol.Multiboot;

    /// <summary>Where x87 exceptions with CR0.NE clear go; set by the constructor of a board that has it.</summary>
    protected CoprocessorError? Coprocessor { get; init; }

    /// <summary>The machine's generation identifier; null unless the user wants it.</summary>
    protected VmGenId? Generation { get; set; }

    /// <summary>Global system interrupts. Set by the board's constructor.</summary>
    protected GsiRouter Interrupts { get; set; } = null!;

    protected bool HasFirmware => Options.Firmware != MachineOptions.FirmwareNone;

    /// <summary>Wall-clock time at power-on.</summary>
    protected DateTime WallClock => Options.WallClock is { } ns ? DateTime.UnixEpoch.AddTicks((long)(ns / 100)) : DateTime.UtcNow;

    public void PowerOn()
    {
        // CPUs before devices, so that the devices' lines are what stands at last.
        foreach (X86Cpu cpu in _cpus)
            cpu.Reset();
        foreach (BoardDevice device in _devices)
            device.Reset();
        AfterReset();
        if (_boot is null)
            return;
        foreach (X86Cpu cpu in _cpus)
            cpu.PrepareMemoryTypes();
        Put(RsdpPlace, _rsdp);
        Put(AcpiPlace, _acpi);
        byte[] smbios = SmbiosTables.Structures(SmbiosDescription());
        Put(SmbiosEntryPlace, SmbiosTables.EntryPoint(SmbiosPlace, smbios.Length));
        Put(SmbiosPlace, smbios);
        Put(MpPlace, _mp);
        Generation?.Place(GenerationPlace);
        Put(ResetRom.LegacyVector, ResetRom.Code.ToArray());
        // BIOS data area: port of COM1, segment of the extended BIOS data area, KiB of conventional memory. Some kernels
        // (Xen's) look for room there.
        Put(0x400, [(byte)(Q35MemoryMap.Com1 & 0xff), Q35MemoryMap.Com1 >> 8]);
        Put(0x40e, [(byte)(PcMemory.LowEnd >> 4 & 0xff), (byte)(PcMemory.LowEnd >> 12)]);
        Put(0x413, [(byte)(PcMemory.LowEnd >> 10 & 0xff), (byte)(PcMemory.LowEnd >> 18)]);
        Put(PcMemory.LowEnd, [(byte)((PcMemory.Vga - PcMemory.LowEnd) >> 10)]);
        if (_boot.Kernel.Protocol == BootProtocol.Linux16)
        {
            LegacyInterrupts.Prepare(Ports, Memory);
            BiosServices.Install(Memory, Layout.Map);
        }
        _boot.Rsdp = RsdpPlace;
        _boot.HasTextMode = PrepareScreen();
        _cpus[0].Apply(_boot.Load(Memory));
    }

    /// <summary>Controllers that the kernel may take over, all of which are made before anything runs.</summary>
    protected void Connect(GsiRouter router, I8259Pair? pic = null, I8254? pit = null, Hpet? hpet = null) => _engines.Interrupts?.Add(router, pic, pit, hpet);

    public void Stand() => _engines.Stand();

    public void FlushConsole()
    {
        foreach (Uart16550 uart in _uarts)
            uart.Flush();
    }

    public abstract bool PressPowerButton();

    public virtual IReadOnlyList<RemovableDrive> RemovableDrives => [];

    public UsbPorts? Usb { get; private set; }

    public virtual void Dispose()
    {
        _engines.Dispose();
        DisposeScreen();
        _boot?.Dispose();
        _ram.Dispose();
        _resetRom?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>What firmware would program into the chipset, when there is none.</summary>
    protected virtual void AfterReset() { }

    /// <summary>The tables that a kernel without firmware finds in memory. Once, by the board's constructor.</summary>
    protected void UseTables(AcpiTableSet tables)
    {
        (_rsdp, _acpi) = tables.Place(AcpiPlace, GenerationPlace);
        if (AcpiPlace + (ulong)_acpi.Length > SmbiosEntryPlace)
            throw new InvalidOperationException("the ACPI tables have outgrown their place");
    }

    /// <summary>The table for kernels without ACPI. Once, by the board's constructor.</summary>
    protected void UseMpTable(Func<uint, byte[]> table) => _mp = table((uint)MpPlace);

    protected SmbiosMachine SmbiosDescription()
        => new(Options.Board!, Options.Cpus, [(0, Layout.BelowHole), .. Layout.AboveHole == 0 ? [] : new[] { (FourGiB, Layout.AboveHole) }]);

    protected void Add(BoardDevice device) => _devices.Add(device);

    /// <summary>CPUs may execute code in it.</summary>
    protected void AddExecutable(Ram memory) => _engines.Add(memory);

    /// <summary>The serial port COM1, and the others that the user wants.</summary>
    /// <param name="further">Of COM3 and COM4, on boards that have them.</param>
    protected void AddSerial(InterruptLine first, InterruptLine second, InterruptLine[]? further = null)
    {
        Add(Q35MemoryMap.Com1, first, Options.Console);
        if (SerialPorts >= 2)
            Add(Q35MemoryMap.Com2, second, Options.SecondConsole);
        for (int i = 0; i < Options.FurtherConsoles.Count; i++)
            Add(i == 0 ? Q35MemoryMap.Com3 : Q35MemoryMap.Com4, further![i], Options.FurtherConsoles[i]);

        void Add(int port, InterruptLine line, ICharBackend? backend)
        {
            var uart = new Uart16550(Clock, UartHertz, line, backend);
            _uarts.Add(uart);
            string name = $"serial@{port:x}";
            Ports.Map((ulong)port, 8, name, uart);
            this.Add(new BoardDevice(name, uart, uart.Reset));
        }
    }

    /// <summary>How many serial ports there are, from COM1 on.</summary>
    protected int SerialPorts => Options.FurtherConsoles.Count != 0 ? 2 + Options.FurtherConsoles.Count : Options.SecondConsole is null ? 1 : 2;

    /// <summary>The devices that test programs talk to, if there is such a program or the user wants them.</summary>
    /// <param name="line">A new source of a global system interrupt.</param>
    protected void AddTestDevices(Func<int, InterruptLine> line)
    {
        if (Options.DebugExitPort is null && !HasTestDevices)
            return;
        var exit = new DebugExit(Power);
        ulong port = Options.DebugExitPort ?? DebugExit.DefaultPort;
        if (Ports.TryMap(port, DebugExit.Ports, "debug-exit", exit) is null)
            throw new MachineException($"the I/O port 0x{port:x} is another device's; choose another one for --isa-debug-exit");
        Add(new BoardDevice("debug-exit", exit, exit.Reset));
        if (!HasTestDevices)
            return;
        var test = new PcTestDevice(Enumerable.Range(0, IoApic.Pins).Select(line));
        MapPorts((int)PcTestDevice.EchoPort, test, "testdev-echo");
        MapPorts((int)PcTestDevice.InterruptPort, test.Interrupts, "testdev-irq");
        Memory.Map(PcTestDevice.MemoryAddress, test.Memory.Size, "testdev-memory", test.Memory);
        Add(new BoardDevice("testdev", test, test.Reset));
    }

    protected void SetA20(bool open)
    {
        foreach (X86Cpu cpu in _cpus)
            cpu.A20 = open;
    }

    /// <summary>Maps a device's I/O ports.</summary>
    protected void MapPorts(int start, IRegisterBlock block, string name) => Ports.Map((ulong)start, block.Size, name, block);

    /// <summary>Conventional memory; the 256 KiB below 1 MiB, which a board with firmware switches itself; the rest.</summary>
    private void MapRam()
    {
        Memory.Map(0, _ram, 0, PcMemory.Vga);
        if (!HasFirmware)
            Memory.Map(PcMemory.OptionRoms, _ram, PcMemory.OptionRoms, PcMemory.High - PcMemory.OptionRoms);
        Memory.Map(PcMemory.High, _ram, PcMemory.High, Layout.BelowHole - PcMemory.High);
        if (Layout.AboveHole != 0)
            Memory.Map(FourGiB, _ram, Layout.BelowHole, Layout.AboveHole);
    }

    // RDRAND and RDSEED.
    private ulong NextRandom()
    {
        Span<byte> bytes = stackalloc byte[8];
        Options.Fill(bytes);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private void Put(ulong address, byte[] bytes)
    {
        if (!Memory.Write(address, bytes))
            throw new InvalidOperationException($"there is no RAM at 0x{address:x}");
    }

    private static CpuModel ParseModel(string? description)
    {
        try
        {
            return CpuModel.Parse(description ?? CpuModel.Default);
        }
        catch (FormatException e)
        {
            throw new MachineException(e.Message, e);
        }
    }
}
