using System.Net;
using System.Net.Sockets;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Tcp;

public sealed class TcpTests
{
    static (Socket Listener, Ipv4Endpoint Address) Listen()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen(512);
        return (socket, new(StackHarness.Gateway, (ushort)((IPEndPoint)socket.LocalEndPoint!).Port));
    }

    static Task Echo(Socket listener, int connections) => Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(async () =>
    {
        using Socket socket = await listener.AcceptAsync();
        byte[] buffer = new byte[16384];
        int n;
        while ((n = await socket.ReceiveAsync(buffer)) > 0)
            await socket.SendAsync(buffer.AsMemory(0, n));
        socket.Shutdown(SocketShutdown.Send);
    })));

    static byte[] Data(int size, int seed = 3)
    {
        byte[] data = new byte[size];
        new Random(seed).NextBytes(data);
        return data;
    }

    /// <summary>A connection whose host end the test holds.</summary>
    static (GuestTcp Guest, Socket Host) Connected(StackHarness h, Socket listener, Ipv4Endpoint address, ushort port = 1000)
    {
        var guest = new GuestTcp(h, port, address);
        h.OnFrame = guest.OnFrame;
        guest.Connect();
        h.Until(() => guest.Established);
        return (guest, listener.Accept());
    }

    [Theory]
    [InlineData(0, 3_000_000)]
    [InlineData(1, 400_000)]
    [InlineData(5, 100_000)]
    public void Bytes_pass_both_ways_whatever_is_lost_or_turned_around(int percentLost, int size)
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            Task server = Echo(listener, 1);
            var random = new Random(99);
            var guest = new GuestTcp(h, 1000, address, () => random.Next(100) < percentLost);
            byte[]? held = null;
            h.OnFrame = frame =>
            {
                // Some frames come later than those after them.
                if (percentLost != 0 && held is null && random.Next(20) == 0)
                {
                    held = frame;
                    return true;
                }
                bool taken = guest.OnFrame(frame);
                if (held is not null && random.Next(3) == 0)
                {
                    guest.OnFrame(held);
                    held = null;
                }
                return taken;
            };
            byte[] data = Data(size);
            guest.Connect();
            guest.Write(data);
            guest.Close();
            h.Until(() =>
            {
                guest.Push();
                return guest.PeerFinished && guest.AllAcknowledged;
            }, 5_000_000);
            Assert.Equal(data, guest.Input);
            Assert.Equal(1000, guest.LargestSegment);
            Assert.True(server.Wait(10_000));
            Assert.Equal(percentLost != 0, h.Stack.Counters.TcpRetransmissions != 0);
            h.Until(() => h.Stack.Tcp.EndpointCount == 0, 100_000_000);
            Assert.Equal(0, h.Stack.Tcp.Count);
        }
    }

    [Fact]
    public void Many_connections_at_once_and_no_more_than_allowed()
    {
        using var h = new StackHarness(new UserNetworkOptions { MaximumFlows = 200 });
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            Task server = Echo(listener, 200);
            GuestTcp[] guests = [.. Enumerable.Range(0, 220).Select(i => new GuestTcp(h, (ushort)(1000 + i), address))];
            Dictionary<int, GuestTcp> byPort = guests.Select((g, i) => (g, i)).ToDictionary(p => 1000 + p.i, p => p.g);
            h.OnFrame = frame => byPort[frame[36] << 8 | frame[37]].OnFrame(frame);
            foreach (GuestTcp guest in guests)
                guest.Connect();
            h.Until(() => guests[..200].All(g => g.Established) && guests[200..].All(g => g.WasReset));
            for (int i = 0; i < 200; i++)
            {
                guests[i].Write(Data(5000, i));
                guests[i].Close();
            }
            h.Until(() => guests[..200].All(g => g.PeerFinished));
            for (int i = 0; i < 200; i++)
                Assert.Equal(Data(5000, i), guests[i].Input);
            Assert.True(server.Wait(10_000));
            Assert.Equal(20, h.Stack.Counters.LimitHits);
        }
    }

    [Fact]
    public void Nobody_listening_is_a_reset()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        listener.Close();
        var guest = new GuestTcp(h, 1000, address);
        h.OnFrame = guest.OnFrame;
        guest.Connect();
        h.Until(() => guest.WasReset);
        Assert.Equal(0, h.Stack.Tcp.EndpointCount);
        Assert.Equal(0, h.Stack.Tcp.Count);
    }

    [Fact]
    public void The_hosts_reset_reaches_the_guest_and_the_guests_the_host()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (GuestTcp guest, Socket host) = Connected(h, listener, address);
            host.LingerState = new LingerOption(true, 0);
            host.Close();
            h.Until(() => guest.WasReset);

            (guest, host) = Connected(h, listener, address, 1001);
            guest.Reset();
            h.Until(() => h.Stack.Tcp.Count == 0);
            host.Receive(new byte[1], SocketFlags.None, out SocketError error);
            Assert.Equal(SocketError.ConnectionReset, error);
            host.Dispose();
        }
    }

    [Fact]
    public void A_reset_outside_the_expected_place_only_draws_an_acknowledgment()
    {
        // RFC 5961 §3.2.
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (GuestTcp guest, Socket host) = Connected(h, listener, address);
            h.Step();
            h.OnFrame = null;
            foreach (uint sequence in new[] { guest.Next + 1000, guest.Next - 1, guest.Next + 10_000_000 })
                guest.Emit(TcpFlags.Rst, sequence, []);
            guest.Emit(TcpFlags.Syn, guest.Next + 5, []);
            guest.Emit(TcpFlags.Ack, guest.Next, "x"u8, ack: guest.ReceiveNext + 70_000);
            h.Step();
            Assert.Equal(1, h.Stack.Tcp.Count);
            // One for the reset inside the window, one for the SYN, one for the acknowledgment of what was never sent.
            Assert.Equal(3, h.Frames.Count);
            host.Dispose();
        }
    }

    [Fact]
    public void Either_side_may_finish_first_and_go_on_listening()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (GuestTcp guest, Socket host) = Connected(h, listener, address);
            host.Send("bye"u8);
            host.Shutdown(SocketShutdown.Send);
            h.Until(() => guest.PeerFinished);
            Assert.Equal("bye"u8.ToArray(), guest.Input);
            guest.Write("still here"u8);
            h.Until(() => host.Available == 10);
            guest.Close();
            h.Until(() => h.Stack.Tcp.Count == 0);
            byte[] buffer = new byte[100];
            Assert.Equal(10, host.Receive(buffer));
            Assert.Equal(0, host.Receive(buffer));
            host.Dispose();

            (guest, host) = Connected(h, listener, address, 1001);
            guest.Write("bye"u8);
            guest.Close();
            h.Until(() => guest.AllAcknowledged);
            Assert.Equal(3, host.Receive(buffer));
            Assert.Equal(0, host.Receive(buffer));
            host.Send("still here"u8);
            h.Until(() => guest.Input.Count == 10);
            host.Shutdown(SocketShutdown.Send);
            h.Until(() => guest.PeerFinished);
            host.Dispose();
        }
    }

    [Fact]
    public void A_host_that_does_not_read_shuts_the_window_until_it_does()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (GuestTcp guest, Socket host) = Connected(h, listener, address);
            byte[] data = Data(20_000_000);
            guest.Write(data);
            h.Until(() => guest.PeerWindow == 0);
            Assert.False(guest.AllAcknowledged);
            Task<byte[]> reader = Task.Run(() =>
            {
                byte[] got = new byte[data.Length];
                for (int at = 0; at < got.Length;)
                    at += host.Receive(got.AsSpan(at));
                return got;
            });
            h.Until(() => guest.AllAcknowledged);
            Assert.True(reader.Wait(10_000));
            Assert.True(data.AsSpan().SequenceEqual(reader.Result));
            host.Dispose();
        }
    }

    [Fact]
    public void A_guest_that_shuts_its_window_is_probed_and_served_when_it_opens()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (GuestTcp guest, Socket host) = Connected(h, listener, address);
            guest.ReceiveWindow = 0;
            guest.SendWindow();
            byte[] data = Data(50_000);
            host.Send(data);
            host.Shutdown(SocketShutdown.Send);
            // An hour of probes is no reason to give up while the guest answers.
            for (int i = 0; i < 3600; i++)
                h.Step(1_000_000_000);
            Assert.Empty(guest.Input);
            Assert.InRange(h.Stack.Counters.FramesToGuest, 60, 200);
            guest.ReceiveWindow = 100_000;
            h.Until(() => guest.PeerFinished, 1_000_000_000);
            Assert.Equal(data, guest.Input);
            host.Dispose();
        }
    }

    [Fact]
    public void A_guest_that_vanished_is_given_up_after_a_while()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (_, Socket sending) = Connected(h, listener, address);
            (_, Socket idle) = Connected(h, listener, address, 1001);
            h.OnFrame = _ => true;
            sending.Send("anyone?"u8);
            for (int i = 0; i < 1000; i++)
                h.Step(1_000_000_000);
            Assert.Equal(0, h.Stack.Tcp.Count);
            Assert.Equal(0, h.Stack.Tcp.EndpointCount);
            foreach (Socket socket in new[] { sending, idle })
            {
                socket.Receive(new byte[1], SocketFlags.None, out SocketError error);
                Assert.Equal(SocketError.ConnectionReset, error);
                socket.Dispose();
            }
        }
    }

    [Fact]
    public void A_device_without_buffers_stops_the_sender()
    {
        using var h = new StackHarness();
        (Socket listener, Ipv4Endpoint address) = Listen();
        using (listener)
        {
            (GuestTcp guest, Socket host) = Connected(h, listener, address);
            h.GuestTakesFrames = false;
            byte[] data = Data(200_000);
            host.Send(data);
            for (int i = 0; i < 50; i++)
                h.Step(10_000_000);
            Assert.Equal(0, h.Stack.Counters.OutboxOverflows);
            h.GuestTakesFrames = true;
            h.Until(() => guest.Input.Count == data.Length);
            Assert.Equal(data, guest.Input);
            host.Dispose();
        }
    }
}
