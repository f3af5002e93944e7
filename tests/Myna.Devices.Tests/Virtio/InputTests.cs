using System.Text;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Input;

namespace Myna.Devices.Tests.Virtio;

/// <summary>Virtio 1.2, section 5.8; codes of linux/input-event-codes.h.</summary>
public sealed class InputTests
{
    private static byte[] Config(Rig rig, int select, int subsel)
    {
        rig.Driver.WriteConfig(0, 1, (ulong)select);
        rig.Driver.WriteConfig(1, 1, (ulong)subsel);
        int size = (int)rig.Driver.ReadConfig(2, 1);
        return [.. Enumerable.Range(0, size).Select(i => (byte)rig.Driver.ReadConfig(8 + i, 1))];
    }

    private static List<(int Type, int Code, int Value)> Events(Rig rig, Piece[] buffers)
    {
        var list = new List<(int, int, int)>();
        while (rig.Driver.Queues[0].Take() is { } used)
        {
            Assert.Equal(8u, used.Length);
            byte[] e = rig.Content(buffers[list.Count]);
            list.Add((BitConverter.ToUInt16(e), BitConverter.ToUInt16(e, 2), BitConverter.ToInt32(e, 4)));
        }
        return list;
    }

    private static Piece[] Offer(Rig rig, int count)
    {
        Piece[] buffers = [.. Enumerable.Range(0, count).Select(_ => rig.Writable(8))];
        foreach (Piece buffer in buffers)
            rig.Driver.Queues[0].Add(false, buffer);
        rig.Driver.Queues[0].Kick();
        return buffers;
    }

    [Fact]
    public void A_keyboard_says_what_it_is_and_sends_keys()
    {
        using Rig rig = Rig.Start(new Way("pci", false, true, true), (m, log) => new VirtioKeyboard(m.Space, Rig.Options, log), 2);
        var keyboard = (VirtioKeyboard)rig.Device;
        Assert.Equal("Myna Virtio Keyboard", Encoding.ASCII.GetString(Config(rig, 1, 0)));
        Assert.Equal(16, Config(rig, 0x11, 1).Length);
        Assert.Equal([7], Config(rig, 0x11, 0x11));
        Assert.Empty(Config(rig, 0x11, 3));
        Assert.Empty(Config(rig, 0x12, 0));
        // Keys wait for buffers.
        keyboard.Key(0x1e, true);
        keyboard.Key(0xe048, true);
        Piece[] buffers = Offer(rig, 10);
        Assert.Equal([(1, 30, 1), (0, 0, 0), (1, 103, 1), (0, 0, 0)], Events(rig, buffers));
        rig.Driver.Queues[1].Run(false, rig.Readable(0x11, 0, 1, 0, 1, 0, 0, 0));
        Assert.Equal(4, keyboard.Leds);
        rig.Driver.Status = 0;
        Assert.Equal(0, keyboard.Leds);
        Assert.False(keyboard.IsActive);
    }

    [Fact]
    public void A_tablet_says_where_it_is()
    {
        using Rig rig = Rig.Start(new Way("mmio", false, true, true), (m, log) => new VirtioTablet(m.Space, Rig.Options, log), 2);
        var tablet = (VirtioTablet)rig.Device;
        Assert.Equal([3], Config(rig, 0x11, 3));
        Assert.Equal([0, 1], Config(rig, 0x11, 2));
        byte[] axis = Config(rig, 0x12, 1);
        Assert.Equal((0, 32767), (BitConverter.ToInt32(axis), BitConverter.ToInt32(axis, 4)));
        Assert.Empty(Config(rig, 0x12, 2));
        Piece[] buffers = Offer(rig, 20);
        tablet.Move(100, 40_000, 0, 1);
        tablet.Move(101, 5, 1, 2);
        Assert.Equal([(3, 0, 100), (3, 1, 32767), (1, 0x110, 1), (0, 0, 0), (3, 0, 101), (3, 1, 5), (2, 8, -1), (1, 0x110, 0), (1, 0x111, 1), (0, 0, 0)], Events(rig, buffers));
    }

    [Fact]
    public void A_driver_that_takes_no_events_costs_no_memory()
    {
        using Rig rig = Rig.Start(new Way("mmio", false, true, true), (m, log) => new VirtioKeyboard(m.Space, Rig.Options, log), 2);
        for (int i = 0; i < 10_000; i++)
            ((VirtioKeyboard)rig.Device).Key(0x1e, (i & 1) == 0);
        Piece[] buffers = Offer(rig, 64);
        Assert.Equal(64, Events(rig, buffers).Count);
    }
}
