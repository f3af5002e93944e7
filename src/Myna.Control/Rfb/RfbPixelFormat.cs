using System.Buffers.Binary;

namespace Myna.Control.Rfb;

/// <summary>How the client wants its pixels (RFC 6143, section 7.4).</summary>
internal sealed record RfbPixelFormat(int BitsPerPixel, int Depth, bool BigEndian, bool TrueColour, int RedMax, int GreenMax, int BlueMax, int RedShift, int GreenShift, int BlueShift)
{
    public const int Size = 16;

    /// <summary>What the surface has.</summary>
    public static RfbPixelFormat Native { get; } = new(32, 24, false, true, 255, 255, 255, 16, 8, 0);

    public int Bytes => BitsPerPixel / 8;

    /// <summary>Pixels are as in the surface.</summary>
    public bool IsNative => this == Native;

    /// <summary>Three bytes are enough for a pixel in Tight.</summary>
    public bool IsTightTriple { get; } = BitsPerPixel == 32 && Depth == 24 && RedMax == 255 && GreenMax == 255 && BlueMax == 255;

    /// <summary>In ZRLE a pixel of 32 bits is sent without its unused byte (section 7.7.5): the first of three bytes sent, or -1.</summary>
    public int CompactOffset { get; } = Compact(BitsPerPixel, Depth, BigEndian, RedMax << RedShift | GreenMax << GreenShift | BlueMax << BlueShift);

    /// <exception cref="RfbException">It is none.</exception>
    public static RfbPixelFormat Read(ReadOnlySpan<byte> b)
    {
        var format = new RfbPixelFormat(b[0], b[1], b[2] != 0, b[3] != 0, BinaryPrimitives.ReadUInt16BigEndian(b[4..]), BinaryPrimitives.ReadUInt16BigEndian(b[6..]),
            BinaryPrimitives.ReadUInt16BigEndian(b[8..]), b[10], b[11], b[12]);
        if (format.BitsPerPixel is not (8 or 16 or 32) || format.RedShift > 31 || format.GreenShift > 31 || format.BlueShift > 31)
            throw new RfbException("a pixel format that does not exist");
        // A colour map is filled once with the colours of the smallest true-colour format.
        return format.TrueColour ? format : format.BitsPerPixel == 8 ? format with { RedMax = 7, GreenMax = 7, BlueMax = 3, RedShift = 0, GreenShift = 3, BlueShift = 6 }
            : throw new RfbException("a colour map with more than 8 bits per pixel");
    }

    public void Write(RfbBuffer buffer) => buffer.U8(BitsPerPixel).U8(Depth).U8(BigEndian ? 1 : 0).U8(TrueColour ? 1 : 0).U16(RedMax).U16(GreenMax).U16(BlueMax)
        .U8(RedShift).U8(GreenShift).U8(BlueShift).Bytes([0, 0, 0]);

    /// <summary>A pixel of the surface as the client's number.</summary>
    public uint Convert(uint pixel)
    {
        if (IsNative)
            return pixel & 0xff_ffff;
        uint red = pixel >> 16 & 0xff, green = pixel >> 8 & 0xff, blue = pixel & 0xff;
        return (red * (uint)RedMax + 127) / 255 << RedShift | (green * (uint)GreenMax + 127) / 255 << GreenShift | (blue * (uint)BlueMax + 127) / 255 << BlueShift;
    }

    /// <summary>Writes the client's number, <see cref="Bytes"/> long.</summary>
    public void Put(Span<byte> at, uint value)
    {
        switch (BitsPerPixel)
        {
            case 8: at[0] = (byte)value; break;
            case 16 when BigEndian: BinaryPrimitives.WriteUInt16BigEndian(at, (ushort)value); break;
            case 16: BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)value); break;
            default:
                if (BigEndian)
                    BinaryPrimitives.WriteUInt32BigEndian(at, value);
                else
                    BinaryPrimitives.WriteUInt32LittleEndian(at, value);
                break;
        }
    }

    private static int Compact(int bits, int depth, bool bigEndian, int used)
    {
        if (bits != 32 || depth > 24)
            return -1;
        bool low = (used & 0xff00_0000) == 0, high = (used & 0xff) == 0;
        return low ? (bigEndian ? 1 : 0) : high ? (bigEndian ? 0 : 1) : -1;
    }
}
