using System.Buffers.Binary;

namespace Myna.Network.Wire;

public enum IpProtocol : byte { Icmp = 1, Tcp = 6, Udp = 17 }

public enum EtherType : ushort { Ipv4 = 0x0800, Arp = 0x0806, Ipv6 = 0x86DD }

/// <summary>A checked view of an IPv4 datagram or fragment (RFC 791 §3.1).</summary>
internal readonly ref struct Ipv4Packet
{
    public const int HeaderSize = 20;

    public Ipv4Address Source { get; private init; }
    public Ipv4Address Destination { get; private init; }
    public IpProtocol Protocol { get; private init; }
    public ushort Identification { get; private init; }

    /// <summary>Place of the payload in the datagram, in bytes.</summary>
    public int FragmentOffset { get; private init; }
    public bool MoreFragments { get; private init; }
    public ReadOnlySpan<byte> Header { get; private init; }
    public ReadOnlySpan<byte> Payload { get; private init; }

    public bool IsFragment => MoreFragments || FragmentOffset != 0;

    /// <summary>False for anything but a well-formed version 4 packet with a right header checksum; bytes after it are padding.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv4Packet packet)
    {
        packet = default;
        if (bytes.Length < HeaderSize || bytes[0] >> 4 != 4)
            return false;
        int headerLength = (bytes[0] & 15) * 4;
        int total = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        if (headerLength < HeaderSize || total < headerLength || total > bytes.Length || Checksum.Of(bytes[..headerLength]) != 0)
            return false;
        ushort fragment = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
        packet = new Ipv4Packet
        {
            Identification = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]),
            MoreFragments = (fragment & 0x2000) != 0,
            FragmentOffset = (fragment & 0x1FFF) * 8,
            Protocol = (IpProtocol)bytes[9],
            Source = Ipv4Address.Read(bytes[12..]),
            Destination = Ipv4Address.Read(bytes[16..]),
            Header = bytes[..headerLength],
            Payload = bytes[headerLength..total],
        };
        return true;
    }

    /// <summary>Writes a 20-byte header before a payload of <paramref name="payloadLength"/> bytes.</summary>
    public static void WriteHeader(Span<byte> b, Ipv4Address source, Ipv4Address destination, IpProtocol protocol, ushort identification,
        int payloadLength, int fragmentOffset = 0, bool moreFragments = false)
    {
        b[0] = 0x45;
        b[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(b[2..], (ushort)(HeaderSize + payloadLength));
        BinaryPrimitives.WriteUInt16BigEndian(b[4..], identification);
        BinaryPrimitives.WriteUInt16BigEndian(b[6..], (ushort)((moreFragments ? 0x2000 : 0) | fragmentOffset / 8));
        b[8] = 64;
        b[9] = (byte)protocol;
        b[10] = b[11] = 0;
        source.Write(b[12..]);
        destination.Write(b[16..]);
        BinaryPrimitives.WriteUInt16BigEndian(b[10..], Checksum.Of(b[..HeaderSize]));
    }
}
