using Myna.Devices.Virtio;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>A piece of guest memory in a buffer.</summary>
internal readonly record struct Piece(ulong Address, int Length, bool Writable);

/// <summary>A used buffer as the driver gets it.</summary>
internal readonly record struct Used(int Id, uint Length);

/// <summary>The driver's end of a queue, written from the specification's driver side.</summary>
internal abstract class DriverQueue(Driver driver, int index, int size)
{
    protected GuestMemory Memory { get; } = driver.Memory;
    protected bool EventIdx { get; } = (driver.Features & VirtioFeature.EventIdx) != 0;
    public int Index { get; } = index;
    public int Size { get; } = size;
    public ulong Descriptors { get; protected init; }
    public ulong DriverArea { get; protected init; }
    public ulong DeviceArea { get; protected init; }
    public int Notifications { get; private set; }

    /// <summary>Makes a buffer available and returns its id; the device is not notified.</summary>
    public abstract int Add(bool indirect, params Piece[] pieces);

    /// <summary>The next used buffer, if there is one.</summary>
    public abstract Used? Take();

    /// <summary>The device asked to be notified of what was added since the last kick.</summary>
    protected abstract bool KickWanted { get; }

    /// <summary>Asks to be interrupted at the next used buffer (or, with events off, at each).</summary>
    public abstract void EnableInterrupts();

    public abstract void DisableInterrupts();

    /// <summary>Notifies the device if it wants that.</summary>
    public void Kick()
    {
        if (!KickWanted)
            return;
        Notifications++;
        driver.Notify(Index);
    }

    /// <summary>Adds, kicks and waits for the used buffer; for devices that complete at once or soon.</summary>
    public Used Run(bool indirect, params Piece[] pieces)
    {
        int id = Add(indirect, pieces);
        Kick();
        Used used = Wait();
        Assert.Equal(id, used.Id);
        return used;
    }

    /// <summary>Waits for host I/O; fails after long.</summary>
    public Used Wait()
    {
        for (int i = 0; i < 20_000; i++)
        {
            if (Take() is { } used)
                return used;
            Thread.Sleep(i < 100 ? 0 : 1);
        }
        throw new TimeoutException("the device did not use the buffer");
    }

    protected ulong Table(Piece[] pieces, bool packed)
    {
        ulong table = Memory.Allocate(16 * pieces.Length);
        for (int i = 0; i < pieces.Length; i++)
        {
            Memory.Write64(table + (ulong)i * 16, pieces[i].Address);
            Memory.Write32(table + (ulong)i * 16 + 8, (uint)pieces[i].Length);
            int write = pieces[i].Writable ? 2 : 0;
            if (packed)
            {
                Memory.Write16(table + (ulong)i * 16 + 12, 0);
                Memory.Write16(table + (ulong)i * 16 + 14, (ushort)write);
            }
            else
            {
                bool last = i == pieces.Length - 1;
                Memory.Write16(table + (ulong)i * 16 + 12, (ushort)(write | (last ? 0 : 1)));
                Memory.Write16(table + (ulong)i * 16 + 14, last ? (ushort)0 : (ushort)(i + 1));
            }
        }
        return table;
    }
}

internal sealed class SplitDriverQueue : DriverQueue
{
    private readonly Stack<int> _free = new();
    private readonly Dictionary<int, int[]> _chains = [];
    private ushort _availIdx, _kicked, _lastUsed;

    public SplitDriverQueue(Driver driver, int index, int size) : base(driver, index, size)
    {
        Descriptors = Memory.Allocate(16 * size);
        DriverArea = Memory.Allocate(6 + 2 * size, 2);
        DeviceArea = Memory.Allocate(6 + 8 * size, 4);
        for (int i = size - 1; i >= 0; i--)
            _free.Push(i);
    }

    public override int Add(bool indirect, params Piece[] pieces)
    {
        int[] chain = new int[indirect ? 1 : pieces.Length];
        for (int i = 0; i < chain.Length; i++)
            chain[i] = _free.Pop();
        if (indirect)
        {
            Write(chain[0], Table(pieces, packed: false), pieces.Length * 16, 4, 0);
        }
        else
        {
            for (int i = 0; i < pieces.Length; i++)
            {
                bool last = i == pieces.Length - 1;
                Write(chain[i], pieces[i].Address, pieces[i].Length, (pieces[i].Writable ? 2 : 0) | (last ? 0 : 1), last ? 0 : chain[i + 1]);
            }
        }
        _chains[chain[0]] = chain;
        AddHead((ushort)chain[0]);
        return chain[0];
    }

    /// <summary>Writes a descriptor as it is.</summary>
    public void Write(int index, ulong address, int length, int flags, int next)
    {
        ulong at = Descriptors + (ulong)index * 16;
        Memory.Write64(at, address);
        Memory.Write32(at + 8, (uint)length);
        Memory.Write16(at + 12, (ushort)flags);
        Memory.Write16(at + 14, (ushort)next);
    }

    /// <summary>Makes a chain available by its head.</summary>
    public void AddHead(ushort head)
    {
        Memory.Write16(DriverArea + 4 + 2 * (ulong)(_availIdx % Size), head);
        SetAvailIdx((ushort)(_availIdx + 1));
    }

    public void SetAvailIdx(ushort value)
    {
        _availIdx = value;
        Memory.Write16(DriverArea + 2, value);
    }

    public override Used? Take()
    {
        ushort idx = Memory.Ram.LoadAcquire(DeviceArea + 2 - GuestMemory.Base);
        if (idx == _lastUsed)
            return null;
        ulong at = DeviceArea + 4 + 8 * (ulong)(_lastUsed % Size);
        _lastUsed++;
        var used = new Used((int)Memory.Read32(at), Memory.Read32(at + 4));
        Assert.True(_chains.Remove(used.Id, out int[]? chain), $"{used.Id} is not in flight");
        for (int i = chain!.Length - 1; i >= 0; i--)
            _free.Push(chain[i]);
        return used;
    }

    protected override bool KickWanted
    {
        get
        {
            (ushort old, _kicked) = (_kicked, _availIdx);
            if (!EventIdx)
                return (Memory.Read16(DeviceArea) & 1) == 0;
            ushort wanted = Memory.Read16(DeviceArea + 4 + 8 * (ulong)Size);
            return (ushort)(_availIdx - wanted - 1) < (ushort)(_availIdx - old);
        }
    }

    public override void EnableInterrupts()
    {
        Memory.Write16(DriverArea, 0);
        Memory.Write16(DriverArea + 4 + 2 * (ulong)Size, _lastUsed);
    }

    public override void DisableInterrupts()
    {
        Memory.Write16(DriverArea, EventIdx ? (ushort)0 : (ushort)1);
        Memory.Write16(DriverArea + 4 + 2 * (ulong)Size, (ushort)(_lastUsed - 1));
    }
}

internal sealed class PackedDriverQueue : DriverQueue
{
    private readonly Dictionary<int, int> _slots = [];
    private int _next, _taken, _kickedAt, _nextId, _inUse;
    private bool _wrap = true, _takenWrap = true, _kickedWrap = true;

    public PackedDriverQueue(Driver driver, int index, int size) : base(driver, index, size)
    {
        Descriptors = Memory.Allocate(16 * size);
        DriverArea = Memory.Allocate(4, 4);
        DeviceArea = Memory.Allocate(4, 4);
    }

    public override int Add(bool indirect, params Piece[] pieces)
    {
        int id = _nextId;
        do
        {
            _nextId = (_nextId + 1) % Size;
        }
        while (_slots.ContainsKey(_nextId) && _nextId != id);
        if (indirect)
            pieces = [new Piece(Table(pieces, packed: true), pieces.Length * 16, false)];
        Assert.True(_inUse + pieces.Length <= Size, "the ring is full");
        _inUse += pieces.Length;
        _slots.Add(id, pieces.Length);
        (int first, bool firstWrap) = (_next, _wrap);
        ushort firstFlags = 0;
        for (int i = 0; i < pieces.Length; i++)
        {
            ulong at = Descriptors + (ulong)_next * 16;
            Memory.Write64(at, pieces[i].Address);
            Memory.Write32(at + 8, (uint)pieces[i].Length);
            Memory.Write16(at + 12, (ushort)id);
            int flags = (_wrap ? 1 << 7 : 1 << 15) | (pieces[i].Writable ? 2 : 0) | (i < pieces.Length - 1 ? 1 : 0) | (indirect ? 4 : 0);
            if (i == 0)
                firstFlags = (ushort)flags;
            else
                Memory.Write16(at + 14, (ushort)flags);
            if (++_next == Size)
            {
                _next = 0;
                _wrap = !_wrap;
            }
        }
        // The first descriptor becomes available last, and the chain with it.
        Memory.Write16(Descriptors + (ulong)first * 16 + 14, firstFlags);
        return id;
    }

    public override Used? Take()
    {
        ulong at = Descriptors + (ulong)_taken * 16;
        ushort flags = Memory.Ram.LoadAcquire(at + 14 - GuestMemory.Base);
        bool avail = (flags & 1 << 7) != 0, used = (flags & 1 << 15) != 0;
        if (avail != used || used != _takenWrap)
            return null;
        int id = Memory.Read16(at + 12);
        uint length = (flags & 2) != 0 ? Memory.Read32(at + 8) : 0;
        Assert.True(_slots.Remove(id, out int slots), $"{id} is not in flight");
        _inUse -= slots;
        _taken += slots;
        if (_taken >= Size)
        {
            _taken -= Size;
            _takenWrap = !_takenWrap;
        }
        return new Used(id, length);
    }

    protected override bool KickWanted
    {
        get
        {
            (int old, bool oldWrap) = (_kickedAt, _kickedWrap);
            (_kickedAt, _kickedWrap) = (_next, _wrap);
            ushort flags = Memory.Read16(DeviceArea + 2), desc = Memory.Read16(DeviceArea);
            if ((flags & 3) != 2)
                return (flags & 3) == 0;
            Assert.True(EventIdx);
            // Positions on one line: the lap that began with the old wrap counter begins at zero.
            int now = _next + (_wrap != oldWrap ? Size : 0);
            int wanted = (desc & 0x7fff) + ((desc >> 15 != 0) != oldWrap ? Size : 0);
            return old <= wanted && wanted < now;
        }
    }

    public override void EnableInterrupts()
    {
        Memory.Write16(DriverArea, (ushort)(_taken | (_takenWrap ? 1 << 15 : 0)));
        Memory.Write16(DriverArea + 2, EventIdx ? (ushort)2 : (ushort)0);
    }

    public override void DisableInterrupts() => Memory.Write16(DriverArea + 2, 1);
}
