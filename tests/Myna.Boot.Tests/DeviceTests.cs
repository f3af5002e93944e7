using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Myna.Boot.Tests;

public class DeviceTests
{
    [FactWith("mkfs.ext4", "e2fsprogs")]
    public void An_ext4_disk_keeps_its_data_across_a_reboot()
    {
        string image = Path.GetTempFileName();
        try
        {
            using (Process mkfs = Process.Start("/usr/sbin/mkfs.ext4", ["-q", "-F", image, "64M"]))
            {
                mkfs.WaitForExit();
                Assert.Equal(0, mkfs.ExitCode);
            }
            Result write = MynaProgram.Run("run", "--disk", image, "--net", "none", "--", "sh", "-c",
                "mount /dev/vda /mnt && seq 200000 >/mnt/numbers && umount /mnt && echo written");
            Assert.Equal((0, "written\n"), (write.Status, write.Output));
            Result read = MynaProgram.Run("run", "--machine", "microvm", "--disk", image + ",readonly,bus=mmio", "--net", "none", "--", "sh", "-c",
                "mount -o ro /dev/vda /mnt && md5sum </mnt/numbers; mount -o remount,rw /mnt 2>/dev/null || echo protected");
            string sum = Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(
                Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(1, 200000).Select(i => $"{i}\n")))));
            Assert.Equal((0, $"{sum}  -\nprotected\n"), (read.Status, read.Output));
        }
        finally
        {
            File.Delete(image);
        }
    }

    [Fact]
    public void DHCP_gives_an_address_and_the_host_is_reached()
    {
        byte[] body = new byte[300_000];
        new Random(1).NextBytes(body);
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var serving = Task.Run(() =>
        {
            using TcpClient client = server.AcceptTcpClient();
            using NetworkStream stream = client.GetStream();
            byte[] request = new byte[4096];
            _ = stream.Read(request);
            stream.Write(Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {body.Length}\r\n\r\n"));
            stream.Write(body);
        });
        int port = ((IPEndPoint)server.LocalEndpoint).Port;
        Result result = MynaProgram.Run("run", "--", "sh", "-c", $"ip -4 -o addr show eth0 | grep -o 'inet [0-9.]*'; wget -q -O - http://10.0.2.2:{port}/file | md5sum");
        string sum = Convert.ToHexStringLower(System.Security.Cryptography.MD5.HashData(body));
        Assert.Equal((0, $"inet 10.0.2.15\n{sum}  -\n", ""), (result.Status, result.Output, result.Error));
        Assert.True(serving.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_forwarded_port_leads_to_a_server_in_the_guest()
    {
        int port;
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            port = ((IPEndPoint)free.LocalEndpoint).Port;
        }
        using var over = new CancellationTokenSource();
        // Refused until the guest listens: connections made too early are reset.
        Task<string> answer = Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                try
                {
                    using var client = new TcpClient();
                    client.Connect(IPAddress.Loopback, port);
                    string text = new StreamReader(client.GetStream()).ReadToEnd();
                    if (text.Length != 0)
                        return text;
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    over.Token.WaitHandle.WaitOne(100);
                }
            }
            return "";
        });
        Result result = MynaProgram.Run("run", "--net", $"user,hostfwd=tcp:127.0.0.1:{port}-:7777", "--", "sh", "-c", "echo from inside | nc -l -p 7777");
        await over.CancelAsync();
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Equal("from inside\n", await answer);
    }

    [Fact]
    public void Without_a_network_there_is_no_card() =>
        Assert.Equal("lo\n", MynaProgram.Run("run", "--net", "none", "--", "ls", "/sys/class/net").Output);

    [Fact]
    public void The_entropy_device_is_used() =>
        Assert.Equal("virtio_rng.0\n", MynaProgram.Run("run", "--net", "none", "--", "cat", "/sys/class/misc/hw_random/rng_current").Output);
}
