using System.Net;
using System.Net.Sockets;
using Myna.Network.Wire;

namespace Myna.Network.Udp;

/// <summary>Every UDP endpoint of the guest gets a host socket of its own (endpoint-independent mapping, RFC 4787 §4.1).</summary>
internal sealed class UdpNat(NetworkStack stack) : IDisposable
{
    readonly Dictionary<Ipv4Endpoint, UdpFlow> _flows = [];
    readonly Dictionary<Ipv4Endpoint, UdpFlow> _forwards = [];
    readonly List<UdpFlow> _paused = [];

    public int Count => _flows.Count;

    /// <summary>Opens a forwarded port.</summary>
    /// <returns>The host port.</returns>
    /// <exception cref="SocketException">The port cannot be opened.</exception>
    public ushort Forward(HostForward forward)
    {
        Ipv4Endpoint guest = stack.Options.GuestEndpoint(forward);
        if (_forwards.ContainsKey(guest))
            throw new SocketException((int)SocketError.AddressAlreadyInUse);
        Socket socket = Open(new Ipv4Endpoint(forward.HostAddress, forward.HostPort));
        _forwards.Add(guest, new UdpFlow(stack, guest, socket, isForward: true));
        return (ushort)((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>The packet answers someone who came in by a forwarded port.</summary>
    public bool AnswersForward(Ipv4Endpoint guest, Ipv4Endpoint remote) =>
        _forwards.TryGetValue(guest, out UdpFlow? flow) && flow.Knows(remote);

    /// <summary>Passes a datagram on.</summary>
    /// <returns>False when the host has no way to there.</returns>
    public bool Send(Ipv4Endpoint guest, Ipv4Endpoint remote, ReadOnlySpan<byte> payload)
    {
        if (_forwards.TryGetValue(guest, out UdpFlow? flow) || _flows.TryGetValue(guest, out flow))
            return flow.Send(remote, payload);
        if (_flows.Count >= stack.Options.MaximumFlows)
            EvictOldest();
        try
        {
            flow = new UdpFlow(stack, guest, Open(default), isForward: false);
        }
        catch (SocketException)
        {
            stack.Counters.LimitHits++;
            return false;
        }
        stack.Counters.UdpFlows++;
        _flows.Add(guest, flow);
        return flow.Send(remote, payload);
    }

    static Socket Open(Ipv4Endpoint local)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        try
        {
            socket.Bind(local.ToIPEndPoint());
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    void EvictOldest()
    {
        stack.Counters.LimitHits++;
        UdpFlow? oldest = null;
        foreach (UdpFlow flow in _flows.Values)
        {
            if (oldest is null || flow.Deadline < oldest.Deadline)
                oldest = flow;
        }
        oldest?.Close();
    }

    public void Remove(UdpFlow flow)
    {
        _flows.Remove(flow.Guest);
        _paused.Remove(flow);
    }

    /// <summary>The flow stopped reading because the guest takes no frames.</summary>
    public void Paused(UdpFlow flow) => _paused.Add(flow);

    /// <summary>The guest takes frames again.</summary>
    public void Resume()
    {
        foreach (UdpFlow flow in _paused)
            flow.Resume();
        _paused.Clear();
    }

    public void Dispose()
    {
        foreach (UdpFlow flow in _flows.Values.Concat(_forwards.Values).ToArray())
            flow.Close();
        _forwards.Clear();
    }
}
