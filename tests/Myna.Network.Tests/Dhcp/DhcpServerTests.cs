using System.Buffers.Binary;
using Myna.Network.Dhcp;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Dhcp;

public sealed class DhcpServerTests
{
    static void Send(StackHarness h, DhcpMessage type, ulong mac = 0x525400123456, uint requested = 0, uint server = 0,
        uint client = 0, bool broadcast = false)
    {
        var b = new byte[300];
        (b[0], b[1], b[2]) = (1, 1, 6);
        BinaryPrimitives.WriteUInt32BigEndian(b.AsSpan(4), 0xCAFE0001);
        b[10] = (byte)(broadcast ? 0x80 : 0);
        BinaryPrimitives.WriteUInt32BigEndian(b.AsSpan(12), client);
        new MacAddress(mac).Write(b.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(b.AsSpan(236), 0x63825363);
        int at = 240;
        (b[at], b[at + 1], b[at + 2]) = (53, 1, (byte)type);
        at += 3;
        foreach ((byte option, uint value) in new[] { ((byte)50, requested), ((byte)54, server) })
        {
            if (value == 0)
                continue;
            (b[at], b[at + 1]) = (option, 4);
            BinaryPrimitives.WriteUInt32BigEndian(b.AsSpan(at + 2), value);
            at += 6;
        }
        b[at] = 255;
        var from = new Ipv4Endpoint(new(client), 68);
        var to = new Ipv4Endpoint(client != 0 ? StackHarness.Gateway : Ipv4Address.Broadcast, 67);
        h.SendIp(from.Address, to.Address, IpProtocol.Udp, StackHarness.Udp(from, to, b));
    }

    static (DhcpMessage Type, Ipv4Address Address, Ipv4Address To, Dictionary<int, string> Options) Answer(StackHarness h)
    {
        (Ipv4Endpoint from, Ipv4Endpoint to, byte[] b) = h.NextUdp();
        Assert.Equal(new Ipv4Endpoint(StackHarness.Gateway, 67), from);
        Assert.Equal(68, to.Port);
        Assert.Equal(0xCAFE0001, BinaryPrimitives.ReadUInt32BigEndian(b.AsSpan(4)));
        var options = new Dictionary<int, string>();
        int at = 240;
        while (b[at] != 255)
        {
            options.Add(b[at], Convert.ToHexString(b, at + 2, b[at + 1]));
            at += 2 + b[at + 1];
        }
        return ((DhcpMessage)Convert.ToInt32(options[53], 16), Ipv4Address.Read(b.AsSpan(16)), to.Address, options);
    }

    [Fact]
    public void Discover_and_request_lead_to_the_first_lease()
    {
        using var h = new StackHarness(new UserNetworkOptions { HostName = "box" });
        Send(h, DhcpMessage.Discover);
        (DhcpMessage type, Ipv4Address address, Ipv4Address to, Dictionary<int, string> options) = Answer(h);
        Assert.Equal((DhcpMessage.Offer, StackHarness.Guest, StackHarness.Guest), (type, address, to));
        Assert.Equal("0A000202", options[54]);
        Send(h, DhcpMessage.Request, requested: 0x0A00020F, server: 0x0A000202);
        (type, address, _, options) = Answer(h);
        Assert.Equal((DhcpMessage.Ack, StackHarness.Guest), (type, address));
        Assert.Equal(["FFFFFF00", "0A000202", "0A000203", "626F78", "05DC", "00015180", "0000A8C0", "00012750"],
            new[] { 1, 3, 6, 12, 26, 51, 58, 59 }.Select(o => options[o]));
    }

    [Fact]
    public void A_boot_file_is_offered_in_the_old_field_and_in_options()
    {
        using var h = new StackHarness(new UserNetworkOptions { BootFile = "pxelinux.0" });
        Send(h, DhcpMessage.Discover);
        (_, _, byte[] b) = h.NextUdp();
        Assert.Equal(StackHarness.Gateway, Ipv4Address.Read(b.AsSpan(20)));
        Assert.Equal("pxelinux.0\0", System.Text.Encoding.ASCII.GetString(b, 108, 11));
        Send(h, DhcpMessage.Discover);
        Dictionary<int, string> options = Answer(h).Options;
        Assert.Equal(("10.0.2.2", "pxelinux.0"), (Text(66), Text(67)));
        string Text(int option) => System.Text.Encoding.ASCII.GetString(Convert.FromHexString(options[option]));
    }

    [Fact]
    public void A_renewal_is_answered_to_the_client_and_a_broadcast_flag_is_obeyed()
    {
        using var h = new StackHarness();
        Send(h, DhcpMessage.Discover, broadcast: true);
        Assert.Equal(Ipv4Address.Broadcast, Answer(h).To);
        Send(h, DhcpMessage.Request, client: StackHarness.Guest.Value);
        (DhcpMessage type, Ipv4Address address, Ipv4Address to, _) = Answer(h);
        Assert.Equal((DhcpMessage.Ack, StackHarness.Guest, StackHarness.Guest), (type, address, to));
    }

    [Fact]
    public void Each_client_has_its_own_address_and_keeps_it()
    {
        using var h = new StackHarness();
        Send(h, DhcpMessage.Discover, 1);
        Send(h, DhcpMessage.Discover, 2);
        Send(h, DhcpMessage.Discover, 3, requested: 0x0A000218);
        Send(h, DhcpMessage.Discover, 1);
        Assert.Equal(["10.0.2.15", "10.0.2.16", "10.0.2.24", "10.0.2.15"], Enumerable.Range(0, 4).Select(_ => Answer(h).Address.ToString()));
        // Another client's address is not given away.
        Send(h, DhcpMessage.Request, 4, requested: 0x0A00020F);
        (DhcpMessage type, Ipv4Address address, Ipv4Address to, _) = Answer(h);
        Assert.Equal((DhcpMessage.Nak, Ipv4Address.Any, Ipv4Address.Broadcast), (type, address, to));
    }

    [Fact]
    public void Requests_for_other_servers_are_not_answered()
    {
        using var h = new StackHarness();
        Send(h, DhcpMessage.Request, requested: 0x0A00020F, server: 0x0A000299);
        h.Step();
        Assert.Empty(h.Frames);
    }

    [Fact]
    public void More_clients_than_addresses_take_turns()
    {
        using var h = new StackHarness();
        for (ulong mac = 1; mac <= 500; mac++)
        {
            Send(h, DhcpMessage.Discover, mac);
            Ipv4Address address = Answer(h).Address;
            Assert.InRange(address.Value, 0x0A00020FU, 0x0A0002FEU);
        }
    }

    [Fact]
    public void A_restricted_guest_gets_an_address_but_no_way_out()
    {
        using var h = new StackHarness(new UserNetworkOptions { Restrict = true });
        Send(h, DhcpMessage.Discover);
        Dictionary<int, string> options = Answer(h).Options;
        Assert.DoesNotContain(3, options);
        Assert.DoesNotContain(6, options);
    }
}
