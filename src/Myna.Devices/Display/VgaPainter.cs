using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;

namespace Myna.Devices.Display;

/// <summary>Makes pixels of video memory. One call at a time.</summary>
// LIMIT: one set of registers for the whole picture: what a guest changes between two lines is not seen.
internal sealed class VgaPainter(Ram memory)
{
    // The memory behind the planes can change through the linear frame buffer, which nobody watches.
    private const ulong FramesUnwatched = 35;

    private const int SmallestWidth = 160, SmallestHeight = 100;

    private readonly Lock _lock = new();
    private readonly uint[] _palette = new uint[16], _dac = new uint[256];
    private uint[] _row = [];
    private Surface? _surface;
    private uint _version;
    private int _generation;
    private ulong _blink = ulong.MaxValue, _drawn;

    public void Draw(Surface surface, VgaPicture picture, uint version)
    {
        lock (_lock)
        {
            // What blinks changes every 16 frames, the cursor every 8.
            ulong blink = picture.IsGraphics ? 0 : picture.Frame >> 3;
            if (!picture.IsLinear && version == _version && surface == _surface && surface.Generation == _generation && blink == _blink && picture.Frame - _drawn < FramesUnwatched)
                return;
            // Before the first mode there is not even a size.
            if (!picture.IsOn && (picture.Width < SmallestWidth || picture.Height < SmallestHeight))
                surface.Resize(640, 480);
            else
                surface.Resize(picture.Width, picture.Height);
            (_version, _surface, _generation, _blink, _drawn) = (version, surface, surface.Generation, blink, picture.Frame);
            // Wide enough for panning and for cells that the edge cuts.
            if (_row.Length < picture.Width + 64)
                _row = new uint[picture.Width + 64];
            if (!picture.IsOn)
            {
                surface.Fill(0);
                return;
            }
            picture.FillPalette(_palette);
            picture.FillDac(_dac);
            if (picture.IsLinear)
                DrawLinear(surface, picture);
            else
                DrawLines(surface, picture);
        }
    }

    private void DrawLinear(Surface surface, VgaPicture p)
    {
        int bytes = (p.Depth + 7) / 8;
        ulong pitch = (ulong)(p.VirtualWidth * bytes), start = (ulong)p.YOffset * pitch + (ulong)(p.XOffset * bytes);
        int width = Math.Min(p.Width, surface.Width);
        for (int y = 0; y < surface.Height; y++)
        {
            ulong at = start + (ulong)y * pitch;
            if (at + (ulong)(width * bytes) > memory.Size)
                return;
            ReadOnlySpan<byte> source = memory.Get(at, width * bytes);
            if (p.Depth == 32)
            {
                surface.Put(0, y, MemoryMarshal.Cast<byte, uint>(source));
                continue;
            }
            Span<uint> row = _row.AsSpan(0, width);
            Convert(source, row, p.Depth);
            surface.Put(0, y, row);
        }
    }

    private void Convert(ReadOnlySpan<byte> source, Span<uint> row, int depth)
    {
        for (int x = 0; x < row.Length; x++)
        {
            switch (depth)
            {
                case 8:
                    row[x] = _dac[source[x]];
                    break;
                case 24:
                    row[x] = (uint)(source[x * 3] | source[x * 3 + 1] << 8 | source[x * 3 + 2] << 16);
                    break;
                default:
                    uint word = BinaryPrimitives.ReadUInt16LittleEndian(source[(x * 2)..]);
                    uint blue = word & 31, green = depth == 15 ? word >> 5 & 31 : word >> 5 & 63, red = word >> (depth == 15 ? 10 : 11) & 31;
                    green = depth == 15 ? green << 3 | green >> 2 : green << 2 | green >> 4;
                    row[x] = (red << 3 | red >> 2) << 16 | green << 8 | blue << 3 | blue >> 2;
                    break;
            }
        }
    }

    /// <summary>Line by line, as the CRT controller counts.</summary>
    private void DrawLines(Surface surface, VgaPicture p)
    {
        int address = p.Start + p.BytePanning, rowScan = p.PresetRow, panning = p.PixelPanning;
        bool second = false;
        if (p.CellWidth == 9)
            panning = panning >= 8 ? 0 : panning + 1;
        panning *= p.DotRepeat;
        for (int y = 0; y < surface.Height; y++)
        {
            Span<uint> row = _row;
            if (!p.IsGraphics)
                DrawText(row, p, address, rowScan);
            else if ((p.ShiftMode & 2) != 0)
                DrawBytes(row, p, address, rowScan);
            else
                DrawBits(row, p, address, rowScan);
            surface.Put(0, y, row.Slice((p.ShiftMode & 2) != 0 && p.IsGraphics ? panning / 2 * 2 : panning, surface.Width));
            if (y == p.LineCompare)
            {
                address = 0;
                rowScan = 0;
                second = false;
                if ((p.AttributeMode & Attributes.PanningCompatible) != 0)
                    panning = 0;
                continue;
            }
            if (p.DoubleScan && !second)
            {
                second = true;
                continue;
            }
            second = false;
            if (++rowScan >= p.RowLines)
            {
                rowScan = 0;
                address += p.Pitch;
            }
        }
    }

    private void DrawText(Span<uint> row, VgaPicture p, int counter, int rowScan)
    {
        bool blinks = (p.AttributeMode & Attributes.Blink) != 0, mono = (p.AttributeMode & Attributes.Monochrome) != 0, graphics = (p.AttributeMode & Attributes.LineGraphics) != 0;
        int fontA = p.FontA, fontB = p.FontB, width = p.CellWidth;
        bool cursorLine = p.CursorOn && (p.Frame >> 3 & 1) == 0 && rowScan >= p.CursorFirst && rowScan <= p.CursorLast;
        ReadOnlySpan<byte> planes = memory.Get(0, 0x40000);
        for (int x = 0; x + width * p.DotRepeat <= row.Length; counter++)
        {
            int at = p.Address(counter & 0xffff, rowScan) * 4;
            int character = planes[at], attribute = planes[at + 1];
            int font = (attribute & 8) != 0 ? fontA : fontB;
            int bits = planes[((font + character * 32 + rowScan) & 0xffff) * 4 + 2] << 1;
            // The ninth dot of the line graphics repeats the eighth.
            if (graphics && character is >= 0xc0 and < 0xe0)
                bits |= bits >> 1 & 1;
            if (mono && (attribute & 7) == 1 && rowScan == p.UnderlineLine)
                bits = 0x1ff;
            int foreground = attribute & 15, background = attribute >> 4;
            if (blinks)
            {
                if ((background & 8) != 0 && (p.Frame >> 4 & 1) != 0)
                    bits = 0;
                background &= 7;
            }
            if (cursorLine && (counter & 0xffff) == p.CursorAddress)
                bits = 0x1ff;
            uint on = _palette[foreground], off = _palette[background];
            for (int i = 0; i < width; i++)
            {
                uint colour = (bits & 0x100 >> i) != 0 ? on : off;
                for (int r = 0; r < p.DotRepeat; r++)
                    row[x++] = colour;
            }
        }
    }

    /// <summary>16 colours of four planes, or four colours of pairs of bits.</summary>
    private void DrawBits(Span<uint> row, VgaPicture p, int counter, int rowScan)
    {
        ReadOnlySpan<byte> planes = memory.Get(0, 0x40000);
        bool pairs = p.ShiftMode == 1;
        for (int x = 0; x + 8 * p.DotRepeat <= row.Length; counter++)
        {
            ReadOnlySpan<byte> cell = planes.Slice(p.Address(counter & 0xffff, rowScan) * 4, 4);
            for (int i = 0; i < 8; i++)
            {
                int index;
                if (pairs)
                {
                    int even = i >> 2, shift = 6 - (i & 3) * 2;
                    index = cell[even] >> shift & 3 | (cell[even + 2] >> shift & 3) << 2;
                }
                else
                {
                    int shift = 7 - i;
                    index = cell[0] >> shift & 1 | (cell[1] >> shift & 1) << 1 | (cell[2] >> shift & 1) << 2 | (cell[3] >> shift & 1) << 3;
                }
                uint colour = _palette[index];
                for (int r = 0; r < p.DotRepeat; r++)
                    row[x++] = colour;
            }
        }
    }

    /// <summary>256 colours: a byte of each plane in turn, each pixel two dots wide.</summary>
    private void DrawBytes(Span<uint> row, VgaPicture p, int counter, int rowScan)
    {
        ReadOnlySpan<byte> planes = memory.Get(0, 0x40000);
        for (int x = 0; x + 8 <= row.Length; counter++)
        {
            ReadOnlySpan<byte> cell = planes.Slice(p.Address(counter & 0xffff, rowScan) * 4, 4);
            foreach (byte pixel in cell)
            {
                row[x] = row[x + 1] = _dac[pixel];
                x += 2;
            }
        }
    }
}
