using System.Buffers.Binary;
using Myna.Hardware.State;

namespace Myna.Devices.Network;

public abstract partial class GigabitController
{
    private const int DescriptorSize = 16;

    // The largest frame a guest may build, and the longest segment with its header.
    private const int MaxFrame = 65536, MinFrame = 14, ShortestOnWire = 60;

    private readonly Lock _txLock = new();

    // What the last context descriptor of each kind said: checksums alone, segmentation.
    [Saved(25)] private OffloadContext _offload;
    [Saved(26)] private OffloadContext _segmentation;

    [Saved(27)] private readonly byte[] _frame = new byte[MaxFrame + 4];
    [Saved(28)] private PacketState _packet;

    /// <summary>A TCP/IP context descriptor (SDM, section 3.3.6).</summary>
    private struct OffloadContext
    {
        public byte IPCSS, IPCSO, TUCSS, TUCSO, HDRLEN;
        public ushort IPCSE, TUCSE, MSS;
        public TransmitCommand TUCMD;
        public uint PAYLEN;

        // The two quadwords of a descriptor.
        public static OffloadContext Read(ulong first, ulong second) => new()
        {
            IPCSS = (byte)first, IPCSO = (byte)(first >> 8), IPCSE = (ushort)(first >> 16),
            TUCSS = (byte)(first >> 32), TUCSO = (byte)(first >> 40), TUCSE = (ushort)(first >> 48),
            PAYLEN = (uint)second & 0xf_ffff, TUCMD = (TransmitCommand)(byte)(second >> 24),
            HDRLEN = (byte)(second >> 40), MSS = (ushort)(second >> 48),
        };
    }

    /// <summary>A packet whose descriptors are being read; its bytes so far are in the frame buffer.</summary>
    private struct PacketState
    {
        public int Length;
        public bool Started, Bad, Segmented, InsertIp, InsertTcp;

        // Segments sent, and octets of the payload in them.
        public uint Segments, Sent;
    }

    /// <summary>Sends what the ring holds up to the tail (SDM, section 3.4).</summary>
    private void Transmit()
    {
        InterruptCause causes = 0;
        lock (_txLock)
        {
            uint count = this[GigabitRegister.TDLEN] / DescriptorSize;
            bool enabled = ((TransmitControl)this[GigabitRegister.TCTL] & TransmitControl.EN) != 0 && BusMaster;
            // One round at most: a tail outside the ring is never reached.
            for (uint budget = count; enabled && budget > 0 && this[GigabitRegister.TDH] != Volatile.Read(ref this[GigabitRegister.TDT]); budget--)
            {
                uint head = this[GigabitRegister.TDH];
                if (head >= count)
                    head = 0;
                if (!TransmitOne(RingBase(GigabitRegister.TDBAL) + head * DescriptorSize, ref causes))
                    break;
                this[GigabitRegister.TDH] = head + 1 == count ? 0 : head + 1;
                causes |= InterruptCause.TXQE;
            }
        }
        if (causes != 0)
            Raise(causes);
    }

    private ulong RingBase(int register) => this[register] | (ulong)this[register + 4] << 32;

    private bool TransmitOne(ulong address, ref InterruptCause causes)
    {
        Span<byte> descriptor = stackalloc byte[DescriptorSize];
        if (!_memory.Read(address, descriptor))
        {
            _log.Guest($"transmit descriptor at {address:x}, where no memory is");
            return false;
        }
        ulong first = BinaryPrimitives.ReadUInt64LittleEndian(descriptor), second = BinaryPrimitives.ReadUInt64LittleEndian(descriptor[8..]);
        TransmitCommand command = (TransmitCommand)descriptor[11];
        int kind = descriptor[10] >> 4;
        if ((command & TransmitCommand.DEXT) == 0)
        {
            Gather(first, (int)second & 0xffff, legacy: true, command, 0, 0);
            if ((command & TransmitCommand.EOP) != 0)
                Finish(command, descriptor[8 + 5], descriptor[8 + 2], (ushort)(second >> 48));
        }
        else if (kind == 0)
        {
            OffloadContext context = OffloadContext.Read(first, second);
            if ((context.TUCMD & TransmitCommand.TSE) != 0)
                _segmentation = context;
            else
                _offload = context;
        }
        else if (kind == 1)
        {
            Gather(first, (int)second & 0xf_ffff, legacy: false, command, descriptor[13], (ushort)(second >> 48));
            if ((command & TransmitCommand.EOP) != 0)
                Finish(command, 0, 0, (ushort)(second >> 48));
        }
        if ((command & TransmitCommand.RS) != 0)
        {
            descriptor[12] |= 1;
            _memory.Write(address + 12, descriptor.Slice(12, 1));
            causes |= InterruptCause.TXDW;
        }
        return true;
    }

    /// <summary>Adds a buffer's bytes to the packet; full segments of a segmented one leave.</summary>
    private void Gather(ulong address, int length, bool legacy, TransmitCommand command, byte options, ushort special)
    {
        ref PacketState packet = ref _packet;
        if (!packet.Started)
        {
            packet = new PacketState
            {
                Started = true, Segmented = !legacy && (command & TransmitCommand.TSE) != 0,
                InsertIp = (options & 1) != 0, InsertTcp = (options & 2) != 0,
            };
        }
        int limit = packet.Segmented ? _segmentation.HDRLEN + _segmentation.MSS : MaxFrame;
        // A context may also come in the middle of a packet.
        if (packet.Segmented && (_segmentation.MSS == 0 || limit > MaxFrame || packet.Length > limit))
            packet.Bad = true;
        while (length > 0 && !packet.Bad)
        {
            if (packet.Length == limit && packet.Segmented)
                SendSegment(last: false, command, special);
            int part = Math.Min(length, limit - packet.Length);
            if (part == 0 || !_memory.Read(address, _frame.AsSpan(packet.Length, part)))
            {
                _log.Guest($"a packet that is too long, or whose buffer at {address:x} is no memory");
                packet.Bad = true;
                break;
            }
            packet.Length += part;
            address += (uint)part;
            length -= part;
        }
    }

    /// <summary>The packet's last descriptor has been read.</summary>
    private void Finish(TransmitCommand command, byte css, byte cso, ushort special)
    {
        ref PacketState packet = ref _packet;
        if (!packet.Bad && packet.Segmented)
        {
            SendSegment(last: true, command, special);
        }
        else if (!packet.Bad)
        {
            Span<byte> frame = _frame.AsSpan(0, packet.Length);
            if ((command & TransmitCommand.DEXT) == 0 && (command & TransmitCommand.IC) != 0)
                Insert(frame, css, 0, cso);
            if (packet.InsertIp)
                Insert(frame, _offload.IPCSS, _offload.IPCSE, _offload.IPCSO);
            if (packet.InsertTcp)
                Insert(frame, _offload.TUCSS, _offload.TUCSE, _offload.TUCSO);
            Send(packet.Length, command, special);
        }
        packet = default;
    }

    /// <summary>Completes the headers of one segment and sends it (SDM, section 3.5.8); the prototype header stays in place.</summary>
    private void SendSegment(bool last, TransmitCommand command, ushort special)
    {
        ref PacketState packet = ref _packet;
        ref readonly OffloadContext context = ref _segmentation;
        int header = Math.Min(context.HDRLEN, packet.Length), payload = packet.Length - header;
        Span<byte> prototype = stackalloc byte[header];
        Span<byte> frame = _frame.AsSpan(0, packet.Length);
        frame[..header].CopyTo(prototype);
        if ((context.TUCMD & TransmitCommand.IP) != 0)
        {
            Put16(frame, context.IPCSS + 2, packet.Length - context.IPCSS);
            Add16(frame, context.IPCSS + 4, packet.Segments);
        }
        else
        {
            Put16(frame, context.IPCSS + 4, packet.Length - context.IPCSS - 40);
        }
        int transport = packet.Length - context.TUCSS;
        if ((context.TUCMD & TransmitCommand.TCP) != 0)
        {
            if (context.TUCSS + 14 <= frame.Length)
            {
                Span<byte> sequence = frame.Slice(context.TUCSS + 4, 4);
                BinaryPrimitives.WriteUInt32BigEndian(sequence, BinaryPrimitives.ReadUInt32BigEndian(sequence) + packet.Sent);
                if (!last)
                    frame[context.TUCSS + 13] &= unchecked((byte)~0x09);
            }
        }
        else
        {
            Put16(frame, context.TUCSS + 4, transport);
        }
        // The driver's pseudo-header sum lacks the length.
        if (packet.InsertTcp && context.TUCSO + 2 <= frame.Length)
        {
            uint sum = BinaryPrimitives.ReadUInt16BigEndian(frame[context.TUCSO..]) + (uint)transport;
            Put16(frame, context.TUCSO, (int)((sum & 0xffff) + (sum >> 16)));
        }
        if (packet.InsertIp)
            Insert(frame, context.IPCSS, context.IPCSE, context.IPCSO);
        if (packet.InsertTcp)
            Insert(frame, context.TUCSS, context.TUCSE, context.TUCSO);
        Send(packet.Length, command, special);
        if (last)
        {
            lock (_lock)
                Count(GigabitRegister.TSCTC);
        }
        prototype.CopyTo(_frame);
        packet.Segments++;
        packet.Sent += (uint)payload;
        packet.Length = header;
    }

    private static void Put16(Span<byte> frame, int at, int value)
    {
        if (at + 2 <= frame.Length)
            BinaryPrimitives.WriteUInt16BigEndian(frame[at..], (ushort)value);
    }

    private static void Add16(Span<byte> frame, int at, uint value)
    {
        if (at + 2 <= frame.Length)
            Put16(frame, at, (int)(BinaryPrimitives.ReadUInt16BigEndian(frame[at..]) + value));
    }

    /// <summary>Inserts the Internet checksum of a range, to which the field's present content belongs.</summary>
    /// <param name="end">Last octet, or 0 for the packet's.</param>
    private static void Insert(Span<byte> frame, int start, int end, int field)
    {
        int stop = end == 0 ? frame.Length : Math.Min(end + 1, frame.Length);
        if (start < stop && field + 2 <= frame.Length)
            BinaryPrimitives.WriteUInt16BigEndian(frame[field..], InternetChecksum(frame[start..stop]));
    }

    private static ushort InternetChecksum(ReadOnlySpan<byte> data)
    {
        ulong sum = 0;
        for (; data.Length >= 2; data = data[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(data);
        if (data.Length == 1)
            sum += (uint)data[0] << 8;
        while (sum >> 16 != 0)
            sum = (sum & 0xffff) + (sum >> 16);
        // Zero would mean "none" to UDP; both are the same number (RFC 768).
        ushort checksum = (ushort)~sum;
        return checksum == 0 ? (ushort)0xffff : checksum;
    }

    /// <summary>Sends the first bytes of the frame buffer.</summary>
    private void Send(int length, TransmitCommand command, ushort special)
    {
        if (length < MinFrame)
            return;
        Span<byte> frame = _frame.AsSpan();
        if ((command & TransmitCommand.VLE) != 0 && (Control & DeviceControl.VME) != 0)
        {
            frame[12..length].CopyTo(frame[16..]);
            Put16(frame, 12, (int)this[GigabitRegister.VET]);
            Put16(frame, 14, special);
            length += 4;
        }
        if (length < ShortestOnWire && ((TransmitControl)this[GigabitRegister.TCTL] & TransmitControl.PSP) != 0)
        {
            frame[length..ShortestOnWire].Clear();
            length = ShortestOnWire;
        }
        length = Math.Min(length, MaxFrame);
        lock (_lock)
        {
            CountSent(length + 4, frame);
        }
        if (((ReceiveControl)this[GigabitRegister.RCTL] & ReceiveControl.LBM) != 0 || _phy.IsLoopback)
            Accept(frame[..length], loopback: true);
        else if (LinkUp)
            _backend.Send(frame[..length]);
    }

    private void CountSent(int octets, ReadOnlySpan<byte> frame)
    {
        Count(GigabitRegister.TPT);
        Count(GigabitRegister.GPTC);
        Count(GigabitRegister.PTC64 + SizeClass(octets));
        CountOctets(GigabitRegister.GOTCL, octets);
        CountOctets(GigabitRegister.TOTL, octets);
        if ((frame[0] & 1) != 0)
            Count(frame[..6].IndexOfAnyExcept((byte)0xff) < 0 ? GigabitRegister.BPTC : GigabitRegister.MPTC);
    }

    // Counters of 64, to 127, 255, 511, 1023 and longer, one after another.
    private static int SizeClass(int octets) => 4 * (octets <= 64 ? 0 : Math.Min(System.Numerics.BitOperations.Log2((uint)octets) - 5, 5));
}
