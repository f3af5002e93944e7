using System.Buffers.Binary;
using System.Net.Sockets;
using Myna.Host;
using Myna.Network.Wire;

namespace Myna.Network.Ip;

/// <summary>Codes of Destination Unreachable (RFC 792, RFC 1812 §5.2.7.1).</summary>
internal enum IcmpCode : byte
{
    NetworkUnreachable = 0,
    HostUnreachable = 1,
    PortUnreachable = 3,
    AdministrativelyProhibited = 13,
}

/// <summary>
/// Answers echo requests to the stack's own addresses and passes others on through the system's ping sockets
/// (net.ipv4.ping_group_range); where those are not allowed the guest sees the network as unreachable.
/// </summary>
internal sealed class Icmp(NetworkStack stack) : IDisposable
{
    const byte EchoReply = 0, Unreachable = 3, EchoRequest = 8;
    const int MaximumPings = 64;

    readonly Dictionary<(Ipv4Address Guest, Ipv4Address Remote, ushort Id), Ping> _pings = [];

    public void Receive(in Ipv4Packet packet, ReadOnlySpan<byte> message)
    {
        if (message.Length < 8 || Checksum.Of(message) != 0)
        {
            stack.Counters.Malformed++;
            return;
        }
        if (message[0] != EchoRequest || packet.Destination == Ipv4Address.Broadcast
            || packet.Destination == stack.Options.DirectedBroadcast)
        {
            stack.Counters.Ignored++;
            return;
        }
        stack.Counters.Pings++;
        if (stack.Options.IsOwn(packet.Destination))
        {
            SendEcho(packet.Destination, packet.Source, BinaryPrimitives.ReadUInt16BigEndian(message[4..]), message);
            return;
        }
        if (stack.Options.Restrict)
        {
            stack.Counters.Restricted++;
            SendUnreachable(packet.Header, message, IcmpCode.AdministrativelyProhibited);
            return;
        }
        (Ipv4Address, Ipv4Address, ushort) key = (packet.Source, packet.Destination, BinaryPrimitives.ReadUInt16BigEndian(message[4..]));
        if (!_pings.TryGetValue(key, out Ping? ping))
        {
            if (_pings.Count >= MaximumPings)
            {
                stack.Counters.LimitHits++;
                return;
            }
            ping = Ping.Open(this, key.Item1, key.Item2, key.Item3);
            if (ping is null)
            {
                SendUnreachable(packet.Header, message, IcmpCode.NetworkUnreachable);
                return;
            }
            _pings.Add(key, ping);
        }
        if (!ping.Send(message))
            SendUnreachable(packet.Header, message, IcmpCode.HostUnreachable);
    }

    /// <summary>Answers with the data of <paramref name="message"/>, under the guest's identifier.</summary>
    void SendEcho(Ipv4Address source, Ipv4Address destination, ushort id, ReadOnlySpan<byte> message)
    {
        Span<byte> reply = stack.PayloadBuffer[..message.Length];
        message.CopyTo(reply);
        reply[0] = EchoReply;
        BinaryPrimitives.WriteUInt16BigEndian(reply[4..], id);
        reply[2] = reply[3] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(reply[2..], Checksum.Of(reply));
        stack.SendIp(source, destination, IpProtocol.Icmp, reply.Length);
    }

    /// <summary>Tells the guest that its packet (header and payload) went nowhere.</summary>
    public void SendUnreachable(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload, IcmpCode code)
    {
        Ipv4Address source = Ipv4Address.Read(header[12..]);
        if (source == Ipv4Address.Any)
            return;
        // The offending header and the first eight bytes after it (RFC 792).
        int quoted = Math.Min(8, payload.Length);
        Span<byte> message = stack.PayloadBuffer[..(8 + header.Length + quoted)];
        message[..8].Clear();
        message[0] = Unreachable;
        message[1] = (byte)code;
        header.CopyTo(message[8..]);
        payload[..quoted].CopyTo(message[(8 + header.Length)..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum.Of(message));
        stack.SendIp(stack.Options.Gateway, source, IpProtocol.Icmp, message.Length);
    }

    public void Dispose()
    {
        foreach (Ping ping in _pings.Values)
            ping.Close();
        _pings.Clear();
    }

    /// <summary>One identifier's echo requests to one host; the kernel replaces the identifier by its own.</summary>
    sealed class Ping : Timed, ISocketHandler
    {
        const ulong IdleTime = 10_000_000_000;

        readonly Icmp _owner;
        readonly Ipv4Address _guest, _remote;
        readonly ushort _id;
        readonly Socket _socket;
        readonly int _slot;

        Ping(Icmp owner, Ipv4Address guest, Ipv4Address remote, ushort id, Socket socket)
        {
            _owner = owner;
            _guest = guest;
            _remote = remote;
            _id = id;
            _socket = socket;
            _slot = owner.Stack.Sockets.Add(socket, this);
            owner.Stack.Sockets.SetInterest(_slot, PollEvents.In);
        }

        public static Ping? Open(Icmp owner, Ipv4Address guest, Ipv4Address remote, ushort id)
        {
            Socket? socket = null;
            try
            {
                socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Icmp) { Blocking = false };
                socket.Connect(new Ipv4Endpoint(remote, 0).ToIPEndPoint());
                return new Ping(owner, guest, remote, id, socket);
            }
            catch (SocketException)
            {
                socket?.Dispose();
                return null;
            }
        }

        public bool Send(ReadOnlySpan<byte> message)
        {
            Deadline = _owner.Stack.Now + IdleTime;
            _owner.Stack.Deadlines.Update(this);
            _socket.Send(message, SocketFlags.None, out SocketError error);
            return error is SocketError.Success or SocketError.WouldBlock;
        }

        public void OnReady(PollEvents events)
        {
            NetworkStack stack = _owner.Stack;
            Span<byte> buffer = stack.ReceiveBuffer;
            int length = _socket.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success && length >= 8 && buffer[0] == EchoReply)
                _owner.SendEcho(_remote, _guest, _id, buffer[..length]);
        }

        public override void OnDeadline(ulong now)
        {
            Deadline = ulong.MaxValue;
            _owner._pings.Remove((_guest, _remote, _id));
            Close();
        }

        public void Close()
        {
            _owner.Stack.Sockets.Remove(_slot);
            _socket.Dispose();
        }
    }

    NetworkStack Stack => stack;
}
