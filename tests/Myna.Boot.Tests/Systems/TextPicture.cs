using System.Numerics;
using System.Text;

namespace Myna.Boot.Tests.Systems;

/// <summary>Reads the characters off a picture: each cell is the letter whose dots come nearest.</summary>
/// <param name="font">256 characters of 16 lines of 8 dots.</param>
internal sealed class TextPicture(byte[] font)
{
    private const int Lines = 16;

    /// <summary>Dots that may differ: fonts of systems are not all the same, and a cursor may stand there.</summary>
    private const int Tolerance = 14;

    private readonly UInt128[] _glyphs = [.. Enumerable.Range(0, 256).Select(c => Enumerable.Range(0, Lines).Aggregate(UInt128.Zero, (g, line) => g << 8 | font[c * Lines + line]))];

    /// <summary>The font in a VGA BIOS: it is told by its second character, the smiling face, behind a blank one.</summary>
    public static TextPicture FromVgaBios(string path)
    {
        byte[] rom = File.ReadAllBytes(path);
        int face = rom.AsSpan().IndexOf(Convert.FromHexString("00007e81a58181bd9981817e00000000"));
        return new TextPicture(rom.AsSpan(face - Lines, 256 * Lines).ToArray());
    }

    /// <returns>The lines; '?' for what is no character.</returns>
    public string Read(ReadOnlySpan<uint> pixels, int width, int height)
    {
        // VGA's text modes have cells of 9 dots, the last of which belongs to no letter.
        int cell = width % 9 == 0 && height is 400 or 350 ? 9 : 8;
        var text = new StringBuilder();
        for (int y = 0; y + Lines <= height; y += Lines)
        {
            for (int x = 0; x + cell <= width; x += cell)
                text.Append(Character(pixels, width, x, y));
            text.Append('\n');
        }
        return text.ToString();
    }

    private char Character(ReadOnlySpan<uint> pixels, int width, int x, int y)
    {
        uint first = pixels[y * width + x];
        UInt128 dots = 0;
        for (int line = 0; line < Lines; line++)
        {
            ReadOnlySpan<uint> row = pixels.Slice((y + line) * width + x, 8);
            for (int i = 0; i < 8; i++)
                dots = dots << 1 | (row[i] == first ? 0u : 1u);
        }
        if (dots == 0)
            return ' ';
        (int best, char result) = (Tolerance, '?');
        for (char c = '!'; c <= '~'; c++)
        {
            int distance = Math.Min(Count(dots ^ _glyphs[c]), Count(~dots ^ _glyphs[c]));
            if (distance < best)
                (best, result) = (distance, c);
        }
        return result;
    }

    private static int Count(UInt128 bits) => BitOperations.PopCount((ulong)bits) + BitOperations.PopCount((ulong)(bits >> 64));
}
