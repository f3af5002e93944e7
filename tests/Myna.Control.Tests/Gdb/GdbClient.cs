using System.Net;
using System.Net.Sockets;
using System.Text;
using Myna.Control.Gdb;

namespace Myna.Control.Tests.Gdb;

/// <summary>A client that speaks the protocol's framing and nothing more.</summary>
internal sealed class GdbClient : IDisposable
{
    readonly Socket _socket;
    readonly byte[] _one = new byte[1];
    bool _acknowledge = true;

    public GdbClient(EndPoint address)
    {
        _socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
        _socket.Connect(address);
    }

    /// <summary>A 64-bit register as the protocol writes it: in target byte order.</summary>
    public static string Le(ulong value) => Convert.ToHexStringLower(BitConverter.GetBytes(value));

    public string Ask(string packet)
    {
        Send(packet);
        return Receive();
    }

    public void Send(string packet)
    {
        Raw(GdbPackets.Frame(Encoding.Latin1.GetBytes(packet)));
        if (_acknowledge)
            Assert.Equal('+', Byte());
    }

    public void Raw(ReadOnlySpan<byte> bytes) => _socket.Send(bytes);

    public char Byte()
    {
        Assert.Equal(1, _socket.Receive(_one));
        return (char)_one[0];
    }

    public string Receive()
    {
        Assert.Equal('$', Byte());
        var text = new StringBuilder();
        int sum = 0;
        char c;
        while ((c = Byte()) != '#')
        {
            sum += c;
            if (c == '}')
            {
                c = Byte();
                sum += c;
                c ^= (char)0x20;
            }
            text.Append(c);
        }
        Assert.Equal((byte)sum, Convert.ToByte($"{Byte()}{Byte()}", 16));
        if (_acknowledge)
            Raw("+"u8);
        return text.ToString();
    }

    public void StopAcknowledging()
    {
        Assert.Equal("OK", Ask("QStartNoAckMode"));
        _acknowledge = false;
    }

    public bool IsClosedByPeer()
    {
        try
        {
            return _socket.Receive(_one) == 0;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionReset;
        }
    }

    public void Dispose() => _socket.Dispose();
}
