namespace Myna.Devices.Display;

/// <summary>The registers of a VGA at one moment, as far as the picture depends on them.</summary>
internal sealed class VgaPicture
{
    private readonly byte[] _sequencer, _crtc, _attributes, _dac;
    private readonly byte _pelMask;

    public VgaPicture(byte[] sequencer, byte[] crtc, byte[] graphics, byte[] attributes, byte[] dac, byte pelMask, bool palette, Dispi dispi, ulong frame)
    {
        _sequencer = [.. sequencer];
        _crtc = [.. crtc];
        _attributes = [.. attributes];
        _dac = [.. dac];
        _pelMask = pelMask;
        Frame = frame;
        ShiftMode = graphics[Display.Graphics.Mode] >> 5 & 3;
        IsOn = dispi.IsLinear || (palette && (sequencer[Sequencer.ClockingMode] & Sequencer.ScreenOff) == 0);
        IsGraphics = (graphics[Display.Graphics.Miscellaneous] & 1) != 0;
        IsLinear = dispi.IsLinear;
        IsWide = dispi.WideDac;
        Depth = dispi.Depth;
        VirtualWidth = dispi.VirtualWidth;
        XOffset = dispi.XOffset;
        YOffset = dispi.YOffset;
        if (dispi.Enabled)
        {
            Width = dispi.Width;
            Height = dispi.Height;
            return;
        }
        int characters = _crtc[Crtc.HorizontalDisplayEnd] + 1;
        int overflow = _crtc[Crtc.Overflow];
        // In text, 8 or 9 dots each; the half clock shows each dot twice.
        CellWidth = !IsGraphics && (_sequencer[Sequencer.ClockingMode] & Sequencer.EightDots) == 0 ? 9 : 8;
        DotRepeat = (_sequencer[Sequencer.ClockingMode] & Sequencer.DotClockHalf) != 0 ? 2 : 1;
        Width = characters * CellWidth * DotRepeat;
        Height = (_crtc[Crtc.VerticalDisplayEnd] | (overflow & 0x02) << 7 | (overflow & 0x40) << 3) + 1;
    }

    /// <summary>Frames of 1/70 s since the beginning: what blinks goes by it.</summary>
    public ulong Frame { get; }
    public bool IsOn { get; }
    public bool IsGraphics { get; }

    /// <summary>The linear frame buffer of the VBE, with <see cref="Depth"/> bits for each pixel and rows of <see cref="VirtualWidth"/>.</summary>
    public bool IsLinear { get; }
    public bool IsWide { get; }
    public int Depth { get; }
    public int VirtualWidth { get; }
    public int XOffset { get; }
    public int YOffset { get; }

    /// <summary>Pixels.</summary>
    public int Width { get; }
    public int Height { get; }
    public int CellWidth { get; } = 8;
    public int DotRepeat { get; } = 1;

    /// <summary>0: a bit of each plane, 1: two bits as a CGA has them, 2 and 3: a byte of each plane.</summary>
    public int ShiftMode { get; }

    public int Start => _crtc[Crtc.StartHigh] << 8 | _crtc[Crtc.StartLow];

    /// <summary>Addresses from one row to the next, as the CRT controller counts them.</summary>
    public int Pitch => IsLinear || Depth == 4 && VirtualWidth != 0 ? VirtualWidth / 8 : _crtc[Crtc.Offset] * 2;

    /// <summary>Scan lines of a row of characters.</summary>
    public int RowLines => (_crtc[Crtc.MaximumScanLine] & 0x1f) + 1;

    /// <summary>Each line is shown twice.</summary>
    public bool DoubleScan => (_crtc[Crtc.MaximumScanLine] & 0x80) != 0;

    public int PresetRow => _crtc[Crtc.PresetRowScan] & 0x1f;
    public int BytePanning => _crtc[Crtc.PresetRowScan] >> 5 & 3;

    /// <summary>Behind this line the picture begins again at address 0.</summary>
    public int LineCompare => _crtc[Crtc.LineCompare] | (_crtc[Crtc.Overflow] & 0x10) << 4 | (_crtc[Crtc.MaximumScanLine] & 0x40) << 3;

    public int PixelPanning => _attributes[Attributes.HorizontalPanning] & 15;
    public int AttributeMode => _attributes[Attributes.Mode];
    public int UnderlineLine => _crtc[Crtc.Underline] & 0x1f;

    public int CursorAddress => _crtc[Crtc.CursorHigh] << 8 | _crtc[Crtc.CursorLow];
    public int CursorFirst => _crtc[Crtc.CursorStart] & 0x1f;
    public int CursorLast => _crtc[Crtc.CursorEnd] & 0x1f;
    public bool CursorOn => (_crtc[Crtc.CursorStart] & 0x20) == 0;

    /// <summary>Offsets in plane 2 of the fonts for characters with attribute bit 3 set (A) and clear (B).</summary>
    public int FontA => Font((_sequencer[Sequencer.CharacterMapSelect] >> 2 & 3) | (_sequencer[Sequencer.CharacterMapSelect] >> 3 & 4));
    public int FontB => Font((_sequencer[Sequencer.CharacterMapSelect] & 3) | (_sequencer[Sequencer.CharacterMapSelect] >> 2 & 4));

    // Maps 0 to 3 lie 16 KiB apart, 4 to 7 between them.
    private static int Font(int map) => (map & 3) << 14 | (map & 4) << 11;

    /// <summary>The memory address of what the CRT controller counts (bytes, words, doublewords), and of the rows of a CGA or Hercules.</summary>
    public int Address(int counter, int rowScan)
    {
        int mode = _crtc[Crtc.Mode], address = counter;
        if ((_crtc[Crtc.Underline] & 0x40) != 0)
            address = counter << 2 | counter >> 14 & 3;
        else if ((mode & 0x40) == 0)
            address = counter << 1 | counter >> ((mode & 0x20) != 0 ? 15 : 13) & 1;
        if ((mode & 1) == 0)
            address = address & ~0x2000 | (rowScan & 1) << 13;
        if ((mode & 2) == 0)
            address = address & ~0x4000 | (rowScan & 2) << 13;
        return address & 0xffff;
    }

    /// <summary>Colours of the 256 entries of the DAC.</summary>
    public void FillDac(Span<uint> colours)
    {
        for (int i = 0; i < 256; i++)
            colours[i] = Dac(i & _pelMask);
    }

    /// <summary>Colours of the 16 attributes, through the palette and the DAC.</summary>
    public void FillPalette(Span<uint> colours)
    {
        int select = _attributes[Attributes.ColourSelect], enable = _attributes[Attributes.ColourPlaneEnable] & 15;
        for (int i = 0; i < 16; i++)
        {
            int entry = _attributes[i & enable] & 0x3f;
            if ((AttributeMode & Attributes.InternalPaletteSize) != 0)
                entry = entry & 0x0f | (select & 3) << 4;
            colours[i] = Dac((entry | (select & 0xc) << 4) & _pelMask);
        }
    }

    private uint Dac(int index) => (uint)(Level(_dac[index * 3]) << 16 | Level(_dac[index * 3 + 1]) << 8 | Level(_dac[index * 3 + 2]));

    private int Level(byte value) => IsWide ? value : (value & 0x3f) << 2 | (value >> 4 & 3);
}
