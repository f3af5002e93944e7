using System.Globalization;
using System.Net;
using Myna.Network.Wire;

namespace Myna.Network;

/// <summary>A port of the host that leads to a port of the guest.</summary>
/// <param name="HostAddress">Where to listen; <see cref="Ipv4Address.Any"/> is every interface.</param>
/// <param name="HostPort">Where to listen; 0 takes any free port.</param>
/// <param name="GuestAddress"><see cref="Ipv4Address.Any"/> is the first address of the DHCP range.</param>
public sealed record HostForward(bool Udp, Ipv4Address HostAddress, ushort HostPort, Ipv4Address GuestAddress, ushort GuestPort)
{
    public override string ToString() => $"{(Udp ? "udp" : "tcp")}:{HostAddress}:{HostPort}-{GuestAddress}:{GuestPort}";
}

/// <summary>How a user-mode network is laid out; the defaults, and the option names, are QEMU's.</summary>
public sealed record UserNetworkOptions
{
    public Ipv4Address Network { get; init; } = new(0x0A000200);

    /// <summary>Leading one bits of the network mask, 8 to 29.</summary>
    public int PrefixLength { get; init; } = 24;

    /// <summary>The gateway; to the guest it is also the host's loopback.</summary>
    public Ipv4Address Gateway { get; init; } = new(0x0A000202);

    /// <summary>The address of the name server as the guest sees it.</summary>
    public Ipv4Address Dns { get; init; } = new(0x0A000203);

    /// <summary>The first address that DHCP leases.</summary>
    public Ipv4Address DhcpStart { get; init; } = new(0x0A00020F);

    /// <summary>The host name that DHCP offers, if any.</summary>
    public string? HostName { get; init; }

    /// <summary>Largest IP packet toward the guest, 576 to 9,000 bytes.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>Keeps the guest from reaching anything but DHCP; forwarded ports still lead in.</summary>
    public bool Restrict { get; init; }

    /// <summary>A directory whose files the gateway offers by TFTP; null for none.</summary>
    public string? TftpDirectory { get; init; }

    /// <summary>The file that DHCP tells a guest to boot: one of <see cref="TftpDirectory"/>, or a URL for loaders that know them.</summary>
    public string? BootFile { get; init; }

    public IReadOnlyList<HostForward> Forwards { get; init; } = [];

    /// <summary>Name servers to ask; null takes those of /etc/resolv.conf as it stands at each query.</summary>
    public IReadOnlyList<IPEndPoint>? Resolvers { get; init; }

    /// <summary>Most TCP connections, and most UDP flows, at a time.</summary>
    public int MaximumFlows { get; init; } = 1024;

    internal uint Mask => uint.MaxValue << (32 - PrefixLength);

    internal Ipv4Address DirectedBroadcast => new(Network.Value | ~Mask);

    internal bool Contains(Ipv4Address address) => (address.Value & Mask) == Network.Value;

    internal bool IsOwn(Ipv4Address address) => address == Gateway || address == Dns;

    internal Ipv4Endpoint GuestEndpoint(HostForward forward) =>
        new(forward.GuestAddress == Ipv4Address.Any ? DhcpStart : forward.GuestAddress, forward.GuestPort);

    /// <summary>
    /// Reads <c>user,hostfwd=tcp:127.0.0.1:2222-:22,restrict=on</c>. Keys: <c>net=ADDR/BITS</c>, <c>host</c>, <c>dns</c>,
    /// <c>dhcpstart</c>, <c>hostname</c>, <c>mtu</c>, <c>restrict=on|off</c>, <c>tftp=DIR</c>, <c>bootfile=NAME</c>, <c>hostfwd=[tcp|udp]:[HOSTADDR]:PORT-[GUESTADDR]:PORT</c>
    /// (may be repeated). An empty HOSTADDR listens on all interfaces, as with QEMU.
    /// </summary>
    /// <exception cref="FormatException">Names the part that is wrong and says what would be right.</exception>
    public static UserNetworkOptions Parse(string text)
    {
        var options = new UserNetworkOptions();
        var forwards = new List<HostForward>();
        var given = new HashSet<string>();
        string[] parts = text.Split(',');
        if (parts[0] != "user")
            throw new FormatException($"network '{parts[0]}' is unknown; use 'user' or 'none'");
        foreach (string part in parts.AsSpan(1))
        {
            int equals = part.IndexOf('=');
            string key = equals < 0 ? part : part[..equals], value = equals < 0 ? "" : part[(equals + 1)..];
            if (key != "hostfwd" && !given.Add(key))
                throw new FormatException($"network option '{key}' is given twice");
            switch (key)
            {
                case "id": break;
                case "net": options = ParseNet(options, value); break;
                case "host": options = options with { Gateway = ParseAddress(key, value) }; break;
                case "dns": options = options with { Dns = ParseAddress(key, value) }; break;
                case "dhcpstart": options = options with { DhcpStart = ParseAddress(key, value) }; break;
                case "hostname": options = options with { HostName = ParseHostName(value) }; break;
                case "mtu": options = options with { Mtu = ParseNumber(key, value, 576, 9000) }; break;
                case "restrict": options = options with { Restrict = ParseSwitch(key, value) }; break;
                case "tftp": options = options with { TftpDirectory = Directory.Exists(value) ? value : throw new FormatException($"network option tftp={value} is no directory") }; break;
                case "bootfile": options = options with { BootFile = ParseBootFile(value) }; break;
                case "hostfwd": forwards.Add(ParseForward(value)); break;
                default:
                    throw new FormatException($"network option '{key}' is unknown; "
                        + "known are net, host, dns, dhcpstart, hostname, mtu, restrict, tftp, bootfile, hostfwd");
            }
        }
        if (given.Contains("net"))
        {
            // Addresses not given keep their place within the network.
            if (!given.Contains("host"))
                options = options with { Gateway = new(options.Network.Value + 2) };
            if (!given.Contains("dns"))
                options = options with { Dns = new(options.Network.Value + 3) };
            if (!given.Contains("dhcpstart"))
                options = options with { DhcpStart = new(options.Network.Value + (options.PrefixLength > 27 ? 4u : 15u)) };
        }
        options = options with { Forwards = forwards };
        options.Check();
        return options;
    }

    void Check()
    {
        foreach ((string name, Ipv4Address address) in new[] { ("host", Gateway), ("dns", Dns), ("dhcpstart", DhcpStart) })
        {
            if (!Contains(address) || address == Network || address == DirectedBroadcast)
                throw new FormatException($"network option {name}={address} is not an address of {Network}/{PrefixLength}");
        }
        if (Gateway == Dns || Gateway == DhcpStart || Dns == DhcpStart)
            throw new FormatException("network options host, dns and dhcpstart must differ");
        foreach (HostForward forward in Forwards)
        {
            Ipv4Address guest = GuestEndpoint(forward).Address;
            if (!Contains(guest) || IsOwn(guest))
                throw new FormatException($"hostfwd {forward}: {guest} is not a guest's address in {Network}/{PrefixLength}");
        }
    }

    static UserNetworkOptions ParseNet(UserNetworkOptions options, string value)
    {
        int slash = value.IndexOf('/');
        int prefix = slash < 0 ? 24 : ParseNumber("net", value[(slash + 1)..], 8, 29);
        Ipv4Address address = ParseAddress("net", slash < 0 ? value : value[..slash]);
        options = options with { PrefixLength = prefix };
        return options with { Network = new(address.Value & options.Mask) };
    }

    static string ParseHostName(string value) =>
        value.Length is > 0 and <= 63 && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.')
            ? value
            : throw new FormatException($"network option hostname={value} is not a host name of at most 63 characters");

    // The field of a DHCP message that takes it has 128 bytes and ends with a zero (RFC 2131, section 2).
    static string ParseBootFile(string value) =>
        value.Length is > 0 and <= 127 && value.All(c => c is > ' ' and <= '~')
            ? value
            : throw new FormatException($"network option bootfile={value} is not a name of at most 127 ASCII characters");

    static Ipv4Address ParseAddress(string key, string value) =>
        Ipv4Address.TryParse(value, out Ipv4Address address)
            ? address
            : throw new FormatException($"network option {key}={value} is not an IPv4 address");

    static int ParseNumber(string key, string value, int low, int high) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= low && number <= high
            ? number
            : throw new FormatException($"network option {key}={value} is not a number from {low} to {high}");

    static bool ParseSwitch(string key, string value) => value switch
    {
        "on" or "yes" or "true" or "" => true,
        "off" or "no" or "false" => false,
        _ => throw new FormatException($"network option {key}={value} is neither 'on' nor 'off'"),
    };

    static HostForward ParseForward(string value)
    {
        var wrong = new FormatException(
            $"hostfwd={value} is not of the form tcp:[HOSTADDR]:PORT-[GUESTADDR]:PORT (or udp:…), as in tcp:127.0.0.1:2222-:22");
        int colon = value.IndexOf(':');
        int dash = value.IndexOf('-');
        if (colon < 0 || dash < colon)
            throw wrong;
        bool udp = value[..colon] switch { "tcp" or "" => false, "udp" => true, _ => throw wrong };
        (Ipv4Address hostAddress, ushort hostPort) = Side(value[(colon + 1)..dash]);
        (Ipv4Address guestAddress, ushort guestPort) = Side(value[(dash + 1)..]);
        return guestPort == 0 ? throw wrong : new HostForward(udp, hostAddress, hostPort, guestAddress, guestPort);

        (Ipv4Address, ushort) Side(string side)
        {
            int at = side.LastIndexOf(':');
            Ipv4Address address = Ipv4Address.Any;
            if (at < 0 || at > 0 && !Ipv4Address.TryParse(side.AsSpan(0, at), out address)
                || !ushort.TryParse(side.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
                throw wrong;
            return (address, port);
        }
    }
}
