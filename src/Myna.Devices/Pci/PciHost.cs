using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;

namespace Myna.Devices.Pci;

/// <summary>A range of physical addresses in which the host bridge lets BARs appear; PCI addresses are the same.</summary>
/// <param name="Start">First address.</param>
/// <param name="Size">Bytes.</param>
public readonly record struct PciWindow(ulong Start, ulong Size);

/// <summary>
/// A generic PCI Express host: one root bus reached through the Enhanced Configuration Access Mechanism (PCIe 4.0,
/// section 7.2.2). Map it (<see cref="EcamSizePerBus"/> times the number of buses) at the board's ECAM base, then add devices.
/// Its bridge function 00:00.0 is there from the start.
/// </summary>
public sealed class PciHost : IMmio
{
    /// <summary>Bytes of ECAM for one bus; a board may map up to 256 times as much, buses without devices read as absent.</summary>
    public const ulong EcamSizePerBus = 1 << 20;

    private readonly AddressSpace _memory;
    private readonly PciWindow[] _windows;
    private readonly InterruptLine[] _intx;
    private readonly IMsiSink? _msi;
    private readonly Lock _mapLock = new();
    private readonly Lock _intxLock = new();
    private readonly PciDevice?[] _functions = new PciDevice?[256];
    private readonly ulong[,] _intxLevels;
    private readonly Func<int, int, int> _intxRoute;
    private readonly AddressSpace? _ports;

    /// <param name="memory">Where memory BARs appear.</param>
    /// <param name="windows">Where the guest may put them.</param>
    /// <param name="intx">Interrupt lines; without <paramref name="intxRoute"/> four.</param>
    /// <param name="msi">Where messages go; null when the board takes none, and devices then offer no MSI-X.</param>
    /// <param name="ports">Where BARs of I/O ports appear; null when the board has none.</param>
    /// <param name="intxRoute">The line that a device (0 to 31) drives with a pin (0 for INTA); null for (device + pin) mod 4.</param>
    /// <param name="bridge">The function 00:00.0; null for a generic one.</param>
    /// <exception cref="ArgumentException">Not four lines, where four are needed.</exception>
    public PciHost(AddressSpace memory, IEnumerable<PciWindow> windows, IEnumerable<InterruptLine> intx, IMsiSink? msi = null,
        AddressSpace? ports = null, Func<int, int, int>? intxRoute = null, PciDevice? bridge = null)
    {
        _ports = ports;
        _intxRoute = intxRoute ?? (static (slot, pin) => (slot + pin) & 3);
        _memory = memory;
        _windows = [.. windows];
        _intx = [.. intx];
        _msi = msi;
        _intxLevels = new ulong[_intx.Length, 4];
        if (intxRoute is null && _intx.Length != 4)
            throw new ArgumentException("a PCI host has four interrupt lines", nameof(intx));
        Add(bridge ?? new PciHostBridge(), 0);
    }

    public bool HasMsi => _msi is not null;

    /// <summary>All functions in order of their address, the bridge first. Each is saved by the machine.</summary>
    public IEnumerable<PciDevice> Devices => _functions.OfType<PciDevice>();

    /// <summary>Plugs a function into the root bus. Before the machine runs.</summary>
    /// <param name="slot">Device number 0 to 31, or -1 for the first free one.</param>
    /// <exception cref="ArgumentException">The place is taken, or none is free.</exception>
    public void Add(PciDevice device, int slot = -1, int function = 0)
    {
        for (int s = 1; slot < 0 && s < 32; s++)
        {
            if (_functions[s << 3] is null)
                slot = s;
        }
        if (slot is < 0 or > 31 || function is < 0 or > 7 || _functions[slot << 3 | function] is not null)
            throw new ArgumentException($"no free PCI slot for {device.Name}", nameof(slot));
        _functions[slot << 3 | function] = device;
        if (function != 0 && _functions[slot << 3] is { } first)
            first.Config.Define(PciRegister.HeaderType, 1, 0x80);
        device.Attach(this, slot << 3 | function);
    }

    public bool Read(ulong offset, int size, out ulong value)
    {
        if (size == 8)
        {
            _ = Read(offset, 4, out ulong low);
            _ = Read(offset + 4, 4, out ulong high);
            value = low | high << 32;
            return true;
        }
        if (LeavesFunction(offset, size))
        {
            value = 0;
            for (int i = 0; i < size; i++)
            {
                _ = Read(offset + (ulong)i, 1, out ulong part);
                value |= part << (8 * i);
            }
            return true;
        }
        // No function there: the root complex completes the read with all ones.
        value = Function(offset) is { } device ? device.ReadConfig((int)(offset & 0xfff), size) : uint.MaxValue >> (32 - size * 8);
        return true;
    }

    public bool Write(ulong offset, int size, ulong value)
    {
        if (size == 8)
        {
            _ = Write(offset, 4, (uint)value);
            return Write(offset + 4, 4, value >> 32);
        }
        if (LeavesFunction(offset, size))
        {
            for (int i = 0; i < size; i++)
                _ = Write(offset + (ulong)i, 1, value >> (8 * i) & 0xff);
            return true;
        }
        Function(offset)?.WriteConfig((int)(offset & 0xfff), size, (uint)value);
        return true;
    }

    // A misaligned access to two functions, which comes to them as single bytes.
    private static bool LeavesFunction(ulong offset, int size) => (offset & 0xfff) + (uint)size > 0x1000;

    internal bool SendMessage(ulong address, uint data) => _msi is { } msi && msi.Send(address, data);

    /// <summary>A function of any bus by its address, for access through ports; null where there is none.</summary>
    internal PciDevice? Find(int bus, int deviceFunction) => bus == 0 ? _functions[deviceFunction & 0xff] : null;

    /// <summary>Sets one function's interrupt wire; a line is the OR of what drives it.</summary>
    /// <param name="pin">1 for INTA; 0 for a function without.</param>
    internal void SetIntx(int deviceFunction, int pin, bool level)
    {
        if (pin == 0)
            return;
        int line = _intxRoute(deviceFunction >> 3, pin - 1);
        lock (_intxLock)
        {
            ref ulong word = ref _intxLevels[line, deviceFunction >> 6];
            ulong bit = 1UL << (deviceFunction & 63);
            word = level ? word | bit : word & ~bit;
            bool any = (_intxLevels[line, 0] | _intxLevels[line, 1] | _intxLevels[line, 2] | _intxLevels[line, 3]) != 0;
            _intx[line].Set(any);
        }
    }

    /// <summary>
    /// Makes the memory map follow all BARs. One that overlaps something else or lies outside the windows is not
    /// mapped, until the guest moves it or what is in its way.
    /// </summary>
    internal void UpdateMap()
    {
        lock (_mapLock)
        {
            foreach (PciDevice? device in _functions)
            {
                for (int i = 0; device is not null && i <= PciBar.Rom; i++)
                {
                    if (device.Bar(i) is { Region: { } region } bar && (!IsEnabled(device, bar) || bar.Address != region.Start))
                    {
                        bar.Region = null;
                        SpaceOf(bar)!.Unmap(region);
                    }
                }
            }
            foreach (PciDevice? device in _functions)
            {
                for (int i = 0; device is not null && i <= PciBar.Rom; i++)
                {
                    if (device.Bar(i) is { Region: null } bar && IsEnabled(device, bar) && (bar.IsIo ? bar.Address is not 0 and < 0x1_0000 : InWindow(bar.Address, bar.Size)))
                    {
                        string name = i == PciBar.Rom ? $"{device.Name} ROM" : $"{device.Name} BAR {i}";
                        bar.Region = bar.Ram is { } ram ? _memory.TryMap(bar.Address, ram, name) : SpaceOf(bar)?.TryMap(bar.Address, bar.Size, name, bar);
                    }
                }
            }
        }
    }

    private static bool IsEnabled(PciDevice device, PciBar bar)
        => bar.IsIo ? device.IoEnabled : device.MemoryEnabled && (bar.Index != PciBar.Rom || device.RomEnabled);

    private AddressSpace? SpaceOf(PciBar bar) => bar.IsIo ? _ports : _memory;

    private bool InWindow(ulong address, ulong size)
    {
        foreach (PciWindow w in _windows)
        {
            if (address >= w.Start && size <= w.Size && address - w.Start <= w.Size - size)
                return true;
        }
        return false;
    }

    private PciDevice? Function(ulong offset) => offset < EcamSizePerBus ? _functions[offset >> 12] : null;
}
