using System.Buffers.Binary;

namespace Myna.Devices.Virtio;

/// <summary>Packed virtqueues (virtio 1.2, section 2.8).</summary>
public sealed partial class Virtqueue
{
    // struct pvirtq_desc: addr, len, id, flags. struct pvirtq_event_suppress: desc (offset, wrap), flags.
    private const uint DescriptorFlags = 14, EventDesc = 0, EventFlags = 2;
    private const ushort FlagAvail = 1 << 7, FlagUsed = 1 << 15;
    private const ushort EventEnable = 0, EventDisable = 1, EventDescriptor = 2;
    private const ushort EventWrap = 1 << 15;

    private bool AvailablePacked()
    {
        ushort flags = _descriptors.LoadAcquire(_next * (uint)DescriptorSize + DescriptorFlags);
        return (flags & FlagAvail) != 0 == _nextWrap && (flags & FlagUsed) != 0 != _nextWrap;
    }

    private bool PopPacked(DescriptorChain chain)
    {
        if (!AvailablePacked())
            return false;
        uint index = _next, slots = 0;
        while (true)
        {
            if (_outstanding + ++slots > _size)
                return Fault("a descriptor chain that loops, or more descriptors available than the ring has");
            Descriptor d = ReadDescriptor(_descriptors, index);
            (ushort id, ushort flags) = (d.A, d.B);
            if (++index == _size)
                index = 0;
            if ((flags & FlagIndirect) != 0)
            {
                // Section 2.8.8: the only descriptor of its buffer.
                if (slots != 1 || (flags & FlagNext) != 0)
                    return Fault("an indirect descriptor that is not alone");
                if (!FindIndirect(d.Address, d.Length, out Area table, out uint entries))
                    return false;
                for (uint i = 0; i < entries; i++)
                {
                    Descriptor inner = ReadDescriptor(table, i);
                    if ((inner.B & FlagIndirect) != 0)
                        return Fault("an indirect descriptor inside a table");
                    if (!AddSegment(chain, inner.Address, inner.Length, (inner.B & FlagWrite) != 0))
                        return false;
                }
            }
            else if (!AddSegment(chain, d.Address, d.Length, (flags & FlagWrite) != 0))
            {
                return false;
            }
            if ((flags & FlagNext) != 0)
                continue;
            chain.Id = id;
            chain.RingSlots = (ushort)slots;
            _outstanding += (int)slots;
            Advance(ref _next, ref _nextWrap, slots);
            return true;
        }
    }

    private void UnpopPacked(DescriptorChain chain)
    {
        _outstanding -= chain.RingSlots;
        if (_next >= chain.RingSlots)
        {
            _next -= chain.RingSlots;
            return;
        }
        _next = (ushort)(_next + _size - chain.RingSlots);
        _nextWrap = !_nextWrap;
    }

    private void PushPacked(DescriptorChain chain, uint written)
    {
        uint at = _used * (uint)DescriptorSize;
        Span<byte> bytes = _descriptors.Ram.GetForWrite(_descriptors.Offset + at, DescriptorSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], written);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[12..], chain.Id);
        ushort flags = (ushort)((_usedWrap ? FlagAvail | FlagUsed : 0) | (written != 0 ? FlagWrite : 0));
        _descriptors.StoreRelease(at + DescriptorFlags, flags);
        _outstanding -= chain.RingSlots;
        Advance(ref _used, ref _usedWrap, chain.RingSlots);
    }

    private bool WantsInterruptPacked()
    {
        (ushort old, bool oldWrap) = (_signalled, _signalledWrap);
        if (old == _used && oldWrap == _usedWrap)
            return false;
        (_signalled, _signalledWrap) = (_used, _usedWrap);
        Interlocked.MemoryBarrier();
        ushort flags = _driver.LoadAcquire(EventFlags);
        if (!_eventIdx || (flags & 3) != EventDescriptor)
            return (flags & 3) != EventDisable;
        // Positions of the previous lap count down from the ring's start.
        ushort wanted = _driver.LoadAcquire(EventDesc);
        int position = wanted & ~EventWrap;
        if ((wanted & EventWrap) != 0 != _usedWrap)
            position -= _size;
        return NeedEvent((ushort)position, _used, (ushort)(oldWrap == _usedWrap ? old : old - _size));
    }

    private void DisableNotificationsPacked() => _deviceArea.StoreRelease(EventFlags, EventDisable);

    private bool EnableNotificationsPacked()
    {
        if (_eventIdx)
        {
            _deviceArea.StoreRelease(EventDesc, (ushort)(_next | (_nextWrap ? EventWrap : 0)));
            _deviceArea.StoreRelease(EventFlags, EventDescriptor);
        }
        else
        {
            _deviceArea.StoreRelease(EventFlags, EventEnable);
        }
        Interlocked.MemoryBarrier();
        return AvailablePacked();
    }

    private void Advance(ref ushort position, ref bool wrap, uint slots)
    {
        uint next = position + slots;
        if (next >= _size)
        {
            next -= _size;
            wrap = !wrap;
        }
        position = (ushort)next;
    }
}
