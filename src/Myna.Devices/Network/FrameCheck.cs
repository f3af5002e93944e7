using System.Numerics;

namespace Myna.Devices.Network;

/// <summary>The frame check sequence of Ethernet (IEEE 802.3, section 3.2.9).</summary>
internal static class FrameCheck
{
    private static readonly uint[] s_table = [.. Enumerable.Range(0, 256).Select(i =>
    {
        uint c = (uint)i;
        for (int bit = 0; bit < 8; bit++)
            c = (c & 1) != 0 ? 0xedb8_8320 ^ c >> 1 : c >> 1;
        return c;
    })];

    /// <summary>The CRC-32 of a frame, as it is stored: little-endian behind it.</summary>
    public static uint Compute(ReadOnlySpan<byte> frame)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in frame)
            crc = s_table[(byte)(crc ^ b)] ^ crc >> 8;
        return ~crc;
    }

    /// <summary>The upper six bits of the CRC as multicast filters of many controllers take them: the first bit on the wire highest.</summary>
    public static int MulticastHash(ReadOnlySpan<byte> address)
    {
        // The register's content before its inversion and mirroring.
        uint crc = ~Compute(address);
        uint mirrored = 0;
        for (int bit = 0; bit < 32; bit++)
            mirrored |= (crc >> bit & 1) << 31 - bit;
        return (int)BitOperations.RotateLeft(mirrored, 6) & 63;
    }
}
