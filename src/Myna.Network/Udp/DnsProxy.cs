using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Myna.Host;
using Myna.Network.Wire;

namespace Myna.Network.Udp;

/// <summary>
/// Passes queries to the host's resolvers, each from a socket of its own (so ports are as hard to guess as the host makes
/// them), and to the next resolver when one is silent or refuses (RFC 5625).
/// </summary>
internal sealed class DnsProxy(NetworkStack stack) : IDisposable
{
    public const ushort Port = 53;
    const int MaximumQueries = 256, MaximumQuerySize = 4096, HeaderSize = 12;

    readonly Resolvers _resolvers = new();
    readonly Dictionary<(Ipv4Endpoint Guest, ushort Id), DnsQuery> _queries = [];

    public int Count => _queries.Count;

    /// <summary>The resolvers to ask now, in order.</summary>
    public IReadOnlyList<IPEndPoint> Servers => stack.Options.Resolvers ?? _resolvers.Current();

    public void Query(Ipv4Endpoint guest, ReadOnlySpan<byte> message)
    {
        if (message.Length is < HeaderSize or > MaximumQuerySize)
        {
            stack.Counters.Malformed++;
            return;
        }
        ushort id = BinaryPrimitives.ReadUInt16BigEndian(message);
        // The same query again: the client lost patience earlier than we did.
        if (_queries.TryGetValue((guest, id), out DnsQuery? query))
        {
            query.AskNext();
            return;
        }
        if (_queries.Count >= MaximumQueries)
        {
            stack.Counters.LimitHits++;
            return;
        }
        stack.Counters.DnsQueries++;
        query = new DnsQuery(this, guest, message.ToArray());
        _queries.Add((guest, id), query);
        query.AskNext();
    }

    void Answer(DnsQuery query, ReadOnlySpan<byte> message)
    {
        Span<byte> udp = stack.PayloadBuffer[..(UdpDatagram.HeaderSize + message.Length)];
        message.CopyTo(udp[UdpDatagram.HeaderSize..]);
        var source = new Ipv4Endpoint(stack.Options.Dns, Port);
        UdpDatagram.WriteHeader(udp, source, query.Guest);
        stack.SendIp(source.Address, query.Guest.Address, IpProtocol.Udp, udp.Length);
        Remove(query);
    }

    void Fail(DnsQuery query)
    {
        // Response, recursion desired as asked and available, SERVFAIL (RFC 1035 §4.1.1), no records.
        Span<byte> header = stackalloc byte[HeaderSize];
        header.Clear();
        query.Message.AsSpan(0, 2).CopyTo(header);
        header[2] = (byte)(0x80 | query.Message[2] & 0x79);
        header[3] = 0x82;
        Answer(query, header);
    }

    void Remove(DnsQuery query)
    {
        query.CloseSocket();
        _queries.Remove((query.Guest, BinaryPrimitives.ReadUInt16BigEndian(query.Message)));
    }

    public void Dispose()
    {
        foreach (DnsQuery query in _queries.Values)
            query.CloseSocket();
        _queries.Clear();
    }

    NetworkStack Stack => stack;

    sealed class DnsQuery(DnsProxy owner, Ipv4Endpoint guest, byte[] message) : Timed, ISocketHandler
    {
        const ulong Patience = 1_500_000_000;
        const int Rounds = 2;

        Socket? _socket;
        int _slot;
        int _attempt;

        public Ipv4Endpoint Guest => guest;
        public byte[] Message => message;

        public void AskNext()
        {
            IReadOnlyList<IPEndPoint> servers = owner.Servers;
            while (_attempt < servers.Count * Rounds)
            {
                CloseSocket();
                if (!Ask(servers[_attempt++ % servers.Count]))
                    continue;
                Deadline = owner.Stack.Now + Patience;
                owner.Stack.Deadlines.Update(this);
                return;
            }
            owner.Fail(this);
        }

        bool Ask(IPEndPoint server)
        {
            try
            {
                _socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
                _slot = owner.Stack.Sockets.Add(_socket, this);
                _socket.Connect(server);
                _socket.Send(message);
                owner.Stack.Sockets.SetInterest(_slot, PollEvents.In);
                return true;
            }
            catch (SocketException)
            {
                CloseSocket();
                return false;
            }
        }

        public void OnReady(PollEvents events)
        {
            Span<byte> buffer = owner.Stack.ReceiveBuffer;
            int length = _socket!.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock)
                return;
            if (error != SocketError.Success)
                AskNext();
            else if (length >= HeaderSize && buffer[0] == message[0] && buffer[1] == message[1] && (buffer[2] & 0x80) != 0)
                owner.Answer(this, buffer[..length]);
        }

        public override void OnDeadline(ulong now)
        {
            Deadline = ulong.MaxValue;
            if (_socket is not null)
                AskNext();
        }

        public void CloseSocket()
        {
            if (_socket is null)
                return;
            owner.Stack.Sockets.Remove(_slot);
            _socket.Dispose();
            _socket = null;
        }
    }
}
