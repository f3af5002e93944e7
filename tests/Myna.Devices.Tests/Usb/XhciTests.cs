using System.Buffers.Binary;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Usb;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Usb;

/// <summary>xHCI 1.2, USB 2.0 chapters 9 and 11, HID 1.11, bulk-only transport 1.0.</summary>
public sealed class XhciTests
{
    private const int Keyboard = 5, Disk = 1;

    [Fact]
    public void Registers_say_what_there_is()
    {
        using var rig = new XhciRig();
        Assert.Equal(0x0100_0040u, rig.Get(XhciRig.Bar));
        Assert.Equal(8u << 24 | 8 << 8 | 32, rig.Get(XhciRig.Bar + 4));
        Assert.Equal(0x2000u, rig.Get(XhciRig.Bar + 0x14));
        Assert.Equal(0x1000u, rig.Get(XhciRig.Bar + 0x18));
        Assert.Equal(0x0c0330u, rig.Xhci.ReadConfig(8, 4) >> 8);
        Assert.Equal(0x30u, rig.Xhci.ReadConfig(0x60, 1));
        // The supported protocols: "USB ", 2.0 with ports 5 to 8, 3.0 with ports 1 to 4.
        ulong at = XhciRig.Bar + (rig.Get(XhciRig.Bar + 0x10) >> 16) * 4;
        List<(uint, uint, uint)> protocols = [];
        while (true)
        {
            uint head = rig.Get(at);
            Assert.Equal(2u, head & 0xff);
            protocols.Add((head >> 24, rig.Get(at + 4), rig.Get(at + 8) & 0xffff));
            if ((head >> 8 & 0xff) == 0)
                break;
            at += (head >> 8 & 0xff) * 4;
        }
        Assert.Equal([(2u, 0x2042_5355u, 0x0405u), (3u, 0x2042_5355u, 0x0401u)], protocols);
    }

    [Fact]
    public void Ports_show_their_devices_and_a_usb2_port_is_enabled_by_its_reset()
    {
        using var rig = new XhciRig(new UsbKeyboard(new ManualClock()), UsbStorage.Disk(new TestDisk(1 << 16)));
        // Connected, high speed, powered, connect change; not enabled, polling.
        Assert.Equal(1u | 7 << 5 | 1 << 9 | 3 << 10 | 1 << 17, rig.Get(rig.Port(Keyboard)));
        // SuperSpeed: enabled, U0.
        Assert.Equal(1u | 2 | 1 << 9 | 4 << 10 | 1 << 17, rig.Get(rig.Port(Disk)));
        Assert.Equal(5u << 5 | 1 << 9, rig.Get(rig.Port(2)));
        rig.Set(rig.Port(Keyboard), 1 << 9 | 1 << 17);
        Assert.Equal(0u, rig.Get(rig.Port(Keyboard)) & 1 << 17);
        rig.Set(rig.Port(Keyboard), 1 << 9 | 1 << 4);
        Assert.Equal(1u | 2 | 1 << 9 | 3 << 10 | 1 << 21, rig.Get(rig.Port(Keyboard)));
        XhciEvent e = rig.Take(XhciRig.PortEvent);
        Assert.Equal(((ulong)Keyboard << 24, 1), (e.Parameter, e.Code));
        // Another reset while its change bit stands has no event (section 4.19.2).
        rig.Set(rig.Port(Keyboard), 1 << 9 | 1 << 4);
        Assert.Null(rig.Take());
    }

    [Fact]
    public void The_wire_follows_IP_and_IE_until_both_are_cleared()
    {
        using var rig = new XhciRig();
        Assert.Equal(1, rig.Command(23).Code);
        Assert.True(rig.Probe.Level(1) || rig.Probe.Level(0) || rig.Probe.Level(2) || rig.Probe.Level(3));
        Assert.Equal(3u, rig.Get(XhciRig.Runtime + 0x20));
        Assert.NotEqual(0u, rig.Get(XhciRig.Operational + 4) & 8);
        rig.Set(XhciRig.Runtime + 0x20, 3);
        Assert.False(rig.Probe.Level(1) || rig.Probe.Level(0) || rig.Probe.Level(2) || rig.Probe.Level(3));
    }

    [Fact]
    public void Commands_answer_for_slots_and_endpoints_that_do_not_exist()
    {
        using var rig = new XhciRig(new UsbKeyboard(new ManualClock()));
        Assert.Equal(11, rig.Command(10, slot: 3).Code);
        Assert.Equal(5, rig.Command(10, slot: 200).Code);
        Assert.Equal(5, rig.Command(62).Code);
        int slot = rig.Address(Keyboard);
        Assert.Equal(12, rig.Command(15, slot: slot, endpoint: 3).Code);
        Assert.Equal(19, rig.Command(14, slot: slot, endpoint: 1).Code);
        Assert.Equal(1, rig.Command(15, slot: slot, endpoint: 1).Code);
        Assert.Equal(19, rig.Command(15, slot: slot, endpoint: 1).Code);
        Assert.Equal(1, rig.Command(10, slot: slot).Code);
        Assert.Equal(11, rig.Command(15, slot: slot, endpoint: 1).Code);
    }

    [Fact]
    public void Slots_run_out_at_what_CONFIG_allows()
    {
        using var rig = new XhciRig();
        rig.Set(XhciRig.Operational + 0x38, 2);
        Assert.Equal((1, 1), (rig.Command(9).Code, 1));
        Assert.Equal(2, rig.Command(9).Slot);
        Assert.Equal(9, rig.Command(9).Code);
    }

    [Fact]
    public void Descriptors_come_by_control_transfers_and_short_packets_say_how_much()
    {
        using var rig = new XhciRig(new UsbKeyboard(new ManualClock()));
        int slot = rig.Address(Keyboard);
        byte[] device = new byte[18];
        Assert.Equal(1, rig.Control(slot, 0x80, 6, 0x0100, 0, device).Code);
        Assert.Equal([18, 1, 0, 2, 0, 0, 0, 64, 0x27, 0x06, 1, 0, 0, 1, 1, 2, 0, 1], device);
        byte[] configuration = new byte[255];
        XhciEvent e = rig.Control(slot, 0x80, 6, 0x0200, 0, configuration);
        Assert.Equal((XhciRig.Short, 255 - 34), (e.Code, e.Length));
        Assert.Equal(34, BinaryPrimitives.ReadUInt16LittleEndian(configuration.AsSpan(2)));
        // HID interface of a boot keyboard, its descriptor, one interrupt IN endpoint.
        Assert.Equal([9, 4, 0, 0, 1, 3, 1, 1, 0, 9, 0x21, 0x11, 1, 0, 1, 0x22], configuration[9..25]);
        Assert.Equal([7, 5, 0x81, 3, 8, 0, 6], configuration[27..34]);
        byte[] text = new byte[64];
        e = rig.Control(slot, 0x80, 6, 0x0301, 0x409, text);
        Assert.Equal("Myna", System.Text.Encoding.Unicode.GetString(text, 2, 64 - e.Length - 2));
        byte[] report = new byte[configuration[25]];
        Assert.Equal(1, rig.Control(slot, 0x81, 6, 0x2200, 0, report).Code);
        Assert.Equal(0xc0, report[^1]);
    }

    [Fact]
    public void A_refused_request_stalls_and_halts_until_the_endpoint_is_reset()
    {
        using var rig = new XhciRig(new UsbKeyboard(new ManualClock()));
        int slot = rig.Address(Keyboard);
        Assert.Equal(XhciRig.Stall, rig.Control(slot, 0x80, 6, 0x0400, 0, new byte[8]).Code);
        Assert.Equal(19, rig.Command(15, slot: slot, endpoint: 1).Code);
        rig.Recover(slot, 1);
        Assert.Equal(1, rig.Control(slot, 0x80, 0, 0, 0, new byte[2]).Code);
    }

    [Fact]
    public void A_keyboard_reports_its_keys_once_and_takes_lamps()
    {
        var keyboard = new UsbKeyboard(new ManualClock());
        using var rig = new XhciRig(keyboard);
        Assert.False(keyboard.IsActive);
        int slot = rig.Address(Keyboard);
        rig.Configure(slot);
        Assert.True(keyboard.IsActive);
        Assert.Equal(1, rig.Open(slot, (3, 7, 8)));
        ulong buffer = rig.Memory.Allocate(64);
        Assert.Null(rig.Transfer(slot, 3, buffer, 8));
        keyboard.Key(0x2a, true);
        XhciEvent e = rig.Take(XhciRig.TransferEvent);
        Assert.Equal((1, 0, 3), (e.Code, e.Length, e.Endpoint));
        Assert.Equal([2, 0, 0, 0, 0, 0, 0, 0], rig.Memory.Read(buffer, 8));
        keyboard.Key(0x1e, true);
        keyboard.Key(0xe04b, true);
        keyboard.Key(0x2a, false);
        Assert.Equal(1, rig.Transfer(slot, 3, buffer, 8)!.Value.Code);
        Assert.Equal([2, 0, 4, 0, 0, 0, 0, 0], rig.Memory.Read(buffer, 8));
        Assert.Equal(1, rig.Transfer(slot, 3, buffer, 8)!.Value.Code);
        Assert.Equal([2, 0, 4, 0x50, 0, 0, 0, 0], rig.Memory.Read(buffer, 8));
        Assert.Equal(1, rig.Transfer(slot, 3, buffer, 8)!.Value.Code);
        Assert.Equal([0, 0, 4, 0x50, 0, 0, 0, 0], rig.Memory.Read(buffer, 8));
        Assert.Null(rig.Transfer(slot, 3, buffer, 8));
        // SET_REPORT: num lock and scroll lock.
        Assert.Equal(1, rig.Control(slot, 0x21, 9, 0x0200, 0, [5]).Code);
        Assert.Equal(3, keyboard.Leds);
    }

    [Fact]
    public void More_keys_than_a_report_holds_roll_over()
    {
        var keyboard = new UsbKeyboard(new ManualClock());
        using var rig = new XhciRig(keyboard);
        int slot = rig.Address(Keyboard);
        rig.Configure(slot);
        byte[] report = new byte[8];
        for (int key = 0x10; key < 0x16; key++)
            keyboard.Key(key, true);
        Assert.Equal(1, rig.Control(slot, 0xa1, 1, 0x0100, 0, report).Code);
        Assert.Equal([0, 0, 0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c], report);
        keyboard.Key(0x16, true);
        Assert.Equal(1, rig.Control(slot, 0xa1, 1, 0x0100, 0, report).Code);
        Assert.Equal([0, 0, 1, 1, 1, 1, 1, 1], report);
        keyboard.Key(0x10, false);
        Assert.Equal(1, rig.Control(slot, 0xa1, 1, 0x0100, 0, report).Code);
        Assert.Equal([0, 0, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18], report);
    }

    [Fact]
    public void A_pressed_key_is_reported_again_at_the_idle_rate()
    {
        var clock = new ManualClock();
        var keyboard = new UsbKeyboard(clock);
        using var rig = new XhciRig(keyboard);
        int slot = rig.Address(Keyboard);
        rig.Configure(slot);
        Assert.Equal(1, rig.Open(slot, (3, 7, 8)));
        // 8 times 4 ms.
        Assert.Equal(1, rig.Control(slot, 0x21, 10, 8 << 8, 0, []).Code);
        ulong buffer = rig.Memory.Allocate(64);
        keyboard.Key(0x1e, true);
        Assert.NotNull(rig.Transfer(slot, 3, buffer, 8));
        Assert.Null(rig.Transfer(slot, 3, buffer, 8));
        clock.Advance(31_000_000);
        Assert.Null(rig.Take());
        clock.Advance(1_000_000);
        Assert.NotNull(rig.Take());
        keyboard.Key(0x1e, false);
        Assert.NotNull(rig.Transfer(slot, 3, buffer, 8));
        Assert.Null(rig.Transfer(slot, 3, buffer, 8));
        clock.Advance(1_000_000_000);
        Assert.Null(rig.Take());
    }

    [Fact]
    public void A_tablet_merges_motion_and_keeps_clicks()
    {
        var tablet = new UsbTablet(new ManualClock());
        using var rig = new XhciRig(tablet);
        int slot = rig.Address(Keyboard);
        rig.Configure(slot);
        Assert.Equal(1, rig.Open(slot, (3, 7, 8)));
        tablet.Move(1, 2, 0, 0);
        tablet.Move(0x1234, 0x7fff, 0, 0);
        tablet.Move(0x1234, 0x7fff, 0, 1);
        tablet.Move(5, 6, 0, 1);
        tablet.Move(5, 6, 2, 0);
        ulong buffer = rig.Memory.Allocate(64);
        List<string> reports = [];
        while (rig.Transfer(slot, 3, buffer, 8) is { } e)
        {
            Assert.Equal((XhciRig.Short, 2), (e.Code, e.Length));
            reports.Add(Convert.ToHexString(rig.Memory.Read(buffer, 6)));
        }
        Assert.Equal(["003412FF7F00", "013412FF7F00", "010500060000", "0005000600FE"], reports);
    }

    [Fact]
    public void Storage_reads_and_writes_by_the_bulk_only_transport()
    {
        var disk = new TestDisk(1 << 20);
        new Random(3).NextBytes(disk.Content);
        using var rig = new XhciRig(UsbStorage.Disk(disk));
        int slot = OpenStorage(rig);
        ulong data = rig.Memory.Allocate(64 << 10, 4096);
        // After power-on the first command has a unit attention: CHECK CONDITION, then REQUEST SENSE.
        Assert.Equal((1, 0u), Run(rig, slot, [0, 0, 0, 0, 0, 0], 0, true, 0));
        Assert.Equal((0, 0u), Run(rig, slot, [3, 0, 0, 0, 18, 0], 18, true, data));
        Assert.Equal((0x70, 6), (rig.Memory.Read(data, 3)[0], rig.Memory.Read(data, 3)[2]));
        Assert.Equal((0, 0u), Run(rig, slot, [0x28, 0, 0, 0, 0, 100, 0, 0, 80, 0], 80 * 512, true, data));
        Assert.True(disk.Content.AsSpan(100 * 512, 80 * 512).SequenceEqual(rig.Memory.Read(data, 80 * 512)));
        Assert.Equal((0, 0u), Run(rig, slot, [0x2a, 0, 0, 0, 1, 0, 0, 0, 2, 0], 1024, false, data));
        Assert.True(disk.Content.AsSpan(256 * 512, 1024).SequenceEqual(disk.Content.AsSpan(100 * 512, 1024)));
        // INQUIRY with more room than there is data: a short packet, and the residue.
        Assert.Equal((0, 255u - 36), Run(rig, slot, [0x12, 0, 0, 0, 255, 0], 255, true, data));
        // Beyond the end: nothing moves, CHECK CONDITION.
        Assert.Equal((1, 512u), Run(rig, slot, [0x28, 0, 0, 1, 0, 0, 0, 0, 1, 0], 512, true, data));
        // The device would send more than the host expects: a phase error (case 7).
        Assert.Equal((2, 512u), Run(rig, slot, [0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0], 512, true, data));
        int flushes = disk.Flushes;
        Assert.Equal((0, 0u), Run(rig, slot, [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, false, 0));
        Assert.Equal(flushes + 1, disk.Flushes);
    }

    [Fact]
    public void Data_may_come_in_several_transfers()
    {
        var disk = new TestDisk(1 << 20);
        new Random(4).NextBytes(disk.Content);
        using var rig = new XhciRig(UsbStorage.Disk(disk));
        int slot = OpenStorage(rig);
        ulong data = rig.Memory.Allocate(16 << 10, 4096);
        Run(rig, slot, [0, 0, 0, 0, 0, 0], 0, true, 0);
        SendCommand(rig, slot, [0x28, 0, 0, 0, 0, 8, 0, 0, 8, 0], 4096, true);
        Assert.Equal(1, rig.Transfer(slot, 3, data, 1024)!.Value.Code);
        // A chain of two TRBs.
        rig.Queue(slot, 3, data + 1024, 1024, 1 << 10 | 16 | 4);
        Assert.Equal(1, rig.Transfer(slot, 3, data + 2048, 2048)!.Value.Code);
        Assert.Equal((0, 0u), Status(rig, slot));
        Assert.True(disk.Content.AsSpan(4096, 4096).SequenceEqual(rig.Memory.Read(data, 4096)));
    }

    [Fact]
    public void What_is_no_command_stalls_until_the_reset()
    {
        using var rig = new XhciRig(UsbStorage.Disk(new TestDisk(1 << 16)));
        int slot = OpenStorage(rig);
        ulong data = rig.Memory.Allocate(4096, 4096);
        Assert.Equal(XhciRig.Stall, rig.Transfer(slot, 4, data, 31)!.Value.Code);
        rig.Recover(slot, 4);
        // CLEAR_FEATURE(ENDPOINT_HALT) does not help.
        Assert.Equal(1, rig.Control(slot, 2, 1, 0, 2, []).Code);
        Assert.Equal(XhciRig.Stall, rig.Transfer(slot, 4, data, 31)!.Value.Code);
        rig.Recover(slot, 4);
        Assert.Equal(1, rig.Control(slot, 0x21, 0xff, 0, 0, []).Code);
        Assert.Equal(1, rig.Control(slot, 2, 1, 0, 2, []).Code);
        Assert.Equal(1, rig.Control(slot, 2, 1, 0, 0x81, []).Code);
        Assert.Equal((1, 0u), Run(rig, slot, [0, 0, 0, 0, 0, 0], 0, true, 0));
    }

    [Fact]
    public void Devices_behind_a_hub_are_found_by_their_route()
    {
        var clock = new ManualClock();
        var hub = new UsbHub();
        var keyboard = new UsbKeyboard(clock);
        using var rig = new XhciRig(hub);
        Assert.Equal(1, hub.Add(keyboard));
        int slot = rig.Address(Keyboard);
        rig.Configure(slot);
        byte[] descriptor = new byte[11];
        Assert.Equal(1, rig.Control(slot, 0xa0, 6, 0x2900, 0, descriptor).Code);
        Assert.Equal(8, descriptor[2]);
        Assert.Equal(1, rig.Open(slot, (3, 7, 2)));
        ulong buffer = rig.Memory.Allocate(64);
        Assert.Null(rig.Transfer(slot, 3, buffer, 2));
        byte[] status = new byte[4];
        Assert.Equal(1, rig.Control(slot, 0xa3, 0, 0, 1, status).Code);
        Assert.Equal([0, 0, 0, 0], status);
        // Power: the status change endpoint tells of port 1.
        rig.Queue(slot, 1, 0x23 | 3 << 8 | 8 << 16 | 1ul << 32, 8, 2 << 10 | 1 << 6);
        rig.Queue(slot, 1, 0, 0, 4 << 10 | 32 | 1 << 16);
        rig.Doorbell(slot, 1);
        XhciEvent[] events = [rig.Take(XhciRig.TransferEvent), rig.Take(XhciRig.TransferEvent)];
        Assert.Equal([1, 3], events.Select(e => e.Endpoint).Order());
        Assert.Equal(2, rig.Memory.Read(buffer, 1)[0]);
        Assert.Equal(1, rig.Control(slot, 0xa3, 0, 0, 1, status).Code);
        Assert.Equal([1, 5, 1, 0], status);
        Assert.Equal(1, rig.Control(slot, 0x23, 1, 16, 1, []).Code);
        Assert.Equal(1, rig.Control(slot, 0x23, 3, 4, 1, []).Code);
        Assert.Equal(1, rig.Control(slot, 0xa3, 0, 0, 1, status).Code);
        Assert.Equal([3, 5, 16, 0], status);
        int behind = rig.Address(Keyboard, route: 1);
        byte[] device = new byte[18];
        Assert.Equal(1, rig.Control(behind, 0x80, 6, 0x0100, 0, device).Code);
        Assert.Equal(0x27, device[8]);
    }

    [Fact]
    public void Unplugged_a_device_is_gone_and_plugged_in_again_it_is_new()
    {
        var keyboard = new UsbKeyboard(new ManualClock());
        using var rig = new XhciRig(keyboard);
        int slot = rig.Address(Keyboard);
        rig.Set(rig.Port(Keyboard), 1 << 9 | 0x7f << 17);
        Assert.True(rig.Xhci.SetAttached(keyboard, false));
        Assert.Equal(XhciRig.PortEvent, rig.Take()!.Value.Type);
        Assert.Equal(0u, rig.Get(rig.Port(Keyboard)) & 3);
        Assert.NotEqual(0u, rig.Get(rig.Port(Keyboard)) & 1 << 17);
        Assert.Equal(4, rig.Control(slot, 0x80, 0, 0, 0, new byte[2]).Code);
        rig.Set(rig.Port(Keyboard), 1 << 9 | 0x7f << 17);
        Assert.True(rig.Xhci.SetAttached(keyboard, true));
        Assert.Equal(XhciRig.PortEvent, rig.Take()!.Value.Type);
        Assert.Equal(1u, rig.Get(rig.Port(Keyboard)) & 3);
    }

    [Fact]
    public void A_new_device_can_be_plugged_in_and_goes_for_good()
    {
        using var rig = new XhciRig(new UsbKeyboard(new ManualClock()));
        rig.Address(Keyboard);
        var tablet = new UsbTablet(new ManualClock());
        Assert.True(rig.Xhci.Plug(tablet));
        Assert.Equal(XhciRig.PortEvent, rig.Take()!.Value.Type);
        int port = Keyboard + 1;
        Assert.Equal(1u, rig.Get(rig.Port(port)) & 1);
        int slot = rig.Address(port);
        Assert.Equal(1, rig.Control(slot, 0x80, 6, 0x0100, 0, new byte[18]).Code);
        rig.Set(rig.Port(port), 1 << 9 | 0x7f << 17);
        rig.Xhci.Unplug(tablet);
        Assert.Equal(XhciRig.PortEvent, rig.Take()!.Value.Type);
        Assert.Equal(0u, rig.Get(rig.Port(port)) & 3);
        Assert.Equal(4, rig.Control(slot, 0x80, 0, 0, 0, new byte[2]).Code);
        Assert.DoesNotContain(tablet, rig.Xhci.Devices);
        // The port is free again, until all are taken.
        int more = 0;
        while (rig.Xhci.Plug(new UsbTablet(new ManualClock())))
            more++;
        Assert.Equal(3, more);
    }

    [Fact]
    public void A_ring_that_turns_in_circles_does_not_hold_the_cpu()
    {
        using var rig = new XhciRig(new UsbKeyboard(new ManualClock()));
        int slot = rig.Address(Keyboard);
        Assert.Equal(1, rig.Command(15, slot: slot, endpoint: 1).Code);
        // A no-op and a link back to it, which does not toggle the cycle.
        ulong ring = rig.Memory.Allocate(32, 64);
        rig.Memory.Write32(ring + 12, 8 << 10 | 1);
        rig.Memory.Write64(ring + 16, ring);
        rig.Memory.Write32(ring + 28, 6 << 10 | 1);
        Assert.Equal(1, rig.Command(16, ring | 1, slot, 1).Code);
        rig.Doorbell(slot, 1);
        Assert.Equal(1, rig.Command(15, slot: slot, endpoint: 1).Code);
        // Links alone.
        rig.Memory.Write32(ring + 12, 6 << 10 | 1);
        rig.Memory.Write64(ring, ring);
        rig.Doorbell(slot, 1);
        Assert.Equal(1, rig.Command(23).Code);
    }

    [Fact]
    public void Work_waits_while_the_event_ring_is_full()
    {
        using var rig = new XhciRig();
        // 62 of 63 events, without taking any.
        for (int i = 0; i < 62; i++)
            rig.Command(23);
        rig.SkipEvents();
        Assert.Null(rig.Take());
        Assert.Equal(1, rig.Command(23).Code);
    }

    private static int OpenStorage(XhciRig rig)
    {
        int slot = rig.Address(Disk);
        rig.Configure(slot);
        Assert.Equal(1, rig.Open(slot, (3, 6, 1024), (4, 2, 1024)));
        return slot;
    }

    private static void SendCommand(XhciRig rig, int slot, byte[] cdb, int length, bool reads)
    {
        byte[] wrapper = new byte[31];
        "USBC"u8.CopyTo(wrapper);
        BinaryPrimitives.WriteUInt32LittleEndian(wrapper.AsSpan(4), 0x1234_5678);
        BinaryPrimitives.WriteInt32LittleEndian(wrapper.AsSpan(8), length);
        wrapper[12] = reads ? (byte)0x80 : (byte)0;
        wrapper[14] = (byte)cdb.Length;
        cdb.CopyTo(wrapper, 15);
        Assert.Equal(1, rig.Transfer(slot, 4, rig.Memory.Place(wrapper), 31)!.Value.Code);
    }

    private static (int Status, uint Residue) Status(XhciRig rig, int slot)
    {
        ulong at = rig.Memory.Allocate(16);
        Assert.Equal(1, rig.Transfer(slot, 3, at, 13)!.Value.Code);
        byte[] wrapper = rig.Memory.Read(at, 13);
        Assert.Equal("USBS"u8.ToArray(), wrapper[..4]);
        Assert.Equal(0x1234_5678u, BinaryPrimitives.ReadUInt32LittleEndian(wrapper.AsSpan(4)));
        return (wrapper[12], BinaryPrimitives.ReadUInt32LittleEndian(wrapper.AsSpan(8)));
    }

    private static (int Status, uint Residue) Run(XhciRig rig, int slot, byte[] cdb, int length, bool reads, ulong data)
    {
        SendCommand(rig, slot, cdb, length, reads);
        if (length != 0)
            Assert.Contains(rig.Transfer(slot, reads ? 3 : 4, data, length)!.Value.Code, new[] { 1, XhciRig.Short });
        return Status(rig, slot);
    }
}
