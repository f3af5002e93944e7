using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Transport;

/// <summary>
/// A virtio-mmio slot, version 2 (virtio 1.2, section 4.2), with a device or empty. Registers take 32-bit accesses;
/// device configuration any width.
/// </summary>
[Stateful("virtio-mmio")]
public sealed partial class VirtioMmio : IDoorbells, IPlatformDevice, IVirtioTransport, IDrainable
{
    /// <summary>Bytes of a slot's registers.</summary>
    public const ulong RegisterSize = 0x1000;

    // Section 4.2.2, table 4.1.
    private const int MagicValue = 0x000, Version = 0x004, DeviceID = 0x008, VendorID = 0x00c;
    private const int DeviceFeatures = 0x010, DeviceFeaturesSel = 0x014, DriverFeatures = 0x020, DriverFeaturesSel = 0x024;
    private const int QueueSel = 0x030, QueueSizeMax = 0x034, QueueSize = 0x038, QueueReady = 0x044, QueueNotify = 0x050;
    private const int InterruptStatus = 0x060, InterruptACK = 0x064, StatusRegister = 0x070;
    private const int QueueDescLow = 0x080, QueueDescHigh = 0x084, QueueDriverLow = 0x090, QueueDriverHigh = 0x094;
    private const int QueueDeviceLow = 0x0a0, QueueDeviceHigh = 0x0a4;
    private const int ShmLenLow = 0x0b0, ShmBaseHigh = 0x0bc, ConfigGeneration = 0x0fc, Config = 0x100;

    private const uint Magic = 0x74726976, Vendor = 0x554d4551;
    private const uint UsedBuffer = 1, ConfigurationChange = 2;

    private readonly InterruptLine _line;
    private readonly Lock _interruptLock = new();

    [Saved(1)]
    private readonly VirtioDevice? _device;

    [Saved(2)]
    private uint _interruptStatus;

    /// <param name="device">The device in the slot, or null: the driver then finds device ID 0.</param>
    /// <param name="line">Level-triggered.</param>
    public VirtioMmio(VirtioDevice? device, InterruptLine line)
    {
        _device = device;
        _line = line;
        device?.Attach(this);
    }

    public VirtioDevice? Device => _device;

    public string NodeName => "virtio_mmio";

    public ulong Size => RegisterSize;

    /// <inheritdoc/>
    public IReadOnlyList<Doorbell> Doorbells
    {
        get
        {
            List<Doorbell> doorbells = [];
            foreach (Virtqueue queue in _device is { } device ? device.Queues : [])
                doorbells.Add(new Doorbell(QueueNotify, 4, (ulong)queue.Index));
            return doorbells;
        }
    }

    bool IVirtioTransport.DmaEnabled => true;

    /// <summary>Linux binding virtio/mmio.yaml.</summary>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "virtio,mmio");

    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        if (_device is not { } device)
            value = size != 4 ? 0u : offset switch { MagicValue => Magic, Version => 2u, _ => 0u };
        else if (offset >= Config)
            value = device.ReadConfig(offset - Config, size);
        else if (size == 4)
        {
            lock (device.Lock)
                value = ReadRegister(device, (int)offset);
        }
        return true;
    }

    public bool Write(ulong offset, int size, ulong value)
    {
        if (_device is not { } device)
            return true;
        if (offset >= Config)
        {
            lock (device.Lock)
                device.WriteConfig(offset - Config, size, value);
        }
        else if (size == 4 && offset == QueueNotify)
        {
            device.Notify((uint)value);
        }
        else if (size == 4)
        {
            lock (device.Lock)
                WriteRegister(device, (int)offset, (uint)value);
        }
        return true;
    }

    /// <summary>Power-on state. The machine is paused.</summary>
    public void Reset() => _device?.Reset();

    public void Drain() => _device?.Drain();

    void IVirtioTransport.QueueInterrupt(int queue) => SetInterrupt(UsedBuffer);
    void IVirtioTransport.ConfigInterrupt() => SetInterrupt(ConfigurationChange);
    void IVirtioTransport.DeviceReset() => ClearInterrupt(uint.MaxValue);

    private void SetInterrupt(uint cause)
    {
        lock (_interruptLock)
        {
            _interruptStatus |= cause;
            _line.Set(true);
        }
    }

    private void ClearInterrupt(uint causes)
    {
        lock (_interruptLock)
        {
            _interruptStatus &= ~causes;
            Sync();
        }
    }

    private void Sync() => _line.Set(_interruptStatus != 0);

    private uint ReadRegister(VirtioDevice device, int offset) => offset switch
    {
        MagicValue => Magic,
        Version => 2,
        DeviceID => (uint)device.Id,
        VendorID => Vendor,
        DeviceFeatures => device.ReadDeviceFeatures(),
        QueueSizeMax => device.SelectedQueue?.MaxSize ?? 0u,
        QueueReady => device.SelectedQueue is { Ready: true } ? 1u : 0,
        InterruptStatus => Volatile.Read(ref _interruptStatus),
        StatusRegister => (uint)device.Status,
        // Section 4.2.2.1: a shared memory region that does not exist has length and base ~0.
        >= ShmLenLow and <= ShmBaseHigh => uint.MaxValue,
        ConfigGeneration => device.ConfigGeneration,
        _ => 0,
    };

    private void WriteRegister(VirtioDevice device, int offset, uint value)
    {
        switch (offset)
        {
            case DeviceFeaturesSel:
                device.DeviceFeaturesSelect = value;
                return;
            case DriverFeaturesSel:
                device.DriverFeaturesSelect = value;
                return;
            case DriverFeatures:
                device.WriteDriverFeatures(value);
                return;
            case QueueSel:
                device.QueueSelect = value;
                return;
            case InterruptACK:
                ClearInterrupt(value);
                return;
            case StatusRegister:
                device.WriteStatus(value);
                return;
        }
        if (device.SelectedQueue is not { } queue)
            return;
        switch (offset)
        {
            case QueueSize: queue.Size = (ushort)Math.Min(value, ushort.MaxValue); break;
            case QueueReady: queue.SetReady((value & 1) != 0); break;
            case QueueDescLow: queue.DescriptorAddress = Low(queue.DescriptorAddress, value); break;
            case QueueDescHigh: queue.DescriptorAddress = High(queue.DescriptorAddress, value); break;
            case QueueDriverLow: queue.DriverAddress = Low(queue.DriverAddress, value); break;
            case QueueDriverHigh: queue.DriverAddress = High(queue.DriverAddress, value); break;
            case QueueDeviceLow: queue.DeviceAddress = Low(queue.DeviceAddress, value); break;
            case QueueDeviceHigh: queue.DeviceAddress = High(queue.DeviceAddress, value); break;
        }
    }

    private static ulong Low(ulong address, uint value) => (address & 0xffff_ffff_0000_0000) | value;
    private static ulong High(ulong address, uint value) => (uint)address | (ulong)value << 32;
}
