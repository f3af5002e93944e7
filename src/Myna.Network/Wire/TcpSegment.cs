using System.Buffers.Binary;

namespace Myna.Network.Wire;

[Flags]
public enum TcpFlags : byte { None = 0, Fin = 1, Syn = 2, Rst = 4, Psh = 8, Ack = 16, Urg = 32 }

/// <summary>A checked view of a TCP segment (RFC 9293 §3.1; window scale: RFC 7323 §2.2).</summary>
internal readonly ref struct TcpSegment
{
    public const int HeaderSize = 20;

    public ushort SourcePort { get; init; }
    public ushort DestinationPort { get; init; }
    public uint Sequence { get; init; }
    public uint Acknowledgment { get; init; }
    public TcpFlags Flags { get; init; }

    /// <summary>As in the header, not scaled.</summary>
    public ushort Window { get; init; }

    /// <summary>0 when the segment has no such option.</summary>
    public ushort MaximumSegmentSize { get; init; }

    /// <summary>-1 when the segment has no such option.</summary>
    public int WindowScale { get; init; }
    public ReadOnlySpan<byte> Payload { get; init; }

    public bool Has(TcpFlags flags) => (Flags & flags) != 0;

    /// <summary>The segment's length in sequence space.</summary>
    public uint Length => (uint)Payload.Length + (Has(TcpFlags.Syn) ? 1u : 0) + (Has(TcpFlags.Fin) ? 1u : 0);

    public static bool TryParse(ReadOnlySpan<byte> bytes, Ipv4Address source, Ipv4Address destination, out TcpSegment segment)
    {
        segment = default;
        if (bytes.Length < HeaderSize)
            return false;
        int headerLength = (bytes[12] >> 4) * 4;
        if (headerLength < HeaderSize || headerLength > bytes.Length)
            return false;
        if (Checksum.Finish(Checksum.Add(Checksum.Pseudo(source, destination, IpProtocol.Tcp, bytes.Length), bytes)) != 0)
            return false;
        ReadOptions(bytes[HeaderSize..headerLength], out ushort mss, out int scale);
        segment = new TcpSegment
        {
            SourcePort = BinaryPrimitives.ReadUInt16BigEndian(bytes),
            DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            Sequence = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
            Acknowledgment = BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
            Flags = (TcpFlags)(bytes[13] & 0x3F),
            Window = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]),
            MaximumSegmentSize = mss,
            WindowScale = scale,
            Payload = bytes[headerLength..],
        };
        return true;
    }

    static void ReadOptions(ReadOnlySpan<byte> options, out ushort mss, out int scale)
    {
        mss = 0;
        scale = -1;
        while (!options.IsEmpty && options[0] != 0)
        {
            if (options[0] == 1)
            {
                options = options[1..];
                continue;
            }
            if (options.Length < 2 || options[1] < 2 || options[1] > options.Length)
                return;
            if (options[0] == 2 && options[1] == 4)
                mss = BinaryPrimitives.ReadUInt16BigEndian(options[2..]);
            else if (options[0] == 3 && options[1] == 3)
                scale = Math.Min(options[2], (byte)14);
            options = options[options[1]..];
        }
    }

    /// <summary>How many bytes of header <see cref="Write"/> puts before the payload.</summary>
    public int EncodedHeaderSize => HeaderSize + (MaximumSegmentSize != 0 ? 4 : 0) + (WindowScale >= 0 ? 4 : 0);

    /// <summary>Writes header and checksum; the payload already stands behind the header and ends the span.</summary>
    public void Write(Span<byte> b, Ipv4Address source, Ipv4Address destination)
    {
        int headerLength = EncodedHeaderSize;
        BinaryPrimitives.WriteUInt16BigEndian(b, SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(b[2..], DestinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(b[4..], Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(b[8..], Acknowledgment);
        b[12] = (byte)(headerLength / 4 << 4);
        b[13] = (byte)Flags;
        BinaryPrimitives.WriteUInt16BigEndian(b[14..], Window);
        b[16..20].Clear();
        int at = HeaderSize;
        if (MaximumSegmentSize != 0)
        {
            b[at] = 2;
            b[at + 1] = 4;
            BinaryPrimitives.WriteUInt16BigEndian(b[(at + 2)..], MaximumSegmentSize);
            at += 4;
        }
        if (WindowScale >= 0)
        {
            b[at] = 1;
            b[at + 1] = 3;
            b[at + 2] = 3;
            b[at + 3] = (byte)WindowScale;
        }
        ulong sum = Checksum.Add(Checksum.Pseudo(source, destination, IpProtocol.Tcp, b.Length), b);
        BinaryPrimitives.WriteUInt16BigEndian(b[16..], Checksum.Finish(sum));
    }
}
