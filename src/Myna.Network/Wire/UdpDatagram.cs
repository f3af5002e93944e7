using System.Buffers.Binary;

namespace Myna.Network.Wire;

/// <summary>A checked view of a UDP datagram (RFC 768).</summary>
internal readonly ref struct UdpDatagram
{
    public const int HeaderSize = 8;

    public ushort SourcePort { get; private init; }
    public ushort DestinationPort { get; private init; }
    public ReadOnlySpan<byte> Payload { get; private init; }

    public static bool TryParse(ReadOnlySpan<byte> bytes, Ipv4Address source, Ipv4Address destination, out UdpDatagram datagram)
    {
        datagram = default;
        if (bytes.Length < HeaderSize)
            return false;
        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
        if (length < HeaderSize || length > bytes.Length)
            return false;
        // Zero means that the sender computed none.
        if (BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) != 0
            && Checksum.Finish(Checksum.Add(Checksum.Pseudo(source, destination, IpProtocol.Udp, length), bytes[..length])) != 0)
            return false;
        datagram = new UdpDatagram
        {
            SourcePort = BinaryPrimitives.ReadUInt16BigEndian(bytes),
            DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            Payload = bytes[HeaderSize..length],
        };
        return true;
    }

    /// <summary>Writes the header before the payload that already stands at <paramref name="b"/>[8..].</summary>
    public static void WriteHeader(Span<byte> b, Ipv4Endpoint source, Ipv4Endpoint destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(b, source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(b[2..], destination.Port);
        BinaryPrimitives.WriteUInt16BigEndian(b[4..], (ushort)b.Length);
        b[6] = b[7] = 0;
        ushort sum = Checksum.Finish(Checksum.Add(Checksum.Pseudo(source.Address, destination.Address, IpProtocol.Udp, b.Length), b));
        BinaryPrimitives.WriteUInt16BigEndian(b[6..], sum == 0 ? (ushort)0xFFFF : sum);
    }
}
