using System.Buffers.Binary;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio;

/// <summary>
/// What all virtio devices share (virtio 1.2, section 2): status, feature negotiation, configuration space and queues.
/// A device derives from it; a transport (<see cref="Transport.VirtioMmio"/>, <see cref="Transport.VirtioPci"/>) shows
/// it to the guest. Saved tags 1 to 19 are this class's.
/// </summary>
/// <remarks>
/// Locks, outermost first: <see cref="Lock"/> (registers), <see cref="Virtqueue.Lock"/>, the transport's interrupt
/// state. Buffers are processed under their queue's lock alone.
/// </remarks>
[Stateful("virtio")]
public abstract partial class VirtioDevice : IDrainable
{
    private readonly ulong _ringFeatures;
    private readonly LogChannel _log;

    [Saved(1)]
    private int _status;

    [Saved(2)]
    private ulong _driverFeatures;

    [Saved(3)]
    private readonly Virtqueue[] _queues;

    [Saved(4)]
    private uint _configGeneration;

    [Saved(5)]
    private uint _deviceFeaturesSelect;

    [Saved(6)]
    private uint _driverFeaturesSelect;

    [Saved(7)]
    private uint _queueSelect;

    [NotSaved("wired by the transport")]
    private IVirtioTransport? _transport;

    /// <param name="id">Device type.</param>
    /// <param name="name">For logs and memory maps, as in "virtio-blk".</param>
    /// <param name="memory">Where descriptors point to.</param>
    /// <param name="queueSizes">The largest size of each queue: powers of two up to 32768.</param>
    protected VirtioDevice(VirtioDeviceId id, string name, AddressSpace memory, ReadOnlySpan<ushort> queueSizes, VirtioOptions? options, LogChannel? log)
    {
        Id = id;
        Name = name;
        Memory = memory;
        _ringFeatures = (options ?? VirtioOptions.Default).Features;
        _log = log ?? LogChannel.None;
        _queues = new Virtqueue[queueSizes.Length];
        for (int i = 0; i < _queues.Length; i++)
            _queues[i] = new Virtqueue(this, i, queueSizes[i]);
    }

    public VirtioDeviceId Id { get; }
    public string Name { get; }
    public AddressSpace Memory { get; }

    /// <summary>Held by the transport around register accesses.</summary>
    public Lock Lock { get; } = new();

    public ReadOnlySpan<Virtqueue> Queues => _queues;
    public VirtioStatus Status => (VirtioStatus)Volatile.Read(ref _status);

    /// <summary>The driver has set DRIVER_OK and the device works.</summary>
    public bool Running => (Status & (VirtioStatus.DriverOk | VirtioStatus.DeviceNeedsReset)) == VirtioStatus.DriverOk;

    public uint ConfigGeneration => Volatile.Read(ref _configGeneration);

    /// <summary>All features offered.</summary>
    public ulong OfferedFeatures => _ringFeatures | DeviceFeatures;

    internal bool DmaEnabled => _transport is { DmaEnabled: true };

    /// <summary>Which 32 bits of the device's features the driver looks at.</summary>
    internal uint DeviceFeaturesSelect { get => _deviceFeaturesSelect; set => _deviceFeaturesSelect = value; }

    /// <summary>Which 32 bits of its own features the driver looks at.</summary>
    internal uint DriverFeaturesSelect { get => _driverFeaturesSelect; set => _driverFeaturesSelect = value; }

    /// <summary>Which queue the driver's queue registers concern.</summary>
    internal uint QueueSelect { get => _queueSelect; set => _queueSelect = value; }

    /// <summary>The selected queue, or null when there is no such one.</summary>
    internal Virtqueue? SelectedQueue => _queueSelect < (uint)_queues.Length ? _queues[_queueSelect] : null;

    /// <summary>Bytes of device-specific configuration.</summary>
    public abstract int ConfigSize { get; }

    /// <summary>Device-specific feature bits offered.</summary>
    protected abstract ulong DeviceFeatures { get; }

    protected LogChannel Log => _log;

    /// <summary>The features agreed on contain all of these.</summary>
    public bool Negotiated(ulong features) => (Volatile.Read(ref _driverFeatures) & features) == features;

    /// <summary>Connects the transport; once.</summary>
    internal void Attach(IVirtioTransport transport) => _transport = transport;

    /// <summary>The selected half of the device's features; with <see cref="Lock"/> held, as all registers below.</summary>
    internal uint ReadDeviceFeatures() => _deviceFeaturesSelect < 2 ? (uint)(OfferedFeatures >> (int)(32 * _deviceFeaturesSelect)) : 0;

    internal uint ReadDriverFeatures() => _driverFeaturesSelect < 2 ? (uint)(_driverFeatures >> (int)(32 * _driverFeaturesSelect)) : 0;

    internal void WriteDriverFeatures(uint value)
    {
        if (_driverFeaturesSelect > 1 || (Status & VirtioStatus.FeaturesOk) != 0)
            return;
        int shift = (int)(32 * _driverFeaturesSelect);
        _driverFeatures = (_driverFeatures & ~((ulong)uint.MaxValue << shift)) | (ulong)value << shift;
    }

    /// <summary>The driver writes the status (section 2.1): 0 resets, anything else adds bits.</summary>
    internal void WriteStatus(uint value)
    {
        if (value == 0)
        {
            Reset();
            return;
        }
        const VirtioStatus settable = VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk | VirtioStatus.Failed;
        VirtioStatus before = Status, added = (VirtioStatus)value & settable & ~before;
        if ((added & VirtioStatus.FeaturesOk) != 0 && !AcceptsFeatures())
        {
            _log.Guest($"{Name}: features 0x{_driverFeatures:x} of 0x{OfferedFeatures:x} are not acceptable");
            added &= ~VirtioStatus.FeaturesOk;
        }
        if (((before | added) & VirtioStatus.FeaturesOk) == 0)
            added &= ~VirtioStatus.DriverOk;
        Interlocked.Or(ref _status, (int)added);
        if ((added & VirtioStatus.DriverOk) == 0)
            return;
        foreach (Virtqueue queue in _queues)
            queue.Sync();
        Activated();
        NotifyAll();
    }

    /// <summary>Reads device configuration; bytes past its end are zero.</summary>
    internal ulong ReadConfig(ulong offset, int size)
    {
        Span<byte> config = stackalloc byte[ConfigSize + 8];
        config.Clear();
        if (offset >= (ulong)ConfigSize)
            return 0;
        FillConfig(config[..ConfigSize]);
        return BinaryPrimitives.ReadUInt64LittleEndian(config[(int)offset..]) & ulong.MaxValue >> (64 - size * 8);
    }

    /// <summary>The driver writes device configuration.</summary>
    internal virtual void WriteConfig(ulong offset, int size, ulong value) { }

    /// <summary>The driver notifies of available buffers. No lock held.</summary>
    internal void Notify(uint queue)
    {
        if (queue < (uint)_queues.Length && _queues[queue].Live)
            QueueNotified((int)queue);
    }

    /// <summary>Looks at all queues, as after a change of the device's access to memory. No queue is locked.</summary>
    internal void NotifyAll()
    {
        for (int i = 0; i < _queues.Length; i++)
            Notify((uint)i);
    }

    /// <summary>
    /// Stops everything and returns to power-on state. Waits for host I/O under way: it reaches into guest memory
    /// that the driver may use for something else afterwards.
    /// </summary>
    public void Reset()
    {
        lock (Lock)
        {
            Volatile.Write(ref _status, 0);
            foreach (Virtqueue queue in _queues)
                queue.Reset();
            Drain();
            Volatile.Write(ref _driverFeatures, 0);
            _deviceFeaturesSelect = _driverFeaturesSelect = _queueSelect = 0;
            Deactivated();
            _transport?.DeviceReset();
        }
    }

    /// <summary>The device met something it cannot go on from (section 2.1.2). Any lock may be held.</summary>
    internal void SetNeedsReset(string reason)
    {
        int before = Interlocked.Or(ref _status, (int)VirtioStatus.DeviceNeedsReset);
        if ((before & (int)VirtioStatus.DeviceNeedsReset) != 0)
            return;
        _log.Warn($"{Name} stopped until the guest resets it: {reason}");
        if ((before & (int)VirtioStatus.DriverOk) != 0)
            _transport?.ConfigInterrupt();
    }

    internal void QueueInterrupt(int queue) => _transport?.QueueInterrupt(queue);

    /// <summary>Returns when no request is under way.</summary>
    public virtual void Drain() { }

    /// <summary>Writes the device's configuration as it is now.</summary>
    protected abstract void FillConfig(Span<byte> config);

    /// <summary>A queue may have buffers. On a virtual CPU's thread, no lock held, one queue possibly on several at once.</summary>
    protected abstract void QueueNotified(int queue);

    /// <summary>The driver is ready (DRIVER_OK); queues work.</summary>
    protected virtual void Activated() { }

    /// <summary>The device was reset; queues are silent and nothing is in flight.</summary>
    protected virtual void Deactivated() { }

    /// <summary>The configuration changed by the host's doing. No lock needed.</summary>
    protected void ConfigChanged()
    {
        Interlocked.Increment(ref _configGeneration);
        if (Running)
            _transport?.ConfigInterrupt();
    }

    /// <summary>Derives what is not saved.</summary>
    protected virtual void Sync()
    {
        foreach (Virtqueue queue in _queues)
            queue.Sync();
    }

    /// <summary>Section 2.2: a subset of the offer, and version 1 in it, since there is no legacy interface.</summary>
    private bool AcceptsFeatures() => (_driverFeatures & ~OfferedFeatures) == 0 && Negotiated(VirtioFeature.Version1);
}
