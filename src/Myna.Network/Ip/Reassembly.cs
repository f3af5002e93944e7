using Myna.Network.Wire;

namespace Myna.Network.Ip;

/// <summary>
/// Puts fragments together (RFC 791 §3.2, RFC 815). At most <see cref="MaximumDatagrams"/> are in progress, the oldest gives
/// way. DEVIATION: fragments that overlap in part discard the datagram, as RFC 5722 asks for IPv6.
/// </summary>
internal sealed class Reassembly(NetworkCounters counters)
{
    public const int MaximumDatagrams = 16;
    const int MaximumFragments = 64;
    const ulong Lifetime = 30_000_000_000;

    readonly record struct Key(Ipv4Address Source, Ipv4Address Destination, IpProtocol Protocol, ushort Identification);

    sealed class Partial(Key key, ulong expires)
    {
        public readonly Key Key = key;
        public readonly ulong Expires = expires;
        public readonly List<(int Start, int End)> Parts = [];
        public byte[] Bytes = new byte[2048];

        /// <summary>-1 until the last fragment came.</summary>
        public int Total = -1;
        public int Have;
    }

    readonly List<Partial> _partials = [];

    /// <summary>Datagrams in progress.</summary>
    public int Count => _partials.Count;

    /// <summary>Takes a fragment.</summary>
    /// <returns>The whole payload when this one completed it, otherwise an empty span.</returns>
    public ReadOnlySpan<byte> Add(scoped in Ipv4Packet packet, ulong now)
    {
        _partials.RemoveAll(p => p.Expires <= now);
        int start = packet.FragmentOffset, end = start + packet.Payload.Length;
        bool wellFormed = end <= 65535 - Ipv4Packet.HeaderSize && !packet.Payload.IsEmpty
            && (!packet.MoreFragments || packet.Payload.Length % 8 == 0);
        var key = new Key(packet.Source, packet.Destination, packet.Protocol, packet.Identification);
        Partial? partial = _partials.Find(p => p.Key == key);
        if (!wellFormed)
            return Drop(partial);
        if (partial is null)
        {
            if (_partials.Count == MaximumDatagrams)
                Drop(_partials[0]);
            partial = new Partial(key, now + Lifetime);
            _partials.Add(partial);
        }

        foreach ((int s, int e) in partial.Parts)
        {
            if (s == start && e == end)
                return [];
            if (start < e && s < end)
                return Drop(partial);
        }
        if (!packet.MoreFragments && partial.Total >= 0 || partial.Total >= 0 && end > partial.Total
            || partial.Parts.Count == MaximumFragments)
            return Drop(partial);
        if (!packet.MoreFragments)
        {
            partial.Total = end;
            foreach ((_, int e) in partial.Parts)
            {
                if (e > end)
                    return Drop(partial);
            }
        }
        if (end > partial.Bytes.Length)
            Array.Resize(ref partial.Bytes, Math.Max(end, Math.Min(65536, partial.Bytes.Length * 2)));
        packet.Payload.CopyTo(partial.Bytes.AsSpan(start));
        partial.Parts.Add((start, end));
        partial.Have += end - start;
        if (partial.Have != partial.Total)
            return [];
        _partials.Remove(partial);
        counters.ReassembledDatagrams++;
        return partial.Bytes.AsSpan(0, partial.Total);
    }

    ReadOnlySpan<byte> Drop(Partial? partial)
    {
        counters.DroppedFragments++;
        if (partial is not null)
            _partials.Remove(partial);
        return [];
    }
}
