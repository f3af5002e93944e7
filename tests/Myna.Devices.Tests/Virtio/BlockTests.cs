using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Block;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Virtio;

public sealed class BlockTests
{
    private const ulong AllFeatures = BlockFeature.Flush | BlockFeature.Discard | BlockFeature.WriteZeroes | BlockFeature.Mq | BlockFeature.ReadOnly
        | BlockFeature.SegMax | BlockFeature.BlkSize | BlockFeature.Topology;

    [Theory]
    [MemberData(nameof(Way.All), MemberType = typeof(Way))]
    public void Reads_and_writes_reach_the_disk(Way way)
    {
        var disk = new TestDisk(1 << 20);
        using Rig rig = Start(way, disk);
        DriverQueue q = rig.Driver.Queues[0];
        byte[] data = Pattern(4096 + 512);
        // More rounds than the ring has entries, so that indices and wrap counters turn over.
        for (int round = 0; round < 300; round++)
        {
            q.EnableInterrupts();
            Piece status = rig.Writable(1);
            ulong sector = (ulong)round % 16;
            data[0] = (byte)round;
            Used used = q.Run(way.Indirect, Header(rig, 1, sector), rig.Readable(data.AsSpan(0, 4096)), rig.Readable(data.AsSpan(4096)), status);
            Assert.Equal((byte)0, rig.Content(status)[0]);
            Assert.Equal(1u, used.Length);
            Assert.Equal(1, rig.Driver.TakeInterrupts() & 1);
            Assert.Equal(data, disk.Content.AsSpan((int)sector * 512, data.Length).ToArray());
            if (round % 10 != 0)
                continue;
            q.EnableInterrupts();
            Piece a = rig.Writable(512), b = rig.Writable(4096);
            used = q.Run(way.Indirect, Header(rig, 0, sector), a, b, status);
            Assert.Equal(4096u + 512 + 1, used.Length);
            Assert.Equal(data, rig.Content(a).Concat(rig.Content(b)));
            Assert.Equal(1, rig.Driver.TakeInterrupts() & 1);
        }
        Assert.False(rig.NeedsReset);
    }

    [Theory]
    [MemberData(nameof(Way.Rings), MemberType = typeof(Way))]
    public void Requests_complete_in_any_order(Way way)
    {
        var disk = new TestDisk(1 << 20) { Deferred = true };
        new Random(1).NextBytes(disk.Content);
        using Rig rig = Start(way, disk);
        DriverQueue q = rig.Driver.Queues[0];
        var random = new Random(2);
        var flying = new Dictionary<int, (Piece Data, ulong Sector)>();
        for (int round = 0; round < 500; round++)
        {
            if (flying.Count < 20 && random.Next(2) == 0)
            {
                Piece data = rig.Writable(512 * random.Next(1, 4)), status = rig.Writable(1);
                ulong sector = (ulong)random.Next(100);
                flying.Add(q.Add(way.Indirect && random.Next(2) == 0, Header(rig, 0, sector), data, status), (data, sector));
                q.Kick();
            }
            else
            {
                if (disk.Pending == 0)
                    continue;
                disk.CompleteOne(random);
                Used used = q.Wait();
                Assert.True(flying.Remove(used.Id, out var request));
                Assert.Equal((uint)request.Data.Length + 1, used.Length);
                Assert.Equal(disk.Content.AsSpan((int)request.Sector * 512, request.Data.Length).ToArray(), rig.Content(request.Data));
            }
            Assert.Equal(flying.Count, disk.Pending);
        }
        while (disk.Pending != 0)
            disk.CompleteOne(random);
        rig.Device.Drain();
    }

    [Fact]
    public void Buffers_may_be_cut_anywhere()
    {
        // Section 2.6.4: no assumption on framing.
        var disk = new TestDisk(1 << 20);
        using Rig rig = Start(new Way("mmio", false, false, false), disk);
        DriverQueue q = rig.Driver.Queues[0];
        byte[] data = Pattern(512), header = HeaderBytes(1, 3);
        Piece status = rig.Writable(1);
        q.Run(false, rig.Readable(header.AsSpan(0, 5)), rig.Readable([.. header.AsSpan(5), .. data.AsSpan(0, 100)]), rig.Readable(data.AsSpan(100)), status);
        Assert.Equal(data, disk.Content.AsSpan(3 * 512, 512).ToArray());
        Piece a = rig.Writable(7), b = rig.Writable(500), c = rig.Writable(6);
        Used used = q.Run(false, Header(rig, 0, 3), a, b, c);
        Assert.Equal(513u, used.Length);
        Assert.Equal(data.Append((byte)0), rig.Content(a).Concat(rig.Content(b)).Concat(rig.Content(c)));
    }

    [Fact]
    public void Identity_is_the_serial_number()
    {
        using Rig rig = Start(new Way("mmio", false, false, false), new TestDisk(1 << 20), "serial-7");
        Piece id = rig.Writable(20), status = rig.Writable(1);
        rig.Driver.Queues[0].Run(false, Header(rig, 8, 0), id, status);
        Assert.Equal("serial-7" + new string('\0', 12), Encoding.ASCII.GetString(rig.Content(id)));
        Assert.Equal(0, rig.Content(status)[0]);
    }

    [Theory]
    [InlineData(0u, 2048ul, 512)]
    [InlineData(0u, 2047ul, 1024)]
    [InlineData(0u, ulong.MaxValue, 512)]
    [InlineData(0u, 1ul << 55, 512)]
    [InlineData(0u, 0ul, 100)]
    [InlineData(0u, 0ul, 0)]
    public void A_read_outside_the_disk_is_an_error(uint type, ulong sector, int length)
    {
        using Rig rig = Start(new Way("mmio", false, false, false), new TestDisk(1 << 20));
        Piece data = rig.Writable(length), status = rig.Writable(1);
        rig.Driver.Queues[0].Run(false, Header(rig, type, sector), data, status);
        Assert.Equal(1, rig.Content(status)[0]);
        Assert.False(rig.NeedsReset);
    }

    [Fact]
    public void Errors_of_the_host_and_unknown_requests_are_reported()
    {
        var disk = new TestDisk(1 << 20) { Fail = BlockStatus.IoError };
        using Rig rig = Start(new Way("mmio", true, true, true), disk);
        DriverQueue q = rig.Driver.Queues[0];
        Assert.Equal(1, Simple(rig, q, 0, 0, new byte[0], 512));
        Assert.Equal(1, Simple(rig, q, 4, 0, [], 0));
        disk.Fail = BlockStatus.Ok;
        Assert.Equal(2, Simple(rig, q, 77, 0, [], 0));
        Assert.Equal(0, Simple(rig, q, 4, 0, [], 0));
        Assert.Equal(2, disk.Flushes);
    }

    [Fact]
    public void A_read_only_disk_says_so_and_refuses_writes()
    {
        using Rig rig = Start(new Way("mmio", false, true, true), new TestDisk(4096, readOnly: true));
        Assert.True((rig.Driver.Features & BlockFeature.ReadOnly) != 0);
        Assert.True((rig.Driver.ReadDeviceFeatures() & (BlockFeature.Discard | BlockFeature.WriteZeroes)) == 0);
        Assert.Equal(1, Simple(rig, rig.Driver.Queues[0], 1, 0, new byte[512], 0));
        Assert.Equal(1, Simple(rig, rig.Driver.Queues[0], 13, 0, Range(0, 1, 0), 0));
    }

    [Fact]
    public void Without_flush_a_write_is_on_stable_storage_when_it_completes()
    {
        var disk = new TestDisk(1 << 20);
        using Rig rig = Rig.Start(new Way("mmio", false, true, true), (m, log) => new VirtioBlock(m.Space, disk, "", 1, Rig.Options, log), 1);
        Assert.Equal(0, Simple(rig, rig.Driver.Queues[0], 1, 0, new byte[512], 0));
        Assert.Equal(1, disk.Flushes);
        using Rig other = Start(new Way("mmio", false, true, true), disk);
        Assert.Equal(0, Simple(other, other.Driver.Queues[0], 1, 0, new byte[512], 0));
        Assert.Equal(1, disk.Flushes);
    }

    [Fact]
    public void Discard_and_write_zeroes_follow_their_ranges()
    {
        var disk = new TestDisk(1 << 20);
        using Rig rig = Start(new Way("mmio", false, true, true), disk);
        DriverQueue q = rig.Driver.Queues[0];
        Array.Fill(disk.Content, (byte)7);
        Assert.Equal(0, Simple(rig, q, 13, 0, [.. Range(2, 3, 1), .. Range(10, 1, 0)], 0));
        for (int sector = 0; sector < 20; sector++)
            Assert.Equal(sector is 2 or 3 or 4 or 10 ? 0 : 7, disk.Content[sector * 512 + 511]);
        Assert.Equal(0, Simple(rig, q, 11, 0, Range(0, 8, 0), 0));
        Assert.Equal([(0ul, 4096ul)], disk.Discards);
        // Section 5.2.6.2: unmap is for write zeroes only, other flags for nothing.
        Assert.Equal(2, Simple(rig, q, 11, 0, Range(0, 8, 1), 0));
        Assert.Equal(2, Simple(rig, q, 13, 0, Range(0, 8, 2), 0));
        Assert.Equal(1, Simple(rig, q, 11, 0, Range(2040, 9, 0), 0));
        Assert.Equal(1, Simple(rig, q, 11, 0, Range(ulong.MaxValue, uint.MaxValue, 0), 0));
        Assert.Equal(1, Simple(rig, q, 11, 0, new byte[15], 0));
        Assert.Equal(1, Simple(rig, q, 11, 0, [], 0));
        Assert.Single(disk.Discards);
    }

    [Fact]
    public void Configuration_has_the_specified_layout()
    {
        using Rig rig = Rig.Start(new Way("pci", false, true, true), (m, log) => new VirtioBlock(m.Space, new TestDisk(5 << 20), "", 4, Rig.Options, log), 4, AllFeatures);
        Assert.Equal(5ul << 20 >> 9, rig.Driver.ReadConfig(0, 8));
        Assert.Equal(5ul << 20 >> 9, rig.Driver.ReadConfig(0, 4));
        Assert.Equal(254ul, rig.Driver.ReadConfig(12, 4));
        Assert.Equal(512ul, rig.Driver.ReadConfig(20, 4));
        Assert.Equal(3ul, rig.Driver.ReadConfig(24, 1));
        Assert.Equal(4ul, rig.Driver.ReadConfig(34, 2));
        Assert.Equal(1ul, rig.Driver.ReadConfig(56, 1));
        Assert.Equal(0ul, rig.Driver.ReadConfig(60, 4));
        Assert.Equal(0ul, rig.Driver.ReadConfig(0xff0, 8));
    }

    [Fact]
    public void Every_queue_works_at_the_same_time()
    {
        var disk = new TestDisk(1 << 20);
        using Rig rig = Rig.Start(new Way("msix", false, true, true), (m, log) => new VirtioBlock(m.Space, disk, "", 4, Rig.Options, log), 4, AllFeatures);
        var threads = new List<Thread>();
        var failures = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        var requests = new (Piece Header, Piece Data, Piece Status)[4];
        for (int i = 0; i < 4; i++)
            requests[i] = (Header(rig, 1, (ulong)i), rig.Readable(Pattern(512, i)), rig.Writable(1));
        for (int i = 0; i < 4; i++)
        {
            int n = i;
            threads.Add(new Thread(() =>
            {
                try
                {
                    for (int round = 0; round < 500; round++)
                    {
                        rig.Driver.Queues[n].Add(false, requests[n].Header, requests[n].Data, requests[n].Status);
                        rig.Pci!.Device.Notify((uint)n);
                        rig.Driver.Queues[n].Wait();
                    }
                }
                catch (Exception e)
                {
                    failures.Enqueue(e);
                }
            }));
        }
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.Empty(failures);
        for (int i = 0; i < 4; i++)
            Assert.Equal(Pattern(512, i), disk.Content.AsSpan(i * 512, 512).ToArray());
        var vectors = rig.Probe.TakeMessages().Select(m => m.Data).Distinct().Order();
        Assert.Equal(new uint[] { 1, 2, 3, 4 }, vectors.ToArray());
    }

    [Fact]
    public void A_reset_waits_for_requests_under_way_and_forgets_them()
    {
        var disk = new TestDisk(1 << 20) { Deferred = true };
        using Rig rig = Start(new Way("mmio", false, true, true), disk);
        DriverQueue q = rig.Driver.Queues[0];
        Piece status = rig.Writable(1);
        q.Add(false, Header(rig, 1, 0), rig.Readable(new byte[512]), status);
        q.Kick();
        Assert.Equal(1, disk.Pending);
        var reset = new Thread(() => rig.Driver.Status = 0);
        reset.Start();
        Assert.False(reset.Join(50));
        disk.CompleteOne(new Random(1));
        reset.Join();
        Assert.Equal(0u, rig.Driver.Status);
        Assert.Null(q.Take());
        Assert.Equal(0, rig.Driver.TakeInterrupts());
        disk.Deferred = false;
        rig.Driver.Queues.Clear();
        rig.Driver.Start(AllFeatures, 1);
        Assert.Equal(0, Simple(rig, rig.Driver.Queues[0], 1, 0, new byte[512], 0));
    }

    [Fact]
    public void A_request_of_a_queue_disabled_meanwhile_is_forgotten()
    {
        var disk = new TestDisk(1 << 20) { Deferred = true };
        using Rig rig = Start(new Way("mmio", false, true, true), disk);
        DriverQueue q = rig.Driver.Queues[0];
        q.Add(false, Header(rig, 1, 0), rig.Readable(new byte[512]), rig.Writable(1));
        q.Kick();
        var mmio = (MmioDriver)rig.Driver;
        mmio.Set(0x44, 0);
        Assert.Equal(0u, mmio.Get(0x44));
        mmio.Set(0x44, 1);
        disk.CompleteOne(new Random(1));
        rig.Device.Drain();
        Assert.Null(q.Take());
    }

    [Fact]
    public void A_request_without_header_or_status_stops_the_device()
    {
        using Rig rig = Start(new Way("mmio", false, true, true), new TestDisk(1 << 20));
        DriverQueue q = rig.Driver.Queues[0];
        q.Add(false, rig.Readable(new byte[15]), rig.Writable(1));
        q.Kick();
        Assert.True(rig.NeedsReset);
        Assert.Contains(rig.Messages, m => m.Contains("without header"));
        Assert.Null(q.Take());
        Assert.Equal(2, rig.Driver.TakeInterrupts());
        rig.Driver.Queues.Clear();
        rig.Driver.Start(AllFeatures, 1);
        Assert.Equal(0, Simple(rig, rig.Driver.Queues[0], 1, 0, new byte[512], 0));
    }

    [Fact]
    public void A_request_on_the_warm_path_allocates_nothing()
    {
        var disk = new TestDisk(1 << 20);
        using Rig rig = Start(new Way("mmio", false, true, true), disk);
        var q = (SplitDriverQueue)rig.Driver.Queues[0];
        Piece header = Header(rig, 1, 0), data = rig.Readable(new byte[4096]), status = rig.Writable(1);
        q.Write(0, header.Address, 16, 1, 1);
        q.Write(1, data.Address, 4096, 1, 2);
        q.Write(2, status.Address, 1, 2, 0);
        for (int i = 0; i < 100; i++)
        {
            q.AddHead(0);
            rig.Device.Notify(0);
        }
        long allocated = 0;
        for (int i = 0; i < 1000; i++)
        {
            q.AddHead(0);
            long before = GC.GetAllocatedBytesForCurrentThread();
            rig.Device.Notify(0);
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        }
        // Room for a pool that grows once; not for an object each time.
        Assert.InRange(allocated, 0, 8000);
        Assert.Equal(1100, rig.Memory.Read16(q.DeviceArea + 2));
    }

    private static Rig Start(Way way, TestDisk disk, string serial = "")
        => Rig.Start(way, (m, log) => new VirtioBlock(m.Space, disk, serial, 1, Rig.Options, log), 1, AllFeatures);

    private static byte Simple(Rig rig, DriverQueue q, uint type, ulong sector, byte[] readable, int writable)
    {
        Piece status = rig.Writable(1);
        var pieces = new List<Piece> { Header(rig, type, sector) };
        if (readable.Length != 0)
            pieces.Add(rig.Readable(readable));
        if (writable != 0)
            pieces.Add(rig.Writable(writable));
        pieces.Add(status);
        q.Run(false, [.. pieces]);
        return rig.Content(status)[0];
    }

    private static Piece Header(Rig rig, uint type, ulong sector) => rig.Readable(HeaderBytes(type, sector));

    private static byte[] HeaderBytes(uint type, ulong sector)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), sector);
        return header;
    }

    private static byte[] Range(ulong sector, uint sectors, uint flags)
    {
        byte[] range = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(range, sector);
        BinaryPrimitives.WriteUInt32LittleEndian(range.AsSpan(8), sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(range.AsSpan(12), flags);
        return range;
    }

    private static byte[] Pattern(int length, int seed = 5)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
