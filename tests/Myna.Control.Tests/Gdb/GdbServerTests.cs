using System.Net.Sockets;
using System.Text;
using Myna.Control.Gdb;
using Myna.Cpu.Debugging;

namespace Myna.Control.Tests.Gdb;

public sealed class GdbServerTests : IDisposable
{
    readonly HartTarget _target = new();
    readonly GdbServer _server;
    readonly GdbClient _client;

    public GdbServerTests()
    {
        _server = new GdbServer(_target, ":0", line => $"you said {line}\n");
        _client = new GdbClient(_server.Address);
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
        _target.Dispose();
    }

    static string Le(ulong value) => GdbClient.Le(value);

    [Fact]
    public void A_stop_is_there_at_once_and_threads_are_listed()
    {
        Assert.Equal("T05thread:1;", _client.Ask("?"));
        Assert.Equal("m1,2", _client.Ask("qfThreadInfo"));
        Assert.Equal("l", _client.Ask("qsThreadInfo"));
        Assert.Equal("QC1", _client.Ask("qC"));
        Assert.Equal("OK", _client.Ask("T2"));
        Assert.Equal("E03", _client.Ask("T3"));
        Assert.Equal("CPU 1", Encoding.ASCII.GetString(Convert.FromHexString(_client.Ask("qThreadExtraInfo,2"))));
    }

    [Fact]
    public void Registers_are_read_and_written_singly_and_together()
    {
        Assert.Equal(Le(HartTarget.Base), _client.Ask("p20"));
        Assert.Equal("OK", _client.Ask($"P5={Le(0x1122334455667788)}"));
        Assert.Equal("8877665544332211", _client.Ask("p5"));
        string all = _client.Ask("g");
        Assert.Equal(33 * 16, all.Length);
        Assert.Equal("8877665544332211", all.Substring(5 * 16, 16));
        Assert.Equal("OK", _client.Ask("G" + all[..(6 * 16)] + Le(77) + all[(7 * 16)..]));
        Assert.Equal(Le(77), _client.Ask("p6"));
        // mhartid of the second hart; misa is read-only but accepts the attempt no more than an unknown number does.
        Assert.Equal("OK", _client.Ask("Hg2"));
        Assert.Equal(Le(1), _client.Ask($"p{65 + 0xF14:x}"));
        Assert.Equal("E16", _client.Ask($"P{65 + 0xF14:x}={Le(5)}"));
        Assert.Equal("E16", _client.Ask("p7fff"));
    }

    [Fact]
    public void Memory_is_read_and_written_as_hex_and_as_bytes()
    {
        Assert.Equal("732540f1", _client.Ask("m80000000,4"));
        Assert.Equal("OK", _client.Ask("M80000100,3:a1b2c3"));
        Assert.Equal("OK", _client.Ask("X80000103,4:}#$*"));
        Assert.Equal("a1b2c37d23242a", _client.Ask("m80000100,7"));
        Assert.Equal("OK", _client.Ask("X80000103,0:"));
        // Half of it exists.
        Assert.Equal(32, _client.Ask("m800ffff0,40").Length);
        Assert.Equal("E0e", _client.Ask("m100,4"));
        Assert.Equal("E0e", _client.Ask("M100,1:00"));
    }

    [Fact]
    public void The_target_description_comes_in_parts()
    {
        var text = new StringBuilder();
        string part;
        do
        {
            part = _client.Ask($"qXfer:features:read:target.xml:{text.Length:x},400");
            text.Append(part.AsSpan(1));
        }
        while (part[0] == 'm');
        Assert.Equal(_target.Cpus[0].TargetDescription, text.ToString());
        Assert.Equal("l", _client.Ask("qXfer:features:read:target.xml:fffff,400"));
        Assert.Equal("E00", _client.Ask("qXfer:features:read:other.xml:0,400"));
    }

    [Fact]
    public void Steps_and_breakpoints_stop_where_they_should()
    {
        Assert.StartsWith("T05thread:1;", _client.Ask("vCont;s:1"), StringComparison.Ordinal);
        Assert.Equal(Le(HartTarget.Base + 4), _client.Ask("p20"));
        Assert.Equal(HartTarget.Base, _target.Cpus[1].Pc);
        Assert.Equal("OK", _client.Ask($"Z0,{HartTarget.Function:x},4"));
        Assert.Equal("T05thread:1;", _client.Ask("vCont;c:1"));
        Assert.Equal(Le(HartTarget.Function), _client.Ask("p20"));
        Assert.Equal(Le(1), _client.Ask("pb"));
        Assert.Equal("732540f1", _client.Ask("m80000000,4"));
        // As gdb does: off, one step, on, go.
        Assert.Equal("OK", _client.Ask($"z0,{HartTarget.Function:x},4"));
        _client.Ask("vCont;s:1");
        Assert.Equal("OK", _client.Ask($"Z0,{HartTarget.Function:x},4"));
        Assert.Equal("T05thread:1;", _client.Ask("vCont;c:1"));
        Assert.Equal(Le(2), _client.Ask("pb"));
        Assert.Equal(HartTarget.Base, _target.Cpus[1].Pc);
    }

    [Fact]
    public void Two_cpus_at_breakpoints_are_reported_one_after_the_other()
    {
        Assert.Contains("hwbreak+", _client.Ask("qSupported:hwbreak+"), StringComparison.Ordinal);
        Assert.Equal("OK", _client.Ask($"Z1,{HartTarget.Function:x},4"));
        var seen = new HashSet<string>();
        string heard = "";
        for (int i = 0; i <= 10 && seen.Count < 2; i++)
        {
            // A CPU whose thread the host has given no time in ten rounds gets a round of its own.
            string stop = _client.Ask(i < 10 ? "vCont;c" : heard == "1" ? "vCont;c:2" : "vCont;c:1");
            Assert.EndsWith("hwbreak:;", stop, StringComparison.Ordinal);
            seen.Add(stop);
            string thread = stop.Substring("T05thread:".Length, 1);
            heard = thread;
            Assert.Equal("OK", _client.Ask("Hg" + thread));
            Assert.Equal(Le(HartTarget.Function), _client.Ask("p20"));
            // Keep this one from hitting again before the other is heard.
            Assert.Equal("OK", _client.Ask($"P20={Le(HartTarget.Function + 4)}"));
        }
        Assert.Equal(2, seen.Count);
    }

    [Theory]
    [InlineData("2", HartTarget.Store, "watch")]
    [InlineData("3", HartTarget.Load, "rwatch")]
    [InlineData("4", HartTarget.Store, "awatch")]
    public void Watchpoints_stop_before_the_access(string type, ulong at, string reason)
    {
        Assert.Equal("OK", _client.Ask($"Z{type},{HartTarget.Counter:x},8"));
        Assert.Equal($"T05thread:1;{reason}:{HartTarget.Counter:x};", _client.Ask("vCont;c:1"));
        Assert.Equal(Le(at), _client.Ask("p20"));
        Assert.Equal("OK", _client.Ask($"z{type},{HartTarget.Counter:x},8"));
        Assert.Equal("OK", _client.Ask($"Z0,{HartTarget.Function:x},4"));
        Assert.Equal("T05thread:1;", _client.Ask("vCont;c:1"));
        Assert.Equal(Le(HartTarget.Function), _client.Ask("p20"));
    }

    [Fact]
    public void An_interrupt_stops_what_runs()
    {
        _client.Send("c");
        _client.Raw([3]);
        Assert.Equal("T02thread:1;", _client.Receive());
        Assert.True(_target.Cpus[0].IsPaused && _target.Cpus[1].IsPaused);
        _client.Send("vCont;c:2");
        _client.Raw([3]);
        Assert.Equal("T02thread:1;", _client.Receive());
    }

    [Fact]
    public void Monitor_commands_answer_in_text()
    {
        string hex = Convert.ToHexString("info status"u8);
        Assert.Equal("O" + Convert.ToHexString("you said info status\n"u8).ToLowerInvariant(), _client.Ask("qRcmd," + hex));
        Assert.Equal("OK", _client.Receive());
    }

    [Fact]
    public void Damaged_packets_are_asked_for_again_and_replies_repeated()
    {
        _client.Raw("$?#00"u8);
        Assert.Equal('-', _client.Byte());
        _client.Raw("garbage$?#3f"u8);
        Assert.Equal('+', _client.Byte());
        Assert.Equal("T05thread:1;", _client.Receive());
        _client.Raw("-"u8);
        Assert.Equal("T05thread:1;", _client.Receive());
        _client.StopAcknowledging();
        Assert.Equal("T05thread:1;", _client.Ask("?"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("vMustReplyEmpty")]
    [InlineData("qTStatus")]
    [InlineData("yes")]
    [InlineData("Z9,0,0")]
    public void What_is_not_supported_gets_an_empty_answer(string packet) => Assert.Equal("", _client.Ask(packet));

    [Theory]
    [InlineData("m")]
    [InlineData("m80000000")]
    [InlineData("m,4")]
    [InlineData("mxyz,4")]
    [InlineData("M80000000,4:00")]
    [InlineData("M80000000,ffffffffffffffff:00")]
    [InlineData("X80000000,4:a")]
    [InlineData("G")]
    [InlineData("G00112233")]
    [InlineData("p")]
    [InlineData("pzz")]
    [InlineData("P5")]
    [InlineData("P5=12")]
    [InlineData("Z0")]
    [InlineData("Z0,zz,4")]
    [InlineData("Z2,80000000,0")]
    [InlineData("H")]
    [InlineData("Hx1")]
    [InlineData("Hg9")]
    [InlineData("vCont;")]
    [InlineData("vCont;q")]
    [InlineData("vCont;c:9")]
    [InlineData("vCont;t")]
    [InlineData("sxyz")]
    [InlineData("qRcmd,1")]
    [InlineData("qRcmd,zz")]
    public void Bad_requests_are_errors_and_harm_nothing(string packet)
    {
        Assert.StartsWith("E", _client.Ask(packet), StringComparison.Ordinal);
        Assert.Equal("732540f1", _client.Ask("m80000000,4"));
    }

    [Fact]
    public void Detaching_removes_breakpoints_and_lets_the_machine_run()
    {
        Assert.Equal("OK", _client.Ask($"Z0,{HartTarget.Function:x},4"));
        Assert.Equal("OK", _client.Ask("D"));
        Assert.True(_client.IsClosedByPeer());
        Assert.True(SpinWait.SpinUntil(() => _target.IsRunning, 10_000));
        using var again = new GdbClient(_server.Address);
        Assert.Equal("T05thread:1;", again.Ask("?"));
        Assert.False(_target.IsRunning);
        again.Send("c");
        again.Raw([3]);
        Assert.Equal("T02thread:1;", again.Receive());
    }

    [Fact]
    public void Killing_ends_the_machine_and_its_own_end_is_told()
    {
        _client.Send("c");
        _target.End(new TargetExit(42));
        Assert.Equal("W2a", _client.Receive());

        using var target = new HartTarget();
        using var server = new GdbServer(target, "127.0.0.1:0", _ => "");
        using var client = new GdbClient(server.Address);
        client.Send("k");
        Assert.True(target.Ended.Wait(10_000));
    }

    [Fact]
    public void A_unix_socket_serves_as_well_and_its_file_goes_away()
    {
        string path = Path.Combine(Path.GetTempPath(), $"myna-gdb-{Environment.ProcessId}.sock");
        using (var target = new HartTarget(1))
        using (new GdbServer(target, "unix:" + path, _ => ""))
        {
            using var client = new GdbClient(new UnixDomainSocketEndPoint(path));
            Assert.Equal("m1", client.Ask("qfThreadInfo"));
        }
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("nowhere")]
    [InlineData(":70000")]
    [InlineData("unix:")]
    [InlineData("host.example:1")]
    public void Wrong_addresses_are_refused(string address) =>
        Assert.Throws<FormatException>(() => new GdbServer(_target, address, _ => ""));

    [Fact]
    public void A_taken_address_is_an_error_with_its_name() =>
        Assert.Contains(_server.Address.ToString()!, Assert.Throws<IOException>(() => new GdbServer(_target, _server.Address.ToString()!, _ => "")).Message, StringComparison.Ordinal);
}
