using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Scsi;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Scsi;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Virtio;

/// <summary>The SCSI host of virtio 1.2, section 5.6, with a disk (SBC-3) as target 0 and a CD drive (MMC-6) as target 1.</summary>
public sealed class ScsiTests
{
    private const int Ok = 0, Overrun = 1, BadTarget = 3, Succeeded = 10, Rejected = 11, IncorrectLun = 12;
    private static readonly Way s_way = new("mmio", false, true, true);

    private readonly TestDisk _disk = new(1 << 20), _disc = new(64 * 2048, readOnly: true);
    private VirtioScsi _host = null!;

    private sealed record Result(int Response, int Status, uint Residual, byte[] Sense, byte[] Data)
    {
        public (int Key, int Asc) Why => Sense.Length == 0 ? default : (Sense[2], Sense[12]);
    }

    private Rig Start(Way way, bool ready = true)
    {
        Rig rig = Rig.Start(way, (m, log) => _host = new VirtioScsi(m.Space, [new ScsiDisk(_disk, "DISK1"), new ScsiCdrom(_disc, "DISC1")], 1, Rig.Options, log), 3, ScsiFeature.Change);
        for (byte target = 0; ready && target < 2; target++)
            Assert.Equal((6, 0x29), Run(rig, [0], target: target).Why); // power-on, once
        return rig;
    }

    private static byte[] Lun(byte target, ushort unit = 0) => [1, target, (byte)(0x40 | unit >> 8), (byte)unit, 0, 0, 0, 0];

    private static (int Id, Piece Response, Piece? In) Add(Rig rig, byte[] cdb, byte[]? output = null, int room = 0, byte target = 0, ushort unit = 0, ulong id = 1)
    {
        byte[] head = new byte[19 + 32];
        Lun(target, unit).CopyTo(head, 0);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(8), id);
        cdb.CopyTo(head, 19);
        Piece response = rig.Writable(12 + 96);
        List<Piece> pieces = [rig.Readable(head)];
        if (output is not null)
            pieces.Add(rig.Readable(output));
        pieces.Add(response);
        Piece? input = room == 0 ? null : rig.Writable(room);
        if (input is { } piece)
            pieces.Add(piece);
        DriverQueue q = rig.Driver.Queues[2];
        int number = q.Add(false, [.. pieces]);
        q.Kick();
        return (number, response, input);
    }

    private static Result Read(Rig rig, Piece response, Piece? input)
    {
        byte[] bytes = rig.Content(response);
        uint residual = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4));
        byte[] data = input is { } piece ? rig.Content(piece) : [];
        return new(bytes[11], bytes[10], residual, bytes[12..(12 + BinaryPrimitives.ReadInt32LittleEndian(bytes))], data.Length == 0 ? data : data[..^(int)residual]);
    }

    private static Result Run(Rig rig, byte[] cdb, byte[]? output = null, int room = 0, byte target = 0, ushort unit = 0)
    {
        (int id, Piece response, Piece? input) = Add(rig, cdb, output, room, target, unit);
        Used used = rig.Driver.Queues[2].Wait();
        Assert.Equal(id, used.Id);
        Result result = Read(rig, response, input);
        Assert.Equal(12u + 96 + (uint)result.Data.Length, used.Length);
        return result;
    }

    private static byte[] Good(Rig rig, byte[] cdb, byte[]? output = null, int room = 0, byte target = 0)
    {
        Result result = Run(rig, cdb, output, room, target);
        Assert.Equal((Ok, 0, (0, 0)), (result.Response, result.Status, result.Why));
        return result.Data;
    }

    private static int Manage(Rig rig, uint function, byte target = 0, ushort unit = 0, ulong id = 0)
    {
        (Piece answer, DriverQueue q) = BeginManage(rig, function, target, unit, id);
        q.Wait();
        return rig.Content(answer)[0];
    }

    private static (Piece, DriverQueue) BeginManage(Rig rig, uint function, byte target = 0, ushort unit = 0, ulong id = 0)
    {
        byte[] head = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), function);
        Lun(target, unit).CopyTo(head, 8);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(16), id);
        Piece answer = rig.Writable(1);
        DriverQueue q = rig.Driver.Queues[0];
        q.Add(false, rig.Readable(head), answer);
        q.Kick();
        return (answer, q);
    }

    private static byte[] Pattern(int length)
    {
        byte[] bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        return bytes;
    }

    [Theory]
    [MemberData(nameof(Way.All), MemberType = typeof(Way))]
    public void Reads_and_writes_of_every_length_of_command(Way way)
    {
        using Rig rig = Start(way);
        byte[] data = Pattern(1024);
        (byte[] Write, byte[] Read)[] commands =
        [
            ([0x0a, 0, 1, 2, 2], [0x08, 0, 1, 2, 2]),
            ([0x2a, 0, 0, 0, 1, 3, 0, 0, 2], [0x28, 0, 0, 0, 1, 3, 0, 0, 2]),
            ([0xaa, 0, 0, 0, 1, 4, 0, 0, 0, 2], [0xa8, 0, 0, 0, 1, 4, 0, 0, 0, 2]),
            ([0x8a, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 2], [0x88, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 2]),
            ([0x2e, 0, 0, 0, 1, 6, 0, 0, 2], [0x28, 0x18, 0, 0, 1, 6, 0, 0, 2]),
        ];
        int block = 0x102;
        foreach ((byte[] write, byte[] read) in commands)
        {
            data[0]++;
            Good(rig, write, data);
            Assert.Equal(data, _disk.Content.AsSpan(block++ * 512, 1024).ToArray());
            Assert.Equal(data, Good(rig, read, room: 1024));
        }
        Assert.False(rig.NeedsReset);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_said()
    {
        using Rig rig = Start(s_way);
        Assert.Equal(Overrun, Run(rig, [0x28, 0, 0, 0, 0, 0, 0, 0, 2], room: 1000).Response);
        Assert.Equal(Overrun, Run(rig, [0x2a, 0, 0, 0, 0, 0, 0, 0, 2], new byte[1023]).Response);
        Assert.Equal(76u, Run(rig, [0x28, 0, 0, 0, 0, 0, 0, 0, 1], room: 588).Residual);
        // 256 blocks by READ(6).
        Assert.Equal(256 * 512, Good(rig, [0x08, 0, 0, 0, 0], room: 256 * 512).Length);
        Assert.Equal((5, 0x21), Run(rig, [0x28, 0, 0, 0, 0x07, 0xff, 0, 0, 2], room: 1024).Why);
        Assert.Equal((5, 0x24), Run(rig, [0x28, 0x20, 0, 0, 0, 0, 0, 0, 1], room: 512).Why);
        Assert.Equal((5, 0x20), Run(rig, [0xff]).Why);
    }

    [Fact]
    public void Force_unit_access_and_a_disabled_cache_flush()
    {
        using Rig rig = Start(s_way);
        Good(rig, [0x2a, 0, 0, 0, 0, 0, 0, 0, 1], new byte[512]);
        Assert.Equal(0, _disk.Flushes);
        Good(rig, [0x2a, 8, 0, 0, 0, 0, 0, 0, 1], new byte[512]);
        Assert.Equal(1, _disk.Flushes);
        Good(rig, [0x35]);
        Assert.Equal(2, _disk.Flushes);
        Assert.Equal(4, Good(rig, [0x1a, 8, 8, 0, 100], room: 100)[6] & 4);
        byte[] list = [0, 0, 0, 0, 8, 18, .. new byte[18]];
        Good(rig, [0x15, 0x10, 0, 0, (byte)list.Length], list);
        Assert.Equal(0, Good(rig, [0x1a, 8, 8, 0, 100], room: 100)[6] & 4);
        Good(rig, [0x2a, 0, 0, 0, 0, 0, 0, 0, 1], new byte[512]);
        Assert.Equal(3, _disk.Flushes);
        Assert.Equal((5, 0x26), Run(rig, [0x15, 0x10, 0, 0, 8], [0, 0, 0, 0, 0x3f, 2, 0, 0]).Why);
    }

    [Fact]
    public void What_it_says_about_itself()
    {
        using Rig rig = Start(s_way);
        byte[] inquiry = Good(rig, [0x12, 0, 0, 0, 96], room: 96);
        Assert.Equal((0, 0, 36), (inquiry[0], inquiry[1], inquiry.Length));
        Assert.Equal("MYNA    MYNA DISK       1.0 ", Encoding.ASCII.GetString(inquiry, 8, 28));
        Assert.Equal([0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2], Good(rig, [0x12, 1, 0, 0, 255], room: 255));
        Assert.Equal("DISK1", Encoding.ASCII.GetString(Good(rig, [0x12, 1, 0x80, 0, 255], room: 255), 4, 5));
        foreach (byte page in new byte[] { 0x83, 0xb0, 0xb1, 0xb2 })
        {
            byte[] answer = Good(rig, [0x12, 1, page, 0, 255], room: 255);
            Assert.Equal((page, answer.Length - 4), (answer[1], answer[2] << 8 | answer[3]));
        }
        Assert.Equal((5, 0x24), Run(rig, [0x12, 1, 0xb9, 0, 255], room: 255).Why);
        byte[] capacity = Good(rig, [0x25], room: 8);
        Assert.Equal((2047, 512), (BinaryPrimitives.ReadInt32BigEndian(capacity), BinaryPrimitives.ReadInt32BigEndian(capacity.AsSpan(4))));
        byte[] wide = Good(rig, [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32], room: 32);
        Assert.Equal((2047ul, 0x80), (BinaryPrimitives.ReadUInt64BigEndian(wide), wide[14] & 0x80));
        Assert.Equal([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Good(rig, [0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64], room: 64));
        byte[] modes = Good(rig, [0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0], room: 256);
        Assert.Equal((modes.Length - 2, 8), (modes[0] << 8 | modes[1], modes[7]));
        Assert.Equal((5, 0x80), (Good(rig, [0x12, 0, 0, 0, 36], room: 36, target: 1)[0], Good(rig, [0x12, 0, 0, 0, 36], room: 36, target: 1)[1]));
    }

    [Fact]
    public void Targets_and_units_that_are_not_there()
    {
        using Rig rig = Start(s_way);
        Assert.Equal(BadTarget, Run(rig, [0], target: 2).Response);
        Assert.Equal((5, 0x25), Run(rig, [0], unit: 1).Why);
        Assert.Equal(0x7f, Run(rig, [0x12, 0, 0, 0, 36], room: 36, unit: 1).Data[0]);
        Assert.Equal(1ul, rig.Driver.ReadConfig(30, 2));
        Assert.Equal(0ul, rig.Driver.ReadConfig(32, 4));
    }

    [Fact]
    public void Unmap_and_write_same()
    {
        using Rig rig = Start(s_way);
        byte[] list = [0, 38, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 8, 0, 0, 0, 0];
        Good(rig, [0x42, 0, 0, 0, 0, 0, 0, 0, 40], list);
        Assert.Equal([(8ul * 512, 16ul * 512), (64ul * 512, 8ul * 512)], _disk.Discards);
        list[30] = 0x10;
        Assert.Equal((5, 0x21), Run(rig, [0x42, 0, 0, 0, 0, 0, 0, 0, 40], list).Why);
        byte[] pattern = Pattern(512);
        Good(rig, [0x41, 0, 0, 0, 0, 100, 0, 0, 200], pattern);
        for (int i = 100; i < 300; i++)
            Assert.Equal(pattern, _disk.Content.AsSpan(i * 512, 512).ToArray());
        Assert.Equal(new byte[512], _disk.Content.AsSpan(300 * 512, 512).ToArray());
        Good(rig, [0x93, 8, 0, 0, 0, 0, 0, 0, 0, 101, 0, 0, 0, 50], new byte[512]);
        Assert.Equal(-1, _disk.Content.AsSpan(101 * 512, 50 * 512).IndexOfAnyExcept((byte)0));
        Assert.Equal(pattern, _disk.Content.AsSpan(100 * 512, 512).ToArray());
        Assert.Equal((5, 0x24), Run(rig, [0x41, 0, 0, 0, 0, 100, 0, 0, 0], pattern).Why);
    }

    [Fact]
    public void Failures_of_the_host_are_sense_data()
    {
        using Rig rig = Start(s_way);
        _disk.Fail = BlockStatus.IoError;
        Assert.Equal((3, 0x11), Run(rig, [0x28, 0, 0, 0, 0, 0, 0, 0, 1], room: 512).Why);
        Assert.Equal((3, 0x0c), Run(rig, [0x2a, 0, 0, 0, 0, 0, 0, 0, 1], new byte[512]).Why);
        _disk.Fail = BlockStatus.NoSpace;
        Assert.Equal((7, 0x27), Run(rig, [0x2a, 0, 0, 0, 0, 0, 0, 0, 1], new byte[512]).Why);
        _disk.Fail = BlockStatus.Ok;
        // Brought with the command, it is not kept for REQUEST SENSE.
        Assert.Equal(0, Good(rig, [0x03, 0, 0, 0, 18], room: 18)[2]);
    }

    [Fact]
    public void Task_management_awaits_what_is_under_way()
    {
        using Rig rig = Start(s_way);
        Assert.Equal(Ok, Manage(rig, 0, id: 77));
        _disk.Deferred = true;
        (_, Piece response, Piece? input) = Add(rig, [0x28, 0, 0, 0, 0, 0, 0, 0, 1], room: 512, id: 77);
        (Piece, Piece?, int) other = Other();
        Assert.Equal(Succeeded, Manage(rig, 6, id: 77));
        Assert.Equal(Ok, Manage(rig, 6, id: 78));
        Assert.Equal(Succeeded, Manage(rig, 7));
        Assert.Equal(Ok, Manage(rig, 7, target: 1));
        Assert.Equal(BadTarget, Manage(rig, 0, target: 9));
        Assert.Equal(IncorrectLun, Manage(rig, 0, unit: 3));
        Assert.Equal(Rejected, Manage(rig, 2));
        (Piece answer, DriverQueue q) = BeginManage(rig, 5);
        Assert.Null(q.Take());
        _disk.CompleteOne(new Random(0));
        Assert.Null(q.Take());
        _disk.CompleteOne(new Random(0));
        q.Wait();
        Assert.Equal(Ok, rig.Content(answer)[0]);
        rig.Driver.Queues[2].Wait();
        rig.Driver.Queues[2].Wait();
        Assert.Equal(0, Read(rig, response, input).Status);
        Assert.Equal(0, Read(rig, other.Item1, other.Item2).Status);
        _disk.Deferred = false;
        // The unit was reset.
        Assert.Equal((6, 0x29), Run(rig, [0]).Why);

        (Piece, Piece?, int) Other()
        {
            (int number, Piece r, Piece? i) = Add(rig, [0x28, 0, 0, 0, 0, 1, 0, 0, 1], room: 512, id: 79);
            return (r, i, number);
        }
    }

    [Fact]
    public void A_new_disc_is_an_event_and_a_unit_attention()
    {
        using Rig rig = Start(s_way);
        DriverQueue q = rig.Driver.Queues[1];
        Assert.True(_host.ExchangeMedium(1, new TestDisk(2048, readOnly: true), force: false));
        Piece buffer = rig.Writable(16);
        q.Add(false, buffer);
        q.Kick();
        q.Wait();
        // It came before there was a buffer.
        Assert.Equal([0, 0, 0, 0x80, .. new byte[12]], rig.Content(buffer));
        Assert.Equal((6, 0x28), Run(rig, [0], target: 1).Why);
        q.Add(false, buffer);
        q.Kick();
        Assert.True(_host.ExchangeMedium(1, null, force: false));
        q.Wait();
        Assert.Equal([3, 0, 0, 0, 1, 1, 0x40, 0, 0, 0, 0, 0, 0x28, 0, 0, 0], rig.Content(buffer));
        Assert.Equal((2, 0x3a), Run(rig, [0], target: 1).Why);
    }

    [Fact]
    public void Requests_that_cannot_be_answered_need_a_reset()
    {
        using (Rig rig = Start(s_way))
        {
            rig.Driver.Queues[2].Add(false, rig.Readable(new byte[51]), rig.Writable(107));
            rig.Driver.Notify(2);
            Assert.True(rig.NeedsReset);
        }
        using (Rig rig = Start(s_way))
        {
            rig.Driver.Queues[0].Add(false, rig.Readable([9, 0, 0, 0]), rig.Writable(5));
            rig.Driver.Notify(0);
            Assert.True(rig.NeedsReset);
        }
    }
}
