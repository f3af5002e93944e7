using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Myna.Control.Gdb;
using Myna.Control.Monitor;
using Myna.Control.Tests.Gdb;
using Myna.Machines;

namespace Myna.Control.Tests.Monitor;

public sealed class MachineMonitorTests : IDisposable
{
    // addi a0, a0, 1; sd a0, 0(t0); j -8. t0 = 0x80001000 comes from auipc.
    static readonly uint[] Program = [0x00001297, 0x00150513, 0x00A2B023, 0xFF9FF06F];

    readonly string _kernel = Path.Combine(Path.GetTempPath(), $"myna-monitor-{Environment.ProcessId}-{Guid.NewGuid():n}");
    readonly Machine _machine;
    readonly MachineMonitor _monitor;

    public MachineMonitorTests()
    {
        byte[] bytes = new byte[4096];
        for (int i = 0; i < Program.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), Program[i]);
        File.WriteAllBytes(_kernel, bytes);
        _machine = Machine.Create(new MachineOptions
        {
            Kernel = _kernel, Firmware = MachineOptions.FirmwareNone, Memory = 16 << 20, Cpus = 2, Accel = Accel.Interp,
        });
        _monitor = new MachineMonitor(_machine);
    }

    public void Dispose()
    {
        _machine.Dispose();
        File.Delete(_kernel);
    }

    [Fact]
    public void A_board_without_a_power_button_says_so()
    {
        Assert.Contains("no power button", _monitor.Execute("system_powerdown"), StringComparison.Ordinal);
        Assert.Equal("", _monitor.Execute("system_reset"));
    }

    [Fact]
    public void The_balloon_is_asked_and_shown()
    {
        Assert.Contains("no memory balloon; start it with --memory SIZE,balloon=on", _monitor.Execute("balloon 8"), StringComparison.Ordinal);
        Assert.Contains("no memory balloon", _monitor.Execute("info balloon"), StringComparison.Ordinal);
        using Machine machine = Machine.Create(_machine.Options with { Devices = [new BalloonDevice()] });
        var monitor = new MachineMonitor(machine);
        foreach (string wrong in new[] { "balloon", "balloon x", "balloon 8 8", "balloon -1", "balloon 8X", "balloon 99999999999999999999" })
            Assert.Contains("balloon needs a size", monitor.Execute(wrong), StringComparison.Ordinal);
        Assert.Contains("the machine has 16 MiB", monitor.Execute("balloon 17"), StringComparison.Ordinal);
        Assert.Equal("balloon: actual=16 MiB, asked for 16 MiB of 16 MiB\n0 MiB were returned to the host, free pages that the guest reported included\n", monitor.Execute("info balloon"));
        Assert.Equal("", monitor.Execute("balloon 12"));
        Assert.Equal(1024u, machine.Balloon!.Target);
        Assert.Equal("", monitor.Execute("balloon 4096K"));
        Assert.Contains("asked for 4 MiB of 16 MiB", monitor.Execute("info balloon"), StringComparison.Ordinal);
    }

    [Fact]
    public void USB_devices_come_and_go()
    {
        Assert.Contains("has no USB", _monitor.Execute("info usb"), StringComparison.Ordinal);
        string image = _kernel + ".img";
        File.WriteAllBytes(image, new byte[1024]);
        using (Machine machine = Machine.Create(_machine.Options with { Devices = [new UsbDeviceOptions(UsbKind.Keyboard)] }))
        {
            var monitor = new MachineMonitor(machine);
            Assert.Equal("usb0     usb-keyboard\n", monitor.Execute("info usb"));
            Assert.Equal("usb1\n", monitor.Execute($"device_add usb-storage,file={image}"));
            Assert.Equal("usb2\n", monitor.Execute("device_add usb-tablet"));
            // The image is the machine's now.
            Assert.Contains("another machine", monitor.Execute($"device_add usb-storage,file={image}"), StringComparison.Ordinal);
            Assert.Equal("", monitor.Execute("device_del usb1"));
            Assert.Equal("", monitor.Execute("device_del usb0"));
            Assert.Equal("usb0     usb-keyboard (pulled out)\nusb2     usb-tablet\n", monitor.Execute("info usb"));
            Assert.Contains("info usb", monitor.Execute("device_del usb0"), StringComparison.Ordinal);
            Assert.Equal("", monitor.Execute("device_add usb0"));
            Assert.Contains("plugged in", monitor.Execute("device_add usb0"), StringComparison.Ordinal);
            Assert.Equal("usb3\n", monitor.Execute($"device_add usb-storage,file={image},readonly"));
            Assert.Contains("unknown", monitor.Execute("device_add e1000"), StringComparison.Ordinal);
            Assert.Contains("does not exist", monitor.Execute("device_add usb-storage,file=/no/such/file"), StringComparison.Ordinal);
        }
        File.Delete(image);
    }

    [Fact]
    public void It_shows_the_machine()
    {
        Assert.Contains("info WHAT", _monitor.Execute("help"), StringComparison.Ordinal);
        Assert.Contains("info mtree", _monitor.Execute("info"), StringComparison.Ordinal);
        Assert.Equal("created\n", _monitor.Execute("info status"));
        Assert.Contains("0000000080000000-0000000080ffffff   16 MiB ram    ram\n", _monitor.Execute("info mtree"), StringComparison.Ordinal);
        Assert.Contains("serial", _monitor.Execute("info devices"), StringComparison.Ordinal);
        string serial = _monitor.Execute("info devices serial");
        Assert.Contains("serial@10000000\n", serial, StringComparison.Ordinal);
        Assert.Contains(" 0x", serial, StringComparison.Ordinal);
        Assert.Contains("no device", _monitor.Execute("info devices xyz"), StringComparison.Ordinal);
        Assert.Contains("instructions", _monitor.Execute("info engine"), StringComparison.Ordinal);
        Assert.Equal("translation is off, or nothing is mapped\n", _monitor.Execute("info mem"));
        Assert.Contains("* CPU 0: pc 0000000000001000\n", _monitor.Execute("info cpus"), StringComparison.Ordinal);
        Assert.Contains("pc             0000000000001000", _monitor.Execute("info registers"), StringComparison.Ordinal);
        Assert.Contains("pmpaddr3", _monitor.Execute("info reg all"), StringComparison.Ordinal);
        Assert.Equal("", _monitor.Execute("cpu 1"));
        Assert.Equal("mhartid        0000000000000001\n", _monitor.Execute("info registers mhartid"));
    }

    [Fact]
    public void It_shows_memory_in_many_ways()
    {
        Assert.Equal("0000000080000000: 0x00001297 0x00150513 0x00a2b023 0xff9ff06f\n", _monitor.Execute("x/4x 0x80000000"));
        Assert.Equal("0000000080000000: 0x0015051300001297\n", _monitor.Execute("xp /xg 0x80000000"));
        Assert.Equal("0000000080000004: 19 5 21 0\n", _monitor.Execute("x/4db 0x80000000+4"));
        Assert.Equal("000000008000000e: -97\n", _monitor.Execute("x/dh 0x80000010-2"));
        Assert.Equal("0000000080000000: 00000000000000000001001010010111\n", _monitor.Execute("x/t 0x80000000"));
        string code = _monitor.Execute("x/3i 0x80000000");
        Assert.Contains("0000000080000004: addi a0, a0, 1", code.Replace("a0,a0,1", "a0, a0, 1", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal("0000000000000000: cannot be read\n", _monitor.Execute("x/4x 0"));
    }

    [Fact]
    public void It_drives_the_machine()
    {
        Assert.Equal("", _monitor.Execute("cont"));
        Assert.Equal("running\n", _monitor.Execute("info status"));
        Assert.True(SpinWait.SpinUntil(() => _monitor.Execute("print $a0") != "0x0 (0)\n", 20_000));
        Assert.Equal("running\n", _monitor.Execute("info status"));
        Assert.Equal("", _monitor.Execute("stop"));
        Assert.Equal("paused\n", _monitor.Execute("info status"));
        string before = _monitor.Execute("info registers");
        Assert.Equal(before, _monitor.Execute("info registers"));
        Assert.Equal("", _monitor.Execute("reset"));
        Assert.Equal("0x1000 (4096)\n", _monitor.Execute("print $pc"));
        Assert.Equal("paused\n", _monitor.Execute("info status"));
        _monitor.Execute("quit");
        Assert.True(_machine.Ended.IsCompleted);
        Assert.Equal("the machine has ended\n", _monitor.Execute("cont"));
    }

    [Theory]
    [InlineData("frobnicate", "unknown command")]
    [InlineData("info nothing", "unknown topic")]
    [InlineData("info m", "may be mem or mtree")]
    [InlineData("cpu 2", "0 to 1")]
    [InlineData("cpu", "0 to 1")]
    [InlineData("x", "address is missing")]
    [InlineData("x/z 0", "neither a format")]
    [InlineData("x/0 0", "count")]
    [InlineData("x/99999999999 0", "count")]
    [InlineData("xp/i 0", "virtual")]
    [InlineData("x nowhere", "not a number")]
    [InlineData("x $nothing", "no register")]
    [InlineData("print", "missing")]
    [InlineData("info registers zz", "no register")]
    public void Mistakes_are_explained(string line, string expected)
    {
        string output = _monitor.Execute(line);
        Assert.Contains(expected, output, StringComparison.Ordinal);
        Assert.EndsWith("\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_prompt_waits_on_a_socket_and_gdb_uses_the_same_commands()
    {
        string path = _kernel + ".sock";
        using (var server = new MonitorServer(_machine, "unix:" + path))
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
            socket.Connect(new UnixDomainSocketEndPoint(path));
            using var stream = new NetworkStream(socket);
            stream.Write("info status\nquit\n"u8);
            using var reader = new StreamReader(stream);
            Assert.Equal("(myna) created\n(myna) ", reader.ReadToEnd());
        }
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Auto)]
    public void Gdb_debugs_the_machine_from_its_first_instruction(Accel accel)
    {
        using Machine machine = Machine.Create(_machine.Options with { Accel = accel });
        using var server = new GdbServer(new MachineTarget(machine), ":0", new MachineMonitor(machine).Execute);
        using var client = new GdbClient(server.Address);
        Assert.Equal(GdbClient.Le(0x1000), client.Ask("p20"));
        // Into the middle of the loop's block, again and again, first before and then after it was translated.
        for (int i = 1; i <= 3; i++)
        {
            Assert.Equal("OK", client.Ask("Z0,80000008,4"));
            Assert.Equal("T05thread:1;", client.Ask("vCont;c:1"));
            Assert.Equal(GdbClient.Le(0x80000008), client.Ask("p20"));
            Assert.Equal(GdbClient.Le((ulong)i), client.Ask("pa"));
            Assert.Equal(MachineState.Paused, machine.State);
            Assert.Equal("OK", client.Ask("z0,80000008,4"));
            Assert.StartsWith("T05thread:1;", client.Ask("vCont;s:1"), StringComparison.Ordinal);
            Assert.Equal(GdbClient.Le(0x8000000C), client.Ask("p20"));
        }
        // At full speed for a while, then a new breakpoint in code that is long translated and chained.
        client.Send("vCont;c:1");
        Assert.True(SpinWait.SpinUntil(() => machine.Memory.Load(0x80001000, 8, out ulong count) && count > 100_000, 20_000));
        client.Raw([3]);
        Assert.Equal("T02thread:1;", client.Receive());
        Assert.Equal("OK", client.Ask("Z0,80000008,4"));
        Assert.Equal("T05thread:1;", client.Ask("vCont;c:1"));
        string stopped = client.Ask("pa");
        Assert.Equal("OK", client.Ask("z0,80000008,4"));
        client.Ask("vCont;s:1");
        Assert.Equal("OK", client.Ask("Z0,80000008,4"));
        Assert.Equal("T05thread:1;", client.Ask("vCont;c:1"));
        byte[] before = new byte[8], after = new byte[8];
        Assert.True(GdbPackets.TryFromHex(stopped, before) && GdbPackets.TryFromHex(client.Ask("pa"), after));
        Assert.Equal(BitConverter.ToUInt64(before) + 1, BitConverter.ToUInt64(after));
        Assert.Equal("OK", client.Ask("z0,80000008,4"));
        client.Ask("vCont;s:1");

        Assert.Equal("OK", client.Ask("Z2,80001000,8"));
        Assert.Equal("T05thread:1;watch:80001000;", client.Ask("vCont;c:1"));
        Assert.Equal(GdbClient.Le(0x80000008), client.Ask("p20"));
        Assert.Equal("O" + Convert.ToHexString(Encoding.ASCII.GetBytes("paused\n")).ToLowerInvariant(),
            client.Ask("qRcmd," + Convert.ToHexString("info status"u8)));
        Assert.Equal("OK", client.Receive());
        Assert.Equal("OK", client.Ask("D"));
        Assert.True(SpinWait.SpinUntil(() => machine.State == MachineState.Running, 20_000));
        machine.PowerOff();
    }
}
