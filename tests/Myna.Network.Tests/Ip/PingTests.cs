using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Ip;

/// <summary>A fact that needs the system's ping sockets (net.ipv4.ping_group_range) and an address other than loopback.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PingFactAttribute : FactAttribute
{
    public PingFactAttribute()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Icmp);
            if (PingTests.OwnAddress is null)
                Skip = "the host has no IPv4 address but loopback";
        }
        catch (SocketException)
        {
            Skip = "ping sockets are not allowed here: sysctl net.ipv4.ping_group_range='0 2147483647'";
        }
    }
}

public sealed class PingTests
{
    internal static IPAddress? OwnAddress => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)
        .FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(a));

    [PingFact]
    public void Echo_to_the_outside_goes_through_a_ping_socket_and_keeps_its_identifier()
    {
        using var h = new StackHarness();
        var remote = Ipv4Address.From(OwnAddress!);
        byte[] echo = [8, 0, 0, 0, 0x12, 0x34, 0, 9, 1, 2, 3];
        ushort sum = Checksum.Of(echo);
        (echo[2], echo[3]) = ((byte)(sum >> 8), (byte)sum);
        h.SendIp(StackHarness.Guest, remote, IpProtocol.Icmp, echo);
        Ipv4Packet packet = StackHarness.Ip(h.NextFrame());
        Assert.Equal(remote, packet.Source);
        Assert.Equal((0, 0), (packet.Payload[0], packet.Payload[1]));
        Assert.Equal(0, Checksum.Of(packet.Payload));
        Assert.Equal(echo[4..], packet.Payload[4..].ToArray());
    }

    [Fact]
    public void Where_ping_sockets_or_ways_are_missing_the_guest_is_told()
    {
        using var h = new StackHarness(new UserNetworkOptions { Restrict = true });
        byte[] echo = [8, 0, 0, 0, 0x12, 0x34, 0, 9];
        ushort sum = Checksum.Of(echo);
        (echo[2], echo[3]) = ((byte)(sum >> 8), (byte)sum);
        h.SendIp(StackHarness.Guest, new Ipv4Address(0xC0000201), IpProtocol.Icmp, echo);
        Ipv4Packet packet = StackHarness.Ip(h.NextFrame());
        Assert.Equal((3, 13), (packet.Payload[0], packet.Payload[1]));
        Assert.Equal(echo, packet.Payload[28..].ToArray());
    }
}
