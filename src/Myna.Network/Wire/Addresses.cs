using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Myna.Network.Wire;

/// <summary>An IPv4 address; <paramref name="Value"/> is in host order (10.0.2.2 is 0x0A000202).</summary>
public readonly record struct Ipv4Address(uint Value)
{
    public static readonly Ipv4Address Any;
    public static readonly Ipv4Address Broadcast = new(uint.MaxValue);
    public static readonly Ipv4Address Loopback = new(0x7F000001);

    public bool IsLoopback => Value >> 24 == 127;

    /// <summary>224.0.0.0/4 (RFC 5771).</summary>
    public bool IsMulticast => Value >> 28 == 14;

    public static Ipv4Address Read(ReadOnlySpan<byte> bytes) => new(BinaryPrimitives.ReadUInt32BigEndian(bytes));

    public void Write(Span<byte> bytes) => BinaryPrimitives.WriteUInt32BigEndian(bytes, Value);

    public static Ipv4Address From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.TryWriteBytes(bytes, out int length) && length == 4 ? Read(bytes) : Any;
    }

    /// <summary>Reads four decimal numbers with dots, and nothing else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ipv4Address address)
    {
        address = default;
        uint value = 0;
        int parts = 0;
        foreach (Range range in text.Split('.'))
        {
            ReadOnlySpan<char> part = text[range];
            if (++parts > 4 || part.Length > 3 || !byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out byte b))
                return false;
            value = value << 8 | b;
        }
        address = new Ipv4Address(value);
        return parts == 4;
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[4];
        Write(bytes);
        return new IPAddress(bytes);
    }

    public override string ToString() => $"{Value >> 24}.{Value >> 16 & 255}.{Value >> 8 & 255}.{Value & 255}";
}

/// <summary>An IPv4 address and a port.</summary>
public readonly record struct Ipv4Endpoint(Ipv4Address Address, ushort Port)
{
    public IPEndPoint ToIPEndPoint() => new(Address.ToIPAddress(), Port);

    public static Ipv4Endpoint From(IPEndPoint endpoint) => new(Ipv4Address.From(endpoint.Address), (ushort)endpoint.Port);

    public override string ToString() => $"{Address}:{Port}";
}

/// <summary>An Ethernet address in the low 48 bits, first byte highest.</summary>
public readonly record struct MacAddress(ulong Value)
{
    public static readonly MacAddress Broadcast = new(0xFFFF_FFFF_FFFF);

    /// <summary>The group bit: multicast and broadcast.</summary>
    public bool IsGroup => (Value >> 40 & 1) != 0;

    public static MacAddress Read(ReadOnlySpan<byte> b) =>
        new((ulong)BinaryPrimitives.ReadUInt16BigEndian(b) << 32 | BinaryPrimitives.ReadUInt32BigEndian(b[2..]));

    public void Write(Span<byte> b)
    {
        BinaryPrimitives.WriteUInt16BigEndian(b, (ushort)(Value >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(b[2..], (uint)Value);
    }

    public override string ToString() => $"{Value >> 40 & 255:x2}:{Value >> 32 & 255:x2}:{Value >> 24 & 255:x2}:{Value >> 16 & 255:x2}:{Value >> 8 & 255:x2}:{Value & 255:x2}";
}
