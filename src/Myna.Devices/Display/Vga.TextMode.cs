namespace Myna.Devices.Display;

// The state in which a PC's firmware leaves the display.
public sealed partial class Vga
{
    /// <summary>Mode 3: characters in a row, and rows.</summary>
    public const int TextColumns = 80, TextRows = 25;

    private const int CharacterLines = 16, FontStride = 32, TextWindow = 0x18000, TextBytes = 0x8000;

    /// <summary>
    /// Mode 3 as a video BIOS sets it: 80 columns and 25 rows of characters, 720x400, all of them blanks (IBM PS/2 Hardware Interface
    /// Technical Reference, "Video Subsystem", "BIOS Video Modes").
    /// </summary>
    /// <param name="font">256 characters of 16 lines, or empty: none shows then.</param>
    public void EnterTextMode(ReadOnlySpan<byte> font)
    {
        ReadOnlySpan<byte> crtc =
        [
            0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
        ];
        ReadOnlySpan<byte> palette = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f];
        lock (_lock)
        {
            _miscellaneous = 0x67;
            _pelMask = 0xff;
            // The font into plane 2, byte by byte.
            Values(_sequencer, [3, 0, 4, 0, 7]);
            Values(_graphics, [0, 0, 0, 0, 2, 0, 4, 0, 0xff]);
            for (int i = 0; i < font.Length; i++)
                WriteWindow(i / CharacterLines * FontStride + i % CharacterLines, font[i]);
            Values(_sequencer, [3, 0, 3, 0, 2]);
            Values(_graphics, [0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff]);
            for (int i = 0; i < TextBytes; i += 2)
            {
                WriteWindow(TextWindow + i, (byte)' ');
                WriteWindow(TextWindow + i + 1, 7);
            }
            Values(_crtc, crtc);
            Values(_attributes, [.. palette, 0x0c, 0, 0x0f, 8, 0]);
            // An EGA's 64 colours: two bits of each primary, the brighter one in the low half of the number.
            for (int colour = 0; colour < 64; colour++)
            {
                for (int primary = 0; primary < 3; primary++)
                    _dac[colour * 3 + primary] = (byte)((colour >> (2 - primary) & 1) * 42 + (colour >> (5 - primary) & 1) * 21);
            }
            _attributeIndex = 0x20;
            _version++;
        }

        static void Values(byte[] registers, ReadOnlySpan<byte> values) => values.CopyTo(registers);
    }
}
