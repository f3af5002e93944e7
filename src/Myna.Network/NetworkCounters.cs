namespace Myna.Network;

/// <summary>What the user-mode network has seen; written by its thread, read by anyone.</summary>
public sealed class NetworkCounters
{
    public long FramesFromGuest, FramesToGuest, BytesFromGuest, BytesToGuest;

    /// <summary>Frames from the guest that came faster than they were handled.</summary>
    public long InboxOverflows;

    /// <summary>Frames to the guest that had to be given up because it left no buffers for too long.</summary>
    public long OutboxOverflows;

    /// <summary>Frames from the guest that are not well-formed, or carry a wrong checksum.</summary>
    public long Malformed;

    /// <summary>Well-formed frames that are none of this network's business (IPv6, multicast, foreign addresses).</summary>
    public long Ignored;

    /// <summary>Packets that <c>restrict=on</c> kept inside.</summary>
    public long Restricted;

    /// <summary>Flows refused because a table was full.</summary>
    public long LimitHits;

    public long ReassembledDatagrams, DroppedFragments;
    public long TcpOpened, TcpReset, TcpRetransmissions, TcpOutOfOrder;
    public long UdpFlows, DnsQueries, DhcpMessages, TftpTransfers, Pings;

    /// <summary>Name and value of every counter.</summary>
    public IEnumerable<(string Name, long Value)> All() =>
    [
        ("frames-from-guest", FramesFromGuest), ("frames-to-guest", FramesToGuest),
        ("bytes-from-guest", BytesFromGuest), ("bytes-to-guest", BytesToGuest),
        ("inbox-overflows", InboxOverflows), ("outbox-overflows", OutboxOverflows),
        ("malformed", Malformed), ("ignored", Ignored), ("restricted", Restricted), ("limit-hits", LimitHits),
        ("reassembled-datagrams", ReassembledDatagrams), ("dropped-fragments", DroppedFragments),
        ("tcp-opened", TcpOpened), ("tcp-reset", TcpReset),
        ("tcp-retransmissions", TcpRetransmissions), ("tcp-out-of-order", TcpOutOfOrder),
        ("udp-flows", UdpFlows), ("dns-queries", DnsQueries), ("dhcp-messages", DhcpMessages), ("tftp-transfers", TftpTransfers), ("pings", Pings),
    ];
}
