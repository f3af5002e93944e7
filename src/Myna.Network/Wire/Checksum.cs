using System.Buffers.Binary;

namespace Myna.Network.Wire;

/// <summary>The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.</summary>
public static class Checksum
{
    /// <summary>Adds bytes, an odd last one padded with zero, to a running sum. Only the last part may have an odd length.</summary>
    public static ulong Add(ulong sum, ReadOnlySpan<byte> bytes)
    {
        // 32-bit words into 64 bits: no carry is lost below 2^32 words.
        while (bytes.Length >= 16)
        {
            ulong a = BinaryPrimitives.ReadUInt64BigEndian(bytes), b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
            sum += (a >> 32) + (uint)a + (b >> 32) + (uint)b;
            bytes = bytes[16..];
        }
        while (bytes.Length >= 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
            bytes = bytes[2..];
        }
        return bytes.IsEmpty ? sum : sum + ((ulong)bytes[0] << 8);
    }

    /// <summary>The checksum of a running sum.</summary>
    public static ushort Finish(ulong sum)
    {
        while (sum >> 16 != 0)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }

    /// <summary>The sum of the pseudo header (RFC 9293 §3.1, RFC 768).</summary>
    public static ulong Pseudo(Ipv4Address source, Ipv4Address destination, IpProtocol protocol, int length) =>
        (ulong)source.Value + destination.Value + (ulong)protocol + (ulong)length;

    /// <summary>The checksum of one run of bytes; 0 over bytes that contain their right checksum.</summary>
    public static ushort Of(ReadOnlySpan<byte> bytes) => Finish(Add(0, bytes));
}
