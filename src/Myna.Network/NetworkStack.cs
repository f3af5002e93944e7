using System.Buffers.Binary;
using Myna.Network.Dhcp;
using Myna.Network.Ip;
using Myna.Network.Tcp;
using Myna.Network.Tftp;
using Myna.Network.Udp;
using Myna.Network.Wire;

namespace Myna.Network;

/// <summary>
/// The network that the guest sees, without a thread of its own: one thread calls everything. Frames come in at
/// <see cref="Receive"/>, go out through <see cref="Link"/>; whatever came of a batch of frames and ready sockets leaves at
/// <see cref="Flush"/>.
/// </summary>
internal sealed class NetworkStack : IDisposable
{
    public const int EthernetHeaderSize = 14;
    const int PayloadAt = EthernetHeaderSize + Ipv4Packet.HeaderSize;
    const int MaximumPayload = 65535 - Ipv4Packet.HeaderSize;

    readonly Func<ulong> _now;
    readonly byte[] _scratch = new byte[EthernetHeaderSize + 65536];
    readonly byte[] _receive = new byte[65536];
    readonly byte[] _fragment = new byte[EthernetHeaderSize + 9216];
    readonly Reassembly _reassembly;
    readonly Icmp _icmp;
    readonly DhcpServer _dhcp;
    readonly TftpServer? _tftp;
    ushort _identification;
    bool _wasCongested;

    /// <param name="now">Nanoseconds, never going back.</param>
    /// <param name="random">For initial sequence numbers.</param>
    public NetworkStack(UserNetworkOptions options, Func<ulong> now, Random random)
    {
        Options = options;
        _now = now;
        Random = random;
        Link = new GuestLink(Counters);
        Neighbors = new Neighbors(this);
        _reassembly = new Reassembly(Counters);
        _icmp = new Icmp(this);
        _dhcp = new DhcpServer(this);
        _tftp = options.TftpDirectory is { } directory ? new TftpServer(this, directory) : null;
        Udp = new UdpNat(this);
        Dns = new DnsProxy(this);
        Tcp = new TcpTable(this);
    }

    public UserNetworkOptions Options { get; }
    public NetworkCounters Counters { get; } = new();
    public GuestLink Link { get; }
    public SocketSet Sockets { get; } = new();
    public Deadlines Deadlines { get; } = new();
    public Neighbors Neighbors { get; }
    public Random Random { get; }
    public UdpNat Udp { get; }
    public DnsProxy Dns { get; }
    public TcpTable Tcp { get; }
    public Icmp Icmp => _icmp;
    public ulong Now => _now();

    /// <summary>Reassemblies in progress.</summary>
    public int PartialDatagrams => _reassembly.Count;

    /// <summary>A frame from the guest, without FCS. Anything may stand in it.</summary>
    public void Receive(ReadOnlySpan<byte> frame)
    {
        Counters.FramesFromGuest++;
        Counters.BytesFromGuest += frame.Length;
        if (frame.Length < EthernetHeaderSize)
        {
            Counters.Malformed++;
            return;
        }
        MacAddress to = MacAddress.Read(frame), from = MacAddress.Read(frame[6..]);
        if (!to.IsGroup && to.Value >> 32 != 0x5255)
        {
            Counters.Ignored++;
            return;
        }
        ReadOnlySpan<byte> payload = frame[EthernetHeaderSize..];
        switch ((EtherType)BinaryPrimitives.ReadUInt16BigEndian(frame[12..]))
        {
            case EtherType.Arp:
                Neighbors.Receive(payload);
                break;
            case EtherType.Ipv4:
                ReceiveIp(payload, from);
                break;
            default:
                // LIMIT: no IPv6.
                Counters.Ignored++;
                break;
        }
    }

    void ReceiveIp(ReadOnlySpan<byte> bytes, MacAddress from)
    {
        if (!Ipv4Packet.TryParse(bytes, out Ipv4Packet packet) || from.IsGroup)
        {
            Counters.Malformed++;
            return;
        }
        bool unnumbered = packet.Source == Ipv4Address.Any;
        bool ours = Options.IsOwn(packet.Destination) || packet.Destination == Ipv4Address.Broadcast
            || packet.Destination == Options.DirectedBroadcast;
        bool outside = !Options.Contains(packet.Destination) && !packet.Destination.IsMulticast && !packet.Destination.IsLoopback
            && packet.Destination.Value >> 24 != 0;
        if (!ours && !outside || !unnumbered && (!Options.Contains(packet.Source) || Options.IsOwn(packet.Source)))
        {
            Counters.Ignored++;
            return;
        }
        Neighbors.Learn(packet.Source, from);
        ReadOnlySpan<byte> payload = packet.Payload;
        if (packet.IsFragment)
        {
            payload = _reassembly.Add(packet, Now);
            if (payload.IsEmpty)
                return;
        }
        switch (packet.Protocol)
        {
            case IpProtocol.Udp:
                ReceiveUdp(packet, payload, from);
                break;
            case IpProtocol.Tcp when !unnumbered:
                Tcp.Receive(packet.Source, packet.Destination, payload);
                break;
            case IpProtocol.Icmp when !unnumbered:
                _icmp.Receive(packet, payload);
                break;
            default:
                Counters.Ignored++;
                break;
        }
    }

    void ReceiveUdp(in Ipv4Packet packet, ReadOnlySpan<byte> payload, MacAddress from)
    {
        if (!UdpDatagram.TryParse(payload, packet.Source, packet.Destination, out UdpDatagram datagram))
        {
            Counters.Malformed++;
            return;
        }
        bool broadcast = packet.Destination == Ipv4Address.Broadcast || packet.Destination == Options.DirectedBroadcast;
        if (datagram.DestinationPort == DhcpServer.ServerPort && (broadcast || packet.Destination == Options.Gateway))
        {
            _dhcp.Receive(datagram.Payload, packet.Source, from);
            return;
        }
        if (broadcast || packet.Source == Ipv4Address.Any || datagram.DestinationPort == 0)
        {
            Counters.Ignored++;
            return;
        }
        var guest = new Ipv4Endpoint(packet.Source, datagram.SourcePort);
        var remote = new Ipv4Endpoint(packet.Destination, datagram.DestinationPort);
        if (_tftp is not null && remote == new Ipv4Endpoint(Options.Gateway, TftpServer.Port))
        {
            _tftp.Receive(guest, datagram.Payload);
            return;
        }
        bool answered = Udp.AnswersForward(guest, remote);
        if (Options.Restrict && !answered)
        {
            Counters.Restricted++;
            Icmp.SendUnreachable(packet.Header, payload, IcmpCode.AdministrativelyProhibited);
            return;
        }
        if (packet.Destination == Options.Dns && datagram.DestinationPort == DnsProxy.Port)
            Dns.Query(guest, datagram.Payload);
        else if (packet.Destination == Options.Dns)
            Icmp.SendUnreachable(packet.Header, payload, IcmpCode.PortUnreachable);
        else if (!Udp.Send(guest, remote, datagram.Payload))
            Icmp.SendUnreachable(packet.Header, payload, IcmpCode.NetworkUnreachable);
    }

    /// <summary>The host address behind an address the guest uses: the gateway is the host's loopback.</summary>
    public Ipv4Address ToHost(Ipv4Address address) => address == Options.Gateway ? Ipv4Address.Loopback : address;

    /// <summary>The address under which the guest sees a host's address.</summary>
    public Ipv4Address ToGuest(Ipv4Address address) => address.IsLoopback || Options.Contains(address) ? Options.Gateway : address;

    /// <summary>For reading from a host socket; not the same memory as <see cref="PayloadBuffer"/>.</summary>
    public Span<byte> ReceiveBuffer => _receive;

    /// <summary>Where to write the payload of the next <see cref="SendIp"/>.</summary>
    public Span<byte> PayloadBuffer => _scratch.AsSpan(PayloadAt, MaximumPayload);

    /// <summary>Sends the first bytes of <see cref="PayloadBuffer"/> to the guest, in fragments where the MTU asks for them.</summary>
    public void SendIp(Ipv4Address source, Ipv4Address destination, IpProtocol protocol, int length)
    {
        ushort id = ++_identification;
        bool known = Neighbors.TryFind(destination, out MacAddress mac);
        int room = Options.Mtu - Ipv4Packet.HeaderSize;
        if (length <= room)
        {
            Ipv4Packet.WriteHeader(_scratch.AsSpan(EthernetHeaderSize), source, destination, protocol, id, length);
            SendFrame(_scratch.AsSpan(0, PayloadAt + length), mac, known, destination);
            return;
        }
        room &= ~7;
        for (int at = 0; at < length; at += room)
        {
            int part = Math.Min(room, length - at);
            _scratch.AsSpan(PayloadAt + at, part).CopyTo(_fragment.AsSpan(PayloadAt));
            Ipv4Packet.WriteHeader(_fragment.AsSpan(EthernetHeaderSize), source, destination, protocol, id, part, at, at + part < length);
            SendFrame(_fragment.AsSpan(0, PayloadAt + part), mac, known, destination);
        }
    }

    void SendFrame(Span<byte> frame, MacAddress mac, bool known, Ipv4Address destination)
    {
        WriteEthernet(frame, mac, Neighbors.OwnMac(Options.Gateway), EtherType.Ipv4);
        if (known)
            Link.Transmit(frame);
        else
            Neighbors.Resolve(destination, frame);
    }

    public static void WriteEthernet(Span<byte> frame, MacAddress to, MacAddress from, EtherType type)
    {
        to.Write(frame);
        from.Write(frame[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], (ushort)type);
    }

    /// <summary>Calls what is due.</summary>
    public void RunDeadlines() => Deadlines.Run(Now);

    /// <summary>The guest's device has buffers again.</summary>
    public void LinkReady()
    {
        if (Link.Congested)
            Link.Flush();
    }

    /// <summary>Sends what a batch of frames and events left to send.</summary>
    public void Flush()
    {
        if (_wasCongested && !Link.Congested)
            Udp.Resume();
        Tcp.Flush();
        _wasCongested = Link.Congested;
    }

    public void Dispose()
    {
        Tcp.Dispose();
        Udp.Dispose();
        Dns.Dispose();
        _tftp?.Dispose();
        _icmp.Dispose();
        Sockets.Dispose();
    }
}
