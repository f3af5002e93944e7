using System.Net;
using System.Net.Sockets;
using Myna.Host;
using Myna.Network.Wire;

namespace Myna.Network.Tcp;

/// <summary>
/// A TCP connection of the guest tied to one of the host: bytes, ends of stream and resets pass in both directions, and
/// whoever reads slowly slows the other side down.
/// </summary>
internal sealed class TcpSplice : ISocketHandler, ITcpUser
{
    readonly NetworkStack _stack;
    readonly TcpEndpoint _guest;
    readonly Socket _socket;
    readonly int _slot;
    PollEvents _interest;
    bool _connecting, _hostFinished, _hostShut, _writeBlocked, _guestFinished, _closed;

    TcpSplice(NetworkStack stack, TcpKey key, Socket socket, int bufferSize)
    {
        _stack = stack;
        _socket = socket;
        _slot = stack.Sockets.Add(socket, this);
        _guest = new TcpEndpoint(stack, key, this, bufferSize);
    }

    public TcpEndpoint Guest => _guest;

    /// <summary>A connection that the guest opens: its SYN is answered when the host's side stands.</summary>
    /// <exception cref="SocketException">The host refused at once.</exception>
    public static TcpSplice Outgoing(NetworkStack stack, TcpKey key, IPEndPoint to, in TcpSegment syn, int bufferSize)
    {
        var socket = new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { Blocking = false, NoDelay = true };
        bool connecting = false;
        try
        {
            socket.Connect(to);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            connecting = true;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        var splice = new TcpSplice(stack, key, socket, bufferSize) { _connecting = connecting };
        splice._guest.Listen(syn);
        if (!connecting)
            splice._guest.Accept();
        splice.UpdateInterest();
        return splice;
    }

    /// <summary>A connection that came in by a forwarded port.</summary>
    public static TcpSplice Incoming(NetworkStack stack, TcpKey key, Socket accepted, int bufferSize)
    {
        accepted.Blocking = false;
        accepted.NoDelay = true;
        return new TcpSplice(stack, key, accepted, bufferSize);
    }

    void UpdateInterest()
    {
        if (_closed)
            return;
        PollEvents interest = PollEvents.None;
        if (_connecting || _writeBlocked)
            interest |= PollEvents.Out;
        if (!_hostFinished && _guest.CanSend && _guest.Sending.Free != 0)
            interest |= PollEvents.In;
        if (interest == _interest)
            return;
        _interest = interest;
        _stack.Sockets.SetInterest(_slot, interest);
    }

    public void OnReady(PollEvents events)
    {
        if (_connecting)
        {
            FinishConnect();
            return;
        }
        if ((events & ~PollEvents.In) != 0 && _writeBlocked)
        {
            _writeBlocked = false;
            WriteToHost();
        }
        if ((events & ~PollEvents.Out) != 0 && !_closed && (_interest & PollEvents.In) != 0)
            ReadFromHost();
        UpdateInterest();
    }

    void FinishConnect()
    {
        var error = (SocketError)0;
        int code = (int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
        if (code != 0)
            error = (SocketError)code;
        _connecting = false;
        if (error == SocketError.Success)
        {
            _guest.Accept();
            UpdateInterest();
            return;
        }
        if (error is SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown)
        {
            _stack.Tcp.SendUnreachable(_guest, error == SocketError.NetworkUnreachable ? Ip.IcmpCode.NetworkUnreachable : Ip.IcmpCode.HostUnreachable);
            _guest.Finish();
        }
        else
        {
            _guest.Abort();
        }
        Close();
    }

    void ReadFromHost()
    {
        Span<byte> room = _guest.Sending.FreeSpan();
        int length = _socket.Receive(room, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
            return;
        if (error != SocketError.Success)
        {
            _guest.Abort();
            Close(abort: true);
        }
        else if (length == 0)
        {
            _hostFinished = true;
            _guest.CloseSend();
        }
        else
        {
            _guest.Sending.Append(length);
            _guest.Touch();
        }
    }

    void WriteToHost()
    {
        while (_guest.Received.Length != 0)
        {
            int sent = _socket.Send(_guest.Received.FirstSpan, SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock || error == SocketError.Success && sent == 0)
            {
                _writeBlocked = true;
                return;
            }
            if (error != SocketError.Success)
            {
                _guest.Abort();
                Close(abort: true);
                return;
            }
            _guest.Received.Consume(sent);
            _guest.Touch();
        }
        if (_guest.PeerFinished && !_hostShut)
        {
            _hostShut = true;
            try
            {
                _socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // The host's side is gone already; reading will say how.
            }
        }
        if (_guestFinished)
            Close();
    }

    public void OnEstablished() => UpdateInterest();

    public void OnReceived()
    {
        if (!_closed && !_writeBlocked && !_connecting)
            WriteToHost();
        UpdateInterest();
    }

    public void OnSendSpace() => UpdateInterest();

    public void OnFinished()
    {
        // What the guest sent before its end may still be on its way to a slow reader.
        _guestFinished = true;
        OnReceived();
    }

    public void OnReset() => Close(abort: true);

    /// <summary>Closes the host's side; aborting tells the peer by a reset.</summary>
    public void Close(bool abort = false)
    {
        if (_closed)
            return;
        _closed = true;
        _stack.Sockets.Remove(_slot);
        try
        {
            if (abort)
                _socket.LingerState = new LingerOption(true, 0);
        }
        catch (SocketException)
        {
            // Not connected: nobody to tell.
        }
        _socket.Dispose();
        _stack.Tcp.Closed(this);
    }
}
