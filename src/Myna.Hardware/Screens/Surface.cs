namespace Myna.Hardware.Screens;

/// <summary>
/// The pixels of a screen, and which of them changed since somebody asked. A screen draws all it shows; what is as before
/// costs a comparison and is no damage. Not thread-safe.
/// </summary>
public sealed class Surface
{
    /// <summary>Damage is kept for tiles of this many pixels.</summary>
    public const int TileWidth = 64, TileHeight = 16;

    /// <summary>The largest screen; a device shows part of a larger one.</summary>
    public const int MaximumWidth = 8192, MaximumHeight = 8192;

    private object? _artist;
    private uint[] _pixels = [];
    private bool[] _damage = [];

    /// <summary>Pixels; 0 before the first picture.</summary>
    public int Width { get; private set; }

    /// <summary>Pixels.</summary>
    public int Height { get; private set; }

    /// <summary>Tiles from left to right, and from top to bottom.</summary>
    public int Columns => (Width + TileWidth - 1) / TileWidth;
    public int Rows => (Height + TileHeight - 1) / TileHeight;

    /// <summary>Counts changes of the size, and of who draws.</summary>
    public int Generation { get; private set; }

    /// <summary>Tiles that changed since <see cref="ClearDamage"/>, row by row.</summary>
    public ReadOnlySpan<bool> Damage => _damage;

    /// <summary>Some pixel changed since <see cref="ClearDamage"/>.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>The pixels of a row: red in bits 16 to 23, green in 8 to 15, blue in 0 to 7; the other bits mean nothing.</summary>
    public ReadOnlySpan<uint> Row(int y) => _pixels.AsSpan(y * Width, Width);

    /// <summary>Says who draws from now on: after another one, nothing that a screen remembers of the surface counts any more.</summary>
    public void Claim(object artist)
    {
        if (ReferenceEquals(_artist, artist))
            return;
        _artist = artist;
        Generation++;
        DamageAll();
    }

    /// <summary>Gives the surface a size, between 1 and the maximum in each direction; a new one is black and damaged.</summary>
    public void Resize(int width, int height)
    {
        width = Math.Clamp(width, 1, MaximumWidth);
        height = Math.Clamp(height, 1, MaximumHeight);
        if (width == Width && height == Height)
            return;
        Width = width;
        Height = height;
        Generation++;
        if (_pixels.Length < width * height || _pixels.Length > 4 * width * height)
            _pixels = new uint[width * height];
        else
            Array.Clear(_pixels);
        _damage = new bool[Columns * Rows];
        DamageAll();
    }

    /// <summary>Puts pixels into a row; what lies outside is left out.</summary>
    public void Put(int x, int y, ReadOnlySpan<uint> pixels)
    {
        if ((uint)y >= (uint)Height || (uint)x >= (uint)Width)
            return;
        if (pixels.Length > Width - x)
            pixels = pixels[..(Width - x)];
        Span<uint> row = _pixels.AsSpan(y * Width + x, pixels.Length);
        int tile = y / TileHeight * Columns + x / TileWidth;
        // The first tile may begin in the middle.
        int first = TileWidth - x % TileWidth;
        while (pixels.Length != 0)
        {
            int count = Math.Min(first, pixels.Length);
            if (!pixels[..count].SequenceEqual(row[..count]))
            {
                pixels[..count].CopyTo(row);
                _damage[tile] = true;
                IsDamaged = true;
            }
            pixels = pixels[count..];
            row = row[count..];
            tile++;
            first = TileWidth;
        }
    }

    /// <summary>Fills the screen with one colour.</summary>
    public void Fill(uint colour)
    {
        Span<uint> run = stackalloc uint[TileWidth];
        run.Fill(colour);
        for (int y = 0; y < Height; y++)
        {
            for (int x = 0; x < Width; x += TileWidth)
                Put(x, y, run);
        }
    }

    public void DamageAll()
    {
        Array.Fill(_damage, true);
        IsDamaged = _damage.Length != 0;
    }

    public void ClearDamage()
    {
        Array.Clear(_damage);
        IsDamaged = false;
    }
}
