using System.Buffers.Binary;
using Myna.Hardware.Backends;
using Myna.Network.Wire;

namespace Myna.Network.Tests;

/// <summary>A stack without a thread, its time in the test's hand, and the frames it sent to the guest.</summary>
internal sealed class StackHarness : INetFrontend, IDisposable
{
    public static readonly MacAddress GuestMac = new(0x525400123456);
    public static readonly Ipv4Address Guest = new(0x0A00020F), Gateway = new(0x0A000202), Dns = new(0x0A000203);

    const int EthernetSize = NetworkStack.EthernetHeaderSize;

    public StackHarness(UserNetworkOptions? options = null, int seed = 1)
    {
        Stack = new NetworkStack(options ?? new UserNetworkOptions(), () => Now, new Random(seed));
        Stack.Link.Frontend = this;
        Stack.Neighbors.Learn(Guest, GuestMac);
    }

    public NetworkStack Stack { get; }

    /// <summary>Nanoseconds.</summary>
    public ulong Now { get; set; } = 1_000_000_000;

    /// <summary>Frames for the guest not taken by <see cref="OnFrame"/>.</summary>
    public Queue<byte[]> Frames { get; } = new();

    /// <summary>Sees each frame first; true when it is dealt with.</summary>
    public Func<byte[], bool>? OnFrame { get; set; }

    /// <summary>The device has buffers.</summary>
    public bool GuestTakesFrames { get; set; } = true;

    public bool Receive(ReadOnlySpan<byte> frame)
    {
        if (!GuestTakesFrames)
            return false;
        Frames.Enqueue(frame.ToArray());
        return true;
    }

    /// <summary>One round of the stack's loop; waits for host sockets a millisecond at most.</summary>
    public void Step(ulong advance = 1_000_000)
    {
        Stack.LinkReady();
        Stack.RunDeadlines();
        Stack.Flush();
        if (OnFrame is not null)
        {
            int count = Frames.Count;
            for (int i = 0; i < count; i++)
            {
                byte[] frame = Frames.Dequeue();
                if (!OnFrame(frame))
                    Frames.Enqueue(frame);
            }
            Stack.Flush();
        }
        Stack.Sockets.Wait(Frames.Count == 0 ? 1 : 0);
        Stack.Flush();
        Now += advance;
    }

    /// <summary>Rounds until the condition holds; fails after a number that means never.</summary>
    public void Until(Func<bool> condition, ulong advance = 1_000_000)
    {
        for (int i = 0; i < 60_000; i++)
        {
            if (condition())
                return;
            Step(advance);
        }
        Assert.Fail("the stack never got there");
    }

    /// <summary>The next frame, which the stack may still have to make.</summary>
    public byte[] NextFrame()
    {
        Until(() => Frames.Count != 0);
        return Frames.Dequeue();
    }

    public void Send(EtherType type, ReadOnlySpan<byte> payload, MacAddress? to = null)
    {
        byte[] frame = new byte[EthernetSize + payload.Length];
        NetworkStack.WriteEthernet(frame, to ?? new MacAddress(0x52550A000202), GuestMac, type);
        payload.CopyTo(frame.AsSpan(EthernetSize));
        Stack.Receive(frame);
    }

    public void SendIp(Ipv4Address source, Ipv4Address destination, IpProtocol protocol, ReadOnlySpan<byte> payload,
        ushort id = 1, int offset = 0, bool more = false)
    {
        byte[] packet = new byte[20 + payload.Length];
        Ipv4Packet.WriteHeader(packet, source, destination, protocol, id, payload.Length, offset, more);
        payload.CopyTo(packet.AsSpan(20));
        Send(EtherType.Ipv4, packet);
    }

    public static byte[] Udp(Ipv4Endpoint source, Ipv4Endpoint destination, ReadOnlySpan<byte> payload)
    {
        byte[] udp = new byte[8 + payload.Length];
        payload.CopyTo(udp.AsSpan(8));
        UdpDatagram.WriteHeader(udp, source, destination);
        return udp;
    }

    public void SendUdp(ushort sourcePort, Ipv4Endpoint destination, ReadOnlySpan<byte> payload) =>
        SendIp(Guest, destination.Address, IpProtocol.Udp, Udp(new(Guest, sourcePort), destination, payload));

    public static EtherType TypeOf(byte[] frame) => (EtherType)BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12));

    /// <summary>Checks a frame as a strict guest would, and returns its IP packet.</summary>
    public static Ipv4Packet Ip(byte[] frame)
    {
        Assert.Equal(EtherType.Ipv4, TypeOf(frame));
        Assert.True(Ipv4Packet.TryParse(frame.AsSpan(EthernetSize), out Ipv4Packet packet));
        Assert.Equal(frame.Length, EthernetSize + packet.Header.Length + packet.Payload.Length);
        return packet;
    }

    public (Ipv4Endpoint From, Ipv4Endpoint To, byte[] Payload) NextUdp()
    {
        Ipv4Packet packet = Ip(NextFrame());
        Assert.Equal(IpProtocol.Udp, packet.Protocol);
        Assert.True(UdpDatagram.TryParse(packet.Payload, packet.Source, packet.Destination, out UdpDatagram udp));
        return (new(packet.Source, udp.SourcePort), new(packet.Destination, udp.DestinationPort), udp.Payload.ToArray());
    }

    public void Dispose() => Stack.Dispose();
}
