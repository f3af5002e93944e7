using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Entropy;

namespace Myna.Devices.Tests.Virtio;

/// <summary>Rings driven wrong: the device needs a reset, the machine goes on, and after the reset all is well.</summary>
public sealed class QueueTests
{
    private const ulong Outside = 0x1000;

    public static TheoryData<string> SplitMistakes =>
    [
        "head out of range", "next out of range", "loop of one", "loop of two", "index jumps", "address outside", "address wraps",
        "half outside", "length absurd", "lengths overflow", "readable after writable", "indirect in table", "indirect with next",
        "indirect empty", "indirect odd", "indirect outside", "indirect huge", "indirect next out of range", "indirect loop",
    ];

    [Theory]
    [MemberData(nameof(SplitMistakes))]
    public void A_split_ring_driven_wrong_stops_the_device(string mistake)
    {
        using Rig rig = Start(new Way("mmio", false, true, true));
        var q = (SplitDriverQueue)rig.Driver.Queues[0];
        Piece good = rig.Writable(64);
        bool adds = true;
        switch (mistake)
        {
            case "head out of range": q.AddHead((ushort)q.Size); adds = false; break;
            case "next out of range": q.Write(0, good.Address, 64, 3, q.Size); break;
            case "loop of one": q.Write(0, good.Address, 64, 3, 0); break;
            case "loop of two": q.Write(0, good.Address, 64, 3, 1); q.Write(1, good.Address, 64, 3, 0); break;
            case "index jumps": q.SetAvailIdx((ushort)(q.Size + 1)); adds = false; break;
            case "address outside": q.Write(0, Outside, 64, 2, 0); break;
            case "address wraps": q.Write(0, ulong.MaxValue - 10, 64, 2, 0); break;
            case "half outside": q.Write(0, GuestMemory.Base + GuestMemory.Size - 32, 64, 2, 0); break;
            case "length absurd": q.Write(0, good.Address, -1, 2, 0); break;
            case "lengths overflow":
                for (int i = 0; i < q.Size; i++)
                    q.Write(i, GuestMemory.Base, 0x7fff_ffff, 3, i + 1);
                break;
            case "readable after writable": q.Write(0, good.Address, 64, 3, 1); q.Write(1, good.Address, 64, 0, 0); break;
            case "indirect in table": Indirect(rig, q, 1, [(good.Address, 64, 4, 0)]); break;
            case "indirect with next": Indirect(rig, q, 1, [(good.Address, 64, 2, 0)], 5); break;
            case "indirect empty": q.Write(0, good.Address, 0, 4, 0); break;
            case "indirect odd": q.Write(0, good.Address, 17, 4, 0); break;
            case "indirect outside": q.Write(0, Outside, 16, 4, 0); break;
            case "indirect huge": q.Write(0, GuestMemory.Base, 16 * 1025, 4, 0); break;
            case "indirect next out of range": Indirect(rig, q, 2, [(good.Address, 64, 3, 2), (good.Address, 64, 2, 0)]); break;
            case "indirect loop": Indirect(rig, q, 2, [(good.Address, 64, 3, 1), (good.Address, 64, 3, 0)]); break;
            default: throw new ArgumentException(mistake);
        }
        if (adds)
            q.AddHead(0);
        ExpectBroken(rig);
    }

    public static TheoryData<string> PackedMistakes =>
    [
        "endless chain", "address outside", "length absurd", "readable after writable", "indirect in table", "indirect with next",
        "indirect second", "indirect odd", "indirect outside", "indirect huge",
    ];

    [Theory]
    [MemberData(nameof(PackedMistakes))]
    public void A_packed_ring_driven_wrong_stops_the_device(string mistake)
    {
        using Rig rig = Start(new Way("mmio", true, true, true));
        DriverQueue q = rig.Driver.Queues[0];
        Piece good = rig.Writable(64);
        switch (mistake)
        {
            case "endless chain":
                for (int i = q.Size - 1; i >= 0; i--)
                    WritePacked(rig, q, i, good.Address, 64, 3);
                break;
            case "address outside": WritePacked(rig, q, 0, Outside, 64, 2); break;
            case "length absurd": WritePacked(rig, q, 0, good.Address, -1, 2); break;
            case "readable after writable": WritePacked(rig, q, 1, good.Address, 64, 0); WritePacked(rig, q, 0, good.Address, 64, 3); break;
            case "indirect in table": IndirectPacked(rig, q, good, 4, 4); break;
            case "indirect with next": IndirectPacked(rig, q, good, 2, 5); break;
            case "indirect second": WritePacked(rig, q, 1, good.Address, 64, 4); WritePacked(rig, q, 0, good.Address, 64, 1); break;
            case "indirect odd": WritePacked(rig, q, 0, good.Address, 15, 4); break;
            case "indirect outside": WritePacked(rig, q, 0, Outside, 16, 4); break;
            case "indirect huge": WritePacked(rig, q, 0, GuestMemory.Base, 16 * 1025, 4); break;
            default: throw new ArgumentException(mistake);
        }
        ExpectBroken(rig);
    }

    [Theory]
    [InlineData(true, 3)]
    [InlineData(true, 64)]
    [InlineData(false, 2)]
    [InlineData(false, 64)]
    public void Small_and_odd_sizes_work_where_the_layout_allows_them(bool packed, int size)
    {
        using Rig rig = Start(new Way("mmio", packed, true, true), size);
        DriverQueue q = rig.Driver.Queues[0];
        for (int i = 0; i < 5 * size; i++)
        {
            Piece a = rig.Writable(10), b = rig.Writable(20);
            Assert.Equal(30u, q.Run(i % 2 == 0, a, b).Length);
            Assert.DoesNotContain((byte)0xee, rig.Content(b));
        }
        Assert.False(rig.NeedsReset);
    }

    [Theory]
    [InlineData(3, 0ul, 0ul, 0ul)]
    [InlineData(0, 0ul, 0ul, 0ul)]
    [InlineData(128, 0ul, 0ul, 0ul)]
    [InlineData(64, 8ul, 0ul, 0ul)]
    [InlineData(64, 0ul, 1ul, 0ul)]
    [InlineData(64, 0ul, 0ul, 2ul)]
    [InlineData(64, GuestMemory.Size, 0ul, 0ul)]
    [InlineData(64, 0ul, GuestMemory.Size - 16, 0ul)]
    [InlineData(64, 0ul, 0ul, 0xffff_ffff_0000_0000ul)]
    public void A_ring_that_cannot_be_stops_the_device(int size, ulong descriptors, ulong driver, ulong device)
    {
        using Rig rig = Create(new Way("mmio", false, true, true));
        Driver d = rig.Driver;
        d.Start(0, 0);
        d.SelectQueue(0);
        d.SetupQueue(size, GuestMemory.Base + descriptors, GuestMemory.Base + 0x10000 + driver, GuestMemory.Base + 0x20000 + device);
        d.Notify(0);
        // Enabled after DRIVER_OK, a queue takes part at the next start (section 3.1.1 wants it before).
        d.Status = 0;
        d.Status = 3;
        d.WriteDriverFeatures(VirtioFeature.Version1);
        d.Status = 11;
        d.SelectQueue(0);
        d.SetupQueue(size, GuestMemory.Base + descriptors, GuestMemory.Base + 0x10000 + driver, GuestMemory.Base + 0x20000 + device);
        d.Status = 15;
        d.Notify(0);
        ExpectBroken(rig);
    }

    [Theory]
    [MemberData(nameof(Way.Rings), MemberType = typeof(Way))]
    public void No_interrupt_when_the_driver_does_not_want_one(Way way)
    {
        using Rig rig = Start(way);
        DriverQueue q = rig.Driver.Queues[0];
        q.DisableInterrupts();
        for (int i = 0; i < 10; i++)
        {
            q.Run(false, rig.Writable(8));
            q.DisableInterrupts();
        }
        Assert.Equal(0, rig.Driver.TakeInterrupts());
        Assert.False(rig.Probe.Level());
        q.EnableInterrupts();
        q.Run(false, rig.Writable(8));
        Assert.True(rig.Probe.Level());
        Assert.Equal(1, rig.Driver.TakeInterrupts());
        Assert.False(rig.Probe.Level());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void With_events_the_device_interrupts_at_the_buffer_asked_for_only(bool packed)
    {
        using Rig rig = Start(new Way("mmio", packed, true, false));
        DriverQueue q = rig.Driver.Queues[0];
        // Many rounds: the event crosses the end of the ring and the wrap counter.
        for (int round = 0; round < 50; round++)
        {
            q.EnableInterrupts();
            for (int i = 0; i < 7; i++)
                q.Run(false, rig.Writable(8));
            Assert.Equal(1, rig.Driver.TakeInterrupts());
            for (int i = 0; i < 7; i++)
                q.Run(false, rig.Writable(8));
            Assert.Equal(0, rig.Driver.TakeInterrupts());
        }
    }

    [Theory]
    [MemberData(nameof(Way.Rings), MemberType = typeof(Way))]
    public void Buffers_of_the_longest_chain_are_used_whole(Way way)
    {
        using Rig rig = Start(way);
        DriverQueue q = rig.Driver.Queues[0];
        for (int round = 0; round < 3; round++)
        {
            var pieces = new Piece[q.Size];
            for (int i = 0; i < pieces.Length; i++)
                pieces[i] = rig.Writable(1 + i % 3);
            Assert.Equal((uint)pieces.Sum(p => p.Length), q.Run(way.Indirect, pieces).Length);
        }
        Assert.False(rig.NeedsReset);
    }

    [Fact]
    public void Overlapping_and_empty_descriptors_do_no_harm()
    {
        using Rig rig = Start(new Way("mmio", false, true, true));
        DriverQueue q = rig.Driver.Queues[0];
        Piece a = rig.Writable(64);
        Used used = q.Run(false, a, a with { Length = 0 }, a with { Address = a.Address + 8, Length = 32 });
        Assert.Equal(96u, used.Length);
        // Even over the ring itself: only the guest's own data suffers.
        q.Run(true, new Piece(q.Descriptors + 512, 256, true));
        Assert.False(rig.NeedsReset);
    }

    [Fact]
    public void Rings_of_random_bytes_never_throw_or_hang()
    {
        foreach (bool packed in new[] { false, true })
        {
            using Rig rig = Create(new Way("mmio", packed, true, true));
            var random = new Random(packed ? 1 : 2);
            for (int round = 0; round < 2000; round++)
            {
                rig.Driver.Queues.Clear();
                rig.Memory.Ram.Discard(0, GuestMemory.Size);
                ulong at = GuestMemory.Base + 0x1000;
                rig.Driver.Status = 0;
                rig.Driver.Status = 3;
                ulong features = VirtioFeature.Version1 | (packed ? VirtioFeature.RingPacked : 0) | (random.Next(2) == 0 ? VirtioFeature.EventIdx : 0) | VirtioFeature.IndirectDesc;
                rig.Driver.WriteDriverFeatures(features);
                rig.Driver.Status = 11;
                rig.Driver.SelectQueue(0);
                byte[] noise = new byte[0x1000];
                random.NextBytes(noise);
                if (random.Next(2) == 0)
                    Tame(noise, random);
                rig.Memory.Write(at, noise);
                rig.Driver.SetupQueue(1 << random.Next(0, 7), at, at + 0x400, at + 0x800);
                rig.Driver.Status = 15;
                for (int i = 0; i < 4; i++)
                {
                    rig.Memory.Write16(at + 0x402, (ushort)(random.Next(4) == 0 ? random.Next(65536) : i + 1));
                    rig.Driver.Notify(0);
                }
            }
        }
    }

    [Fact]
    public void A_stopped_device_ignores_notifications_until_it_is_reset()
    {
        using Rig rig = Start(new Way("msix", false, true, true));
        var q = (SplitDriverQueue)rig.Driver.Queues[0];
        q.AddHead(999);
        q.Kick();
        Assert.True(rig.NeedsReset);
        Assert.Equal(2, rig.Driver.TakeInterrupts());
        for (int i = 0; i < 100; i++)
            rig.Driver.Notify(0);
        Assert.Single(rig.Messages);
        Assert.Contains("virtio-rng stopped until the guest resets it: queue 0: descriptor 999", rig.Messages[0]);
    }

    /// <summary>Makes noise a little more like a ring: addresses in RAM, short lengths, flags that mean something.</summary>
    private static void Tame(byte[] noise, Random random)
    {
        for (int i = 0; i < 64; i++)
        {
            Span<byte> d = noise.AsSpan(i * 16, 16);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(d, GuestMemory.Base + (ulong)random.Next(0x4000));
            System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(d[8..], random.Next(0, 40) * 16);
            d[12] = (byte)random.Next(70);
            d[13] = 0;
            d[14] = (byte)(random.Next(8) | (random.Next(2) << 7));
            d[15] &= 0x80;
        }
        for (int i = 0x400; i < 0x500; i += 2)
            (noise[i], noise[i + 1]) = ((byte)random.Next(66), 0);
    }

    private static void ExpectBroken(Rig rig)
    {
        rig.Driver.Notify(0);
        Assert.True(rig.NeedsReset);
        Assert.Equal(2, rig.Driver.TakeInterrupts());
        Assert.Contains(rig.Messages, m => m.Contains("stopped until the guest resets it"));
        rig.Driver.Queues.Clear();
        rig.Driver.Start(VirtioFeature.IndirectDesc, 1);
        Assert.Equal(16u, rig.Driver.Queues[0].Run(true, rig.Writable(16)).Length);
    }

    private static void Indirect(Rig rig, SplitDriverQueue q, int entries, (ulong Address, int Length, int Flags, int Next)[] table, int flags = 4)
    {
        ulong at = rig.Memory.Allocate(entries * 16);
        for (int i = 0; i < entries; i++)
        {
            rig.Memory.Write64(at + (ulong)i * 16, table[i].Address);
            rig.Memory.Write32(at + (ulong)i * 16 + 8, (uint)table[i].Length);
            rig.Memory.Write16(at + (ulong)i * 16 + 12, (ushort)table[i].Flags);
            rig.Memory.Write16(at + (ulong)i * 16 + 14, (ushort)table[i].Next);
        }
        q.Write(0, at, entries * 16, flags, 0);
    }

    private static void IndirectPacked(Rig rig, DriverQueue q, Piece piece, int innerFlags, int flags)
    {
        ulong at = rig.Memory.Allocate(16);
        rig.Memory.Write64(at, piece.Address);
        rig.Memory.Write32(at + 8, (uint)piece.Length);
        rig.Memory.Write16(at + 14, (ushort)innerFlags);
        WritePacked(rig, q, 0, at, 16, flags);
    }

    private static void WritePacked(Rig rig, DriverQueue q, int index, ulong address, int length, int flags)
    {
        ulong at = q.Descriptors + (ulong)index * 16;
        rig.Memory.Write64(at, address);
        rig.Memory.Write32(at + 8, (uint)length);
        rig.Memory.Write16(at + 12, 0);
        rig.Memory.Write16(at + 14, (ushort)(flags | 1 << 7));
    }

    private static Rig Create(Way way) => Rig.Create(way, (m, log) => new VirtioEntropy(m.Space, static bytes => bytes.Fill(0x55), Rig.Options, log));

    private static Rig Start(Way way, int size = 0)
    {
        Rig rig = Create(way);
        rig.Driver.Start(way.Features, 1, size);
        return rig;
    }
}
