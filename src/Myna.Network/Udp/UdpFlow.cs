using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Myna.Host;
using Myna.Network.Wire;

namespace Myna.Network.Udp;

/// <summary>
/// A UDP endpoint of the guest and its host socket. Datagrams come in from addresses that the guest has sent to
/// (address-dependent filtering, RFC 4787 §5); on a forwarded port, from anywhere.
/// </summary>
internal sealed class UdpFlow : Timed, ISocketHandler
{
    /// <summary>RFC 4787 §4.3 asks for at least two minutes.</summary>
    const ulong IdleTime = 120_000_000_000;

    const int MaximumPeers = 256;

    readonly NetworkStack _stack;
    readonly Socket _socket;
    readonly bool _isForward;
    readonly int _slot;
    readonly SocketAddress _address = new(AddressFamily.InterNetwork);

    // As the guest sees them → as the host sees them; a plain flow only needs to know the addresses.
    readonly Dictionary<Ipv4Endpoint, Ipv4Endpoint> _clients = [];
    readonly HashSet<Ipv4Address> _peers = [];

    public UdpFlow(NetworkStack stack, Ipv4Endpoint guest, Socket socket, bool isForward)
    {
        _stack = stack;
        Guest = guest;
        _socket = socket;
        _isForward = isForward;
        _slot = stack.Sockets.Add(socket, this);
        stack.Sockets.SetInterest(_slot, PollEvents.In);
    }

    public Ipv4Endpoint Guest { get; }

    /// <summary>The endpoint, as the guest sees it, came in by this forwarded port.</summary>
    public bool Knows(Ipv4Endpoint client) => _clients.ContainsKey(client);

    public bool Send(Ipv4Endpoint remote, ReadOnlySpan<byte> payload)
    {
        Touch();
        if (!_clients.TryGetValue(remote, out Ipv4Endpoint host))
        {
            host = remote with { Address = _stack.ToHost(remote.Address) };
            if (_peers.Count >= MaximumPeers)
                _peers.Clear();
            _peers.Add(host.Address);
        }
        Span<byte> address = _address.Buffer.Span;
        BinaryPrimitives.WriteUInt16BigEndian(address[2..], host.Port);
        host.Address.Write(address[4..]);
        try
        {
            _socket.SendTo(payload, SocketFlags.None, _address);
            return true;
        }
        catch (SocketException e)
        {
            // A full send buffer loses a datagram, as networks do.
            return e.SocketErrorCode is SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable or SocketError.ConnectionRefused;
        }
    }

    public void OnReady(PollEvents events)
    {
        if (_stack.Link.Congested)
        {
            _stack.Sockets.SetInterest(_slot, PollEvents.None);
            _stack.Udp.Paused(this);
            return;
        }
        Span<byte> udp = _stack.PayloadBuffer;
        int length;
        try
        {
            length = _socket.ReceiveFrom(udp[UdpDatagram.HeaderSize..], SocketFlags.None, _address);
        }
        catch (SocketException)
        {
            // A pending ICMP error, or a datagram with a wrong checksum: gone by being read.
            return;
        }
        ReadOnlySpan<byte> address = _address.Buffer.Span;
        var sender = new Ipv4Endpoint(Ipv4Address.Read(address[4..]), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
        var seen = sender with { Address = _stack.ToGuest(sender.Address) };
        if (_isForward)
        {
            if (_clients.Count >= MaximumPeers && !_clients.ContainsKey(seen))
                _clients.Clear();
            _clients[seen] = sender;
        }
        else if (!_peers.Contains(sender.Address))
        {
            return;
        }
        Touch();
        udp = udp[..(UdpDatagram.HeaderSize + length)];
        UdpDatagram.WriteHeader(udp, seen, Guest);
        _stack.SendIp(seen.Address, Guest.Address, IpProtocol.Udp, udp.Length);
    }

    public void Resume() => _stack.Sockets.SetInterest(_slot, PollEvents.In);

    void Touch()
    {
        if (_isForward)
            return;
        Deadline = _stack.Now + IdleTime;
        _stack.Deadlines.Update(this);
    }

    public override void OnDeadline(ulong now) => Close();

    public void Close()
    {
        if (!_socket.SafeHandle.IsClosed)
        {
            Deadline = ulong.MaxValue;
            _stack.Sockets.Remove(_slot);
            _socket.Dispose();
            _stack.Udp.Remove(this);
        }
    }
}
