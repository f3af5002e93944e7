using Myna.Network.Wire;

namespace Myna.Network.Tests;

public sealed class UserNetworkOptionsTests
{
    [Fact]
    public void Defaults_are_those_of_qemu()
    {
        UserNetworkOptions o = UserNetworkOptions.Parse("user");
        Assert.Equal("10.0.2.0/24 10.0.2.2 10.0.2.3 10.0.2.15 1500 False",
            $"{o.Network}/{o.PrefixLength} {o.Gateway} {o.Dns} {o.DhcpStart} {o.Mtu} {o.Restrict}");
    }

    [Fact]
    public void Forwards_and_switches_are_read()
    {
        UserNetworkOptions o = UserNetworkOptions.Parse("user,hostfwd=tcp:127.0.0.1:2222-:22,restrict=on,hostfwd=udp::53-10.0.2.20:5353");
        Assert.True(o.Restrict);
        Assert.Equal(["tcp:127.0.0.1:2222-0.0.0.0:22", "udp:0.0.0.0:53-10.0.2.20:5353"], o.Forwards.Select(f => f.ToString()));
        Assert.Equal(new Ipv4Endpoint(o.DhcpStart, 22), o.GuestEndpoint(o.Forwards[0]));
    }

    [Fact]
    public void Addresses_move_with_the_network()
    {
        UserNetworkOptions o = UserNetworkOptions.Parse("user,net=192.168.77.9/28");
        Assert.Equal("192.168.77.0 192.168.77.2 192.168.77.3 192.168.77.4", $"{o.Network} {o.Gateway} {o.Dns} {o.DhcpStart}");
    }

    [Theory]
    [InlineData("tap", "unknown")]
    [InlineData("user,fast=on", "'fast' is unknown")]
    [InlineData("user,restrict=maybe", "neither")]
    [InlineData("user,restrict=on,restrict=off", "twice")]
    [InlineData("user,net=10.0.2.0/31", "8 to 29")]
    [InlineData("user,net=10.0.2", "not an IPv4")]
    [InlineData("user,host=10.0.3.1", "not an address of")]
    [InlineData("user,host=10.0.2.255", "not an address of")]
    [InlineData("user,dns=10.0.2.2", "must differ")]
    [InlineData("user,mtu=100", "576")]
    [InlineData("user,hostname=", "host name")]
    [InlineData("user,tftp=/no/such/directory", "no directory")]
    [InlineData("user,bootfile=", "ASCII")]
    [InlineData("user,bootfile=a b", "ASCII")]
    [InlineData("user,hostfwd=tcp:2222-:22", "form")]
    [InlineData("user,hostfwd=tcp::2222", "form")]
    [InlineData("user,hostfwd=tcp::70000-:22", "form")]
    [InlineData("user,hostfwd=tcp::22-:0", "form")]
    [InlineData("user,hostfwd=sctp::22-:22", "form")]
    [InlineData("user,hostfwd=", "form")]
    [InlineData("user,hostfwd=tcp::22-10.9.9.9:22", "not a guest's address")]
    public void Wrong_options_are_named(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<FormatException>(() => UserNetworkOptions.Parse(text)).Message, StringComparison.Ordinal);
}
