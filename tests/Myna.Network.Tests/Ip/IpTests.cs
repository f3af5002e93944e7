using System.Buffers.Binary;
using Myna.Network.Ip;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Ip;

public sealed class IpTests
{
    static byte[] Arp(ushort operation, Ipv4Address sender, Ipv4Address target)
    {
        byte[] p = new byte[28];
        BinaryPrimitives.WriteUInt64BigEndian(p, 0x0001_0800_0604_0000UL | operation);
        StackHarness.GuestMac.Write(p.AsSpan(8));
        sender.Write(p.AsSpan(14));
        target.Write(p.AsSpan(24));
        return p;
    }

    [Fact]
    public void Arp_answers_for_its_own_addresses_only()
    {
        using var h = new StackHarness();
        h.Send(EtherType.Arp, Arp(1, StackHarness.Guest, StackHarness.Dns), MacAddress.Broadcast);
        byte[] frame = h.NextFrame();
        Assert.Equal(StackHarness.GuestMac, MacAddress.Read(frame));
        Assert.Equal(2, frame[21]);
        Assert.Equal(new MacAddress(0x52550A000203), MacAddress.Read(frame.AsSpan(22)));
        Assert.Equal(StackHarness.Dns, Ipv4Address.Read(frame.AsSpan(28)));
        Assert.Equal(StackHarness.Guest, Ipv4Address.Read(frame.AsSpan(38)));

        h.Send(EtherType.Arp, Arp(1, StackHarness.Guest, new Ipv4Address(0x0A000220)), MacAddress.Broadcast);
        h.Send(EtherType.Arp, Arp(1, StackHarness.Guest, StackHarness.Guest), MacAddress.Broadcast);
        h.Step();
        Assert.Empty(h.Frames);
    }

    [Fact]
    public void A_frame_for_an_unknown_neighbour_waits_for_its_arp_answer()
    {
        using var h = new StackHarness();
        var other = new Ipv4Address(0x0A000230);
        "abc"u8.CopyTo(h.Stack.PayloadBuffer);
        h.Stack.SendIp(StackHarness.Gateway, other, IpProtocol.Udp, 3);
        byte[] request = h.NextFrame();
        Assert.Equal(EtherType.Arp, StackHarness.TypeOf(request));
        Assert.Equal(other, Ipv4Address.Read(request.AsSpan(38)));
        h.Send(EtherType.Arp, Arp(2, other, StackHarness.Gateway));
        byte[] frame = h.NextFrame();
        Assert.Equal(StackHarness.GuestMac, MacAddress.Read(frame));
        Assert.Equal("abc"u8.ToArray(), StackHarness.Ip(frame).Payload.ToArray());
    }

    static byte[] Echo(int size)
    {
        byte[] m = new byte[8 + size];
        new Random(size).NextBytes(m);
        (m[0], m[1], m[2], m[3]) = (8, 0, 0, 0);
        BinaryPrimitives.WriteUInt16BigEndian(m.AsSpan(2), Checksum.Of(m));
        return m;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(56)]
    [InlineData(1472)]
    public void Echo_to_the_gateway_comes_back(int size)
    {
        using var h = new StackHarness();
        byte[] echo = Echo(size);
        h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo);
        Ipv4Packet packet = StackHarness.Ip(h.NextFrame());
        Assert.Equal(0, packet.Payload[0]);
        Assert.Equal(0, Checksum.Of(packet.Payload));
        Assert.Equal(echo[4..], packet.Payload[4..].ToArray());
    }

    [Fact]
    public void Fragments_in_any_order_make_a_datagram_and_answers_are_fragmented()
    {
        using var h = new StackHarness();
        byte[] echo = Echo(5000);
        int[] cuts = [2960, 0, 4440, 1480];
        foreach (int at in cuts)
        {
            int end = Math.Min(at + 1480, echo.Length);
            h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo.AsSpan(at..end), 9, at, end != echo.Length);
        }
        byte[] answer = new byte[echo.Length];
        int have = 0;
        while (have < answer.Length)
        {
            byte[] frame = h.NextFrame();
            Assert.True(frame.Length <= 1514);
            Ipv4Packet packet = StackHarness.Ip(frame);
            packet.Payload.CopyTo(answer.AsSpan(packet.FragmentOffset));
            have += packet.Payload.Length;
            Assert.Equal(have != answer.Length, packet.MoreFragments);
        }
        Assert.Equal(echo[4..], answer[4..]);
        Assert.Equal(0, h.Stack.PartialDatagrams);
    }

    [Fact]
    public void Overlapping_fragments_are_dropped_and_reassembly_is_bounded()
    {
        using var h = new StackHarness();
        byte[] echo = Echo(3000);
        h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo.AsSpan(0, 1480), 5, 0, true);
        h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo.AsSpan(1472), 5, 1472);
        Assert.Equal(0, h.Stack.PartialDatagrams);
        for (int id = 0; id < 1000; id++)
            h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo.AsSpan(0, 1480), (ushort)id, 65000 & ~7, true);
        Assert.Equal(0, h.Stack.PartialDatagrams);
        for (int id = 0; id < 1000; id++)
            h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo.AsSpan(0, 1480), (ushort)id, 8, true);
        Assert.Equal(Reassembly.MaximumDatagrams, h.Stack.PartialDatagrams);
        h.Now += 31_000_000_000;
        h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo.AsSpan(0, 8), 7777, 8, true);
        Assert.Equal(1, h.Stack.PartialDatagrams);
        h.Step();
        Assert.Empty(h.Frames);
    }

    [Fact]
    public void Foreign_and_forged_packets_are_ignored()
    {
        using var h = new StackHarness();
        byte[] echo = Echo(8);
        h.SendIp(new Ipv4Address(0x01020304), StackHarness.Gateway, IpProtocol.Icmp, echo);
        h.SendIp(StackHarness.Gateway, StackHarness.Gateway, IpProtocol.Icmp, echo);
        h.SendIp(StackHarness.Guest, new Ipv4Address(0xE0000001), IpProtocol.Icmp, echo);
        h.SendIp(StackHarness.Guest, Ipv4Address.Loopback, IpProtocol.Icmp, echo);
        h.SendIp(StackHarness.Guest, new Ipv4Address(0x0A000299), IpProtocol.Icmp, echo);
        h.Send(EtherType.Ipv6, new byte[40]);
        h.Step();
        Assert.Empty(h.Frames);
        Assert.Equal(6, h.Stack.Counters.Ignored);
    }
}
