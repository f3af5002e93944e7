using System.Buffers.Binary;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio;

/// <summary>
/// The device's end of a virtqueue (virtio 1.2, sections 2.6 to 2.8), split or packed as negotiated. Whoever pops,
/// pushes or signals holds <see cref="Lock"/>. Whatever the driver puts into the rings, an operation ends: a mistake
/// makes the device need a reset and the queue look empty.
/// </summary>
[Stateful("virtqueue")]
public sealed partial class Virtqueue
{
    private const int DescriptorSize = 16;

    // Descriptor flags, the same in both layouts (sections 2.7.5 and 2.8.1).
    private const ushort FlagNext = 1, FlagWrite = 2, FlagIndirect = 4;

    private readonly VirtioDevice _device;

    [Saved(1)]
    private ushort _size;

    [Saved(2)]
    private bool _ready;

    [Saved(3)]
    private ulong _descriptorAddress;

    [Saved(4)]
    private ulong _driverAddress;

    [Saved(5)]
    private ulong _deviceAddress;

    // Where the device goes on: free-running 16-bit indices (split), positions in the ring (packed).
    [Saved(6)]
    private ushort _next;

    [Saved(7)]
    private ushort _used;

    [Saved(8)]
    private bool _nextWrap;

    [Saved(9)]
    private bool _usedWrap;

    // The value of _used at the last decision about an interrupt.
    [Saved(10)]
    private ushort _signalled;

    [Saved(11)]
    private bool _signalledWrap;

    [NotSaved("nothing is in flight in a saved state")]
    private int _outstanding;

    [NotSaved("distinguishes the lives of the queue in this process")]
    private int _epoch;

    [NotSaved("derived from readiness and the device's status")]
    private bool _live;

    [NotSaved("derived from the negotiated features")]
    private bool _packed, _eventIdx, _indirect;

    [NotSaved("resolved from the addresses when the memory map changes")]
    private Area _descriptors, _driver, _deviceArea;

    [NotSaved("the memory map that the areas were resolved in")]
    private int _mapVersion = -1;

    internal Virtqueue(VirtioDevice device, int index, ushort maxSize)
    {
        _device = device;
        Index = index;
        MaxSize = maxSize;
        Reset();
    }

    /// <summary>A ring's part in RAM.</summary>
    private readonly record struct Area(Ram Ram, ulong Offset)
    {
        public ushort LoadAcquire(uint at) => Ram.LoadAcquire(Offset + at);
        public void StoreRelease(uint at, ushort value) => Ram.StoreRelease(Offset + at, value);
    }

    private readonly record struct Descriptor(ulong Address, uint Length, ushort A, ushort B);

    /// <summary>Serialises everything that touches the rings.</summary>
    public Lock Lock { get; } = new();

    public int Index { get; }

    /// <summary>The largest size that the driver may choose.</summary>
    public ushort MaxSize { get; }

    /// <summary>Number of entries of the ring.</summary>
    public ushort Size
    {
        get => _size;
        set => _size = _ready ? _size : value;
    }

    /// <summary>Guest physical address of the descriptor area.</summary>
    public ulong DescriptorAddress
    {
        get => _descriptorAddress;
        set => _descriptorAddress = _ready ? _descriptorAddress : value;
    }

    /// <summary>Guest physical address of the driver area: available ring, or driver event suppression.</summary>
    public ulong DriverAddress
    {
        get => _driverAddress;
        set => _driverAddress = _ready ? _driverAddress : value;
    }

    /// <summary>Guest physical address of the device area: used ring, or device event suppression.</summary>
    public ulong DeviceAddress
    {
        get => _deviceAddress;
        set => _deviceAddress = _ready ? _deviceAddress : value;
    }

    /// <summary>The driver has enabled the queue.</summary>
    public bool Ready => _ready;

    /// <summary>Buffers can be popped: the queue is enabled and its device runs.</summary>
    public bool Live => _live && _device.Running;

    /// <summary>Enables or disables the queue; taking effect once the device runs.</summary>
    internal void SetReady(bool ready)
    {
        lock (Lock)
        {
            if (ready == _ready)
                return;
            _ready = ready;
            _epoch++;
            _outstanding = 0;
            Sync();
        }
    }

    internal void Reset()
    {
        lock (Lock)
        {
            _size = MaxSize;
            _ready = _live = false;
            _descriptorAddress = _driverAddress = _deviceAddress = 0;
            _next = _used = _signalled = 0;
            _nextWrap = _usedWrap = _signalledWrap = true;
            _outstanding = 0;
            _epoch++;
        }
    }

    /// <summary>Derives what follows from the device's status and features.</summary>
    internal void Sync()
    {
        lock (Lock)
        {
            _packed = _device.Negotiated(VirtioFeature.RingPacked);
            _eventIdx = _device.Negotiated(VirtioFeature.EventIdx);
            _indirect = _device.Negotiated(VirtioFeature.IndirectDesc);
            _mapVersion = -1;
            _live = _ready && _device.Running;
        }
    }

    /// <summary>Takes the next available buffer.</summary>
    /// <returns>False when there is none, or none can be taken.</returns>
    public bool TryPop(DescriptorChain chain)
    {
        if (!Live || !Resolve())
            return false;
        chain.Clear();
        bool popped = _packed ? PopPacked(chain) : PopSplit(chain);
        if (popped)
            chain.Epoch = _epoch;
        return popped;
    }

    /// <summary>Gives back buffers just popped, the last first: the device could not use them now.</summary>
    public void Unpop(DescriptorChain chain)
    {
        if (chain.Epoch != _epoch)
            return;
        if (_packed)
            UnpopPacked(chain);
        else
            UnpopSplit();
    }

    /// <summary>Returns a buffer to the driver. One popped before the queue was reset is forgotten.</summary>
    /// <param name="written">Bytes written to the beginning of the device-writable part.</param>
    public void Push(DescriptorChain chain, uint written)
    {
        if (chain.Epoch != _epoch || !Live || !Resolve())
            return;
        if (_packed)
            PushPacked(chain, written);
        else
            PushSplit(chain, written);
    }

    /// <summary>Interrupts the driver if buffers were pushed since the last call and it wants to know.</summary>
    public void Signal()
    {
        if (Live && Resolve() && (_packed ? WantsInterruptPacked() : WantsInterruptSplit()))
            _device.QueueInterrupt(Index);
    }

    /// <summary>Tells the driver not to notify: the device is looking at the queue anyway.</summary>
    public void DisableNotifications()
    {
        if (!Live || !Resolve())
            return;
        if (_packed)
            DisableNotificationsPacked();
        else
            DisableNotificationsSplit();
    }

    /// <summary>Asks the driver to notify from now on.</summary>
    /// <returns>True when a buffer has become available meanwhile: it must be popped, no notification will come.</returns>
    public bool EnableNotifications()
    {
        if (!Live || !Resolve())
            return false;
        return _packed ? EnableNotificationsPacked() : EnableNotificationsSplit();
    }

    /// <summary>Whether the driver's choice of size and addresses can work (sections 2.7 and 2.8.10.1).</summary>
    private bool Resolve()
    {
        if (!_device.DmaEnabled)
            return false;
        int version = _device.Memory.Version;
        if (version == _mapVersion)
            return true;
        uint size = _size;
        bool valid = size != 0 && size <= MaxSize && (_packed ? _next < size && _used < size : (size & (size - 1)) == 0);
        uint driver = _packed ? 4 : 6 + 2 * size, device = _packed ? 4 : 6 + 8 * size;
        if (!valid
            || !Resolve(_descriptorAddress, size * DescriptorSize, 16, out _descriptors)
            || !Resolve(_driverAddress, driver, _packed ? 4u : 2, out _driver)
            || !Resolve(_deviceAddress, device, 4, out _deviceArea))
        {
            Fault($"size {size} or addresses 0x{_descriptorAddress:x}, 0x{_driverAddress:x}, 0x{_deviceAddress:x} cannot be");
            return false;
        }
        _mapVersion = version;
        return true;
    }

    private bool Resolve(ulong address, uint length, uint alignment, out Area area)
    {
        area = default;
        if (address % alignment != 0 || !_device.Memory.FindRam(address, (int)length, out Ram? ram, out ulong offset, out int run)
            || run != length || ram.ReadOnly)
            return false;
        area = new Area(ram, offset);
        return true;
    }

    /// <summary>Reads a descriptor's fields once, whatever the guest does to them meanwhile.</summary>
    private static Descriptor ReadDescriptor(Area table, uint index)
    {
        ReadOnlySpan<byte> bytes = table.Ram.Get(table.Offset + index * DescriptorSize, DescriptorSize);
        return new Descriptor(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes[14..]));
    }

    /// <summary>The table of an indirect descriptor (sections 2.7.5.3 and 2.8.8).</summary>
    private bool FindIndirect(ulong address, uint length, out Area table, out uint entries)
    {
        table = default;
        entries = length / DescriptorSize;
        if (!_indirect)
            return Fault("an indirect descriptor, which was not negotiated");
        if (length == 0 || length % DescriptorSize != 0 || entries > DescriptorChain.MaxSegments)
            return Fault($"an indirect table of {length} bytes");
        if (!_device.Memory.FindRam(address, (int)length, out Ram? ram, out ulong offset, out int run) || run != length)
            return Fault($"an indirect table that is not in RAM, 0x{address:x}");
        table = new Area(ram, offset);
        return true;
    }

    private bool AddSegment(DescriptorChain chain, ulong address, uint length, bool writable)
        => chain.Add(_device.Memory, address, length, writable) is not { } problem || Fault(problem);

    private bool Fault(string problem)
    {
        _live = false;
        _device.SetNeedsReset($"queue {Index}: {problem}");
        return false;
    }

    /// <summary>Whether moving from <paramref name="old"/> to <paramref name="now"/> passed the event (section 2.7.10).</summary>
    private static bool NeedEvent(ushort eventIndex, ushort now, ushort old) => (ushort)(now - eventIndex - 1) < (ushort)(now - old);
}
