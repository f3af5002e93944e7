using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Myna.Network.Ip;
using Myna.Network.Udp;
using Myna.Network.Wire;

namespace Myna.Network.Tcp;

/// <summary>The connections, by the guest's names for them.</summary>
internal sealed class TcpTable(NetworkStack stack) : IDisposable
{
    /// <summary>Bytes of buffer each way for the first connections, and for those beyond.</summary>
    const int BufferSize = 1 << 18, SmallBufferSize = 1 << 16, FullSizeConnections = 64;

    readonly Dictionary<TcpKey, TcpEndpoint> _endpoints = [];
    readonly HashSet<TcpSplice> _splices = [];
    readonly List<TcpForward> _forwards = [];
    List<TcpEndpoint> _dirty = [], _flushing = [];

    /// <summary>Connections that have a host socket.</summary>
    public int Count => _splices.Count;

    /// <summary>Connections that the guest may still name.</summary>
    public int EndpointCount => _endpoints.Count;

    public bool IsFull => _splices.Count >= stack.Options.MaximumFlows;

    int NextBufferSize => _splices.Count < FullSizeConnections ? BufferSize : SmallBufferSize;

    /// <summary>Opens a forwarded port.</summary>
    /// <returns>The host port.</returns>
    /// <exception cref="SocketException">The port cannot be opened.</exception>
    public ushort Forward(HostForward forward)
    {
        var listener = new TcpForward(stack, forward);
        _forwards.Add(listener);
        return listener.Port;
    }

    public void Receive(Ipv4Address source, Ipv4Address destination, ReadOnlySpan<byte> bytes)
    {
        if (!TcpSegment.TryParse(bytes, source, destination, out TcpSegment segment) || segment.SourcePort == 0)
        {
            stack.Counters.Malformed++;
            return;
        }
        if (destination == Ipv4Address.Broadcast || destination == stack.Options.DirectedBroadcast)
        {
            stack.Counters.Ignored++;
            return;
        }
        var key = new TcpKey(new(source, segment.SourcePort), new(destination, segment.DestinationPort));
        bool opens = (segment.Flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst)) == TcpFlags.Syn;
        if (_endpoints.TryGetValue(key, out TcpEndpoint? endpoint))
        {
            // A new connection may follow at once (RFC 9293 §3.6.1).
            if (!(opens && endpoint.State == TcpState.TimeWait))
            {
                endpoint.OnSegment(segment);
                return;
            }
            endpoint.Finish();
        }
        if (segment.Has(TcpFlags.Rst))
            return;
        if (!opens || !Open(key, segment))
            Refuse(key, segment);
    }

    bool Open(TcpKey key, in TcpSegment syn)
    {
        if (stack.Options.Restrict)
        {
            stack.Counters.Restricted++;
            return false;
        }
        if (IsFull || _endpoints.Count >= 2 * stack.Options.MaximumFlows)
        {
            stack.Counters.LimitHits++;
            return false;
        }
        IPEndPoint to;
        if (key.Remote.Address == stack.Options.Dns)
        {
            IReadOnlyList<IPEndPoint> servers = stack.Dns.Servers;
            if (key.Remote.Port != DnsProxy.Port || servers.Count == 0)
                return false;
            to = servers[0];
        }
        else
        {
            to = (key.Remote with { Address = stack.ToHost(key.Remote.Address) }).ToIPEndPoint();
        }
        if (to.Port == 0)
            return false;
        try
        {
            Add(TcpSplice.Outgoing(stack, key, to, syn, NextBufferSize));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    void Add(TcpSplice splice)
    {
        _splices.Add(splice);
        _endpoints.Add(splice.Guest.Key, splice.Guest);
    }

    /// <summary>A connection came in by a forwarded port; the guest is asked to take it.</summary>
    public void Accept(Ipv4Endpoint guest, Ipv4Endpoint client, Socket socket)
    {
        client = client with { Address = stack.ToGuest(client.Address) };
        var key = new TcpKey(guest, client);
        if (IsFull || _endpoints.ContainsKey(key))
        {
            stack.Counters.LimitHits++;
            socket.Dispose();
            return;
        }
        var splice = TcpSplice.Incoming(stack, key, socket, NextBufferSize);
        Add(splice);
        splice.Guest.Connect();
    }

    /// <summary>RFC 9293 §3.10.7.1: a reset that the sender will take for an answer.</summary>
    void Refuse(TcpKey key, in TcpSegment segment)
    {
        bool acknowledges = segment.Has(TcpFlags.Ack);
        var reset = new TcpSegment
        {
            SourcePort = key.Remote.Port,
            DestinationPort = key.Guest.Port,
            Sequence = acknowledges ? segment.Acknowledgment : 0,
            Acknowledgment = acknowledges ? 0 : segment.Sequence + segment.Length,
            Flags = acknowledges ? TcpFlags.Rst : TcpFlags.Rst | TcpFlags.Ack,
            WindowScale = -1,
        };
        reset.Write(stack.PayloadBuffer[..TcpSegment.HeaderSize], key.Remote.Address, key.Guest.Address);
        stack.SendIp(key.Remote.Address, key.Guest.Address, IpProtocol.Tcp, TcpSegment.HeaderSize);
    }

    /// <summary>Answers an endpoint's SYN by Destination Unreachable, quoting what matters of it.</summary>
    public void SendUnreachable(TcpEndpoint endpoint, IcmpCode code)
    {
        Span<byte> header = stackalloc byte[Ipv4Packet.HeaderSize], quoted = stackalloc byte[8];
        Ipv4Packet.WriteHeader(header, endpoint.Key.Guest.Address, endpoint.Key.Remote.Address, IpProtocol.Tcp, 0, TcpSegment.HeaderSize);
        BinaryPrimitives.WriteUInt16BigEndian(quoted, endpoint.Key.Guest.Port);
        BinaryPrimitives.WriteUInt16BigEndian(quoted[2..], endpoint.Key.Remote.Port);
        BinaryPrimitives.WriteUInt32BigEndian(quoted[4..], endpoint.InitialPeerSequence);
        stack.Icmp.SendUnreachable(header, quoted, code);
    }

    /// <summary>The endpoint has something to send or to pass on at the end of the batch.</summary>
    public void MarkDirty(TcpEndpoint endpoint)
    {
        if (endpoint.IsInDirtyList)
            return;
        endpoint.IsInDirtyList = true;
        _dirty.Add(endpoint);
    }

    public void Flush()
    {
        // An endpoint that becomes dirty meanwhile is flushed in the next round, one that met a full link in the next batch.
        while (_dirty.Count != 0)
        {
            (_dirty, _flushing) = (_flushing, _dirty);
            int blocked = 0;
            foreach (TcpEndpoint endpoint in _flushing)
            {
                endpoint.IsInDirtyList = false;
                if (!endpoint.Flush())
                {
                    MarkDirty(endpoint);
                    blocked++;
                }
            }
            _flushing.Clear();
            if (blocked != 0 && blocked == _dirty.Count)
                return;
        }
    }

    public void Remove(TcpEndpoint endpoint)
    {
        if (_endpoints.TryGetValue(endpoint.Key, out TcpEndpoint? known) && known == endpoint)
            _endpoints.Remove(endpoint.Key);
    }

    public void Closed(TcpSplice splice) => _splices.Remove(splice);

    public void Dispose()
    {
        foreach (TcpForward forward in _forwards)
            forward.Close();
        foreach (TcpSplice splice in _splices.ToArray())
            splice.Close(abort: true);
        _endpoints.Clear();
    }
}
