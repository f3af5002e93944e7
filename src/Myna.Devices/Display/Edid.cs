using System.Buffers.Binary;

namespace Myna.Devices.Display;

/// <summary>Extended display identification data (VESA E-EDID release A.2, EDID structure 1.4).</summary>
public static class Edid
{
    public const int Size = 128;
    private const int DescriptorStart = 54, DescriptorSize = 18;

    /// <summary>A digital monitor that prefers a resolution and knows the usual ones.</summary>
    /// <param name="width">Pixels, up to 4095, and <paramref name="height"/>.</param>
    public static byte[] Build(int width, int height)
    {
        width = Math.Clamp(width, 64, 4095);
        height = Math.Clamp(height, 64, 4095);
        byte[] e = new byte[Size];
        e.AsSpan(1, 6).Fill(0xff);
        // Manufacturer "MYN" in five bits each, product 1, week 1 of 2026.
        BinaryPrimitives.WriteUInt16BigEndian(e.AsSpan(8), ('M' - '@') << 10 | ('Y' - '@') << 5 | ('N' - '@'));
        e[10] = 1;
        (e[16], e[17]) = (1, 2026 - 1990);
        (e[18], e[19]) = (1, 4);
        e[20] = 0xa5; // digital, 8 bits for each colour, DisplayPort
        (e[21], e[22]) = ((byte)Math.Clamp(width * 254 / 1000, 1, 255), (byte)Math.Clamp(height * 254 / 1000, 1, 255)); // cm at 100 dots per inch
        e[23] = 120; // gamma 2.2
        e[24] = 0x06; // sRGB, the first timing is the native one
        ReadOnlySpan<byte> srgb = [0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54];
        srgb.CopyTo(e.AsSpan(25));
        (e[35], e[36]) = (0x21, 0x08); // 640x480, 800x600 and 1024x768 at 60 Hz
        ReadOnlySpan<(int Width, int Aspect)> standard = [(1920, 3), (1680, 0), (1600, 1), (1440, 0), (1280, 0), (1280, 2), (1280, 1), (1152, 1)];
        for (int i = 0; i < 8; i++)
            (e[38 + i * 2], e[39 + i * 2]) = ((byte)(standard[i].Width / 8 - 31), (byte)(standard[i].Aspect << 6));
        Timing(e.AsSpan(DescriptorStart, DescriptorSize), width, height);
        Span<byte> range = e.AsSpan(DescriptorStart + DescriptorSize, DescriptorSize);
        ReadOnlySpan<byte> limits = [0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 60, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20];
        limits.CopyTo(range);
        Text(e.AsSpan(DescriptorStart + 2 * DescriptorSize, DescriptorSize), 0xfc, "Myna");
        Text(e.AsSpan(DescriptorStart + 3 * DescriptorSize, DescriptorSize), 0xff, "1");
        int sum = 0;
        foreach (byte b in e)
            sum += b;
        e[127] = (byte)-sum;
        return e;
    }

    // Detailed timing (section 3.10.2) at 60 Hz with blanking about as large as CVT's.
    private static void Timing(Span<byte> t, int width, int height)
    {
        int hBlank = Math.Max(width * 35 / 100, 80) & ~7, vBlank = Math.Max(height * 35 / 1000, 8);
        int hFront = hBlank / 4, hSync = hBlank / 8, vFront = 3, vSync = 4;
        int clock = (int)((long)(width + hBlank) * (height + vBlank) * 60 / 10_000);
        BinaryPrimitives.WriteUInt16LittleEndian(t, (ushort)Math.Min(clock, 0xffff));
        (t[2], t[3], t[4]) = ((byte)width, (byte)hBlank, (byte)(width >> 8 << 4 | hBlank >> 8));
        (t[5], t[6], t[7]) = ((byte)height, (byte)vBlank, (byte)(height >> 8 << 4 | vBlank >> 8));
        (t[8], t[9], t[10], t[11]) = ((byte)hFront, (byte)hSync, (byte)(vFront << 4 | vSync), (byte)(hFront >> 8 << 6 | hSync >> 8 << 4));
        int mmWidth = width * 254 / 1000 * 10, mmHeight = height * 254 / 1000 * 10;
        (t[12], t[13], t[14]) = ((byte)mmWidth, (byte)mmHeight, (byte)(mmWidth >> 8 << 4 | mmHeight >> 8 & 15));
        t[17] = 0x18;
    }

    private static void Text(Span<byte> descriptor, byte tag, string text)
    {
        descriptor[3] = tag;
        Span<byte> bytes = descriptor[5..];
        bytes.Fill((byte)' ');
        for (int i = 0; i < text.Length; i++)
            bytes[i] = (byte)text[i];
        bytes[text.Length] = 0x0a;
    }
}
