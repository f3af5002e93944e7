using System.Buffers.Binary;

namespace Myna.Devices.Network;

public sealed partial class Rtl8139
{
    // Status before each frame in the ring (section 6): received well; broadcast, physical address, multicast.
    private const ushort ReceivedOk = 1, Broadcast = 0x2000, Physical = 0x4000, Multicast = 0x8000;

    /// <inheritdoc/>
    public bool Receive(ReadOnlySpan<byte> frame)
    {
        bool loopback;
        lock (_lock)
            loopback = (_registers[TCR + 2] & 6) == 6;
        return loopback || !Cable || Accept(frame);
    }

    private bool Accept(ReadOnlySpan<byte> frame)
    {
        bool stored;
        lock (_rxLock)
        {
            lock (_lock)
            {
                if ((_registers[CR] & RE) == 0 || !BusMaster || frame.Length is < MinFrame or > MaxTransmit || Match(frame) is not { } match)
                    return true;
                stored = Store(frame, match);
                _starved |= !stored;
            }
        }
        Raise(Interrupt.ROK);
        return stored;
    }

    private void WakeReceiver()
    {
        bool starved;
        lock (_rxLock)
            (starved, _starved) = (_starved, false);
        if (starved)
            _backend.ReceiveReady();
    }

    /// <summary>The address filter (section 5.7).</summary>
    /// <returns>The status bit that says why, or null.</returns>
    private ushort? Match(ReadOnlySpan<byte> frame)
    {
        uint accept = ReceiveConfiguration;
        ReadOnlySpan<byte> to = frame[..6];
        if (to.IndexOfAnyExcept((byte)0xff) < 0)
            return (accept & (AB | AAP)) != 0 ? Broadcast : null;
        if ((to[0] & 1) != 0)
        {
            int hash = FrameCheck.MulticastHash(to);
            bool listed = (_registers[MAR0 + hash / 8] >> hash % 8 & 1) != 0;
            return (accept & AAP) != 0 || ((accept & AM) != 0 && listed) ? Multicast : null;
        }
        if (to.SequenceEqual(_registers.AsSpan(IDR0, 6)))
            return (accept & (APM | AAP)) != 0 ? Physical : null;
        return (accept & AAP) != 0 ? (ushort)0 : null;
    }

    // Bytes between the driver's read pointer (CAPR lags by 16) and the chip's.
    private int Unread()
    {
        int size = RingSize;
        int read = BinaryPrimitives.ReadUInt16LittleEndian(_registers.AsSpan(CAPR)) + 16;
        return (_write - read & size - 1);
    }

    private bool Store(ReadOnlySpan<byte> frame, ushort match)
    {
        int size = RingSize, length = Math.Max(frame.Length, ShortestOnWire);
        int total = HeaderSize + length + FcsSize + 3 & ~3;
        if (total >= size - Unread())
            return false;
        Span<byte> stored = stackalloc byte[HeaderSize + MaxTransmit + ShortestOnWire + FcsSize];
        stored = stored[..(HeaderSize + length + FcsSize)];
        stored.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(stored, (ushort)(ReceivedOk | match));
        BinaryPrimitives.WriteUInt16LittleEndian(stored[2..], (ushort)(length + FcsSize));
        frame.CopyTo(stored[HeaderSize..]);
        BinaryPrimitives.WriteUInt32LittleEndian(stored[(HeaderSize + length)..], FrameCheck.Compute(stored.Slice(HeaderSize, length)));

        uint ring = BinaryPrimitives.ReadUInt32LittleEndian(_registers.AsSpan(RBSTART));
        int at = _write & size - 1;
        // With WRAP the rest of a frame goes on behind the ring's end, for which the driver has left room; not in the largest ring.
        bool past = (ReceiveConfiguration & WRAP) != 0 && size < 65536;
        int first = past ? stored.Length : Math.Min(stored.Length, size - at);
        bool good = _memory.Write(ring + (uint)at, stored[..first]);
        if (first < stored.Length)
            good &= _memory.Write(ring, stored[first..]);
        if (!good)
            _log.Guest($"receive ring at {ring:x}, where no memory is");
        _write = (ushort)(at + total & size - 1);
        return true;
    }
}
