using System.Text;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Console;
using Myna.Devices.Virtio.Entropy;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Virtio;

public sealed class ConsoleTests
{
    private const ulong Size = 1, Multiport = 2, EmergWrite = 4;

    [Theory]
    [MemberData(nameof(Way.All), MemberType = typeof(Way))]
    public void A_plain_console_carries_bytes_both_ways(Way way)
    {
        var terminal = new Terminal();
        using Rig rig = Rig.Start(way, (m, log) => new VirtioConsole(m.Space, terminal, Rig.Options, log), 2, Size | Multiport);
        Assert.Equal(0ul, rig.Driver.Features & Multiport);
        DriverQueue rx = rig.Driver.Queues[0], tx = rig.Driver.Queues[1];
        tx.Run(way.Indirect, rig.Readable("hello "u8), rig.Readable("host"u8));
        Assert.Equal("hello host", terminal.TakeText());

        Piece a = rig.Writable(4), b = rig.Writable(100);
        rx.Add(false, a);
        rx.Add(way.Indirect, b);
        rx.EnableInterrupts();
        rx.Kick();
        rig.Driver.TakeInterrupts();
        terminal.Type("guest!");
        Assert.Equal(1, rig.Driver.TakeInterrupts() & 1);
        Assert.Equal(4u, rx.Take()!.Value.Length);
        Assert.Equal(2u, rx.Take()!.Value.Length);
        Assert.Equal("gues", Encoding.ASCII.GetString(rig.Content(a)));
        Assert.Equal("t!", Encoding.ASCII.GetString(rig.Content(b)[..2]));
    }

    [Fact]
    public void Input_waits_for_the_guest_and_the_host_for_room()
    {
        var terminal = new Terminal();
        using Rig rig = Rig.Start(new Way("mmio", false, true, true), (m, log) => new VirtioConsole(m.Space, terminal, Rig.Options, log), 2);
        DriverQueue rx = rig.Driver.Queues[0];
        byte[] text = new byte[10_000];
        new Random(1).NextBytes(text);
        int typed = 0;
        var got = new List<byte>();
        for (int round = 0; got.Count < text.Length; round++)
        {
            Assert.True(round < 1000);
            int n = Math.Min(terminal.Frontend!.ReceiveCapacity, text.Length - typed);
            terminal.Frontend.Receive(text.AsSpan(typed, n));
            typed += n;
            Piece buffer = rig.Writable(100);
            int ready = terminal.Ready;
            rx.Add(false, buffer);
            rx.Kick();
            Used used = rx.Take()!.Value;
            got.AddRange(rig.Content(buffer)[..(int)used.Length]);
            Assert.Equal(ready + 1, terminal.Ready);
        }
        Assert.Equal(text, got);
    }

    [Fact]
    public void Size_and_emergency_write()
    {
        var terminal = new Terminal();
        using Rig rig = Rig.Start(new Way("mmio", false, true, true), (m, log) => new VirtioConsole(m.Space, terminal, Rig.Options, log), 2, Size | EmergWrite);
        ((VirtioConsole)rig.Device).Resize(132, 43);
        Assert.Equal(2, rig.Driver.TakeInterrupts());
        Assert.Equal(132u, rig.Driver.ReadConfig(0, 2));
        Assert.Equal(43u, rig.Driver.ReadConfig(2, 2));
        rig.Driver.WriteConfig(8, 4, 'x');
        Assert.Equal("x", terminal.TakeText());
    }

    [Theory]
    [MemberData(nameof(Way.Rings), MemberType = typeof(Way))]
    public void Ports_are_announced_named_and_opened(Way way)
    {
        Terminal first = new(), second = new();
        using Rig rig = Rig.Start(way,
            (m, log) => new VirtioConsole(m.Space, [new ConsolePortOptions(first), new ConsolePortOptions(second, "org.myna.agent")], Rig.Options, log), 6, Multiport);
        Assert.Equal(2ul, rig.Driver.ReadConfig(4, 4));
        DriverQueue controlRx = rig.Driver.Queues[2], controlTx = rig.Driver.Queues[3];
        var buffers = new Dictionary<int, Piece>();
        for (int i = 0; i < 16; i++)
        {
            Piece piece = rig.Writable(64);
            buffers[controlRx.Add(false, piece)] = piece;
        }
        controlRx.Kick();
        List<string> Messages()
        {
            var messages = new List<string>();
            while (controlRx.Take() is { } used)
            {
                byte[] m = rig.Content(buffers[used.Id])[..(int)used.Length];
                messages.Add($"{m[0]}:{m[4]}={m[6]}{Encoding.ASCII.GetString(m[8..])}");
            }
            return messages;
        }
        void Say(byte port, byte message, byte value) => controlTx.Run(false, rig.Readable(port, 0, 0, 0, message, 0, value, 0));

        Say(0, 0, 1);
        Assert.Equal(["0:1=1", "1:1=1"], Messages());
        Say(0, 3, 1);
        Say(1, 3, 1);
        Assert.Equal(["0:4=1", "0:6=1", "1:7=1org.myna.agent", "1:6=1"], Messages());

        // Input for a port that nobody has open waits.
        DriverQueue rx = rig.Driver.Queues[4];
        Piece buffer = rig.Writable(32);
        rx.Add(false, buffer);
        rx.Kick();
        second.Type("request");
        Assert.Null(rx.Take());
        Say(1, 6, 1);
        Assert.Equal(7u, rx.Take()!.Value.Length);
        Assert.Equal("request", Encoding.ASCII.GetString(rig.Content(buffer)[..7]));
        rig.Driver.Queues[5].Run(false, rig.Readable("answer"u8));
        Assert.Equal("answer", second.TakeText());
        Assert.Equal("", first.TakeText());

        // Nonsense is ignored.
        Say(200, 3, 1);
        Say(0, 99, 1);
        controlTx.Run(false, rig.Readable(1, 2, 3));
        Assert.Empty(Messages());
        Assert.False(rig.NeedsReset);
    }

    [Fact]
    public void Entropy_is_what_the_source_gave()
    {
        byte next = 0;
        using Rig rig = Rig.Start(new Way("pci", true, true, true), (m, log) => new VirtioEntropy(m.Space, bytes =>
        {
            foreach (ref byte b in bytes)
                b = next++;
        }, Rig.Options, log), 1);
        Piece piece = rig.Writable(300);
        Assert.Equal(300u, rig.Driver.Queues[0].Run(false, piece).Length);
        Assert.Equal(Enumerable.Range(0, 300).Select(i => (byte)i), rig.Content(piece));
        // At most a page at once, however much room there is.
        Assert.Equal(4096u, rig.Driver.Queues[0].Run(false, rig.Writable(100_000)).Length);
    }

    private sealed class Terminal : ICharBackend
    {
        private readonly MemoryStream _output = new();

        public ICharFrontend? Frontend { get; private set; }
        public int Ready { get; private set; }

        public void Attach(ICharFrontend frontend) => Frontend = frontend;
        public void Write(ReadOnlySpan<byte> bytes) => _output.Write(bytes);
        public void ReceiveReady() => Ready++;
        public void Type(string text) => Frontend!.Receive(Encoding.ASCII.GetBytes(text));

        public string TakeText()
        {
            string text = Encoding.ASCII.GetString(_output.ToArray());
            _output.SetLength(0);
            return text;
        }
    }
}
