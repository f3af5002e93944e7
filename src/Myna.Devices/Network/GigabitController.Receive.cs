using System.Buffers.Binary;
using Myna.Hardware.State;

namespace Myna.Devices.Network;

public abstract partial class GigabitController
{
    private const int FcsSize = 4, VlanTagSize = 4, LongestStandard = 1522;

    private readonly Lock _rxLock = new();

    [NotSaved("a frame on its way")]
    private readonly byte[] _received = new byte[MaxFrame + FcsSize];

    [NotSaved("the back end asks again")]
    private bool _starved;

    /// <summary>Descriptors are written back in the extended format, or are of the packet-split kind (82574 only).</summary>
    private protected virtual ReceiveFormat Format => ReceiveFormat.Legacy;

    private protected enum ReceiveFormat { Legacy, Extended, PacketSplit }

    private ReceiveControl ReceiveSettings => (ReceiveControl)this[GigabitRegister.RCTL];

    /// <inheritdoc/>
    public bool Receive(ReadOnlySpan<byte> frame)
        => !LinkUp || (ReceiveSettings & ReceiveControl.LBM) != 0 || _phy.IsLoopback || Accept(frame, loopback: false);

    /// <returns>False when the ring has no room and the frame shall come again.</returns>
    private bool Accept(ReadOnlySpan<byte> frame, bool loopback)
    {
        InterruptCause causes;
        lock (_rxLock)
        {
            ReceiveControl settings = ReceiveSettings;
            if ((settings & ReceiveControl.EN) == 0 || !BusMaster || frame.Length is < MinFrame or > MaxFrame || !PassesFilters(frame, settings))
                return true;
            if (frame.Length + FcsSize > LongestStandard && (settings & ReceiveControl.LPE) == 0)
            {
                lock (_lock)
                    Count(GigabitRegister.ROC);
                return true;
            }
            int length = Prepare(frame, settings, out bool tagged, out ushort tag);
            if (!Deliver(_received.AsSpan(0, length), tagged, tag, out causes))
            {
                _starved = !loopback;
                if (loopback)
                    Raise(InterruptCause.RXO);
                return loopback;
            }
            lock (_lock)
                CountReceived(frame);
        }
        Raise(causes);
        return true;
    }

    private void WakeReceiver()
    {
        bool starved;
        lock (_rxLock)
            (starved, _starved) = (_starved, false);
        if (starved)
            _backend.ReceiveReady();
    }

    /// <summary>Address and VLAN filters (SDM, section 3.2.1).</summary>
    private bool PassesFilters(ReadOnlySpan<byte> frame, ReceiveControl settings)
    {
        if ((settings & ReceiveControl.VFE) != 0 && IsTagged(frame))
        {
            int id = BinaryPrimitives.ReadUInt16BigEndian(frame[14..]) & 0xfff;
            if ((this[GigabitRegister.VFTA + (id >> 5) * 4] & 1u << (id & 31)) == 0)
                return false;
        }
        bool multicast = (frame[0] & 1) != 0;
        if ((settings & (multicast ? ReceiveControl.MPE : ReceiveControl.UPE)) != 0)
            return true;
        if ((settings & ReceiveControl.BAM) != 0 && frame[..6].IndexOfAnyExcept((byte)0xff) < 0)
            return true;
        uint low = BinaryPrimitives.ReadUInt32LittleEndian(frame), high = BinaryPrimitives.ReadUInt16LittleEndian(frame[4..]);
        for (int i = 0; i < 16; i++)
        {
            // Address Valid, and Address Select "destination".
            if (this[GigabitRegister.RA + i * 8] == low && (this[GigabitRegister.RA + i * 8 + 4] & 0x8003_ffff) == (high | 1u << 31))
                return true;
        }
        if (!multicast)
            return false;
        ReadOnlySpan<byte> shifts = [4, 3, 2, 0];
        uint hash = high >> shifts[(int)(this[GigabitRegister.RCTL] >> 12 & 3)] & 0xfff;
        return (this[GigabitRegister.MTA + (int)(hash >> 5) * 4] & 1u << (int)(hash & 31)) != 0;
    }

    private bool IsTagged(ReadOnlySpan<byte> frame)
        => frame.Length >= 18 && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) == (ushort)this[GigabitRegister.VET];

    /// <summary>Brings a frame into the form in which it is stored: without its tag, padded, with FCS.</summary>
    /// <returns>Bytes of the receive buffer.</returns>
    private int Prepare(ReadOnlySpan<byte> frame, ReceiveControl settings, out bool tagged, out ushort tag)
    {
        int length = Math.Max(frame.Length, ShortestOnWire);
        Span<byte> stored = _received;
        stored[frame.Length..Math.Max(frame.Length, length)].Clear();
        frame.CopyTo(stored);
        // The FCS is that of the frame on the wire, tag and all.
        uint fcs = (settings & ReceiveControl.SECRC) != 0 ? 0 : FrameCheck.Compute(stored[..length]);
        tagged = (Control & DeviceControl.VME) != 0 && IsTagged(frame);
        tag = tagged ? BinaryPrimitives.ReadUInt16BigEndian(frame[14..]) : (ushort)0;
        if (tagged)
        {
            stored[16..length].CopyTo(stored[12..]);
            length -= VlanTagSize;
        }
        if ((settings & ReceiveControl.SECRC) == 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(stored[length..], fcs);
            length += FcsSize;
        }
        return length;
    }

    private int BufferSize(ReceiveControl settings)
    {
        int size = 2048 >> (int)(this[GigabitRegister.RCTL] >> 16 & 3);
        return (settings & ReceiveControl.BSEX) != 0 && size != 2048 ? size * 16 : size;
    }

    /// <summary>Puts a frame into the ring's buffers (SDM, section 3.2.3 to 3.2.6).</summary>
    /// <returns>False for want of buffers.</returns>
    private bool Deliver(ReadOnlySpan<byte> data, bool tagged, ushort tag, out InterruptCause causes)
    {
        causes = InterruptCause.RXT0;
        ReceiveFormat format = Format;
        int descriptorSize = format == ReceiveFormat.PacketSplit ? 32 : DescriptorSize;
        uint count = this[GigabitRegister.RDLEN] / (uint)descriptorSize, head = this[GigabitRegister.RDH], tail = this[GigabitRegister.RDT];
        if (count == 0 || head >= count)
            return false;
        uint free = tail < count ? (tail + count - head) % count : count - head;
        Span<int> sizes = stackalloc int[4];
        BufferSizes(format, sizes);
        int perDescriptor = sizes[0] + sizes[1] + sizes[2] + sizes[3];
        uint needed = (uint)((data.Length + perDescriptor - 1) / perDescriptor);
        if (needed > free)
        {
            // What no ring of this size could hold is lost.
            if (needed < count)
                return false;
            lock (_lock)
                Count(GigabitRegister.MPC);
            causes = InterruptCause.RXO;
            return true;
        }
        ulong ring = RingBase(GigabitRegister.RDBAL);
        for (; needed > 0; needed--)
        {
            ReadOnlySpan<byte> part = data[..Math.Min(data.Length, perDescriptor)];
            data = data[part.Length..];
            if (!StoreDescriptor(ring + head * (uint)descriptorSize, format, part, sizes, last: data.IsEmpty, tagged, tag))
                _log.Guest($"receive descriptor {head} at {ring:x}, or its buffer, is no memory");
            head = head + 1 == count ? 0 : head + 1;
            free--;
        }
        this[GigabitRegister.RDH] = head;
        if (free <= count >> 1 + (int)(this[GigabitRegister.RCTL] >> 8 & 3))
            causes |= InterruptCause.RXDMT0;
        return true;
    }

    private void BufferSizes(ReceiveFormat format, Span<int> sizes)
    {
        sizes.Clear();
        sizes[0] = BufferSize(ReceiveSettings);
        if (format != ReceiveFormat.PacketSplit)
            return;
        // Packet Split Receive Control: the first in units of 128 bytes, the others of 1 KiB (82574 datasheet, section 10.2.5.3).
        uint split = this[GigabitRegister.PSRCTL];
        sizes[0] = (int)(split & 0x7f) * 128;
        for (int i = 1; i < 4; i++)
            sizes[i] = (int)(split >> 8 * i & 0x3f) * 1024;
        if (sizes[0] + sizes[1] + sizes[2] + sizes[3] == 0)
            sizes[0] = 128;
    }

    private bool StoreDescriptor(ulong address, ReceiveFormat format, ReadOnlySpan<byte> part, ReadOnlySpan<int> sizes, bool last, bool tagged, ushort tag)
    {
        Span<byte> descriptor = stackalloc byte[32];
        if (format != ReceiveFormat.PacketSplit)
            descriptor = descriptor[..DescriptorSize];
        if (!_memory.Read(address, descriptor))
            return false;
        bool good = true;
        ReceiveStatus status = ReceiveStatus.DD | ReceiveStatus.IXSM | (last ? ReceiveStatus.EOP : 0) | (last && tagged ? ReceiveStatus.VP : 0);
        Span<int> lengths = stackalloc int[4];
        lengths.Clear();
        for (int i = 0; i < 4 && !part.IsEmpty; i++)
        {
            lengths[i] = Math.Min(part.Length, sizes[i]);
            if (lengths[i] > 0)
                good &= _memory.Write(BinaryPrimitives.ReadUInt64LittleEndian(descriptor[(format == ReceiveFormat.PacketSplit ? 8 * i : 0)..]), part[..lengths[i]]);
            part = part[lengths[i]..];
        }
        int statusAt;
        if (format == ReceiveFormat.Legacy)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[8..], (ushort)lengths[0]);
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[10..], 0);
            descriptor[13] = 0;
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[14..], tag);
            statusAt = 12;
        }
        else
        {
            descriptor.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[12..], (ushort)lengths[0]);
            BinaryPrimitives.WriteUInt16LittleEndian(descriptor[14..], tag);
            for (int i = 1; i < 4 && format == ReceiveFormat.PacketSplit; i++)
                BinaryPrimitives.WriteUInt16LittleEndian(descriptor[(16 + 2 * i)..], (ushort)lengths[i]);
            statusAt = 8;
        }
        // DD is seen last: it makes the rest the driver's.
        descriptor[statusAt] = 0;
        good &= _memory.Write(address, descriptor);
        return good & _memory.Write(address + (uint)statusAt, [(byte)status]);
    }

    private void CountReceived(ReadOnlySpan<byte> frame)
    {
        int octets = Math.Max(frame.Length, ShortestOnWire) + FcsSize;
        Count(GigabitRegister.TPR);
        Count(GigabitRegister.GPRC);
        Count(GigabitRegister.PRC64 + SizeClass(octets));
        CountOctets(GigabitRegister.GORCL, octets);
        CountOctets(GigabitRegister.TORL, octets);
        if ((frame[0] & 1) != 0)
            Count(frame[..6].IndexOfAnyExcept((byte)0xff) < 0 ? GigabitRegister.BPRC : GigabitRegister.MPRC);
    }
}
