using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Pci;

/// <summary>
/// A PCI Express function with a type 0 header: identity, BARs, capabilities, INTx and MSI-X. A device derives from it,
/// declares its BARs and capabilities in its constructor and answers <see cref="ReadBar"/> and <see cref="WriteBar"/>.
/// Saved tags 1 to 19 are this class's.
/// </summary>
[Stateful("pci-device")]
public abstract partial class PciDevice
{
    [NotSaved("decided by the device's construction; mappings follow the configuration space")]
    private readonly PciBar?[] _bars = new PciBar?[PciBar.Rom + 1];
    private readonly Lock _intxLock = new();

    [Saved(1)]
    private readonly PciConfigSpace _config = new();

    [Saved(2)]
    private MsixTable? _msix;

    [Saved(3)]
    private bool _intx;

    [NotSaved("wired by the host bridge")]
    private PciHost? _host;

    [NotSaved("decided by the device's construction")]
    private ReadOnlyMemory<byte> _rom;

    [NotSaved("decided by the device's construction")]
    private int _msiCapability, _msixCapability, _msixBar, _msixPendingOffset;

    /// <param name="name">For the memory map and logs.</param>
    /// <param name="identity">IDs and class.</param>
    protected PciDevice(string name, PciIdentity identity)
    {
        Name = name;
        Config.Define(PciRegister.VendorId, 2, identity.VendorId);
        Config.Define(PciRegister.DeviceId, 2, identity.DeviceId);
        Config.Define(PciRegister.Command, 2, 0, (uint)(PciCommand.MemorySpace | PciCommand.BusMaster
            | PciCommand.ParityErrorResponse | PciCommand.SerrEnable | PciCommand.InterruptDisable));
        Config.Define(PciRegister.RevisionId, 1, identity.RevisionId);
        Config.Define(PciRegister.ClassCode, 2, identity.ClassCode & 0xffff);
        Config.Define(PciRegister.ClassCode + 2, 1, identity.ClassCode >> 16);
        Config.Define(PciRegister.CacheLineSize, 1, 0, 0xff);
        Config.Define(PciRegister.SubsystemVendorId, 2, identity.SubsystemVendorId);
        Config.Define(PciRegister.SubsystemId, 2, identity.SubsystemId);
        Config.Define(PciRegister.InterruptLine, 1, 0, 0xff);
    }

    public string Name { get; }

    /// <summary>Configuration space; under <see cref="ConfigLock"/> once the machine runs.</summary>
    public PciConfigSpace Config => _config;

    /// <summary>Device 0 to 31 and function 0 to 7 on bus 0, as in the low 8 bits of a requester ID.</summary>
    [field: NotSaved("where the machine plugged it")]
    public int DeviceFunction { get; private set; } = -1;

    public IEnumerable<PciBar> Bars => _bars.OfType<PciBar>();

    public MsixTable? Msix => _msix;

    /// <summary>The function may read and write memory and send messages (Command bit 2).</summary>
    public bool BusMaster => (Command & PciCommand.BusMaster) != 0;

    /// <summary>The expansion ROM decodes (bit 0 of its register).</summary>
    internal bool RomEnabled => (Config.Get(PciRegister.ExpansionRom, 1) & 1) != 0;
    internal bool IoEnabled => (Command & PciCommand.IoSpace) != 0;
    internal bool MemoryEnabled => (Command & PciCommand.MemorySpace) != 0;

    protected Lock ConfigLock { get; } = new();

    private PciCommand Command => (PciCommand)Config.Get(PciRegister.Command, 2);

    /// <summary>Doorbells among a BAR's registers (<see cref="IDoorbells"/>).</summary>
    public virtual IReadOnlyList<Doorbell> DoorbellsOf(int bar) => [];

    /// <summary>A read of a BAR's range, as <see cref="Myna.Hardware.Memory.IMmio.Read"/>; the offset is inside the BAR.</summary>
    public virtual bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        value = 0;
        if (_msix is not { } msix || bar != _msixBar)
            return true;
        if (size >= 4)
            value = offset >= (ulong)_msixPendingOffset ? msix.ReadPending(offset - (ulong)_msixPendingOffset, size) : msix.ReadTable(offset, size);
        return true;
    }

    /// <summary>A write to a BAR's range, as <see cref="Myna.Hardware.Memory.IMmio.Write"/>.</summary>
    public virtual bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (_msix is { } msix && bar == _msixBar && size >= 4 && offset < (ulong)_msixPendingOffset)
            msix.WriteTable(offset, size, value);
        return true;
    }

    /// <summary>Reads 1, 2 or 4 bytes of configuration space; <paramref name="offset"/> is aligned.</summary>
    public virtual uint ReadConfig(int offset, int size)
    {
        lock (ConfigLock)
        {
            uint value = Config.Get(offset, size);
            // Interrupt Status shows the internal state, whether or not Interrupt Disable silences the wire.
            if (Volatile.Read(ref _intx) && offset <= PciRegister.Status && offset + size > PciRegister.Status)
                value |= (uint)PciStatus.InterruptStatus << (PciRegister.Status - offset) * 8;
            return value;
        }
    }

    /// <summary>Writes configuration space; parameters as for <see cref="ReadConfig"/>.</summary>
    public virtual void WriteConfig(int offset, int size, uint value)
    {
        PciCommand before, after;
        lock (ConfigLock)
        {
            before = Command;
            Config.Write(offset, size, value);
            after = Command;
        }
        if (_msix is { } msix && offset < _msixCapability + 4 && offset + size > _msixCapability + 2)
            msix.SetControl(Config.Get(_msixCapability + 2, 2));
        if (_msiCapability != 0 && offset < _msiCapability + 4 && offset + size > _msiCapability + 2)
            UpdateIntx();
        bool bars = offset < PciRegister.Bar0 + 24 && offset + size > PciRegister.Bar0
            || offset < PciRegister.ExpansionRom + 4 && offset + size > PciRegister.ExpansionRom;
        if (bars || before != after)
        {
            _host?.UpdateMap();
            UpdateIntx();
            if (before != after)
                CommandChanged();
        }
    }

    /// <summary>Power-on state. The machine is paused.</summary>
    public virtual void Reset()
    {
        lock (ConfigLock)
            Config.Reset();
        _msix?.Reset();
        SetIntx(false);
        _host?.UpdateMap();
    }

    internal void Attach(PciHost host, int deviceFunction)
    {
        _host = host;
        DeviceFunction = deviceFunction;
        AttachedTo(host);
    }

    internal PciBar? Bar(int index) => _bars[index];

    /// <summary>The function was plugged: capabilities that depend on the host are added here.</summary>
    protected virtual void AttachedTo(PciHost host) { }

    /// <summary>The Command register changed, BARs and INTx already follow.</summary>
    protected virtual void CommandChanged() { }

    /// <summary>Declares a memory BAR (PCI 3.0, section 6.2.5.1).</summary>
    /// <param name="index">0 to 5, or to 4 for a 64-bit one.</param>
    /// <param name="size">Bytes; rounded up to a power of two and to a page, so that BARs never share one.</param>
    protected void AddBar(int index, ulong size, bool is64Bit, bool prefetchable)
    {
        size = Math.Max(4096, System.Numerics.BitOperations.RoundUpToPowerOf2(size));
        _bars[index] = new PciBar(this, index, size, is64Bit, prefetchable);
        int offset = PciRegister.Bar0 + index * 4;
        Config.Define(offset, 4, (is64Bit ? 4u : 0) | (prefetchable ? 8u : 0), (uint)~(size - 1));
        if (is64Bit)
            Config.Define(offset + 4, 4, 0, (uint)(~(size - 1) >> 32));
    }

    /// <summary>Declares a memory BAR that is memory, not registers.</summary>
    /// <param name="index">0 to 5; 32-bit.</param>
    /// <param name="ram">Its size is a power of two.</param>
    protected void AddBar(int index, Ram ram, bool prefetchable)
    {
        AddBar(index, ram.Size, is64Bit: false, prefetchable);
        _bars[index] = new PciBar(this, index, ram.Size, is64Bit: false, prefetchable, ram: ram);
    }

    /// <summary>The function answers at fixed I/O ports, so that software may set the Command bit for them.</summary>
    protected void AllowIo() => Config.Define(PciRegister.Command, 2, Config.Get(PciRegister.Command, 2), (uint)(PciCommand.IoSpace | PciCommand.MemorySpace | PciCommand.BusMaster
        | PciCommand.ParityErrorResponse | PciCommand.SerrEnable | PciCommand.InterruptDisable));

    /// <summary>Declares a BAR of I/O ports (PCI 3.0, section 6.2.5.1). Only boards with I/O ports show it.</summary>
    /// <param name="index">0 to 5.</param>
    /// <param name="size">Ports; rounded up to a power of two, at least 4 and at most 256.</param>
    protected void AddIoBar(int index, ulong size)
    {
        size = Math.Clamp(System.Numerics.BitOperations.RoundUpToPowerOf2(size), 4, 256);
        _bars[index] = new PciBar(this, index, size, is64Bit: false, prefetchable: false, isIo: true);
        // All 32 bits, though ports have 16: SeaBIOS takes upper zeroes for part of the size.
        Config.Define(PciRegister.Bar0 + index * 4, 4, 1, (uint)~(size - 1));
        AllowIo();
    }

    /// <summary>Declares an expansion ROM (PCI 3.0, section 6.2.5.2), whose code firmware copies and runs.</summary>
    /// <param name="image">The images of the ROM (section 6.3), which are made to name this function; the rest of the register's range reads as ones.</param>
    protected void AddRom(ReadOnlyMemory<byte> image)
    {
        ulong size = Math.Max(4096, System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)image.Length));
        _rom = OptionRom.For(image, (ushort)Config.Get(PciRegister.VendorId, 2), (ushort)Config.Get(PciRegister.DeviceId, 2));
        _bars[PciBar.Rom] = new PciBar(this, PciBar.Rom, size, is64Bit: false, prefetchable: false);
        Config.Define(PciRegister.ExpansionRom, 4, 0, (uint)~(size - 1) | 1);
    }

    /// <summary>Declares that the function drives an interrupt wire.</summary>
    /// <param name="pin">1 for INTA, to 4 for INTD.</param>
    protected void AddIntx(int pin = 1) => Config.Define(PciRegister.InterruptPin, 1, (uint)pin);

    /// <summary>Declares MSI with one message and a 64-bit address (PCI 3.0, section 6.8.1); for <see cref="AttachedTo"/>, where the host takes messages.</summary>
    protected void AddMsi()
    {
        const uint Wide = 0x80, Enable = 1;
        _msiCapability = Config.AddCapability(PciCapabilityId.Msi, 14);
        Config.Define(_msiCapability + 2, 2, Wide, Enable);
        Config.Define(_msiCapability + 4, 4, 0, 0xffff_fffc);
        Config.Define(_msiCapability + 8, 4, 0, uint.MaxValue);
        Config.Define(_msiCapability + 12, 2, 0, 0xffff);
    }

    /// <summary>Software has enabled MSI: the function sends messages, and its wire stays silent.</summary>
    protected bool MsiEnabled => _msiCapability != 0 && (Config.Get(_msiCapability + 2, 2) & 1) != 0;

    /// <summary>Sends the function's message.</summary>
    protected void SendMsi()
    {
        ulong address = Config.Get(_msiCapability + 4, 4) | (ulong)Config.Get(_msiCapability + 8, 4) << 32;
        _ = SendMessage(address, Config.Get(_msiCapability + 12, 2));
    }

    /// <summary>Declares MSI-X with table and pending bits in a 32-bit BAR of their own.</summary>
    protected void AddMsix(int bar, int vectors)
    {
        _msix = new MsixTable(vectors, SendMessage);
        _msixBar = bar;
        _msixPendingOffset = Math.Max(2048, (vectors * MsixTable.EntrySize + 2047) & ~2047);
        AddBar(bar, (ulong)(_msixPendingOffset + _msix.PendingSize), is64Bit: false, prefetchable: false);
        _msixCapability = Config.AddCapability(PciCapabilityId.MsiX, 12);
        Config.Define(_msixCapability + 2, 2, (uint)(vectors - 1), MsixTable.Enable | MsixTable.FunctionMask);
        Config.Define(_msixCapability + 4, 4, (uint)bar);
        Config.Define(_msixCapability + 8, 4, (uint)(bar | _msixPendingOffset));
    }

    /// <summary>Declares a PCI Express capability of a root complex integrated endpoint (PCIe 4.0, section 7.5.3).</summary>
    protected void AddPciExpress()
    {
        int offset = Config.AddCapability(PciCapabilityId.PciExpress, 60);
        Config.Define(offset + 2, 2, 2 | 9 << 4);
        // Device Capabilities: role-based error reporting; Device Control: the bits that software tries.
        Config.Define(offset + 4, 4, 1 << 15);
        Config.Define(offset + 8, 2, 0x2810, 0x78ff);
    }

    /// <summary>Drives the interrupt wire of the function. Thread-safe.</summary>
    protected void SetIntx(bool level)
    {
        lock (_intxLock)
        {
            Volatile.Write(ref _intx, level);
            DriveIntx();
        }
    }

    /// <summary>Derives BAR mappings and the interrupt wire.</summary>
    protected virtual void Sync()
    {
        _host?.UpdateMap();
        UpdateIntx();
    }

    private void UpdateIntx()
    {
        lock (_intxLock)
            DriveIntx();
    }

    private void DriveIntx() => _host?.SetIntx(DeviceFunction, (int)Config.Get(PciRegister.InterruptPin, 1), _intx && (Command & PciCommand.InterruptDisable) == 0 && !MsiEnabled);

    internal ulong ReadRom(ulong offset, int size)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
            value |= (offset + (ulong)i < (ulong)_rom.Length ? _rom.Span[(int)offset + i] : 0xfful) << (8 * i);
        return value;
    }

    private bool SendMessage(ulong address, uint data) => BusMaster && _host is { } host && host.SendMessage(address, data);
}
