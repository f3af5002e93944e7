using System.Net;
using System.Net.Sockets;
using Myna.Network.Udp;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Udp;

public sealed class UdpTests
{
    static Socket Server(out ushort port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        port = (ushort)((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(60_000)]
    public void A_datagram_reaches_the_hosts_loopback_and_its_answer_comes_back(int size)
    {
        using var h = new StackHarness();
        using Socket server = Server(out ushort port);
        byte[] data = new byte[size];
        new Random(size).NextBytes(data);
        byte[] udp = StackHarness.Udp(new(StackHarness.Guest, 5000), new(StackHarness.Gateway, port), data);
        for (int at = 0; at < udp.Length; at += 1480)
            h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Udp, udp.AsSpan(at..Math.Min(at + 1480, udp.Length)), 3, at, at + 1480 < udp.Length);
        byte[] buffer = new byte[65536];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        int n = server.ReceiveFrom(buffer, ref from);
        Assert.Equal(data, buffer[..n]);
        server.SendTo(buffer, n, SocketFlags.None, from);
        byte[] answer = new byte[8 + size];
        for (int have = 0; have < answer.Length;)
        {
            Ipv4Packet packet = StackHarness.Ip(h.NextFrame());
            packet.Payload.CopyTo(answer.AsSpan(packet.FragmentOffset));
            have += packet.Payload.Length;
        }
        Assert.True(UdpDatagram.TryParse(answer, StackHarness.Gateway, StackHarness.Guest, out UdpDatagram read));
        Assert.Equal((port, (ushort)5000), (read.SourcePort, read.DestinationPort));
        Assert.Equal(data, read.Payload.ToArray());
    }

    [Fact]
    public void Idle_flows_close_and_the_table_is_bounded()
    {
        using var h = new StackHarness(new UserNetworkOptions { MaximumFlows = 20 });
        using Socket server = Server(out ushort port);
        for (ushort p = 1000; p < 1200; p++)
            h.SendUdp(p, new(StackHarness.Gateway, port), "x"u8);
        Assert.Equal(20, h.Stack.Udp.Count);
        h.Now += 121_000_000_000;
        h.Step();
        Assert.Equal(0, h.Stack.Udp.Count);
    }

    [Fact]
    public void Nothing_comes_in_from_who_was_never_asked()
    {
        using var h = new StackHarness();
        using Socket server = Server(out ushort port);
        h.SendUdp(5000, new(StackHarness.Gateway, port), "x"u8);
        EndPoint mapped = new IPEndPoint(IPAddress.Any, 0);
        server.ReceiveFrom(new byte[10], ref mapped);
        using var stranger = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        stranger.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.9"), 0));
        stranger.SendTo("no"u8, mapped);
        server.SendTo("yes"u8, mapped);
        Assert.Equal("yes"u8.ToArray(), h.NextUdp().Payload);
        Assert.Empty(h.Frames);
    }

    [Fact]
    public void A_guest_without_buffers_loses_no_more_than_the_sockets_do()
    {
        using var h = new StackHarness();
        using Socket server = Server(out ushort port);
        h.SendUdp(5000, new(StackHarness.Gateway, port), "x"u8);
        EndPoint mapped = new IPEndPoint(IPAddress.Any, 0);
        server.ReceiveFrom(new byte[10], ref mapped);
        h.GuestTakesFrames = false;
        for (byte i = 0; i < 20; i++)
            server.SendTo(new[] { i }, mapped);
        for (int i = 0; i < 20; i++)
            h.Step();
        h.GuestTakesFrames = true;
        for (byte i = 0; i < 20; i++)
            Assert.Equal([i], h.NextUdp().Payload);
    }

    static byte[] Question(ushort id) => [(byte)(id >> 8), (byte)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, (byte)'a', 0, 0, 1, 0, 1];

    [Fact]
    public void Queries_go_to_the_resolver_and_answers_come_from_the_name_server()
    {
        using Socket resolver = Server(out ushort port);
        using var h = new StackHarness(new UserNetworkOptions { Resolvers = [new IPEndPoint(IPAddress.Loopback, port)] });
        h.SendUdp(4000, new(StackHarness.Dns, 53), Question(0x1234));
        h.SendUdp(4000, new(StackHarness.Dns, 53), Question(0x1235));
        for (int i = 0; i < 2; i++)
        {
            byte[] buffer = new byte[512];
            EndPoint from = new IPEndPoint(IPAddress.Any, 0);
            int n = resolver.ReceiveFrom(buffer, ref from);
            // An answer to another question is not believed.
            buffer[0] ^= 0xFF;
            buffer[2] = 0x81;
            resolver.SendTo(buffer, n, SocketFlags.None, from);
            buffer[0] ^= 0xFF;
            resolver.SendTo(buffer, n, SocketFlags.None, from);
            (Ipv4Endpoint source, Ipv4Endpoint to, byte[] payload) = h.NextUdp();
            Assert.Equal((new Ipv4Endpoint(StackHarness.Dns, 53), new Ipv4Endpoint(StackHarness.Guest, 4000)), (source, to));
            Assert.Equal(buffer[..n], payload);
        }
        Assert.Equal(0, h.Stack.Dns.Count);
    }

    [Fact]
    public void A_silent_or_missing_resolver_makes_way_for_the_next()
    {
        using Socket silent = Server(out ushort silentPort);
        using Socket gone = Server(out ushort gonePort);
        gone.Close();
        using Socket resolver = Server(out ushort port);
        using var h = new StackHarness(new UserNetworkOptions
        {
            Resolvers = [.. new[] { gonePort, silentPort, port }.Select(p => new IPEndPoint(IPAddress.Loopback, p))],
        });
        h.SendUdp(4000, new(StackHarness.Dns, 53), Question(7));
        h.Until(() => resolver.Available != 0, advance: 100_000_000);
        byte[] buffer = new byte[512];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        int n = resolver.ReceiveFrom(buffer, ref from);
        buffer[2] |= 0x80;
        resolver.SendTo(buffer, n, SocketFlags.None, from);
        Assert.Equal(buffer[..n], h.NextUdp().Payload);
    }

    [Fact]
    public void Without_any_answer_the_guest_hears_of_the_failure()
    {
        using Socket gone = Server(out ushort port);
        gone.Close();
        using var h = new StackHarness(new UserNetworkOptions { Resolvers = [new IPEndPoint(IPAddress.Loopback, port)] });
        h.SendUdp(4000, new(StackHarness.Dns, 53), Question(0xABCD));
        byte[] answer = h.NextUdp().Payload;
        Assert.Equal("ABCD8182", Convert.ToHexString(answer, 0, 4));
        Assert.Equal(0, h.Stack.Dns.Count);
    }

    [Fact]
    public void Resolv_conf_is_read_as_the_c_library_does()
    {
        Assert.Equal(["192.0.2.1:53", "[2001:db8::1]:53"],
            Resolvers.Parse(["# comment", "search example.org", "nameserver 192.0.2.1", " nameserver\t2001:db8::1 ", "nameserver x"]).Select(s => s.ToString()));
        Assert.Equal(["127.0.0.1:53"], Resolvers.Parse([]).Select(s => s.ToString()));
    }
}
