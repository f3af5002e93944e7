using System.Buffers.Binary;
using System.IO.Compression;
using Myna.Hardware.Screens;

namespace Myna.Control.Screens;

/// <summary>Pictures as PNG files (ISO/IEC 15948): 8 bits each of red, green and blue.</summary>
public static class PngWriter
{
    private const byte TrueColour = 2, FilterNone = 0, FilterUp = 2;

    private static readonly uint[] s_crc = CrcTable();

    /// <summary>Writes the whole surface.</summary>
    public static void Write(Stream stream, Surface surface)
    {
        stream.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a]);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, surface.Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), surface.Height);
        header[8] = 8;
        header[9] = TrueColour;
        Chunk(stream, "IHDR"u8, header);
        using var data = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionLevel.Fastest, leaveOpen: true))
        {
            int stride = surface.Width * 3;
            byte[] before = new byte[stride], now = new byte[stride], line = new byte[stride + 1];
            for (int y = 0; y < surface.Height; y++)
            {
                ReadOnlySpan<uint> row = surface.Row(y);
                for (int x = 0; x < row.Length; x++)
                    (now[x * 3], now[x * 3 + 1], now[x * 3 + 2]) = ((byte)(row[x] >> 16), (byte)(row[x] >> 8), (byte)row[x]);
                line[0] = y == 0 ? FilterNone : FilterUp;
                for (int i = 0; i < stride; i++)
                    line[i + 1] = (byte)(now[i] - before[i]);
                zlib.Write(line);
                (before, now) = (now, before);
            }
        }
        Chunk(stream, "IDAT"u8, data.GetBuffer().AsSpan(0, (int)data.Length));
        Chunk(stream, "IEND"u8, []);
    }

    private static void Chunk(Stream stream, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        stream.Write(number);
        stream.Write(type);
        stream.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), data));
        stream.Write(number);
    }

    private static uint Crc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
            crc = s_crc[(byte)(crc ^ b)] ^ crc >> 8;
        return crc;
    }

    private static uint[] CrcTable()
    {
        uint[] table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint c = i;
            for (int k = 0; k < 8; k++)
                c = (c & 1) != 0 ? 0xedb8_8320 ^ c >> 1 : c >> 1;
            table[i] = c;
        }
        return table;
    }
}
