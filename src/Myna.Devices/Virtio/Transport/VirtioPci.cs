using Myna.Devices.Pci;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Transport;

/// <summary>
/// A virtio device on PCI, without legacy interface (virtio 1.2, section 4.1): capabilities for common configuration,
/// notification, ISR status, device configuration and access through configuration space; MSI-X where the host takes
/// messages, INTA otherwise.
/// </summary>
[Stateful("virtio-pci")]
public partial class VirtioPci : PciDevice, IVirtioTransport, IDrainable
{
    private const ushort VendorId = 0x1af4, FirstDeviceId = 0x1040, SubsystemId = 0x1100;

    // Where the structures lie in their BAR, a page each, behind what a derived device has there.
    private const ulong PageSize = 0x1000, CommonPage = 0, IsrPage = 1, DevicePage = 2, NotifyPage = 3, Pages = 4;
    private const uint NotifyMultiplier = 4;

    // cfg_type of a capability (section 4.1.4).
    private const byte CommonCfg = 1, NotifyCfg = 2, IsrCfg = 3, DeviceCfg = 4, PciCfg = 5;

    private const uint IsrQueue = 1, IsrConfig = 2;

    private readonly Lock _isrLock = new();
    private readonly int _pciCfg, _structureBar, _msixBar;
    private readonly ulong _start;

    [Saved(20)]
    private readonly VirtioDevice _device;

    [Saved(21)]
    private uint _isr;

    [Saved(22)]
    private ushort _configVector = VirtioPciCommon.NoVector;

    [Saved(23)]
    private readonly ushort[] _queueVectors;

    /// <param name="rom">Firmware for booting from the device, or empty.</param>
    public VirtioPci(VirtioDevice device, ReadOnlyMemory<byte> rom = default)
        : this(device, device.Name, ClassCode(device.Id), structureBar: 0, start: 0, msixBar: 2, rom)
    {
    }

    /// <param name="start">Bytes of the BAR in front of the structures, which are the derived device's; whole pages.</param>
    protected VirtioPci(VirtioDevice device, string name, uint classCode, int structureBar, ulong start, int msixBar, ReadOnlyMemory<byte> rom)
        : base(name, new PciIdentity(VendorId, (ushort)(FirstDeviceId + device.Id), classCode, 1, VendorId, SubsystemId))
    {
        _device = device;
        (_structureBar, _start, _msixBar) = (structureBar, start, msixBar);
        _queueVectors = new ushort[device.Queues.Length];
        Array.Fill(_queueVectors, VirtioPciCommon.NoVector);
        AddBar(structureBar, System.Numerics.BitOperations.RoundUpToPowerOf2(start + Pages * PageSize), is64Bit: true, prefetchable: true);
        AddIntx();
        AddStructure(CommonCfg, CommonPage, VirtioPciCommon.Size, 16);
        AddStructure(IsrCfg, IsrPage, 1, 16);
        AddStructure(DeviceCfg, DevicePage, (uint)PageSize, 16);
        int notify = AddStructure(NotifyCfg, NotifyPage, (uint)PageSize, 20);
        Config.Define(notify + 16, 4, NotifyMultiplier);
        _pciCfg = AddStructure(PciCfg, 0, 0, 20);
        Config.Define(_pciCfg + 4, 1, 0, 0xff);
        Config.Define(_pciCfg + 8, 4, 0, uint.MaxValue);
        Config.Define(_pciCfg + 12, 4, 0, uint.MaxValue);
        AddPciExpress();
        if (!rom.IsEmpty)
            AddRom(rom);
        device.Attach(this);
    }

    public VirtioDevice Device => _device;

    bool IVirtioTransport.DmaEnabled => BusMaster;

    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (bar != _structureBar)
            return base.ReadBar(bar, offset, size, out value);
        value = 0;
        if (offset < _start)
            return true;
        offset -= _start;
        int at = (int)(offset & (PageSize - 1));
        switch (offset / PageSize)
        {
            case CommonPage:
                lock (_device.Lock)
                    value = VirtioPciCommon.Read(_device, _configVector, _queueVectors, at, size);
                break;
            case IsrPage when at == 0:
                value = TakeIsr();
                break;
            case DevicePage:
                value = _device.ReadConfig((ulong)at, size);
                break;
        }
        return true;
    }

    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar != _structureBar)
            return base.WriteBar(bar, offset, size, value);
        if (offset < _start)
            return true;
        ulong place = offset - _start;
        int at = (int)(place & (PageSize - 1));
        switch (place / PageSize)
        {
            case CommonPage when size == 8:
                _ = WriteBar(bar, offset, 4, (uint)value);
                return WriteBar(bar, offset + 4, 4, value >> 32);
            case CommonPage:
                lock (_device.Lock)
                    VirtioPciCommon.Write(_device, ref _configVector, _queueVectors, Msix?.Vectors ?? 0, at, size, (uint)value);
                break;
            case DevicePage:
                lock (_device.Lock)
                    _device.WriteConfig((ulong)at, size, value);
                break;
            case NotifyPage:
                _device.Notify((uint)at / NotifyMultiplier);
                break;
        }
        return true;
    }

    public override IReadOnlyList<Doorbell> DoorbellsOf(int bar)
    {
        if (bar != _structureBar)
            return [];
        List<Doorbell> doorbells = [];
        foreach (Virtqueue queue in _device.Queues)
            doorbells.Add(new Doorbell(_start + NotifyPage * PageSize + NotifyMultiplier * (ulong)queue.Index, 2, null));
        return doorbells;
    }

    public override uint ReadConfig(int offset, int size)
    {
        if (offset >= _pciCfg + 16 && offset < _pciCfg + 20 && Window(size, out int bar, out ulong at))
            return ReadBar(bar, at, size, out ulong value) ? (uint)value : 0;
        return base.ReadConfig(offset, size);
    }

    public override void WriteConfig(int offset, int size, uint value)
    {
        if (offset >= _pciCfg + 16 && offset < _pciCfg + 20 && Window(size, out int bar, out ulong at))
            _ = WriteBar(bar, at, size, value);
        else
            base.WriteConfig(offset, size, value);
    }

    public override void Reset()
    {
        _device.Reset();
        base.Reset();
    }

    public void Drain() => _device.Drain();

    void IVirtioTransport.QueueInterrupt(int queue) => Interrupt(IsrQueue, Volatile.Read(ref _queueVectors[queue]));
    void IVirtioTransport.ConfigInterrupt() => Interrupt(IsrConfig, Volatile.Read(ref _configVector));

    void IVirtioTransport.DeviceReset()
    {
        _configVector = VirtioPciCommon.NoVector;
        Array.Fill(_queueVectors, VirtioPciCommon.NoVector);
        _ = TakeIsr();
    }

    protected override void AttachedTo(PciHost host)
    {
        // One vector for each queue and one for configuration changes.
        if (host.HasMsi)
            AddMsix(_msixBar, _device.Queues.Length + 1);
    }

    protected override void CommandChanged()
    {
        if (BusMaster)
            _device.NotifyAll();
    }

    private void Interrupt(uint cause, ushort vector)
    {
        if (Msix is { Enabled: true } msix)
        {
            msix.Signal(vector);
            return;
        }
        lock (_isrLock)
        {
            _isr |= cause;
            SetIntx(true);
        }
    }

    /// <summary>Reading ISR status clears it and takes the wire back (section 4.1.4.5).</summary>
    private uint TakeIsr()
    {
        lock (_isrLock)
        {
            uint isr = _isr;
            _isr = 0;
            SetIntx(false);
            return isr;
        }
    }

    /// <summary>What pci_cfg_data stands for (section 4.1.4.9): a place in a BAR, if the capability names one.</summary>
    private bool Window(int size, out int bar, out ulong offset)
    {
        lock (ConfigLock)
        {
            bar = (int)Config.Get(_pciCfg + 4, 1);
            offset = Config.Get(_pciCfg + 8, 4);
            uint length = Config.Get(_pciCfg + 12, 4);
            return length == (uint)size && offset % length == 0 && offset < _start + Pages * PageSize && (bar == _structureBar || (bar == _msixBar && Msix is not null));
        }
    }

    /// <summary>struct virtio_pci_cap.</summary>
    private int AddStructure(byte type, ulong page, uint length, byte size)
    {
        int cap = Config.AddCapability(PciCapabilityId.VendorSpecific, size);
        Config.Define(cap + 2, 1, size);
        Config.Define(cap + 3, 1, type);
        Config.Define(cap + 4, 1, (uint)_structureBar);
        Config.Define(cap + 8, 4, (uint)(_start + page * PageSize));
        Config.Define(cap + 12, 4, length);
        return cap;
    }

    private static uint ClassCode(VirtioDeviceId id) => id switch
    {
        VirtioDeviceId.Net => 0x020000,
        VirtioDeviceId.Block or VirtioDeviceId.Scsi => 0x010000,
        VirtioDeviceId.Console => 0x078000,
        VirtioDeviceId.Gpu => 0x038000,
        VirtioDeviceId.Input => 0x098000,
        _ => 0x00ff00,
    };
}
