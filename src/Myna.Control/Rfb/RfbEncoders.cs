using Myna.Hardware.Screens;

namespace Myna.Control.Rfb;

/// <summary>Makes rectangles of pixels; one for each connection.</summary>
internal abstract class RfbEncoder
{
    public abstract int Encoding { get; }

    /// <summary>Appends the content of a rectangle, whose header is written.</summary>
    public abstract void Encode(RfbBuffer buffer, Surface surface, int x, int y, int width, int height, RfbPixelFormat format);
}

/// <summary>Raw pixels (RFC 6143, section 7.7.1).</summary>
internal sealed class RawEncoder : RfbEncoder
{
    public override int Encoding => RfbEncoding.Raw;

    public override void Encode(RfbBuffer buffer, Surface surface, int x, int y, int width, int height, RfbPixelFormat format)
    {
        int bytes = format.Bytes;
        Span<byte> room = buffer.Take(width * height * bytes);
        for (int row = 0; row < height; row++)
        {
            foreach (uint pixel in surface.Row(y + row).Slice(x, width))
            {
                format.Put(room, format.Convert(pixel));
                room = room[bytes..];
            }
        }
    }
}

/// <summary>ZRLE (RFC 6143, section 7.7.6): tiles of 64 pixels, with palettes and runs, through zlib.</summary>
internal sealed class ZrleEncoder : RfbEncoder, IDisposable
{
    private const int TileSize = 64, MostPacked = 16;
    private const byte RawTile = 0, SolidTile = 1, PlainRle = 128;

    private readonly RfbZlib _zlib = new();
    private readonly RfbBuffer _plain = new();
    private readonly uint[] _tile = new uint[TileSize * TileSize];
    private readonly RfbPalette _palette = new(MostPacked);

    public override int Encoding => RfbEncoding.Zrle;

    public override void Encode(RfbBuffer buffer, Surface surface, int x, int y, int width, int height, RfbPixelFormat format)
    {
        _plain.Clear();
        for (int top = 0; top < height; top += TileSize)
        {
            for (int left = 0; left < width; left += TileSize)
            {
                int w = Math.Min(TileSize, width - left), h = Math.Min(TileSize, height - top);
                for (int row = 0; row < h; row++)
                {
                    ReadOnlySpan<uint> source = surface.Row(y + top + row).Slice(x + left, w);
                    for (int i = 0; i < w; i++)
                        _tile[row * w + i] = format.Convert(source[i]);
                }
                Tile(_tile.AsSpan(0, w * h), w, format);
            }
        }
        ReadOnlySpan<byte> packed = _zlib.Compress(_plain.Written.Span);
        buffer.I32(packed.Length).Bytes(packed);
    }

    private void Tile(ReadOnlySpan<uint> tile, int width, RfbPixelFormat format)
    {
        bool few = _palette.Fill(tile);
        if (few && _palette.Count == 1)
        {
            _plain.U8(SolidTile);
            Pixel(tile[0], format);
            return;
        }
        int runs = 1;
        for (int i = 1; i < tile.Length; i++)
            runs += tile[i] != tile[i - 1] ? 1 : 0;
        int pixel = format.CompactOffset >= 0 ? 3 : format.Bytes;
        int rleSize = runs * (pixel + 1), rawSize = tile.Length * pixel;
        if (few)
        {
            int bits = _palette.Count == 2 ? 1 : _palette.Count <= 4 ? 2 : 4, height = tile.Length / width, packedSize = _palette.Count * pixel + (width * bits + 7) / 8 * height;
            if (packedSize <= rleSize)
            {
                Packed(tile, width, bits, format);
                return;
            }
        }
        if (rleSize < rawSize)
        {
            _plain.U8(PlainRle);
            for (int i = 0; i < tile.Length;)
            {
                int end = i + 1;
                while (end < tile.Length && tile[end] == tile[i])
                    end++;
                Pixel(tile[i], format);
                int length = end - i - 1;
                for (; length >= 255; length -= 255)
                    _plain.U8(255);
                _plain.U8(length);
                i = end;
            }
            return;
        }
        _plain.U8(RawTile);
        foreach (uint p in tile)
            Pixel(p, format);
    }

    private void Packed(ReadOnlySpan<uint> tile, int width, int bits, RfbPixelFormat format)
    {
        _plain.U8(_palette.Count);
        for (int i = 0; i < _palette.Count; i++)
            Pixel(_palette[i], format);
        for (int start = 0; start < tile.Length; start += width)
        {
            int value = 0, filled = 0;
            for (int i = 0; i < width; i++)
            {
                value = value << bits | _palette.IndexOf(tile[start + i]);
                filled += bits;
                if (filled == 8)
                {
                    _plain.U8(value);
                    (value, filled) = (0, 0);
                }
            }
            if (filled != 0)
                _plain.U8(value << (8 - filled));
        }
    }

    private void Pixel(uint value, RfbPixelFormat format)
    {
        Span<byte> whole = stackalloc byte[4];
        format.Put(whole, value);
        int offset = format.CompactOffset;
        _plain.Bytes(offset >= 0 ? whole.Slice(offset, 3) : whole[..format.Bytes]);
    }

    public void Dispose() => _zlib.Dispose();
}

/// <summary>Tight (the community's "The RFB Protocol", Tight Encoding) without JPEG: nothing is lost.</summary>
internal sealed class TightEncoder : RfbEncoder, IDisposable
{
    /// <summary>The widest rectangle that Tight knows is 2048.</summary>
    public const int MaximumWidth = 1024;

    private const int MostColours = 256, LeastCompressed = 12;
    private const byte Fill = 0x80, ExplicitFilter = 0x40, PaletteFilter = 1;
    private const int FullStream = 0, MonoStream = 1, IndexStream = 2;

    private readonly RfbZlib[] _zlib = [new(), new(), new()];
    private readonly RfbBuffer _plain = new();
    private readonly RfbPalette _palette = new(MostColours);
    private uint[] _pixels = [];

    public override int Encoding => RfbEncoding.Tight;

    public override void Encode(RfbBuffer buffer, Surface surface, int x, int y, int width, int height, RfbPixelFormat format)
    {
        if (_pixels.Length < width * height)
            _pixels = new uint[width * height];
        Span<uint> pixels = _pixels.AsSpan(0, width * height);
        for (int row = 0; row < height; row++)
        {
            ReadOnlySpan<uint> source = surface.Row(y + row).Slice(x, width);
            for (int i = 0; i < width; i++)
                pixels[row * width + i] = source[i] & 0xff_ffff;
        }
        bool few = _palette.Fill(pixels);
        _plain.Clear();
        if (few && _palette.Count == 1)
        {
            buffer.U8(Fill);
            Pixel(buffer, pixels[0], format);
        }
        else if (few && _palette.Count < pixels.Length)
        {
            buffer.U8(ExplicitFilter | (_palette.Count == 2 ? MonoStream : IndexStream) << 4).U8(PaletteFilter).U8(_palette.Count - 1);
            for (int i = 0; i < _palette.Count; i++)
                Pixel(buffer, _palette[i], format);
            if (_palette.Count == 2)
                Mono(pixels, width);
            else
                Index(pixels);
            Send(buffer, _zlib[_palette.Count == 2 ? MonoStream : IndexStream]);
        }
        else
        {
            buffer.U8(FullStream << 4);
            foreach (uint p in pixels)
                Pixel(_plain, p, format);
            Send(buffer, _zlib[FullStream]);
        }
    }

    private void Mono(ReadOnlySpan<uint> pixels, int width)
    {
        uint first = _palette[0];
        for (int start = 0; start < pixels.Length; start += width)
        {
            for (int i = 0; i < width; i += 8)
            {
                int value = 0;
                for (int bit = 0; bit < 8; bit++)
                    value = value << 1 | (i + bit < width && pixels[start + i + bit] != first ? 1 : 0);
                _plain.U8(value);
            }
        }
    }

    private void Index(ReadOnlySpan<uint> pixels)
    {
        Span<byte> room = _plain.Take(pixels.Length);
        for (int i = 0; i < room.Length; i++)
            room[i] = i > 0 && pixels[i] == pixels[i - 1] ? room[i - 1] : (byte)_palette.IndexOf(pixels[i]);
    }

    // Few bytes are sent as they are; otherwise a length of up to three times seven bits.
    private void Send(RfbBuffer buffer, RfbZlib zlib)
    {
        if (_plain.Length < LeastCompressed)
        {
            buffer.Bytes(_plain.Written.Span);
            return;
        }
        ReadOnlySpan<byte> packed = zlib.Compress(_plain.Written.Span);
        int length = packed.Length;
        buffer.U8(length & 0x7f | (length > 0x7f ? 0x80 : 0));
        if (length > 0x7f)
            buffer.U8(length >> 7 & 0x7f | (length > 0x3fff ? 0x80 : 0));
        if (length > 0x3fff)
            buffer.U8(length >> 14);
        buffer.Bytes(packed);
    }

    private static void Pixel(RfbBuffer buffer, uint pixel, RfbPixelFormat format)
    {
        if (format.IsTightTriple)
        {
            Span<byte> three = buffer.Take(3);
            (three[0], three[1], three[2]) = ((byte)(pixel >> 16), (byte)(pixel >> 8), (byte)pixel);
            return;
        }
        format.Put(buffer.Take(format.Bytes), format.Convert(pixel));
    }

    public void Dispose()
    {
        foreach (RfbZlib zlib in _zlib)
            zlib.Dispose();
    }
}

/// <summary>The colours of a piece of a picture, if there are few.</summary>
internal sealed class RfbPalette(int most)
{
    private readonly uint[] _colours = new uint[most];
    private readonly Dictionary<uint, int> _index = new(most + 1);

    public int Count { get; private set; }
    public uint this[int index] => _colours[index];

    /// <returns>False when there are too many.</returns>
    public bool Fill(ReadOnlySpan<uint> pixels)
    {
        _index.Clear();
        Count = 0;
        uint last = ~pixels[0];
        foreach (uint pixel in pixels)
        {
            if (pixel == last)
                continue;
            last = pixel;
            if (_index.ContainsKey(pixel))
                continue;
            if (Count == most)
                return false;
            _index.Add(pixel, Count);
            _colours[Count++] = pixel;
        }
        return true;
    }

    public int IndexOf(uint pixel) => _index[pixel];
}
