using System.Buffers.Binary;
using System.Text;
using Myna.Network.Wire;

namespace Myna.Network.Dhcp;

internal enum DhcpMessage : byte { Discover = 1, Offer, Request, Decline, Ack, Nak, Release, Inform }

internal enum DhcpOption : byte
{
    Pad = 0, SubnetMask = 1, Router = 3, DomainNameServer = 6, HostName = 12, InterfaceMtu = 26, RequestedAddress = 50,
    LeaseTime = 51, MessageType = 53, ServerIdentifier = 54, RenewalTime = 58, RebindingTime = 59, TftpServerName = 66, BootFileName = 67, End = 255,
}

/// <summary>
/// Leases addresses from <see cref="UserNetworkOptions.DhcpStart"/> on (RFC 2131, RFC 2132). A client is its hardware address;
/// a lease is kept for the machine's life, and the least recently used one gives way when the range is full.
/// </summary>
internal sealed class DhcpServer(NetworkStack stack)
{
    public const ushort ServerPort = 67, ClientPort = 68;
    const int FileField = 108, FileSize = 128, FixedSize = 236, MaximumLeases = 64;
    const uint MagicCookie = 0x63825363;

    /// <summary>Seconds; one day, as QEMU has it.</summary>
    const uint LeaseSeconds = 86400;

    // In order of use, the latest last.
    readonly List<(MacAddress Client, Ipv4Address Address)> _leases = [];

    struct Message
    {
        public DhcpMessage Type;
        public uint Transaction;
        public bool BroadcastFlag;
        public Ipv4Address ClientAddress, Requested, Server, Relay;
        public MacAddress Client;
    }

    public void Receive(ReadOnlySpan<byte> bytes, Ipv4Address source, MacAddress from)
    {
        stack.Counters.DhcpMessages++;
        if (!TryParse(bytes, out Message message) || message.Client.IsGroup)
        {
            stack.Counters.Malformed++;
            return;
        }
        if (message.Relay != Ipv4Address.Any)
            return;
        MacAddress client = message.Client;
        switch (message.Type)
        {
            case DhcpMessage.Discover:
                if (Lease(message.Client, message.Requested) is { } offered)
                    Reply(message, DhcpMessage.Offer, offered);
                break;
            case DhcpMessage.Request:
                Request(message);
                break;
            case DhcpMessage.Release:
                _leases.RemoveAll(l => l.Client == client);
                break;
            case DhcpMessage.Decline:
                // Someone else on the link has the address: never lease it to this client again, nor to others soon.
                int at = _leases.FindIndex(l => l.Client == client);
                if (at >= 0)
                    _leases[at] = (new MacAddress(ulong.MaxValue), _leases[at].Address);
                break;
            case DhcpMessage.Inform when source != Ipv4Address.Any:
                stack.Neighbors.Learn(source, from);
                Reply(message, DhcpMessage.Ack, Ipv4Address.Any);
                break;
        }
    }

    /// <summary>RFC 2131 §4.3.2: selecting, init-reboot, renewing and rebinding.</summary>
    void Request(in Message message)
    {
        if (message.Server != Ipv4Address.Any && message.Server != stack.Options.Gateway)
            return;
        Ipv4Address wanted = message.Requested != Ipv4Address.Any ? message.Requested : message.ClientAddress;
        // A lease from before this process began is honoured if the address is free.
        Ipv4Address? lease = Lease(message.Client, wanted);
        if (wanted != Ipv4Address.Any && lease == wanted)
            Reply(message, DhcpMessage.Ack, wanted);
        else
            Reply(message, DhcpMessage.Nak, Ipv4Address.Any);
    }

    /// <summary>The client's address: the one it has, else the one it wants, else the first free one.</summary>
    Ipv4Address? Lease(MacAddress client, Ipv4Address wanted)
    {
        UserNetworkOptions options = stack.Options;
        int index = _leases.FindIndex(l => l.Client == client);
        Ipv4Address address;
        uint last = Math.Min(options.DhcpStart.Value + MaximumLeases, options.DirectedBroadcast.Value);
        if (index >= 0)
        {
            address = _leases[index].Address;
            _leases.RemoveAt(index);
        }
        else if (wanted.Value >= options.DhcpStart.Value && wanted.Value < last && IsFree(wanted))
        {
            address = wanted;
        }
        else
        {
            uint value = options.DhcpStart.Value;
            while (value < last && !IsFree(new Ipv4Address(value)))
                value++;
            if (value == last)
            {
                if (_leases.Count == 0)
                    return null;
                value = _leases[0].Address.Value;
                _leases.RemoveAt(0);
            }
            address = new Ipv4Address(value);
        }
        _leases.Add((client, address));
        return address;
    }

    bool IsFree(Ipv4Address address) => !stack.Options.IsOwn(address) && !_leases.Exists(l => l.Address == address);

    static bool TryParse(ReadOnlySpan<byte> b, out Message message)
    {
        message = default;
        // BOOTREQUEST over Ethernet with DHCP's magic cookie. LIMIT: plain BOOTP is not answered.
        if (b.Length < FixedSize + 4 || b[0] != 1 || b[1] != 1 || b[2] != 6
            || BinaryPrimitives.ReadUInt32BigEndian(b[FixedSize..]) != MagicCookie)
            return false;
        message.Transaction = BinaryPrimitives.ReadUInt32BigEndian(b[4..]);
        message.BroadcastFlag = (b[10] & 0x80) != 0;
        message.ClientAddress = Ipv4Address.Read(b[12..]);
        message.Relay = Ipv4Address.Read(b[24..]);
        message.Client = MacAddress.Read(b[28..]);
        ReadOnlySpan<byte> options = b[(FixedSize + 4)..];
        while (!options.IsEmpty && options[0] != (byte)DhcpOption.End)
        {
            if (options[0] == (byte)DhcpOption.Pad)
            {
                options = options[1..];
                continue;
            }
            if (options.Length < 2 || options.Length < 2 + options[1])
                return false;
            ReadOnlySpan<byte> value = options.Slice(2, options[1]);
            switch ((DhcpOption)options[0])
            {
                case DhcpOption.MessageType when value.Length == 1:
                    message.Type = (DhcpMessage)value[0];
                    break;
                case DhcpOption.RequestedAddress when value.Length == 4:
                    message.Requested = Ipv4Address.Read(value);
                    break;
                case DhcpOption.ServerIdentifier when value.Length == 4:
                    message.Server = Ipv4Address.Read(value);
                    break;
            }
            options = options[(2 + value.Length)..];
        }
        return message.Type != 0;
    }

    void Reply(in Message message, DhcpMessage type, Ipv4Address address)
    {
        UserNetworkOptions options = stack.Options;
        Span<byte> udp = stack.PayloadBuffer[..1024];
        udp.Clear();
        Span<byte> b = udp[UdpDatagram.HeaderSize..];
        b[0] = 2;
        b[1] = 1;
        b[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(b[4..], message.Transaction);
        b[10] = (byte)(message.BroadcastFlag ? 0x80 : 0);
        if (type != DhcpMessage.Nak)
            message.ClientAddress.Write(b[12..]);
        address.Write(b[16..]);
        if (type != DhcpMessage.Nak)
            options.Gateway.Write(b[20..]);
        message.Client.Write(b[28..]);
        BinaryPrimitives.WriteUInt32BigEndian(b[FixedSize..], MagicCookie);

        int at = FixedSize + 4;
        at += Put(b[at..], DhcpOption.MessageType, [(byte)type]);
        at += Put(b[at..], DhcpOption.ServerIdentifier, options.Gateway.Value);
        if (type != DhcpMessage.Nak)
        {
            if (address != Ipv4Address.Any)
            {
                at += Put(b[at..], DhcpOption.LeaseTime, LeaseSeconds);
                at += Put(b[at..], DhcpOption.RenewalTime, LeaseSeconds / 2);
                at += Put(b[at..], DhcpOption.RebindingTime, LeaseSeconds / 8 * 7);
            }
            at += Put(b[at..], DhcpOption.SubnetMask, options.Mask);
            if (!options.Restrict)
            {
                at += Put(b[at..], DhcpOption.Router, options.Gateway.Value);
                at += Put(b[at..], DhcpOption.DomainNameServer, options.Dns.Value);
            }
            at += Put(b[at..], DhcpOption.InterfaceMtu, [(byte)(options.Mtu >> 8), (byte)options.Mtu]);
            if (options.BootFile is { } file)
            {
                // The field for BOOTP clients, and the option that some look at alone (RFC 2132, sections 9.4 and 9.5).
                Encoding.ASCII.GetBytes(file, b.Slice(FileField, FileSize - 1));
                at += Put(b[at..], DhcpOption.TftpServerName, Encoding.ASCII.GetBytes(options.Gateway.ToString()));
                at += Put(b[at..], DhcpOption.BootFileName, Encoding.ASCII.GetBytes(file));
            }
            if (options.HostName is not null)
                at += Put(b[at..], DhcpOption.HostName, Encoding.ASCII.GetBytes(options.HostName));
        }
        b[at++] = (byte)DhcpOption.End;
        // Old clients expect BOOTP's size.
        at = Math.Max(at, 300);

        // RFC 2131 §4.1: broadcast unless the client has an address, or can take unicast before it is configured.
        Ipv4Address to = type == DhcpMessage.Nak ? Ipv4Address.Broadcast
            : message.ClientAddress != Ipv4Address.Any ? message.ClientAddress
            : message.BroadcastFlag ? Ipv4Address.Broadcast : address;
        if (to != Ipv4Address.Broadcast)
            stack.Neighbors.Learn(to, message.Client);
        UdpDatagram.WriteHeader(udp[..(UdpDatagram.HeaderSize + at)], new(options.Gateway, ServerPort), new(to, ClientPort));
        stack.SendIp(options.Gateway, to, IpProtocol.Udp, UdpDatagram.HeaderSize + at);
    }

    static int Put(Span<byte> b, DhcpOption option, uint value)
    {
        b[0] = (byte)option;
        b[1] = 4;
        BinaryPrimitives.WriteUInt32BigEndian(b[2..], value);
        return 6;
    }

    static int Put(Span<byte> b, DhcpOption option, ReadOnlySpan<byte> value)
    {
        b[0] = (byte)option;
        b[1] = (byte)value.Length;
        value.CopyTo(b[2..]);
        return 2 + value.Length;
    }
}
