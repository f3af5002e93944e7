using System.Buffers.Binary;

namespace Myna.Devices.Virtio;

/// <summary>Split virtqueues (virtio 1.2, section 2.7).</summary>
public sealed partial class Virtqueue
{
    // struct virtq_avail: flags, idx, ring[size], used_event. struct virtq_used: flags, idx, ring[size], avail_event.
    private const uint RingFlags = 0, RingIdx = 2, RingEntries = 4;
    private const ushort AvailNoInterrupt = 1, UsedNoNotify = 1;

    private uint UsedEventAt => RingEntries + 2u * _size;
    private uint AvailEventAt => RingEntries + 8u * _size;

    private bool PopSplit(DescriptorChain chain)
    {
        ushort available = _driver.LoadAcquire(RingIdx);
        if (available == _next)
            return false;
        if ((ushort)(available - _next) > _size)
            return Fault($"the available index jumped from {_next} to {available}");
        if (_outstanding >= _size)
            return Fault("more buffers available than the queue has descriptors");
        ushort head = _driver.LoadAcquire(RingEntries + 2u * (uint)(_next & (_size - 1)));
        if (!Walk(chain, head))
            return false;
        chain.Id = head;
        chain.RingSlots = 1;
        _outstanding++;
        _next++;
        return true;
    }

    /// <summary>Follows a chain; no more descriptors than the table holds, so that a loop ends.</summary>
    private bool Walk(DescriptorChain chain, ushort head)
    {
        Area table = _descriptors;
        uint entries = _size, left = _size, index = head;
        bool indirect = false;
        while (true)
        {
            if (index >= entries)
                return Fault($"descriptor {index} of {entries}");
            if (left-- == 0)
                return Fault("a descriptor chain that loops");
            Descriptor d = ReadDescriptor(table, index);
            (ushort flags, ushort next) = (d.A, d.B);
            if ((flags & FlagIndirect) != 0)
            {
                if (indirect || (flags & FlagNext) != 0)
                    return Fault("an indirect descriptor inside a table or with a next one");
                if (!FindIndirect(d.Address, d.Length, out table, out entries))
                    return false;
                indirect = true;
                left = entries;
                index = 0;
                continue;
            }
            if (!AddSegment(chain, d.Address, d.Length, (flags & FlagWrite) != 0))
                return false;
            if ((flags & FlagNext) == 0)
                return true;
            index = next;
        }
    }

    private void UnpopSplit()
    {
        _next--;
        _outstanding--;
    }

    private void PushSplit(DescriptorChain chain, uint written)
    {
        uint entry = RingEntries + 8u * (uint)(_used & (_size - 1));
        Span<byte> bytes = _deviceArea.Ram.GetForWrite(_deviceArea.Offset + entry, 8);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, chain.Id);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], written);
        _deviceArea.StoreRelease(RingIdx, ++_used);
        _outstanding--;
    }

    private bool WantsInterruptSplit()
    {
        ushort old = _signalled;
        if (old == _used)
            return false;
        _signalled = _used;
        // The driver writes its wish and then looks at idx; the device wrote idx and now looks at the wish.
        Interlocked.MemoryBarrier();
        return _eventIdx
            ? NeedEvent(_driver.LoadAcquire(UsedEventAt), _used, old)
            : (_driver.LoadAcquire(RingFlags) & AvailNoInterrupt) == 0;
    }

    private void DisableNotificationsSplit()
    {
        // With event index the stale avail_event silences the driver by itself.
        if (!_eventIdx)
            _deviceArea.StoreRelease(RingFlags, UsedNoNotify);
    }

    private bool EnableNotificationsSplit()
    {
        if (_eventIdx)
            _deviceArea.StoreRelease(AvailEventAt, _next);
        else
            _deviceArea.StoreRelease(RingFlags, 0);
        Interlocked.MemoryBarrier();
        return _driver.LoadAcquire(RingIdx) != _next;
    }
}
