using Myna.Control.Screens;
using Myna.Hardware.Screens;

namespace Myna.Control.Rfb;

/// <summary>Sends a client what changed, when it has asked (RFC 6143, section 7.6). Its own thread alone writes to the connection.</summary>
// LIMIT: changes are sent for the whole screen, not for the part that the client asked about.
internal sealed class RfbUpdates : IDisposable
{
    // Why and how the size was changed (ExtendedDesktopSize).
    private const int ReasonServer = 0, ReasonThisClient = 1, StatusDone = 0, StatusProhibited = 1, StatusForwarded = 4;

    // Rows of tiles in one rectangle.
    private const int MostRows = 16;

    private readonly ScreenHub _hub;
    private readonly Stream _stream;
    private readonly RfbInput _input;
    private readonly Viewer _viewer;
    private readonly RfbBuffer _buffer = new();
    private readonly RawEncoder _raw = new();
    private readonly ZrleEncoder _zrle = new();
    private readonly TightEncoder _tight = new();
    private readonly HashSet<int> _taken = [];
    private RfbEncoder _encoder;
    private RfbPixelFormat _format = RfbPixelFormat.Native;
    private HashSet<int> _encodings = [];
    private int _width, _height, _known, _sizeStatus = -1;
    private CursorImage? _cursor;
    private byte[]? _cut;
    private byte _leds = 0xff;
    private bool _sendsColourMap, _relative, _saidExtendedKeys, _forced, _stop;

    /// <param name="size">What the client has been told.</param>
    public RfbUpdates(ScreenHub hub, Stream stream, RfbInput input, (int Width, int Height, int Generation) size)
    {
        _hub = hub;
        _stream = stream;
        _input = input;
        _encoder = _raw;
        _viewer = hub.Join();
        (_width, _height, _known) = size;
    }

    /// <summary>The client has been told to send how far its pointer moves.</summary>
    public bool RelativePointer { get; private set; }

    public void SetPixelFormat(RfbPixelFormat format)
    {
        lock (_hub.Gate)
        {
            _format = format;
            _sendsColourMap = !format.TrueColour;
            _viewer.DamageAll();
        }
    }

    public void SetEncodings(int[] encodings)
    {
        lock (_hub.Gate)
        {
            _encodings = [.. encodings];
            // The client's order is its preference.
            _encoder = encodings.FirstOrDefault(e => e is RfbEncoding.Raw or RfbEncoding.Tight or RfbEncoding.Zrle) switch
            {
                RfbEncoding.Tight => _tight,
                RfbEncoding.Zrle => _zrle,
                _ => _raw,
            };
            _sizeStatus = Knows(RfbEncoding.ExtendedDesktopSize) ? ReasonServer << 8 | StatusDone : -1;
        }
    }

    public void Request(bool incremental, int x, int y, int width, int height)
    {
        lock (_hub.Gate)
        {
            if (!incremental)
            {
                _viewer.DamageAll();
                _forced = true;
            }
            _viewer.Waiting = true;
        }
        _hub.Hurry();
    }

    /// <summary>The client's window has a new size.</summary>
    public void Suggest(int width, int height)
    {
        bool hears = width is > 0 and <= Surface.MaximumWidth && height is > 0 and <= Surface.MaximumHeight && _hub.Machine.Screen?.Suggest(width, height) == true;
        lock (_hub.Gate)
            _sizeStatus = ReasonThisClient << 8 | (hears ? StatusForwarded : StatusProhibited);
        _hub.Hurry();
    }

    public void OfferCut(byte[] text)
    {
        lock (_hub.Gate)
        {
            _cut = text;
            System.Threading.Monitor.PulseAll(_hub.Gate);
        }
    }

    public void Stop()
    {
        lock (_hub.Gate)
        {
            _stop = true;
            System.Threading.Monitor.PulseAll(_hub.Gate);
        }
        _hub.Leave(_viewer);
    }

    /// <summary>Sends until the end of the connection.</summary>
    public void Run()
    {
        try
        {
            while (true)
            {
                lock (_hub.Gate)
                {
                    while (!_stop && _cut is null && !(_viewer.Waiting && HasNews()))
                        System.Threading.Monitor.Wait(_hub.Gate);
                    if (_stop)
                        return;
                    _buffer.Clear();
                    Build();
                }
                _stream.Write(_buffer.Written.Span);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The reading side notices too.
        }
    }

    public void Dispose()
    {
        _zrle.Dispose();
        _tight.Dispose();
    }

    private bool Knows(int encoding) => _encodings.Contains(encoding);

    private bool HasNews() => _viewer.IsDamaged || _forced || _sizeStatus >= 0 || _known != _hub.Surface.Generation || CursorChanged || LedsChanged || PointerChanged
        || (!_saidExtendedKeys && Knows(RfbEncoding.ExtendedKeyEvent));

    private bool CursorChanged => Knows(RfbEncoding.Cursor) && !ReferenceEquals(_cursor, _hub.Cursor);
    private bool LedsChanged => Knows(RfbEncoding.LedState) && _leds != _input.Leds;
    private bool PointerChanged => Knows(RfbEncoding.PointerMotionChange) && _relative == _input.IsAbsolute;

    private void Build()
    {
        if (_cut is { } cut)
        {
            _buffer.U8(RfbServerMessage.ServerCutText).Bytes([0, 0, 0]).I32(cut.Length).Bytes(cut);
            _cut = null;
        }
        if (!_viewer.Waiting || !HasNews())
            return;
        _viewer.Waiting = false;
        _forced = false;
        if (_sendsColourMap)
            ColourMap();
        int start = _buffer.Length;
        _buffer.U8(RfbServerMessage.FramebufferUpdate).U8(0).U16(0);
        int rectangles = PseudoRectangles();
        if (_viewer.Generation == _hub.Surface.Generation)
        {
            rectangles += Pixels();
            _viewer.Clear();
        }
        _buffer.PutU16(start + 2, rectangles);
    }

    private int PseudoRectangles()
    {
        int count = 0;
        Surface surface = _hub.Surface;
        bool resized = _known != surface.Generation;
        if (resized && (Knows(RfbEncoding.ExtendedDesktopSize) || Knows(RfbEncoding.DesktopSize)))
            (_width, _height) = (surface.Width, surface.Height);
        if (Knows(RfbEncoding.ExtendedDesktopSize) && (_sizeStatus >= 0 || resized))
        {
            int status = Math.Max(_sizeStatus, 0);
            _buffer.Rectangle(status >> 8, status & 0xff, _width, _height, RfbEncoding.ExtendedDesktopSize).I32(1 << 24).I32(0).U16(0).U16(0).U16(_width).U16(_height).I32(0);
            // An answer to a request does not say that the size has changed.
            if (resized && status >> 8 != ReasonServer)
                _buffer.Rectangle(ReasonServer, StatusDone, _width, _height, RfbEncoding.ExtendedDesktopSize).I32(1 << 24).I32(0).U16(0).U16(0).U16(_width).U16(_height).I32(0);
            count += resized && status >> 8 != ReasonServer ? 2 : 1;
        }
        else if (resized && Knows(RfbEncoding.DesktopSize))
        {
            _buffer.Rectangle(0, 0, _width, _height, RfbEncoding.DesktopSize);
            count++;
        }
        _sizeStatus = -1;
        _known = surface.Generation;
        if (!_saidExtendedKeys && Knows(RfbEncoding.ExtendedKeyEvent))
        {
            _buffer.Rectangle(0, 0, _width, _height, RfbEncoding.ExtendedKeyEvent);
            _saidExtendedKeys = true;
            count++;
        }
        if (LedsChanged)
        {
            _leds = _input.Leds;
            _buffer.Rectangle(0, 0, _width, _height, RfbEncoding.LedState).U8(_leds);
            count++;
        }
        if (PointerChanged)
        {
            _relative = RelativePointer = !_input.IsAbsolute;
            _buffer.Rectangle(_relative ? 0 : 1, 0, _width, _height, RfbEncoding.PointerMotionChange);
            count++;
        }
        if (CursorChanged)
        {
            _cursor = _hub.Cursor;
            Cursor(_cursor);
            count++;
        }
        return count;
    }

    /// <summary>The cursor: pixels and a mask (section 7.8.1); none is one of no size.</summary>
    private void Cursor(CursorImage? cursor)
    {
        if (cursor is null)
        {
            _buffer.Rectangle(0, 0, 0, 0, RfbEncoding.Cursor);
            return;
        }
        _buffer.Rectangle(cursor.HotX, cursor.HotY, cursor.Width, cursor.Height, RfbEncoding.Cursor);
        foreach (uint pixel in cursor.Pixels)
            _format.Put(_buffer.Take(_format.Bytes), _format.Convert(pixel));
        int stride = (cursor.Width + 7) / 8;
        Span<byte> mask = _buffer.Take(stride * cursor.Height);
        mask.Clear();
        for (int i = 0; i < cursor.Pixels.Length; i++)
        {
            if (cursor.Pixels[i] >> 24 >= 0x80)
                mask[i / cursor.Width * stride + i % cursor.Width / 8] |= (byte)(0x80 >> (i % cursor.Width & 7));
        }
    }

    private int Pixels()
    {
        Surface surface = _hub.Surface;
        int count = 0;
        if (_viewer.Move is { } move)
        {
            if (Knows(RfbEncoding.CopyRect) && _width == surface.Width && _height == surface.Height)
            {
                _buffer.Rectangle(0, move.To, surface.Width, move.Count, RfbEncoding.CopyRect).U16(0).U16(move.From);
                count++;
            }
            else
            {
                _viewer.ForgetMove(surface);
            }
        }
        int columns = surface.Columns;
        for (int row = 0; row < surface.Rows; row++)
        {
            ReadOnlySpan<bool> damage = _viewer.Damage.Slice(row * columns, columns);
            for (int column = 0; column < columns; column++)
            {
                if (!damage[column] || _taken.Contains(row * columns + column))
                    continue;
                int end = column + 1;
                while (end < columns && damage[end] && !_taken.Contains(row * columns + end) && (end - column) * Surface.TileWidth < TightEncoder.MaximumWidth)
                    end++;
                int bottom = row + 1;
                while (bottom < surface.Rows && bottom - row < MostRows && Whole(bottom, column, end))
                    bottom++;
                for (int r = row + 1; r < bottom; r++)
                {
                    for (int c = column; c < end; c++)
                        _taken.Add(r * columns + c);
                }
                count += Rectangle(column * Surface.TileWidth, row * Surface.TileHeight, end * Surface.TileWidth, bottom * Surface.TileHeight);
                column = end - 1;
            }
        }
        _taken.Clear();
        return count;
    }

    private bool Whole(int row, int column, int end)
    {
        int columns = _hub.Surface.Columns;
        return !_viewer.Damage.Slice(row * columns + column, end - column).Contains(false)
            && (column == 0 || !_viewer.Damage[row * columns + column - 1]) && (end == columns || !_viewer.Damage[row * columns + end]);
    }

    /// <returns>How many rectangles that makes: none outside of what the client knows.</returns>
    private int Rectangle(int x, int y, int right, int bottom)
    {
        right = Math.Min(right, Math.Min(_width, _hub.Surface.Width));
        bottom = Math.Min(bottom, Math.Min(_height, _hub.Surface.Height));
        if (right <= x || bottom <= y)
            return 0;
        _buffer.Rectangle(x, y, right - x, bottom - y, _encoder.Encoding);
        _encoder.Encode(_buffer, _hub.Surface, x, y, right - x, bottom - y, _format);
        return 1;
    }

    /// <summary>Colours for a client that has no true colour: BGR233.</summary>
    private void ColourMap()
    {
        _sendsColourMap = false;
        _buffer.U8(RfbServerMessage.SetColourMapEntries).U8(0).U16(0).U16(256);
        for (int i = 0; i < 256; i++)
            _buffer.U16((i & 7) * 0xffff / 7).U16((i >> 3 & 7) * 0xffff / 7).U16((i >> 6) * 0xffff / 3);
    }
}
