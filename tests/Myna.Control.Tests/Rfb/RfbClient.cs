using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;

namespace Myna.Control.Tests.Rfb;

/// <summary>A client written from RFC 6143 and the community's description of Tight, with the picture that it has been sent.</summary>
internal sealed class RfbClient : IDisposable
{
    public const int Raw = 0, CopyRect = 1, Tight = 7, Zrle = 16, DesktopSize = -223;

    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly ZlibInput _zrle = new();
    private readonly ZlibInput[] _tight = [new(), new(), new(), new()];

    public RfbClient(EndPoint address)
    {
        _socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000 };
        _socket.Connect(address);
        _stream = new NetworkStream(_socket);
    }

    public int Width { get; private set; }
    public int Height { get; private set; }
    public uint[] Pixels { get; private set; } = [];
    public List<int> Encodings { get; } = [];

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }

    /// <returns>The security result: 0 for success.</returns>
    public int Handshake(Func<byte[], byte[]>? answer = null)
    {
        Assert.Equal("RFB 003.008\n"u8.ToArray(), Read(12));
        _stream.Write("RFB 003.008\n"u8);
        byte[] types = Read(Read(1)[0]);
        Assert.Equal([(byte)(answer is null ? 1 : 2)], types);
        _stream.Write(types);
        if (answer is not null)
            _stream.Write(answer(Read(16)));
        int result = I32();
        if (result != 0)
            return result;
        _stream.WriteByte(1);
        Resize(U16(), U16());
        byte[] format = Read(16);
        Assert.Equal((32, 0, 1, 16, 8, 0), (format[0], format[2], format[3], format[10], format[11], format[12]));
        Read(I32());
        return 0;
    }

    public void SetEncodings(params ReadOnlySpan<int> encodings)
    {
        byte[] message = new byte[4 + encodings.Length * 4];
        message[0] = 2;
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), (ushort)encodings.Length);
        for (int i = 0; i < encodings.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(4 + i * 4), encodings[i]);
        _stream.Write(message);
    }

    public void Send(params byte[] message) => _stream.Write(message);

    /// <summary>Asks for an update and takes it.</summary>
    public void Update(bool incremental)
    {
        Request(incremental);
        Assert.Equal(0, Read(2)[0]);
        Encodings.Clear();
        for (int count = U16(); count > 0; count--)
        {
            (int x, int y, int w, int h, int encoding) = (U16(), U16(), U16(), U16(), I32());
            Encodings.Add(encoding);
            switch (encoding)
            {
                case Raw:
                    for (int row = 0; row < h; row++)
                    {
                        for (int i = 0; i < w; i++)
                            Pixels[(y + row) * Width + x + i] = BinaryPrimitives.ReadUInt32LittleEndian(Read(4)) & 0xff_ffff;
                    }
                    break;
                case CopyRect:
                    (int fromX, int fromY) = (U16(), U16());
                    uint[] before = [.. Pixels];
                    for (int row = 0; row < h; row++)
                        before.AsSpan((fromY + row) * Width + fromX, w).CopyTo(Pixels.AsSpan((y + row) * Width + x));
                    break;
                case Zrle:
                    _zrle.Feed(Read(I32()));
                    ReadZrle(x, y, w, h);
                    break;
                case Tight:
                    ReadTight(x, y, w, h);
                    break;
                case DesktopSize:
                    Resize(w, h);
                    break;
                default:
                    Assert.Fail($"encoding {encoding}");
                    break;
            }
        }
    }

    public void Request(bool incremental)
        => _stream.Write([3, (byte)(incremental ? 1 : 0), 0, 0, 0, 0, (byte)(Width >> 8), (byte)Width, (byte)(Height >> 8), (byte)Height]);

    public byte[] Read(int count)
    {
        byte[] bytes = new byte[count];
        _stream.ReadExactly(bytes);
        return bytes;
    }

    private void Resize(int width, int height)
    {
        (Width, Height) = (width, height);
        Pixels = new uint[width * height];
    }

    private int U16() => BinaryPrimitives.ReadUInt16BigEndian(Read(2));
    private int I32() => BinaryPrimitives.ReadInt32BigEndian(Read(4));

    private void ReadZrle(int x, int y, int w, int h)
    {
        for (int ty = y; ty < y + h; ty += 64)
        {
            for (int tx = x; tx < x + w; tx += 64)
            {
                int tw = Math.Min(64, x + w - tx), th = Math.Min(64, y + h - ty), kind = _zrle.Byte();
                uint[] palette = [.. Enumerable.Range(0, kind < 128 ? kind : 0).Select(_ => Cpixel())];
                int bits = palette.Length <= 2 ? 1 : palette.Length <= 4 ? 2 : 4, run = 0, value = 0, left = 0;
                uint colour = 0;
                for (int i = 0; i < tw * th; i++)
                {
                    if (i % tw == 0)
                        left = 0;
                    if (kind == 0)
                    {
                        colour = Cpixel();
                    }
                    else if (kind == 1)
                    {
                        colour = palette[0];
                    }
                    else if (kind <= 16)
                    {
                        if (left == 0)
                            (value, left) = (_zrle.Byte(), 8);
                        left -= bits;
                        colour = palette[value >> left & ((1 << bits) - 1)];
                    }
                    else
                    {
                        Assert.Equal(128, kind);
                        if (run == 0)
                        {
                            colour = Cpixel();
                            int part;
                            do
                            {
                                part = _zrle.Byte();
                                run += part;
                            }
                            while (part == 255);
                            run++;
                        }
                        run--;
                    }
                    Pixels[(ty + i / tw) * Width + tx + i % tw] = colour;
                }
            }
        }
    }

    private uint Cpixel() => (uint)(_zrle.Byte() | _zrle.Byte() << 8 | _zrle.Byte() << 16);

    private void ReadTight(int x, int y, int w, int h)
    {
        int control = Read(1)[0];
        Assert.Equal(0, control & 15);
        uint Tpixel(byte[] b, int at) => (uint)(b[at] << 16 | b[at + 1] << 8 | b[at + 2]);
        if (control >> 4 == 8)
        {
            uint fill = Tpixel(Read(3), 0);
            for (int i = 0; i < w * h; i++)
                Pixels[(y + i / w) * Width + x + i % w] = fill;
            return;
        }
        Assert.True(control < 0x80);
        int filter = (control & 0x40) != 0 ? Read(1)[0] : 0;
        uint[] palette = [];
        if (filter == 1)
        {
            int count = Read(1)[0] + 1;
            byte[] colours = Read(count * 3);
            palette = [.. Enumerable.Range(0, count).Select(i => Tpixel(colours, i * 3))];
        }
        int size = filter == 0 ? w * h * 3 : palette.Length == 2 ? (w + 7) / 8 * h : w * h;
        byte[] data;
        if (size < 12)
        {
            data = Read(size);
        }
        else
        {
            int length = 0, shift = 0, part;
            do
            {
                part = Read(1)[0];
                length |= (shift == 14 ? part : part & 0x7f) << shift;
                shift += 7;
            }
            while ((part & 0x80) != 0 && shift < 21);
            ZlibInput zlib = _tight[control >> 4 & 3];
            zlib.Feed(Read(length));
            data = [.. Enumerable.Range(0, size).Select(_ => (byte)zlib.Byte())];
        }
        for (int i = 0; i < w * h; i++)
        {
            uint colour = filter == 0 ? Tpixel(data, i * 3) : palette.Length == 2 ? palette[data[i / w * ((w + 7) / 8) + i % w / 8] >> (7 - i % w % 8) & 1] : palette[data[i]];
            Pixels[(y + i / w) * Width + x + i % w] = colour;
        }
    }

    /// <summary>A zlib stream that comes in pieces.</summary>
    private sealed class ZlibInput
    {
        private readonly Pipe _pipe = new();
        private readonly ZLibStream _zlib;

        public ZlibInput() => _zlib = new ZLibStream(_pipe, CompressionMode.Decompress);

        public void Feed(byte[] bytes) => _pipe.Add(bytes);

        public int Byte() => _zlib.ReadByte() is var b and >= 0 ? b : throw new EndOfStreamException("the stream was not flushed");

        private sealed class Pipe : Stream
        {
            private readonly Queue<byte> _bytes = new();

            public void Add(byte[] bytes) => Array.ForEach(bytes, _bytes.Enqueue);

            public override int Read(byte[] buffer, int offset, int count)
            {
                int n = Math.Min(count, _bytes.Count);
                for (int i = 0; i < n; i++)
                    buffer[offset + i] = _bytes.Dequeue();
                return n;
            }

            public override bool CanRead => true;
            public override bool CanSeek => false;
            public override bool CanWrite => false;
            public override long Length => throw new NotSupportedException();
            public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
            public override void Flush() { }
            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
            public override void SetLength(long value) => throw new NotSupportedException();
            public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        }
    }
}
