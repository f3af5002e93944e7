using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Net;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Virtio;

public sealed class NetTests
{
    private const ulong AllFeatures = NetFeature.Mac | NetFeature.MrgRxbuf | NetFeature.Status | NetFeature.CtrlVq | NetFeature.CtrlRx | NetFeature.CtrlMacAddr | NetFeature.Mtu;
    private static readonly byte[] _mac = [0x52, 0x54, 0, 1, 2, 3];

    [Theory]
    [MemberData(nameof(Way.All), MemberType = typeof(Way))]
    public void Frames_go_out_and_come_in(Way way)
    {
        var wire = new Wire();
        using Rig rig = Start(way, wire, AllFeatures);
        DriverQueue rx = rig.Driver.Queues[0], tx = rig.Driver.Queues[1];
        for (int round = 0; round < 200; round++)
        {
            byte[] frame = Frame(14 + round * 7 % 1500, round);
            tx.EnableInterrupts();
            tx.Run(way.Indirect, rig.Readable(new byte[12]), rig.Readable(frame.AsSpan(0, 14)), rig.Readable(frame.AsSpan(14)));
            Assert.Equal(frame, Assert.Single(wire.Sent));
            wire.Sent.Clear();

            Piece buffer = rig.Writable(1526);
            int id = rx.Add(way.Indirect, buffer);
            rx.EnableInterrupts();
            rx.Kick();
            rig.Driver.TakeInterrupts();
            Assert.True(wire.Frontend!.Receive(frame));
            Assert.Equal(1, rig.Driver.TakeInterrupts() & 1);
            Used used = rx.Take()!.Value;
            Assert.Equal(new Used(id, (uint)frame.Length + 12), used);
            byte[] received = rig.Content(buffer);
            Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], received[..12]);
            Assert.Equal(frame, received.AsSpan(12, frame.Length).ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Way.Rings), MemberType = typeof(Way))]
    public void A_long_frame_is_spread_over_buffers(Way way)
    {
        var wire = new Wire();
        using Rig rig = Start(way, wire, AllFeatures);
        DriverQueue rx = rig.Driver.Queues[0];
        byte[] frame = Frame(5000, 1);
        Assert.False(wire.Frontend!.Receive(frame));
        Piece[] buffers = [rig.Writable(2000), rig.Writable(2000), rig.Writable(1000), rig.Writable(1000)];
        for (int i = 0; i < 2; i++)
            rx.Add(false, buffers[i]);
        // Not enough: nothing is used, and the device asks for more.
        rx.Kick();
        Assert.Equal(1, wire.Ready);
        Assert.False(wire.Frontend.Receive(frame));
        Assert.Null(rx.Take());
        for (int i = 2; i < 4; i++)
            rx.Add(false, buffers[i]);
        int kicked = rx.Notifications;
        rx.Kick();
        Assert.Equal(kicked + 1, rx.Notifications);
        Assert.Equal(2, wire.Ready);
        Assert.True(wire.Frontend.Receive(frame));
        var lengths = new List<uint>();
        while (rx.Take() is { } used)
            lengths.Add(used.Length);
        Assert.Equal([2000u, 2000u, 1000u, 12u], lengths);
        byte[] all = [.. buffers.SelectMany(rig.Content)];
        Assert.Equal(4, all[10]);
        Assert.Equal(frame, all.AsSpan(12, 5000).ToArray());
    }

    [Fact]
    public void Without_merging_a_frame_too_long_is_dropped_and_the_buffer_stays()
    {
        var wire = new Wire();
        using Rig rig = Start(new Way("mmio", false, true, true), wire, AllFeatures & ~NetFeature.MrgRxbuf);
        DriverQueue rx = rig.Driver.Queues[0];
        Piece buffer = rig.Writable(100);
        rx.Add(false, buffer);
        Assert.True(wire.Frontend!.Receive(Frame(200, 1)));
        Assert.Null(rx.Take());
        Assert.True(wire.Frontend.Receive(Frame(60, 2)));
        Assert.Equal(72u, rx.Take()!.Value.Length);
        Assert.Equal(Frame(60, 2), rig.Content(buffer).AsSpan(12, 60).ToArray());
    }

    [Fact]
    public void A_guest_that_does_not_listen_holds_nobody_up()
    {
        var wire = new Wire();
        using Rig rig = Rig.Create(new Way("mmio", false, true, true), (m, log) => new VirtioNet(m.Space, wire, _mac, 0, Rig.Options, log));
        Assert.True(wire.Frontend!.Receive(Frame(60, 1)));
        rig.Driver.Start(AllFeatures, 3);
        Assert.False(wire.Frontend.Receive(Frame(60, 1)));
        rig.Driver.Status = 0;
        Assert.Equal(1, wire.Ready);
        Assert.True(wire.Frontend.Receive(Frame(60, 1)));
    }

    [Fact]
    public void Frames_of_impossible_length_are_dropped()
    {
        var wire = new Wire();
        using Rig rig = Start(new Way("mmio", false, true, true), wire, AllFeatures);
        DriverQueue rx = rig.Driver.Queues[0], tx = rig.Driver.Queues[1];
        Piece big = new(GuestMemory.Base, 70000, false);
        tx.Run(false, rig.Readable(new byte[12]), big);
        tx.Run(false, rig.Readable(new byte[12]));
        tx.Run(false, rig.Readable(new byte[5]));
        tx.Run(false, rig.Readable(new byte[12 + 13]));
        tx.Run(false, rig.Writable(100));
        Assert.Empty(wire.Sent);
        rx.Add(false, rig.Writable(2000));
        Assert.True(wire.Frontend!.Receive(new byte[13]));
        Assert.True(wire.Frontend.Receive(new byte[70000]));
        Assert.Null(rx.Take());
        Assert.False(rig.NeedsReset);
        rx.Add(false, rig.Writable(4));
        Assert.True(wire.Frontend.Receive(Frame(60, 1)));
        rx.Take();
        Assert.True(wire.Frontend.Receive(Frame(60, 1)));
        Assert.True(rig.NeedsReset);
    }

    [Fact]
    public void The_control_queue_answers()
    {
        var wire = new Wire();
        using Rig rig = Start(new Way("mmio", true, true, true), wire, AllFeatures);
        DriverQueue q = rig.Driver.Queues[2];
        byte Run(params byte[] command)
        {
            Piece ack = rig.Writable(1);
            q.Run(false, rig.Readable(command.AsSpan(0, 2)), rig.Readable(command.AsSpan(2)), ack);
            return rig.Content(ack)[0];
        }
        Assert.Equal(0, Run(0, 0, 1));
        Assert.Equal(0, Run(1, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        Assert.Equal(0, Run(1, 1, 2, 4, 6, 8, 10, 12));
        Assert.Equal(0x0c0a08060402ul, rig.Driver.ReadConfig(0, 8) & 0xffffffffffff);
        Assert.Equal(1, Run(1, 1, 2, 4));
        Assert.Equal(1, Run(4, 0, 1));
        Assert.Equal(1, Run(0, 0));
        rig.Driver.Status = 0;
        Assert.Equal(0x030201005452ul, rig.Driver.ReadConfig(0, 8) & 0xffffffffffff);
    }

    [Fact]
    public void Configuration_and_link()
    {
        var wire = new Wire();
        using Rig rig = Start(new Way("mmio", false, true, true), wire, AllFeatures);
        Assert.Equal(1u, rig.Driver.ReadConfig(6, 2));
        Assert.Equal(1400u, rig.Driver.ReadConfig(10, 2));
        uint generation = ((MmioDriver)rig.Driver).Get(0xfc);
        ((VirtioNet)rig.Device).SetLink(false);
        Assert.Equal(2, rig.Driver.TakeInterrupts());
        Assert.NotEqual(generation, ((MmioDriver)rig.Driver).Get(0xfc));
        Assert.Equal(0u, rig.Driver.ReadConfig(6, 2));
        rig.Driver.Queues[1].Run(false, rig.Readable(new byte[12]), rig.Readable(Frame(60, 1)));
        Assert.Empty(wire.Sent);
    }

    private static Rig Start(Way way, Wire wire, ulong features)
        => Rig.Start(way, (m, log) => new VirtioNet(m.Space, wire, _mac, 1400, Rig.Options, log), 3, features);

    private static byte[] Frame(int length, int seed)
    {
        byte[] frame = new byte[length];
        new Random(seed).NextBytes(frame);
        return frame;
    }

    private sealed class Wire : INetBackend
    {
        public INetFrontend? Frontend { get; private set; }
        public List<byte[]> Sent { get; } = [];
        public int Ready { get; private set; }

        public void Attach(INetFrontend frontend) => Frontend = frontend;
        public void Send(ReadOnlySpan<byte> frame) => Sent.Add(frame.ToArray());
        public void ReceiveReady() => Ready++;
    }
}
