using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Myna.Control.Screens;
using Myna.Hardware.Screens;

namespace Myna.Control.Rfb;

/// <summary>One client: handshake, its messages, and the thread that sends it pictures (<see cref="RfbUpdates"/>).</summary>
internal sealed class RfbConnection(RfbServer server, Socket socket)
{
    private const byte SecurityNone = 1, SecurityVnc = 2;
    private const int MostEncodings = 1024, MostText = 1 << 20;

    private readonly ScreenHub _hub = server.Hub;
    private readonly RfbInput _input = new(server.Hub, server.Layout);
    private NetworkStream? _network;
    private BufferedStream? _stream;
    private RfbUpdates? _updates;
    private (int Width, int Height, int Generation) _size;

    /// <summary>The client has passed the handshake.</summary>
    public bool Authenticated { get; private set; }

    /// <summary>Talks until the connection ends.</summary>
    public void Serve()
    {
        Thread? sender = null;
        try
        {
            if (socket.AddressFamily != AddressFamily.Unix)
                socket.NoDelay = true;
            _network = new NetworkStream(socket, ownsSocket: true);
            _stream = new BufferedStream(_network, 4096);
            Handshake();
            _updates = new RfbUpdates(_hub, _network, _input, _size);
            sender = new Thread(_updates.Run) { IsBackground = true, Name = "vnc sender" };
            sender.Start();
            while (true)
                Message(_stream.ReadByte());
        }
        catch (Exception e) when (e is IOException or RfbException or ObjectDisposedException or SocketException)
        {
            // The client is gone, or had better be.
        }
        finally
        {
            _updates?.Stop();
            Close();
            sender?.Join();
            _input.ReleaseAll();
            _updates?.Dispose();
        }
    }

    public void Close() => socket.Dispose();

    /// <summary>The other clients' clipboard.</summary>
    public void OfferCut(byte[] text) => _updates?.OfferCut(text);

    private void Handshake()
    {
        Send("RFB 003.008\n"u8);
        byte[] version = Read(12);
        if (!version.AsSpan(0, 4).SequenceEqual("RFB "u8) || version[11] != '\n' || !int.TryParse(version.AsSpan(8, 3), out int minor))
            throw new RfbException("this is no RFB client");
        // Versions that were never published count as 3.3 (section 7.1.1).
        minor = minor >= 8 ? 8 : minor == 7 ? 7 : 3;
        byte[]? password = server.Options.Password is { } text ? Encoding.UTF8.GetBytes(text) : null;
        byte security = password is null ? SecurityNone : SecurityVnc;
        var buffer = new RfbBuffer();
        if (minor == 3)
        {
            Send(buffer.I32(security).Written.Span);
        }
        else
        {
            Send([1, security]);
            if (Read(1)[0] != security)
                throw new RfbException("a security type that was not offered");
        }
        buffer.Clear();
        if (password is not null)
        {
            byte[] challenge = RandomNumberGenerator.GetBytes(16);
            Send(challenge);
            if (!CryptographicOperations.FixedTimeEquals(Des.Respond(password, challenge), Read(16)))
            {
                buffer.I32(1);
                if (minor == 8)
                    buffer.I32(21).Bytes("authentication failed"u8);
                Send(buffer.Written.Span);
                throw new RfbException("a wrong password");
            }
        }
        if (password is not null || minor == 8)
            Send([0, 0, 0, 0]);
        bool shared = Read(1)[0] != 0;
        Authenticated = true;
        if (!shared)
            server.Alone(this);
        byte[] name = Encoding.UTF8.GetBytes("Myna");
        _size = _hub.Look();
        buffer.U16(_size.Width).U16(_size.Height);
        RfbPixelFormat.Native.Write(buffer);
        buffer.I32(name.Length).Bytes(name);
        Send(buffer.Written.Span);
    }

    private void Message(int type)
    {
        switch (type)
        {
            case < 0: throw new IOException("the client has left");
            case RfbClientMessage.SetPixelFormat:
                _updates!.SetPixelFormat(RfbPixelFormat.Read(Read(3 + RfbPixelFormat.Size).AsSpan(3)));
                break;
            case RfbClientMessage.SetEncodings:
                int count = U16(Read(3), 1);
                if (count > MostEncodings)
                    throw new RfbException("too many encodings");
                byte[] list = Read(count * 4);
                int[] encodings = new int[count];
                for (int i = 0; i < count; i++)
                    encodings[i] = BinaryPrimitives.ReadInt32BigEndian(list.AsSpan(i * 4));
                _updates!.SetEncodings(encodings);
                break;
            case RfbClientMessage.FramebufferUpdateRequest:
                byte[] request = Read(9);
                _updates!.Request(request[0] != 0, U16(request, 1), U16(request, 3), U16(request, 5), U16(request, 7));
                break;
            case RfbClientMessage.KeyEvent:
                byte[] key = Read(7);
                _input.Key(BinaryPrimitives.ReadUInt32BigEndian(key.AsSpan(3)), key[0] != 0);
                break;
            case RfbClientMessage.PointerEvent:
                byte[] pointer = Read(5);
                _input.Pointer(pointer[0], U16(pointer, 1), U16(pointer, 3), _updates!.RelativePointer);
                break;
            case RfbClientMessage.ClientCutText:
                int length = BinaryPrimitives.ReadInt32BigEndian(Read(7).AsSpan(3));
                if (length is < 0 or > MostText)
                    throw new RfbException("more text than fits");
                server.Cut(this, Read(length));
                break;
            case RfbClientMessage.SetDesktopSize:
                byte[] size = Read(7);
                _ = Read(size[5] * 16);
                _updates!.Suggest(U16(size, 1), U16(size, 3));
                break;
            case RfbClientMessage.Qemu:
                if (Read(1)[0] != RfbClientMessage.QemuExtendedKeyEvent)
                    throw new RfbException("an unknown message");
                byte[] extended = Read(10);
                _input.ScanCode(BinaryPrimitives.ReadInt32BigEndian(extended.AsSpan(6)), BinaryPrimitives.ReadUInt32BigEndian(extended.AsSpan(2)), U16(extended, 0) != 0);
                break;
            default: throw new RfbException("an unknown message");
        }
    }

    private static int U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));

    private byte[] Read(int count)
    {
        byte[] bytes = new byte[count];
        _stream!.ReadExactly(bytes);
        return bytes;
    }

    // Before the sender runs; afterwards it alone writes.
    private void Send(ReadOnlySpan<byte> bytes) => _network!.Write(bytes);
}
