namespace Myna.Devices.Display;

/// <summary>The characters of a PC's text modes: code page 437, 8 by 16 dots, a byte for each line.</summary>
public static class VgaFont
{
    /// <summary>Bytes of one character, and of all.</summary>
    public const int Lines = 16, Size = 256 * Lines;

    /// <summary>The smiling face, which comes second; the blank before it is all zeroes.</summary>
    private static ReadOnlySpan<byte> Face => [0, 0, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e, 0, 0, 0, 0];

    /// <summary>The font that a video BIOS has in its image; empty if there is none.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> rom)
    {
        for (int at = 0; rom[at..].IndexOf(Face) is var found and >= 0; at += found + 1)
        {
            int start = at + found - Lines;
            // "A" rules out a font of 14 lines, whose first characters could look alike.
            if (start >= 0 && start + Size <= rom.Length && !rom.Slice(start, Lines).ContainsAnyExcept((byte)0) && IsLetterA(rom.Slice(start + 'A' * Lines, Lines)))
                return rom.Slice(start, Size);
        }
        return default;
    }

    // Blank above and below, symmetrical, with a bar.
    private static bool IsLetterA(ReadOnlySpan<byte> glyph) => glyph[0] == 0 && glyph[15] == 0 && glyph[2] == 0x10 && glyph[7] == 0xfe;
}
