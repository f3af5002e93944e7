using System.Net;
using System.Net.Sockets;
using Myna.Network.Tests.Tcp;
using Myna.Network.Wire;

namespace Myna.Network.Tests;

/// <summary>Whatever a guest sends, the stack goes on.</summary>
public sealed class FuzzTests
{
    static readonly ushort[] EtherTypes = [0x0800, 0x0800, 0x0800, 0x0806, 0x86DD];

    static StackHarness Harness(int seed) => new(new UserNetworkOptions { MaximumFlows = 30, Resolvers = [] }, seed);

    [Fact]
    public void Random_bytes_do_no_harm()
    {
        var random = new Random(20261122);
        using StackHarness h = Harness(1);
        byte[] frame = new byte[2000];
        for (int i = 0; i < 200_000; i++)
        {
            int length = random.Next(100) == 0 ? random.Next(frame.Length) : random.Next(80);
            random.NextBytes(frame.AsSpan(0, length));
            if (length >= 34)
            {
                new MacAddress(0x52550A000202).Write(frame);
                frame[6] &= 0xFE;
                ushort type = EtherTypes[random.Next(EtherTypes.Length)];
                (frame[12], frame[13]) = ((byte)(type >> 8), (byte)type);
                if (type == 0x0800)
                    MakeIp(random, frame.AsSpan(14, length - 14));
            }
            h.Stack.Receive(frame.AsSpan(0, length));
            if (i % 50 == 0)
            {
                h.Frames.Clear();
                h.Stack.Flush();
                h.Now += 10_000_000;
                h.Stack.RunDeadlines();
            }
        }
        Check(h);
    }

    // Enough right fields to get past the first checks; never to an address outside the host.
    static void MakeIp(Random random, Span<byte> ip)
    {
        ip[0] = (byte)(random.Next(10) == 0 ? random.Next(256) : 0x45);
        if (random.Next(4) != 0)
            (ip[6], ip[7]) = (0, 0);
        (ip[2], ip[3]) = ((byte)(ip.Length >> 8), (byte)ip.Length);
        ip[9] = (byte)(random.Next(3) switch { 0 => IpProtocol.Icmp, 1 => IpProtocol.Tcp, _ => IpProtocol.Udp });
        StackHarness.Guest.Write(ip[12..]);
        (random.Next(3) switch { 0 => StackHarness.Dns, 1 => Ipv4Address.Broadcast, _ => StackHarness.Gateway }).Write(ip[16..]);
        if (ip[9] == (byte)IpProtocol.Udp && ip.Length > 28)
        {
            // No checksum, a length that fits, often DHCP or DNS.
            (ip[22], ip[23]) = (0, random.Next(2) == 0 ? (byte)67 : (byte)53);
            (ip[24], ip[25], ip[26], ip[27]) = (0, (byte)(ip.Length - 20), 0, 0);
        }
        int headerLength = (ip[0] & 15) * 4;
        if (headerLength < 20 || headerLength > ip.Length)
            return;
        (ip[10], ip[11]) = (0, 0);
        ushort sum = Checksum.Of(ip[..headerLength]);
        (ip[10], ip[11]) = ((byte)(sum >> 8), (byte)sum);
        if (random.Next(8) == 0)
            ip[random.Next(ip.Length)] ^= 1;
    }

    [Fact]
    public void Random_tcp_segments_on_live_connections_do_no_harm()
    {
        var random = new Random(42);
        using StackHarness h = Harness(2);
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(100);
        listener.Blocking = false;
        var address = new Ipv4Endpoint(StackHarness.Gateway, (ushort)((IPEndPoint)listener.LocalEndPoint!).Port);
        var sockets = new Queue<Socket>();
        byte[] data = new byte[1400];
        for (int i = 0; i < 20_000; i++)
        {
            uint near = (uint)random.Next(-70_000, 70_000);
            var guest = new GuestTcp(h, (ushort)(1 + random.Next(20)), address, iss: 1000);
            var flags = (TcpFlags)(random.Next(4) == 0 ? (int)TcpFlags.Syn : random.Next(64));
            uint ack = random.Next(2) == 0 || h.Frames.Count == 0 ? (uint)random.Next() : AckOf(h);
            guest.Emit(flags, 1001 + (random.Next(3) == 0 ? near : 0), data.AsSpan(0, random.Next(3) == 0 ? random.Next(1400) : 0),
                random.Next(3) == 0 ? (ushort)random.Next(65536) : (ushort)0, random.Next(-1, 255), ack);
            if (i % 20 != 0)
                continue;
            h.Step((ulong)random.Next(1_000_000_000));
            if (listener.Poll(0, SelectMode.SelectRead))
            {
                sockets.Enqueue(listener.Accept());
                sockets.Last().Blocking = false;
                sockets.Last().Send(data, SocketFlags.None, out _);
            }
            if (sockets.Count > 10)
                sockets.Dequeue().Dispose();
            while (h.Frames.Count > 5)
                h.Frames.Dequeue();
        }
        Check(h);
        foreach (Socket socket in sockets)
            socket.Dispose();
    }

    // The acknowledgment that the last frame to the guest asks for, if it is a TCP segment.
    static uint AckOf(StackHarness h)
    {
        Ipv4Packet packet = StackHarness.Ip(h.Frames.Peek());
        return TcpSegment.TryParse(packet.Payload, packet.Source, packet.Destination, out TcpSegment s) ? s.Sequence + s.Length : 0;
    }

    static void Check(StackHarness h)
    {
        Assert.InRange(h.Stack.Tcp.Count, 0, 30);
        Assert.InRange(h.Stack.Tcp.EndpointCount, 0, 60);
        Assert.InRange(h.Stack.Udp.Count, 0, 30);
        Assert.InRange(h.Stack.PartialDatagrams, 0, 16);
        // It still answers.
        h.Frames.Clear();
        h.OnFrame = null;
        byte[] echo = [8, 0, 0, 0, 0, 1, 0, 1];
        ushort sum = Checksum.Of(echo);
        (echo[2], echo[3]) = ((byte)(sum >> 8), (byte)sum);
        h.SendIp(StackHarness.Guest, StackHarness.Gateway, IpProtocol.Icmp, echo);
        Assert.Contains(h.Frames, f => f.Length == 42 && f[23] == 1 && f[34] == 0);
    }
}
