using System.Diagnostics;
using System.Text;
using Myna.Cli.Consoles;
using Myna.Hardware.Backends;

namespace Myna.Cli.Tests.Consoles;

public class ConsoleTests
{
    /// <summary>Takes a few bytes at a time, as a UART's FIFO does.</summary>
    private sealed class SlowDevice(CharPort port) : ICharFrontend
    {
        public MemoryStream Received { get; } = new();
        public int ReceiveCapacity { get; set; }

        public void Receive(ReadOnlySpan<byte> bytes)
        {
            Assert.InRange(bytes.Length, 1, ReceiveCapacity);
            Received.Write(bytes);
            ReceiveCapacity = 0;
            ThreadPool.QueueUserWorkItem(_ =>
            {
                ReceiveCapacity = 3;
                port.ReceiveReady();
            });
        }
    }

    [Fact]
    public void Input_waits_for_the_device_and_loses_nothing()
    {
        var port = new CharPort(static _ => { });
        var device = new SlowDevice(port) { ReceiveCapacity = 2 };
        byte[] text = Encoding.ASCII.GetBytes("the quick brown fox jumps over the lazy dog");
        var attach = new Thread(() => port.Attach(device));
        attach.Start();
        port.Deliver(text, CancellationToken.None);
        Assert.Equal(text, device.Received.ToArray());
    }

    [Fact]
    public void Input_for_a_machine_that_ended_is_given_up()
    {
        using var ended = new CancellationTokenSource();
        ended.Cancel();
        Assert.Throws<OperationCanceledException>(() => new CharPort(static _ => { }).Deliver([1], ended.Token));
    }

    /// <summary>Linux throws away what reaches a virtio console before its tty exists.</summary>
    [Fact]
    public void Keys_wait_until_the_guest_has_spoken()
    {
        var port = new CharPort(static _ => { }, guestSpeaksFirst: true);
        var device = new SlowDevice(port) { ReceiveCapacity = 2 };
        port.Attach(device);
        var deliver = new Thread(() => port.Deliver("abc"u8, CancellationToken.None));
        deliver.Start();
        Assert.False(deliver.Join(150));
        Assert.Equal(0, device.Received.Length);
        port.Write("# "u8);
        Assert.True(deliver.Join(TimeSpan.FromSeconds(30)));
        Assert.Equal("abc"u8, device.Received.ToArray());
    }

    private sealed class Recorder : MemoryStream
    {
        public bool Gone { get; set; }
        public override void Write(byte[] buffer, int offset, int count)
        {
            if (Gone)
                throw new IOException("Broken pipe");
            base.Write(buffer, offset, count);
        }
    }

    [Fact]
    public void Output_arrives_whole_and_in_order()
    {
        var stream = new Recorder();
        var expected = new MemoryStream();
        using (var pump = new OutputPump(stream, "test"))
        {
            for (int i = 0; i < 200_000; i++)
            {
                byte[] bytes = Encoding.ASCII.GetBytes($"{i}\n");
                expected.Write(bytes);
                pump.Write(bytes);
            }
        }
        Assert.Equal(expected.ToArray(), stream.ToArray());
    }

    [Fact]
    public void A_reader_that_is_gone_holds_nobody_up()
    {
        using var broken = new ManualResetEventSlim();
        using var pump = new OutputPump(new Recorder { Gone = true }, "test");
        pump.Broken += broken.Set;
        pump.Write("x"u8);
        Assert.True(broken.Wait(TimeSpan.FromSeconds(30)));
        pump.Write(new byte[3 << 20]);
    }

    /// <summary>Takes nothing until it is allowed to.</summary>
    private sealed class Stalled : MemoryStream
    {
        public ManualResetEventSlim Go { get; } = new();
        public override void Write(byte[] buffer, int offset, int count)
        {
            Go.Wait(TimeSpan.FromSeconds(30));
            base.Write(buffer, offset, count);
        }
    }

    [Fact]
    public void A_slow_reader_gets_everything()
    {
        var stream = new Stalled();
        using var pump = new OutputPump(stream, "test");
        pump.Write(new byte[900_000]);
        var drain = new Thread(pump.Drain);
        drain.Start();
        stream.Go.Set();
        drain.Join();
        Assert.Equal(900_000, stream.Length);
    }

    [Fact]
    public void A_stalled_reader_is_given_up_when_the_user_ends_the_machine()
    {
        var stream = new Stalled();
        using var pump = new OutputPump(stream, "test");
        var guest = new Thread(() => pump.Write(new byte[3 << 20]));
        guest.Start();
        pump.Abandon();
        Assert.True(guest.Join(TimeSpan.FromSeconds(20)));
        pump.Drain();
        stream.Go.Set();
    }

    [Fact]
    public void Why_output_cannot_be_written_is_kept()
    {
        using var broken = new ManualResetEventSlim();
        using var pump = new OutputPump(new Recorder { Gone = true }, "test");
        pump.Broken += broken.Set;
        pump.Write("x"u8);
        Assert.True(broken.Wait(TimeSpan.FromSeconds(30)));
        Assert.Equal("Broken pipe", pump.Failure?.Message);
        pump.Drain();
    }

    [Fact]
    public void The_last_lines_are_kept_however_much_was_written()
    {
        var last = new LastLines();
        for (int i = 0; i < 10_000; i++)
            last.Write(Encoding.ASCII.GetBytes($"line {i}\r\n"));
        Assert.Equal("line 9998\nline 9999", last.Read(2));
        Assert.Equal("", new LastLines().Read(3));
    }

    [Fact]
    public void A_kernels_panic_is_shown_from_its_first_word_on()
    {
        var last = new LastLines();
        for (int i = 0; i < 100; i++)
            last.Write(Encoding.ASCII.GetBytes($"line {i}\r\n"));
        Assert.Equal("line 95\nline 96\nline 97\nline 98\nline 99", last.ReadEnd());
        last.Write(Encoding.ASCII.GetBytes("[    1.0] Kernel panic - not syncing: no init\r\n"));
        for (int i = 0; i < 20; i++)
            last.Write(Encoding.ASCII.GetBytes($"frame {i}\r\n"));
        string[] end = last.ReadEnd().Split('\n');
        Assert.Equal(("line 96", 25, "frame 19"), (end[0], end.Length, end[^1]));
        Assert.Contains("Kernel panic", end[4], StringComparison.Ordinal);
    }

    /// <summary>A real shell takes the script apart again: nothing in a word may mean anything to it.</summary>
    [Theory]
    [InlineData("plain", "two words", "")]
    [InlineData("it's", "\"quoted\"", "$HOME `date` $(date)")]
    [InlineData("a\nb", "\\", "*?[x]", "'", "''", "!", "~", "#")]
    [InlineData("-n", "--", "ünïcode")]
    public void A_command_reaches_the_shell_as_it_was_given(params string[] words)
    {
        string script = GuestCommand.Script(["printf", "<%s>", .. words]);
        var start = new ProcessStartInfo("sh", ["-c", script]) { RedirectStandardOutput = true, StandardOutputEncoding = Encoding.UTF8 };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(string.Concat(words.Select(w => $"<{w}>")), output);
    }
}
