using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Myna.Network.Wire;

namespace Myna.Network.Tests.Linux;

/// <summary>Linux's TCP/IP stack talks to ours and judges it.</summary>
public sealed class LinuxGuestTests
{
    [LinuxFact]
    public void Ping_of_the_gateway_and_the_name_server_is_answered()
    {
        using var guest = new LinuxGuest(new UserNetworkOptions());
        // A raw socket by hand: the ping program may be missing.
        string output = guest.Run("""
            python3 - <<'E'
            import socket, struct
            def ck(b):
                s = sum(struct.unpack('!%dH' % (len(b)//2), b)); s = (s >> 16) + (s & 0xffff); return ~(s + (s >> 16)) & 0xffff
            for host in ('10.0.2.2', '10.0.2.3'):
                s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(10)
                for size in (56, 4000):
                    p = struct.pack('!BBHHH', 8, 0, 0, 77, 1) + b'q' * size
                    p = p[:2] + struct.pack('!H', ck(p)) + p[4:]
                    s.sendto(p, (host, 0))
                    r = s.recv(65536)
                    print(host, r[20], len(r) - 28, r[28:] == b'q' * size)
            E
            """);
        Assert.Equal("10.0.2.2 0 56 True\n10.0.2.2 0 4000 True\n10.0.2.3 0 56 True\n10.0.2.3 0 4000 True\n", output);
    }

    [LinuxFact]
    public void Tcp_passes_megabytes_both_ways() => Echo(0, 16 << 20, 1);

    [LinuxFact]
    public void Tcp_survives_loss_both_ways() => Echo(0.02, 2 << 20, 2);

    static void Echo(double loss, int size, int connections)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Task server = Task.Run(async () =>
        {
            await Task.WhenAll(Enumerable.Range(0, connections).Select(async _ =>
            {
                using Socket socket = await listener.AcceptSocketAsync();
                byte[] buffer = new byte[65536];
                int n;
                while ((n = await socket.ReceiveAsync(buffer)) > 0)
                    await socket.SendAsync(buffer.AsMemory(0, n));
                socket.Shutdown(SocketShutdown.Send);
            }));
        });
        using var guest = new LinuxGuest(new UserNetworkOptions(), loss);
        string output = guest.Run($$"""
            python3 - <<'E'
            import socket, threading, random, hashlib
            def run(i):
                data = random.Random(i).randbytes({{size}})
                s = socket.create_connection(('10.0.2.2', {{port}})); s.settimeout(60)
                def send():
                    s.sendall(data); s.shutdown(socket.SHUT_WR)
                t = threading.Thread(target=send); t.start()
                h = hashlib.sha256(); n = 0
                while True:
                    b = s.recv(65536)
                    if not b: break
                    h.update(b); n += len(b)
                t.join()
                print(n, h.digest() == hashlib.sha256(data).digest())
            ts = [threading.Thread(target=run, args=(i,)) for i in range({{connections}})]
            [t.start() for t in ts]; [t.join() for t in ts]
            E
            """);
        Assert.Equal(string.Concat(Enumerable.Repeat($"{size} True\n", connections)), output);
        Assert.True(server.Wait(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, guest.Network.Counters.Malformed);
        Assert.Equal(0, guest.Network.Counters.OutboxOverflows);
    }

    [LinuxFact]
    public void Forwarded_ports_lead_in_for_tcp_and_udp()
    {
        UserNetworkOptions options = UserNetworkOptions.Parse("user,hostfwd=tcp:127.0.0.1:0-:80,hostfwd=udp:127.0.0.1:0-:53");
        using var guest = new LinuxGuest(options);
        Task<string> server = Task.Run(() => guest.Run("""
            timeout 60 python3 - <<'E'
            import socket
            l = socket.create_server(('0.0.0.0', 80)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('0.0.0.0', 53))
            open('/dev/shm/NAME', 'w').close()
            c, a = l.accept()
            d = b''
            while True:
                b = c.recv(65536)
                if not b: break
                d += b
            c.sendall(d[::-1]); c.close()
            m, b = u.recvfrom(65536); u.sendto(m.upper(), b)
            print(a[0], b[0], len(d))
            E
            """.Replace("NAME", guest.Interface)));
        Assert.True(SpinWait.SpinUntil(() => File.Exists($"/dev/shm/{guest.Interface}") || server.IsCompleted, TimeSpan.FromSeconds(30)));
        File.Delete($"/dev/shm/{guest.Interface}");
        byte[] data = RandomNumberGenerator.GetBytes(300_000);
        using var client = new TcpClient();
        client.Connect(IPAddress.Loopback, guest.Network.Forwards[0].HostPort);
        NetworkStream stream = client.GetStream();
        stream.Write(data);
        client.Client.Shutdown(SocketShutdown.Send);
        byte[] answer = new byte[data.Length];
        stream.ReadExactly(answer);
        Array.Reverse(answer);
        Assert.Equal(data, answer);
        Assert.Equal(0, stream.Read(answer));

        using var udp = new UdpClient();
        udp.Client.ReceiveTimeout = 30_000;
        udp.Connect(IPAddress.Loopback, guest.Network.Forwards[1].HostPort);
        udp.Send("hello"u8);
        IPEndPoint? from = null;
        Assert.Equal("HELLO"u8.ToArray(), udp.Receive(ref from));
        Assert.Equal($"10.0.2.2 10.0.2.2 {data.Length}\n", server.Result);
    }

    [LinuxFact]
    public void Refused_connections_are_refused_and_resets_pass_both_ways()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Task<SocketError> server = Task.Run(() =>
        {
            using (Socket first = listener.AcceptSocket())
            {
                first.Receive(new byte[1]);
                first.LingerState = new LingerOption(true, 0);
            }
            using Socket second = listener.AcceptSocket();
            second.Receive(new byte[1]);
            second.Send(new byte[1]);
            second.Receive(new byte[1], SocketFlags.None, out SocketError error);
            return error;
        });
        using var guest = new LinuxGuest(new UserNetworkOptions());
        var unused = new TcpListener(IPAddress.Loopback, 0);
        unused.Start();
        int closed = ((IPEndPoint)unused.LocalEndpoint).Port;
        unused.Stop();
        string output = guest.Run($$"""
            timeout 60 python3 - <<'E'
            import socket, struct
            try: socket.create_connection(('10.0.2.2', {{closed}}), 20)
            except OSError as e: print(type(e).__name__)
            s = socket.create_connection(('10.0.2.2', {{port}}), 20); s.sendall(b'x')
            try: print(s.recv(1))
            except OSError as e: print(type(e).__name__)
            s = socket.create_connection(('10.0.2.2', {{port}}), 20); s.sendall(b'x'); s.recv(1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()
            u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('10.0.2.3', 99)); u.settimeout(20)
            u.send(b'x')
            try: u.recv(1)
            except OSError as e: print(type(e).__name__)
            E
            """);
        Assert.Equal("ConnectionRefusedError\nConnectionResetError\nConnectionRefusedError\n", output);
        Assert.True(server.Wait(TimeSpan.FromSeconds(30)));
        Assert.Equal(SocketError.ConnectionReset, server.Result);
    }

    [LinuxFact]
    public void Slow_readers_stop_the_sender_and_lose_nothing()
    {
        const int Size = 8 << 20;
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Task<int> server = Task.Run(() =>
        {
            using Socket socket = listener.AcceptSocket();
            byte[] block = new byte[Size];
            // Both sides write everything before they read anything: only buffers and windows keep it from growing.
            Task send = Task.Run(() => socket.Send(block));
            int total = 0, n;
            byte[] buffer = new byte[4096];
            while ((n = socket.Receive(buffer)) > 0)
                total += n;
            send.Wait();
            return total;
        });
        using var guest = new LinuxGuest(new UserNetworkOptions());
        string output = guest.Run($$"""
            timeout 100 python3 - <<'E'
            import socket, time
            s = socket.create_connection(('10.0.2.2', {{port}}), 60)
            time.sleep(1.5)          # our window closes meanwhile and must be probed open again
            n = 0
            while n < {{Size}}: n += len(s.recv(1 << 20))
            s.sendall(bytes({{Size}})); s.close(); print(n)
            E
            """);
        Assert.Equal($"{Size}\n", output);
        Assert.Equal(Size, server.Result);
    }

    [LinuxFact]
    public void Restricted_guests_reach_nothing()
    {
        using var guest = new LinuxGuest(new UserNetworkOptions { Restrict = true });
        string output = guest.Run("""
            timeout 60 python3 - <<'E'
            import socket
            try: socket.create_connection(('10.0.2.2', 22), 20)
            except OSError as e: print(type(e).__name__)
            u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(('10.0.2.3', 53)); u.settimeout(20)
            u.send(b'x' * 20)
            try: u.recv(1)
            except OSError as e: print(e.strerror)
            E
            """);
        Assert.Equal("ConnectionRefusedError\nNo route to host\n", output);
        Assert.True(guest.Network.Counters.Restricted >= 2);
    }
}
