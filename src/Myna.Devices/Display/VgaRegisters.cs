namespace Myna.Devices.Display;

/// <summary>Ports and register bits of a VGA (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"), named as there.</summary>
internal static class VgaPort
{
    public const int AttributeIndex = 0x3c0, AttributeData = 0x3c1, MiscellaneousWrite = 0x3c2, Enable = 0x3c3, SequencerIndex = 0x3c4, SequencerData = 0x3c5,
        PelMask = 0x3c6, PelReadIndex = 0x3c7, PelWriteIndex = 0x3c8, PelData = 0x3c9, FeatureRead = 0x3ca, MiscellaneousRead = 0x3cc, GraphicsIndex = 0x3ce,
        GraphicsData = 0x3cf, CrtcIndexMono = 0x3b4, CrtcDataMono = 0x3b5, StatusMono = 0x3ba, CrtcIndex = 0x3d4, CrtcData = 0x3d5, Status = 0x3da;
}

/// <summary>Sequencer registers.</summary>
internal static class Sequencer
{
    public const int Reset = 0, ClockingMode = 1, MapMask = 2, CharacterMapSelect = 3, MemoryMode = 4;
    public const int EightDots = 0x01, DotClockHalf = 0x08, ScreenOff = 0x20;
    public const int OddEvenOff = 0x04, Chain4 = 0x08;
}

/// <summary>CRT controller registers.</summary>
internal static class Crtc
{
    public const int HorizontalDisplayEnd = 0x01, VerticalTotal = 0x06, Overflow = 0x07, PresetRowScan = 0x08, MaximumScanLine = 0x09, CursorStart = 0x0a, CursorEnd = 0x0b, StartHigh = 0x0c,
        StartLow = 0x0d, CursorHigh = 0x0e, CursorLow = 0x0f, VerticalRetraceEnd = 0x11, VerticalDisplayEnd = 0x12, Offset = 0x13, Underline = 0x14, Mode = 0x17,
        LineCompare = 0x18, Count = 0x19;
}

/// <summary>Graphics controller registers.</summary>
internal static class Graphics
{
    public const int SetReset = 0, EnableSetReset = 1, ColourCompare = 2, DataRotate = 3, ReadMapSelect = 4, Mode = 5, Miscellaneous = 6, ColourDontCare = 7, BitMask = 8, Count = 9;
}

/// <summary>Attribute controller registers; 00h to 0Fh are the palette.</summary>
internal static class Attributes
{
    public const int Mode = 0x10, Overscan = 0x11, ColourPlaneEnable = 0x12, HorizontalPanning = 0x13, ColourSelect = 0x14, Count = 0x15;
    public const int GraphicsMode = 0x01, Monochrome = 0x02, LineGraphics = 0x04, Blink = 0x08, PanningCompatible = 0x20, PixelDouble = 0x40, InternalPaletteSize = 0x80;
}
