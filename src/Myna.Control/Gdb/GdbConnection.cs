using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Myna.Cpu.Debugging;

namespace Myna.Control.Gdb;

/// <summary>What happened to a session: a packet came, gdb pressed ^C, the target stopped, the connection closed.</summary>
internal readonly record struct GdbEvent(GdbEventKind Kind, string Text = "", TargetStop? Stop = null);

internal enum GdbEventKind { Packet, Interrupt, Stopped, Ended, Closed }

/// <summary>Frames, checks and acknowledges packets. A thread reads and leaves what came in a queue.</summary>
internal sealed class GdbConnection : IDisposable
{
    /// <summary>Most bytes of a packet between $ and #.</summary>
    public const int MaximumPacket = 0x8000;

    readonly Socket _socket;
    readonly BlockingCollection<GdbEvent> _events;
    readonly byte[] _buffer = new byte[4096];
    byte[] _lastSent = [];
    readonly ManualResetEventSlim _closed = new();
    volatile bool _acknowledge = true;

    public GdbConnection(Socket socket, BlockingCollection<GdbEvent> events)
    {
        _socket = socket;
        _events = events;
        new Thread(Read) { IsBackground = true, Name = "gdb reader" }.Start();
    }

    /// <summary>QStartNoAckMode: neither side acknowledges from now on.</summary>
    public void StopAcknowledging() => _acknowledge = false;

    public void Send(string payload) => Send(Encoding.Latin1.GetBytes(payload));

    public void Send(ReadOnlySpan<byte> payload)
    {
        _lastSent = GdbPackets.Frame(payload);
        Write(_lastSent);
    }

    void Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int sent = _socket.Send(bytes, SocketFlags.None, out SocketError error);
            // A peer that is gone: the reader says so.
            if (error != SocketError.Success)
                return;
            bytes = bytes[sent..];
        }
    }

    enum State { Idle, Payload, Escape, FirstDigit, SecondDigit }

    void Read()
    {
        var state = State.Idle;
        var payload = new StringBuilder();
        int sum = 0;
        Span<char> digits = stackalloc char[2];
        while (true)
        {
            int length = _socket.Receive(_buffer, SocketFlags.None, out SocketError error);
            if (length <= 0 || error != SocketError.Success)
                break;
            foreach (byte b in _buffer.AsSpan(0, length))
            {
                switch (state)
                {
                    case State.Idle:
                        if (b == '$')
                        {
                            state = State.Payload;
                            payload.Clear();
                            sum = 0;
                        }
                        else if (b == 3)
                        {
                            Post(new GdbEvent(GdbEventKind.Interrupt));
                        }
                        else if (b == '-')
                        {
                            Write(_lastSent);
                        }
                        break;
                    case State.Payload when b == '#':
                        state = State.FirstDigit;
                        break;
                    case State.Payload when b == '}':
                        sum += b;
                        state = State.Escape;
                        break;
                    case State.Payload:
                    case State.Escape:
                        sum += b;
                        if (payload.Length < MaximumPacket)
                            payload.Append((char)(state == State.Escape ? b ^ 0x20 : b));
                        state = State.Payload;
                        break;
                    case State.FirstDigit:
                        digits[0] = (char)b;
                        state = State.SecondDigit;
                        break;
                    default:
                        digits[1] = (char)b;
                        state = State.Idle;
                        bool right = byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte check)
                            && check == (byte)sum;
                        if (_acknowledge)
                            Write(right ? "+"u8 : "-"u8);
                        if (right)
                            Post(new GdbEvent(GdbEventKind.Packet, payload.ToString()));
                        break;
                }
            }
        }
        Post(new GdbEvent(GdbEventKind.Closed));
        _closed.Set();
    }

    void Post(GdbEvent e)
    {
        try
        {
            _events.Add(e);
        }
        catch (InvalidOperationException)
        {
            // The session is over.
        }
    }

    public void Dispose()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // Gone already.
        }
        // The reader is the last to use the socket.
        _closed.Wait();
        _closed.Dispose();
        _socket.Dispose();
    }
}
