using System.Net;
using System.Net.Sockets;
using Myna.Host;
using Myna.Network.Wire;

namespace Myna.Network.Tcp;

/// <summary>A port of the host that leads into the guest.</summary>
internal sealed class TcpForward : Timed, ISocketHandler
{
    const ulong Pause = 1_000_000_000;
    const int Backlog = 128;

    readonly NetworkStack _stack;
    readonly Ipv4Endpoint _guest;
    readonly Socket _socket;
    readonly int _slot;

    public TcpForward(NetworkStack stack, HostForward forward)
    {
        _stack = stack;
        _guest = stack.Options.GuestEndpoint(forward);
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
        try
        {
            // .NET sets SO_REUSEADDR by itself; its own ReuseAddress would let two programs share the port.
            _socket.Bind(new Ipv4Endpoint(forward.HostAddress, forward.HostPort).ToIPEndPoint());
            _socket.Listen(Backlog);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
        _slot = stack.Sockets.Add(_socket, this);
        stack.Sockets.SetInterest(_slot, PollEvents.In);
    }

    public ushort Port => (ushort)((IPEndPoint)_socket.LocalEndPoint!).Port;

    public void OnReady(PollEvents events)
    {
        try
        {
            if (!_stack.Tcp.IsFull)
            {
                Socket accepted = _socket.Accept();
                _stack.Tcp.Accept(_guest, Ipv4Endpoint.From((IPEndPoint)accepted.RemoteEndPoint!), accepted);
                return;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.ConnectionAborted)
        {
            return;
        }
        catch (SocketException)
        {
            // Out of descriptors, most likely: try again in a while.
        }
        _stack.Counters.LimitHits++;
        _stack.Sockets.SetInterest(_slot, PollEvents.None);
        Deadline = _stack.Now + Pause;
        _stack.Deadlines.Update(this);
    }

    public override void OnDeadline(ulong now)
    {
        Deadline = ulong.MaxValue;
        if (!_socket.SafeHandle.IsClosed)
            _stack.Sockets.SetInterest(_slot, PollEvents.In);
    }

    public void Close()
    {
        _stack.Sockets.Remove(_slot);
        _socket.Dispose();
    }
}
