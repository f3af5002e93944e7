using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Ata;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Ata;

/// <summary>AHCI 1.3.1, with the command set of ATA8-ACS behind it.</summary>
public sealed class AhciTests : IDisposable
{
    private const int Megabyte = 1 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestDisk _disk = new(Megabyte);
    private readonly AhciRig _rig;

    public AhciTests()
    {
        _rig = new AhciRig(2, null, null, new AtaDisk(_disk, "SERIAL42"));
        new Random(1).NextBytes(_disk.Content);
        _rig.Start();
    }

    public void Dispose() => _rig.Dispose();

    private ReadOnlySpan<byte> Sectors(int first, int count) => _disk.Content.AsSpan(first * 512, count * 512);

    private byte[] Identify()
    {
        ulong data = _rig.Memory.Allocate(512);
        _rig.Prepare(0, 0xec, buffers: (data, 512));
        _rig.Issue(1);
        return _rig.Memory.Read(data, 512);
    }

    private static int Word(byte[] identify, int index) => BinaryPrimitives.ReadUInt16LittleEndian(identify.AsSpan(index * 2));

    [Fact]
    public void Ports_without_a_drive_have_no_link()
    {
        Assert.Equal(0x3fu, _rig.Get(0x0c));
        Assert.Equal(5u, _rig.Get(0) & 31);
        Assert.Equal(0u, _rig.Get(0x100 + AhciRig.PxSSTS));
        Assert.Equal(0x7fu, _rig.Get(0x100 + AhciRig.PxTFD));
        Assert.Equal(3u, _rig.Port(AhciRig.PxSSTS) & 15);
        Assert.Equal(0x101u, _rig.Port(AhciRig.PxSIG));
        Assert.Equal(0x50u, _rig.Port(AhciRig.PxTFD) & 0xff);
    }

    [Fact]
    public void Identify_comes_by_pio()
    {
        byte[] data = Identify();
        Assert.Equal("ESIRLA24", Encoding.ASCII.GetString(data, 20, 8));
        Assert.Equal(Megabyte / 512, Word(data, 60) | Word(data, 61) << 16);
        Assert.Equal(Megabyte / 512, Word(data, 100) | Word(data, 101) << 16);
        Assert.Equal(31, Word(data, 75));
        Assert.Equal(0x0100, Word(data, 76) & 0x0100);
        Assert.Equal(0, data.Sum(b => b) & 0xff);
        // PIO Setup frame, and no other; the end's status is in byte 15.
        Assert.Equal(2u, _rig.Port(AhciRig.PxIS));
        byte[] fis = _rig.Frame(0x20, 20);
        Assert.Equal((0x5f, 0x60, 0x58, 0x50), (fis[0], fis[1], fis[2], fis[15]));
        Assert.Equal(512u, _rig.Transferred(0));
        Assert.Equal(0u, _rig.Port(AhciRig.PxCI));
        Assert.True(_rig.Interrupt);
        _rig.Set(AhciRig.IS, 4);
        Assert.True(_rig.Interrupt); // the port still asks
        _rig.Port(AhciRig.PxIS, 2);
        _rig.Set(AhciRig.IS, 4);
        Assert.False(_rig.Interrupt);
    }

    [Theory]
    [InlineData(0xc8)]
    [InlineData(0x25)]
    public void Reads_are_scattered_over_regions(byte command)
    {
        ulong a = _rig.Memory.Allocate(512), b = _rig.Memory.Allocate(4096), c = _rig.Memory.Allocate(512);
        _rig.Prepare(7, command, 5, 3, buffers: [(c, 512), (b, 1000), (a, 24)]);
        _rig.Issue(1 << 7);
        byte[] got = [.. _rig.Memory.Read(c, 512), .. _rig.Memory.Read(b, 1000), .. _rig.Memory.Read(a, 24)];
        Assert.True(Sectors(5, 3).SequenceEqual(got));
        Assert.Equal(3 * 512u, _rig.Transferred(7));
        Assert.Equal(1u, _rig.Port(AhciRig.PxIS));
        byte[] fis = _rig.Frame(0x40, 20);
        Assert.Equal((0x34, 0x40, 0x50), (fis[0], fis[1], fis[2]));
    }

    [Fact]
    public void Writes_reach_the_disk_and_forced_ones_are_flushed()
    {
        byte[] data = new byte[1024];
        new Random(2).NextBytes(data);
        ulong at = _rig.Memory.Place(data);
        _rig.Prepare(0, 0x35, 100, 2, write: true, buffers: (at, 1024));
        _rig.Issue(1);
        Assert.True(Sectors(100, 2).SequenceEqual(data));
        Assert.Equal(0, _disk.Flushes);
        _rig.Prepare(0, 0x3d, 200, 2, write: true, buffers: (at, 1024));
        _rig.Issue(1);
        Assert.True(Sectors(200, 2).SequenceEqual(data));
        Assert.Equal(1, _disk.Flushes);
        _rig.Prepare(0, 0xea);
        _rig.Issue(1);
        Assert.Equal(2, _disk.Flushes);
    }

    [Fact]
    public void Queued_commands_end_in_any_order()
    {
        _disk.Deferred = true;
        var random = new Random(3);
        ulong[] data = [.. Enumerable.Range(0, 32).Select(_ => _rig.Memory.Allocate(512))];
        for (int i = 0; i < 32; i++)
            _rig.Prepare(i, 0x60, (ulong)i * 3, count: i << 3, feature: 1, buffers: (data[i], 512));
        _rig.Issue(uint.MaxValue, uint.MaxValue);
        Assert.Equal(0u, _rig.Port(AhciRig.PxCI)); // the drive has taken them all
        Assert.Equal(uint.MaxValue, _rig.Port(AhciRig.PxSACT));
        Assert.Equal(32, _disk.Pending);
        for (int i = 0; i < 32; i++)
        {
            uint before = _rig.Port(AhciRig.PxSACT);
            Assert.True(_disk.CompleteOne(random));
            Assert.True(SpinWait.SpinUntil(() => _rig.Port(AhciRig.PxSACT) != before, Patience));
            uint after = _rig.Port(AhciRig.PxSACT);
            Assert.Equal(1, System.Numerics.BitOperations.PopCount(before ^ after));
            int tag = System.Numerics.BitOperations.TrailingZeroCount(before ^ after);
            Assert.True(Sectors(tag * 3, 1).SequenceEqual(_rig.Memory.Read(data[tag], 512)));
            byte[] fis = _rig.Frame(0x58, 8);
            Assert.Equal((0xa1, before ^ after), (fis[0], BinaryPrimitives.ReadUInt32LittleEndian(fis.AsSpan(4))));
            Assert.Equal(8u, _rig.Port(AhciRig.PxIS));
            _rig.Port(AhciRig.PxIS, 8);
        }
    }

    [Fact]
    public void A_failed_queued_command_stops_the_list_and_is_in_log_10h()
    {
        ulong data = _rig.Memory.Allocate(512);
        _disk.Fail = BlockStatus.IoError;
        _rig.Prepare(9, 0x60, 0x123, count: 5 << 3, feature: 1, buffers: (data, 512));
        _rig.Issue(1 << 9, 1 << 5);
        Assert.Equal(1u << 30, _rig.Port(AhciRig.PxIS) & 1u << 30);
        Assert.Equal(1u << 5, _rig.Port(AhciRig.PxSACT));
        Assert.Equal(0x4041u, _rig.Port(AhciRig.PxTFD) & 0xff41);
        _disk.Fail = BlockStatus.Ok;
        // Nothing goes on until the list is started again.
        _rig.Prepare(0, 0x25, 0, 1, buffers: (data, 512));
        _rig.Issue(1);
        Assert.Equal(1u, _rig.Port(AhciRig.PxCI));
        _rig.Stop();
        Assert.Equal((0u, 0u), (_rig.Port(AhciRig.PxCI), _rig.Port(AhciRig.PxSACT)));
        Assert.Equal(0u, _rig.Port(AhciRig.PxCMD) & 0x8000);
        _rig.Start();
        _rig.Prepare(0, 0x2f, 0x10, 1, buffers: (data, 512));
        _rig.Issue(1);
        byte[] log = _rig.Memory.Read(data, 512);
        Assert.Equal((5, 0x40, 0x23, 0x01), (log[0], log[3], log[4], log[5]));
        Assert.Equal(0, log.Sum(b => b) & 0xff);
    }

    [Fact]
    public void An_address_past_the_end_is_an_error_and_keeps_the_slot()
    {
        ulong data = _rig.Memory.Allocate(1024);
        _rig.Prepare(3, 0x25, Megabyte / 512 - 1, 2, buffers: (data, 1024));
        _rig.Issue(1 << 3);
        Assert.Equal(1u << 3, _rig.Port(AhciRig.PxCI));
        Assert.Equal(0x1051u, _rig.Port(AhciRig.PxTFD)); // IDNF
        Assert.Equal(0x4000_0001u, _rig.Port(AhciRig.PxIS));
    }

    [Fact]
    public void A_list_that_stops_while_a_command_is_at_the_disk_runs_until_it_is_back()
    {
        _disk.Deferred = true;
        ulong data = _rig.Memory.Allocate(512);
        _rig.Prepare(0, 0x25, 0, 1, buffers: (data, 512));
        _rig.Issue(1);
        Assert.Equal(0x80u, _rig.Port(AhciRig.PxTFD) & 0x80);
        _rig.Stop();
        Assert.NotEqual(0u, _rig.Port(AhciRig.PxCMD) & 0x8000);
        Assert.True(_disk.CompleteOne(new Random(4)));
        // The continuation runs on another thread.
        Assert.True(SpinWait.SpinUntil(() => (_rig.Port(AhciRig.PxCMD) & 0x8000) == 0, Patience));
        Assert.Equal(0u, _rig.Port(AhciRig.PxIS));
    }

    [Fact]
    public void Memory_that_is_no_RAM_is_a_bus_error()
    {
        _rig.Prepare(0, 0x25, 0, 1, buffers: (0x1000, 512));
        _rig.Issue(1);
        Assert.Equal(1u << 29, _rig.Port(AhciRig.PxIS));
        _rig.Stop();
        _rig.Start();
        ulong data = _rig.Memory.Allocate(512);
        _rig.Prepare(0, 0x25, 0, 2, buffers: (data, 512));
        _rig.Issue(1);
        Assert.NotEqual(0u, _rig.Port(AhciRig.PxIS) & 1 << 24); // overflow
    }

    [Fact]
    public void Trim_discards_ranges()
    {
        byte[] ranges = new byte[512];
        BinaryPrimitives.WriteUInt64LittleEndian(ranges, 8 | 16UL << 48);
        BinaryPrimitives.WriteUInt64LittleEndian(ranges.AsSpan(8), 1000 | 1UL << 48);
        _rig.Prepare(0, 0x06, 0, 1, feature: 1, write: true, buffers: (_rig.Memory.Place(ranges), 512));
        _rig.Issue(1);
        Assert.Equal([(8 * 512, 16 * 512), (1000 * 512, 512)], _disk.Discards);
        Assert.Equal(0u, _rig.Port(AhciRig.PxTFD) & 1);
    }

    [Fact]
    public void A_reset_of_the_link_brings_the_signature()
    {
        _rig.Stop();
        _rig.Port(AhciRig.PxSCTL, 1);
        Assert.Equal(0u, _rig.Port(AhciRig.PxSSTS));
        _rig.Memory.Write(_rig.Received, new byte[256]);
        _rig.Port(AhciRig.PxSCTL, 0);
        Assert.Equal(0x123u, _rig.Port(AhciRig.PxSSTS));
        Assert.NotEqual(0u, _rig.Port(AhciRig.PxSERR) & 1 << 26);
        Assert.NotEqual(0u, _rig.Port(AhciRig.PxIS) & 1 << 6);
        byte[] fis = _rig.Frame(0x40, 20);
        Assert.Equal((0x34, 1, 1, 1), (fis[0], fis[3], fis[4], fis[12]));
        // Software reset: two control frames.
        _rig.Start();
        _rig.Prepare(0, 0);
        _rig.Memory.Write(_rig.Table + 1, [0]);
        _rig.Memory.Write(_rig.Table + 15, [4]);
        _rig.Issue(1);
        Assert.Equal(0u, _rig.Port(AhciRig.PxCI));
        _rig.Memory.Write(_rig.Table + 15, [0]);
        _rig.Memory.Write(_rig.Received, new byte[256]);
        _rig.Issue(1);
        Assert.Equal(0x34, _rig.Frame(0x40, 1)[0]);
    }

    [Fact]
    public void Without_bus_mastering_nothing_happens()
    {
        ulong data = _rig.Memory.Allocate(512);
        _rig.Hba.WriteConfig(4, 2, 2);
        _rig.Prepare(0, 0x25, 0, 1, buffers: (data, 512));
        _rig.Issue(1);
        Assert.Equal(1u, _rig.Port(AhciRig.PxCI));
        _rig.Hba.WriteConfig(4, 2, 6);
        Assert.Equal(0u, _rig.Port(AhciRig.PxCI));
        Assert.True(Sectors(0, 1).SequenceEqual(_rig.Memory.Read(data, 512)));
    }

    [Fact]
    public void A_message_takes_the_wires_place()
    {
        var messages = new InterruptProbe();
        using var rig = new AhciRig(messages, 0, new AtaDisk(new TestDisk(1 << 16)));
        // The capability list has MSI: 64-bit, one message.
        int at = (int)rig.Hba.ReadConfig(0x34, 1);
        while (rig.Hba.ReadConfig(at, 1) != 5)
            at = (int)rig.Hba.ReadConfig(at + 1, 1);
        Assert.Equal(0x80u, rig.Hba.ReadConfig(at + 2, 2));
        rig.Hba.WriteConfig(at + 4, 4, 0xfee0_1000);
        rig.Hba.WriteConfig(at + 12, 2, 0x4051);
        rig.Start();
        ulong data = rig.Memory.Allocate(512);
        rig.Prepare(0, 0xec, buffers: (data, 512));
        rig.Issue(1);
        Assert.True(rig.Interrupt);
        Assert.Empty(messages.TakeMessages());
        rig.Hba.WriteConfig(at + 2, 2, 1);
        Assert.False(rig.Interrupt);
        // Cleared at the port and then at the controller, it is over; asked again before that, it begins anew.
        rig.Port(AhciRig.PxIS, uint.MaxValue);
        rig.Set(AhciRig.IS, 1);
        Assert.Empty(messages.TakeMessages());
        rig.Hba.WriteConfig(4, 2, 6);
        rig.Issue(1);
        Assert.Equal([(0xfee0_1000ul, 0x4051u)], messages.TakeMessages());
        rig.Set(AhciRig.IS, 1);
        Assert.Equal([(0xfee0_1000ul, 0x4051u)], messages.TakeMessages());
        Assert.False(rig.Interrupt);
        rig.Port(AhciRig.PxIS, uint.MaxValue);
        rig.Set(AhciRig.IS, 1);
        Assert.Empty(messages.TakeMessages());
    }
}
