using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using Myna.Cpu.X86;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.Time;
using Myna.Machines;

namespace Myna.Fuzz.Devices;

/// <summary>
/// A whole board whose CPUs stand still: random reads and writes of every register of every device, by memory and by port, with queues full of
/// rubbish, time that passes, and input from outside. Nothing of it may throw, hang, or make the host allocate without bound.
/// </summary>
internal sealed class BoardFuzzer : IDisposable
{
    public const int ArenaSize = 1 << 20;
    private const long MostAllocated = 64L << 20, MostHeap = 1536L << 20;
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(5);

    private readonly string _board;
    private readonly ulong _seed;
    private readonly Values _random;
    private ManualClock _clock = new();
    private readonly FuzzNet _net = new(), _card = new(), _express = new(), _realtek = new();
    private readonly Surface _surface = new();
    private readonly FuzzDisk _disk;
    private readonly FuzzTerminal _serial = new(), _console = new(), _port = new();
    private readonly string _kernel = Path.GetTempFileName();
    private readonly List<VirtioRubbish> _virtio = [];
    private readonly List<DriveRubbish> _drives = [];
    private FloppyRubbish? _floppy;
    private Machine _machine;
    private List<(bool Port, Region Region)> _targets = [];
    private int _memoryVersion = -1, _portVersion = -1;
    private ulong _seen;
    private string _last = "";

    public BoardFuzzer(string board, ulong seed)
    {
        _board = board;
        _seed = seed;
        _random = new Values(seed * 0x9E37_79B9 + 7);
        _disk = new FuzzDisk(new Values(seed));
        byte[] image = new byte[0x48];
        if (!IsRiscV)
        {
            // Multiboot at 2 MiB: HLT.
            uint[] header = [0x1BAD_B002, 1 << 16, unchecked(0u - 0x1BAD_B002 - (1 << 16)), 0x20_0000, 0x20_0000, 0, 0, 0x20_0040];
            for (int i = 0; i < header.Length; i++)
                BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(i * 4), header[i]);
            image[0x40] = 0xF4;
        }
        File.WriteAllBytes(_kernel, image);
        _machine = Create();
    }

    private bool IsRiscV => _board.StartsWith("virt", StringComparison.Ordinal);

    /// <summary>RAM that devices are given addresses in.</summary>
    public ulong Arena => IsRiscV ? 0x8080_0000u : 0x80_0000u;

    public long Accesses { get; private set; }
    public long Machines { get; private set; }

    /// <summary>Disk requests and network frames that the rubbish in the queues amounted to.</summary>
    public int Requests => _disk.Requests + _net.Sent;

    /// <summary>The access under way or done last.</summary>
    public string Where => $"{_board}, seed {_seed}, access {Accesses}: {Volatile.Read(ref _last)}";

    private Machine Create()
    {
        Machines++;
        // Its timers hold the machine.
        _clock = new ManualClock();
        Machine machine = Machine.Create(new MachineOptions
        {
            Arch = IsRiscV ? "riscv64" : "x86_64", Board = _board, Cpus = 2, Memory = 16 << 20, Accel = Accel.Interp, Kernel = _kernel,
            Firmware = MachineOptions.FirmwareNone, Screen = Screen, Tpm = _board is "q35" or "pc" ? new FuzzTpm() : null, Console = _serial, Clock = _clock, WallClock = 1_790_000_000_000_000_000, DebugExitPort = IsRiscV ? null : 0xF4,
            Random = bytes => Array.Clear(bytes),
            Devices =
            [
                new DiskDevice(_disk, "serial", 2), new NetDevice(_net), new ConsoleDevice(_console), new ConsoleDevice(_port, "port"), new RngDevice(), .. Drives(),
            ],
        });
        _machine = machine;
        _memoryVersion = -1;
        FindVirtio();
        return machine;
    }

    private ScreenKind Screen => _board switch { "q35" or "virt" => ScreenKind.Virtio, "pc" or "virt,aia=aplic-imsic" => ScreenKind.Std, _ => ScreenKind.None };

    /// <summary>What PCs have beside virtio.</summary>
    private IEnumerable<DeviceOptions> Drives()
    {
        if (_board is not ("q35" or "pc"))
            return [];
        DiskInterface board = _board == "q35" ? DiskInterface.Ahci : DiskInterface.Ide;
        return [new UsbDeviceOptions(UsbKind.Keyboard), new UsbDeviceOptions(UsbKind.Tablet), new DiskDevice(_disk, Interface: DiskInterface.Usb), new CdromDevice(_disk, Interface: DiskInterface.Usb),
            new UsbDeviceOptions(UsbKind.Hub), new UsbDeviceOptions(UsbKind.Keyboard), new DiskDevice(_disk, Interface: DiskInterface.Usb),
            new NetDevice(_card, Model: NetModel.E1000), new NetDevice(_express, Model: NetModel.E1000e), new NetDevice(_realtek, Model: NetModel.Rtl8139),
            new WatchdogDevice(), new DiskDevice(_disk, Interface: DiskInterface.Sd), new SoundDevice(), new GenerationDevice(), new PanicDevice(Action: Hardware.Power.GuestAction.None), new PanicDevice(Isa: true, Action: Hardware.Power.GuestAction.None),
            new DiskDevice(_disk, Interface: DiskInterface.Scsi), new CdromDevice(_disk, Interface: DiskInterface.Scsi), new FloppyDevice(new FuzzFloppy(_disk)), new FloppyDevice(Medium: null),
            new DiskDevice(_disk, Interface: board), new CdromDevice(_disk), new DiskDevice(_disk, Interface: DiskInterface.Nvme), new DiskDevice(_disk, Interface: DiskInterface.Nvme)];
    }

    private void FindVirtio()
    {
        _virtio.Clear();
        _drives.Clear();
        if (_board is "q35" or "pc")
        {
            _drives.AddRange(DriveRubbish.Find(this, _random).Append(DriveRubbish.Tpm(this, _random)));
            _floppy = new FloppyRubbish(this, _random);
        }
        foreach (Region region in _machine.Memory.Regions.Where(r => r.Device is not null && r.Size is 0x200 or 0x1000))
        {
            if (Load(region.Start, 4) == MmioPlug.Magic && Load(region.Start + 8, 4) != 0)
                _virtio.Add(new VirtioRubbish(this, new MmioPlug(this, region.Start), _random));
        }
        for (int function = 0; function < 256 && _board != "microvm"; function += 8)
        {
            if ((GetConfig(function, 0, 4) & 0xFFFF) == 0x1AF4)
                _virtio.Add(new VirtioRubbish(this, new PciPlug(this, function, (IsRiscV ? 0x4000_0000u : 0xC000_0000u) + ((ulong)function << 22)), _random));
        }
    }

    /// <summary>PCI configuration space: by ECAM, or on a PC by the ports, which are there before firmware has placed the ECAM.</summary>
    public uint GetConfig(int function, int offset, int size)
    {
        if (IsRiscV)
            return (uint)Load(0x3000_0000 + ((ulong)function << 12) + (ulong)offset, size);
        Access(true, 0xCF8, 4, true, 0x8000_0000 | (uint)function << 8 | (uint)(offset & 0xFC));
        return (uint)Access(true, 0xCFC + (ulong)(offset & 3), size, false, 0);
    }

    public void PutConfig(int function, int offset, int size, uint value)
    {
        if (IsRiscV)
        {
            Store(0x3000_0000 + ((ulong)function << 12) + (ulong)offset, size, value);
            return;
        }
        Access(true, 0xCF8, 4, true, 0x8000_0000 | (uint)function << 8 | (uint)(offset & 0xFC));
        Access(true, 0xCFC + (ulong)(offset & 3), size, true, value);
    }

    public ulong Load(ulong address, int size) => Access(false, address, size, false, 0);
    public void Store(ulong address, int size, ulong value) => Access(false, address, size, true, value);

    public ulong In(ulong port, int size) => Access(true, port, size, false, 0);
    public void Out(ulong port, int size, ulong value) => Access(true, port, size, true, value & (size == 4 ? uint.MaxValue : (1u << size * 8) - 1));

    public void Fill(ulong address, int length, byte value)
    {
        byte[] bytes = new byte[length];
        bytes.AsSpan().Fill(value);
        _machine.Memory.Write(address, bytes);
    }

    private ulong Access(bool port, ulong address, int size, bool write, ulong value)
    {
        Accesses++;
        Volatile.Write(ref _last, string.Create(CultureInfo.InvariantCulture, $"{(port ? "port" : "memory")} {address:x} {(write ? "write" : "read")} of {size}, value {value:x}"));
        AddressSpace space = port ? _machine.Ports! : _machine.Memory;
        long before = GC.GetAllocatedBytesForCurrentThread();
        long start = Stopwatch.GetTimestamp();
        ulong result = value;
        if (write)
            space.Store(address, size, value);
        else
            space.Load(address, size, out result);
        Check(start, before);
        return result;
    }

    private void Check(long start, long allocated)
    {
        if (Stopwatch.GetElapsedTime(start) > s_longest)
            throw new InvalidOperationException($"it took {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
        if (GC.GetAllocatedBytesForCurrentThread() - allocated > MostAllocated)
            throw new InvalidOperationException($"it allocated {(GC.GetAllocatedBytesForCurrentThread() - allocated) >> 20} MiB");
        if (Accesses % 100_000 == 0 && GC.GetTotalMemory(false) > MostHeap && GC.GetTotalMemory(true) > MostHeap)
            throw new InvalidOperationException($"the heap has {GC.GetTotalMemory(false) >> 20} MiB");
    }

    /// <summary>So many accesses more, about.</summary>
    /// <exception cref="InvalidOperationException">A device did harm; the message says with which access.</exception>
    public void Run(long accesses)
    {
        long end = Accesses + accesses;
        try
        {
            while (Accesses < end)
                Step();
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{Where}\n{e}", e);
        }
    }

    private void Step()
    {
        // Switched off, by a register or by an exit device.
        if (_machine.Ended.IsCompleted)
        {
            _machine.Dispose();
            Create();
        }
        switch (_random.Below(1000))
        {
            case < 4:
                Volatile.Write(ref _last, "time passes");
                long start = Stopwatch.GetTimestamp(), allocated = GC.GetAllocatedBytesForCurrentThread();
                _clock.Advance((ulong)_random.Below(_random.Chance(95) ? 100_000 : 20_000_000));
                Check(start, allocated);
                break;
            case < 6:
                Volatile.Write(ref _last, "input");
                _random.Pick<FuzzNet>([_net, _card, _express, _realtek]).Deliver(_random);
                Touch();
                _random.Pick<FuzzTerminal>([_serial, _console, _port]).Type(_random);
                break;
            case < 14 when _virtio.Count != 0:
                _virtio[_random.Below(_virtio.Count)].SetUp();
                break;
            case < 120 when _virtio.Count != 0:
                _virtio[_random.Below(_virtio.Count)].Stir();
                break;
            case < 200 when _drives.Count != 0:
                _drives[_random.Below(_drives.Count)].Stir();
                break;
            case < 210 when _drives.Count != 0:
                _floppy!.Stir();
                break;
            case < 140:
                Store(Arena + ((ulong)_random.Below(ArenaSize / 8) * 8), 8, Value());
                break;
            case < 230 when !IsRiscV:
                LocalApic();
                break;
            default:
                Register();
                break;
        }
        // Machines are not asked for the same thing for ever: the BARs move, devices go into states that only a reset ends.
        if (_random.Below(200_000) == 0)
        {
            Volatile.Write(ref _last, "reset");
            _machine.Reset();
            FindVirtio();
        }
    }

    /// <summary>The user types, points and looks.</summary>
    private void Touch()
    {
        if (_machine.Input.Keyboard is not null)
            _machine.Input.Key(_random.Below(0x80) | (_random.Chance(30) ? 0xE000 : 0), _random.Chance(50));
        _machine.Input.Pointer?.Move(_random.Below(0x9000) - 0x800, _random.Below(0x9000) - 0x800, _random.Below(3) - 1, (byte)_random.Below(32));
        if (!_random.Chance(10) || _machine.Screens.Count == 0)
            return;
        Volatile.Write(ref _last, "drawing");
        long start = Stopwatch.GetTimestamp(), allocated = GC.GetAllocatedBytesForCurrentThread();
        IScreen screen = _machine.Screens[_random.Below(_machine.Screens.Count)];
        screen.Draw(_surface);
        _ = screen.Cursor;
        // The surface's own pixels may be 256 MiB.
        Check(start, allocated + Math.Max(0, Math.Min(GC.GetAllocatedBytesForCurrentThread() - allocated, 512L << 20)));
    }

    private void Register()
    {
        if (_machine.Memory.Version != _memoryVersion || (_machine.Ports?.Version ?? 0) != _portVersion)
        {
            _memoryVersion = _machine.Memory.Version;
            _portVersion = _machine.Ports?.Version ?? 0;
            _targets = [.. _machine.Memory.Regions.Where(r => r.Device is not null).Select(r => (false, r)), .. _machine.Ports?.Regions.Where(r => r.Device is not null).Select(r => (true, r)) ?? []];
        }
        (bool port, Region region) = _targets[_random.Below(_targets.Count)];
        // Registers are dense at the start, and in PCI functions in use.
        ulong offset = _random.Below(10) switch
        {
            < 5 => (ulong)_random.Below((int)Math.Min(region.Size, 0x40)),
            < 8 => (ulong)_random.Below((int)Math.Min(region.Size, 0x1000)),
            8 => ((ulong)_random.Below(0x100) << 12) + (ulong)_random.Below(0x100),
            _ => _random.Next(),
        } % region.Size;
        int size = 1 << _random.Below(port ? 3 : 4);
        if (_random.Chance(85))
            offset &= ~((ulong)size - 1);
        if (region.Size - offset < (uint)size && _random.Chance(95))
            return;
        // What switches the machine off would leave little of it to be tested.
        bool ends = region.Name is var name && (name.Contains("exit", StringComparison.Ordinal) || name.Contains("reset", StringComparison.Ordinal)
            || name.Contains("acpi", StringComparison.Ordinal) || name.Contains("test", StringComparison.Ordinal) || name.Contains("pm", StringComparison.Ordinal));
        ulong result = Access(port, region.Start + offset, size, _random.Chance(55) && (!ends || _random.Chance(2)), Value());
        if (_random.Chance(20))
            _seen = result;
    }

    private void LocalApic()
    {
        if (((X86Cpu)_machine.Cpus[_random.Below(2)]).LocalApic is not { } apic)
            return;
        Accesses++;
        Volatile.Write(ref _last, "local APIC");
        int register = _random.Below(0x40);
        switch (_random.Below(8))
        {
            case 0: _ = apic.Read(register << 4, 4); break;
            case 1: apic.Write((register << 4) + (_random.Chance(5) ? _random.Below(16) : 0), 1 << _random.Below(4), Value()); break;
            case 2: _ = apic.TryReadMsr(0x800 + (uint)register, out _); break;
            case 3: _ = apic.TryWriteMsr(0x800 + (uint)register, Value()); break;
            case 4: _ = apic.TryWriteMsr(0x6E0, Value()); break;
            case 5: _ = apic.TrySetApicBase(_random.Chance(70) ? 0xFEE0_0000 | ((ulong)_random.Below(4) << 10) : Value()); break;
            case 6: _ = apic.Acknowledge(); break;
            default: apic.TaskPriority = _random.Below(16); break;
        }
    }

    private ulong Value() => _random.Below(8) switch
    {
        0 => (ulong)_random.Below(16),
        1 => (ulong)_random.Below(256),
        2 => 1UL << _random.Below(64),
        3 => Arena + ((ulong)_random.Below(ArenaSize / 16) * 16),
        4 => _seen ^ (1UL << _random.Below(64)),
        5 => ~(1UL << _random.Below(64)),
        6 => _random.Next(),
        _ => _random.Integer(),
    };

    public void Dispose()
    {
        _machine.Dispose();
        File.Delete(_kernel);
    }
}
