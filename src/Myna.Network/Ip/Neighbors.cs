using System.Buffers.Binary;
using Myna.Network.Wire;

namespace Myna.Network.Ip;

/// <summary>Who is on the guest's side of the link: ARP in both directions (RFC 826).</summary>
internal sealed class Neighbors(NetworkStack stack)
{
    const int MaximumEntries = 256, MaximumWaiting = 16, PacketSize = 28;

    readonly Dictionary<Ipv4Address, MacAddress> _table = [];
    readonly Queue<(Ipv4Address NextHop, byte[] Frame)> _waiting = new();

    /// <summary>The Ethernet address that stands for one of the stack's own addresses: 52:55 and the address, as QEMU has it.</summary>
    public static MacAddress OwnMac(Ipv4Address address) => new(0x5255_0000_0000UL | address.Value);

    public bool TryFind(Ipv4Address address, out MacAddress mac)
    {
        mac = MacAddress.Broadcast;
        return address == Ipv4Address.Broadcast || address == stack.Options.DirectedBroadcast || _table.TryGetValue(address, out mac);
    }

    /// <summary>Notes where an address of the guest's network is; sends what waited for it.</summary>
    public void Learn(Ipv4Address address, MacAddress mac)
    {
        UserNetworkOptions options = stack.Options;
        if (mac.IsGroup || !options.Contains(address) || options.IsOwn(address) || address == options.Network
            || address == options.DirectedBroadcast)
            return;
        if (_table.TryGetValue(address, out MacAddress known) && known == mac)
            return;
        if (_table.Count >= MaximumEntries && !_table.ContainsKey(address))
            _table.Clear();
        _table[address] = mac;
        for (int left = _waiting.Count; left > 0; left--)
        {
            (Ipv4Address NextHop, byte[] Frame) entry = _waiting.Dequeue();
            if (entry.NextHop != address)
            {
                _waiting.Enqueue(entry);
                continue;
            }
            mac.Write(entry.Frame);
            stack.Link.Transmit(entry.Frame);
        }
    }

    /// <summary>Keeps a frame until the address answers, and asks for it.</summary>
    public void Resolve(Ipv4Address address, ReadOnlySpan<byte> frame)
    {
        if (_waiting.Count == MaximumWaiting)
            _waiting.Dequeue();
        _waiting.Enqueue((address, frame.ToArray()));
        Send(1, MacAddress.Broadcast, new MacAddress(0), address, stack.Options.Gateway);
    }

    public void Receive(ReadOnlySpan<byte> packet)
    {
        // Ethernet, IPv4, 6 and 4 bytes of address.
        if (packet.Length < PacketSize || BinaryPrimitives.ReadUInt64BigEndian(packet) >> 16 != 0x0001_0800_0604)
        {
            stack.Counters.Malformed++;
            return;
        }
        int operation = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        MacAddress senderMac = MacAddress.Read(packet[8..]);
        Ipv4Address sender = Ipv4Address.Read(packet[14..]), target = Ipv4Address.Read(packet[24..]);
        Learn(sender, senderMac);
        if (operation == 1 && stack.Options.IsOwn(target) && !senderMac.IsGroup)
            Send(2, senderMac, senderMac, sender, target);
    }

    void Send(ushort operation, MacAddress to, MacAddress targetMac, Ipv4Address target, Ipv4Address own)
    {
        Span<byte> frame = stackalloc byte[NetworkStack.EthernetHeaderSize + PacketSize];
        MacAddress ownMac = OwnMac(own);
        NetworkStack.WriteEthernet(frame, to, ownMac, EtherType.Arp);
        Span<byte> packet = frame[NetworkStack.EthernetHeaderSize..];
        BinaryPrimitives.WriteUInt64BigEndian(packet, 0x0001_0800_0604_0000UL | operation);
        ownMac.Write(packet[8..]);
        own.Write(packet[14..]);
        targetMac.Write(packet[18..]);
        target.Write(packet[24..]);
        stack.Link.Transmit(frame);
    }
}
