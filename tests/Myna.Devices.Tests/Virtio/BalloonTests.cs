using System.Buffers.Binary;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Balloon;

namespace Myna.Devices.Tests.Virtio;

public sealed class BalloonTests
{
    private const int Page = VirtioBalloon.PageSize;

    private static Rig Start(Way way, ulong features = VirtioBalloon.FeatureReporting)
        => Rig.Start(way, (m, log) => new VirtioBalloon(m.Space, Rig.Options, log), 5, features | VirtioBalloon.FeatureStatistics);

    private static Piece Filled(Rig rig, int pages)
    {
        var piece = new Piece(rig.Memory.Allocate(pages * Page, Page), pages * Page, true);
        byte[] fill = new byte[piece.Length];
        Array.Fill(fill, (byte)0xee);
        rig.Memory.Write(piece.Address, fill);
        return piece;
    }

    [Theory]
    [MemberData(nameof(Way.All), MemberType = typeof(Way))]
    public void Pages_given_up_are_the_hosts(Way way)
    {
        using Rig rig = Start(way);
        var balloon = (VirtioBalloon)rig.Device;
        Piece memory = Filled(rig, 4);
        byte[] numbers = new byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(numbers, (uint)(memory.Address / Page));
        BinaryPrimitives.WriteUInt32LittleEndian(numbers.AsSpan(4), (uint)(memory.Address / Page) + 2);
        // There is no such memory.
        BinaryPrimitives.WriteUInt32LittleEndian(numbers.AsSpan(8), 0xffff_ffff);
        _ = rig.Driver.Queues[0].Run(way.Indirect, rig.Readable(numbers));
        byte[] content = rig.Content(memory);
        for (int i = 0; i < 4; i++)
            Assert.Equal(i is 0 or 2 ? 0 : 0xee, content[i * Page]);
        Assert.Equal(2ul * Page, balloon.Returned);
        Assert.False(rig.NeedsReset);
        // They may be used again after that, and deflating needs no memory from the device.
        _ = rig.Driver.Queues[1].Run(way.Indirect, rig.Readable(numbers));
        Assert.Equal(2ul * Page, balloon.Returned);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public void Free_pages_that_are_reported_are_the_hosts_as_far_as_they_are_whole(int queue)
    {
        using Rig rig = Start(new Way("pci", false, true, true));
        Piece memory = Filled(rig, 8);
        Piece first = new(memory.Address, 2 * Page, true), ragged = new(memory.Address + (4 * Page) + 100, (2 * Page) - 50, true);
        _ = rig.Driver.Queues[queue].Run(true, first, ragged);
        byte[] content = rig.Content(memory);
        Assert.Equal(new byte[] { 0, 0, 0xee, 0xee, 0xee, 0, 0xee, 0xee }, Enumerable.Range(0, 8).Select(i => content[(i * Page) + 200]));
        Assert.Equal(3ul * Page, ((VirtioBalloon)rig.Device).Returned);
    }

    [Fact]
    public void The_host_asks_and_the_driver_says_how_far_it_is()
    {
        using Rig rig = Start(new Way("pci", false, true, true));
        var balloon = (VirtioBalloon)rig.Device;
        uint generation = balloon.ConfigGeneration;
        balloon.Target = 1000;
        Assert.NotEqual(generation, balloon.ConfigGeneration);
        Assert.Equal(1000ul, balloon.ReadConfig(0, 4));
        balloon.WriteConfig(4, 4, 7);
        Assert.Equal((7u, 7ul), (balloon.Actual, balloon.ReadConfig(4, 4)));
        // The driver's count starts again with the driver; what the host wants stays.
        balloon.Reset();
        Assert.Equal((0u, 1000u), (balloon.Actual, balloon.Target));
    }

    [Fact]
    public void Statistics_are_what_the_driver_says_when_it_is_asked()
    {
        using Rig rig = Start(new Way("pci", false, true, true));
        var balloon = (VirtioBalloon)rig.Device;
        Assert.False(balloon.AskStatistics());
        byte[] items = new byte[35];
        // Tag 4 (free), tag 5 (total), a tag of the future, and five bytes of nothing.
        (ushort, ulong)[] said = [(4, 0x1234_5000), (5, 0x4000_0000), (0x7777, 1)];
        for (int i = 0; i < said.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(items.AsSpan(10 * i), said[i].Item1);
            BinaryPrimitives.WriteUInt64LittleEndian(items.AsSpan((10 * i) + 2), said[i].Item2);
        }
        int before = balloon.StatisticAnswers;
        rig.Driver.Queues[2].Add(true, rig.Readable(items));
        rig.Driver.Queues[2].Kick();
        Assert.True(balloon.StatisticAnswers > before);
        Assert.Null(balloon.Statistic(4));
        Assert.True(balloon.AskStatistics());
        Assert.Equal((0x1234_5000ul, 0x4000_0000ul, null), (balloon.Statistic(4), balloon.Statistic(5), balloon.Statistic(6)));
        // The buffer is the driver's until it comes back.
        Assert.False(balloon.AskStatistics());
        Assert.False(rig.NeedsReset);
    }

    /// <summary>The pages of the mapping that the host has, by its own count.</summary>
    private static long Resident(Rig rig, ulong address)
    {
        Assert.True(rig.Memory.Space.FindRam(address, 1, out Myna.Hardware.Memory.Ram? ram, out _, out _));
        bool found = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] range = words[0].Split('-');
            if (range.Length == 2)
                found = ulong.Parse(range[0], System.Globalization.NumberStyles.HexNumber) <= (ulong)ram.HostAddress && (ulong)ram.HostAddress < ulong.Parse(range[1], System.Globalization.NumberStyles.HexNumber);
            else if (found && words[0] == "Rss:")
                return long.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture) * 1024 / Page;
        }
        throw new InvalidOperationException("the mapping is not there");
    }

    [Fact]
    public void The_host_really_has_the_pages()
    {
        const int Pages = 256;
        using Rig rig = Start(new Way("pci", false, true, true));
        Piece memory = Filled(rig, Pages);
        long full = Resident(rig, memory.Address);
        byte[] numbers = new byte[4 * 100];
        for (int i = 0; i < 100; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(numbers.AsSpan(4 * i), (uint)(memory.Address / Page) + (uint)i);
        _ = rig.Driver.Queues[0].Run(true, rig.Readable(numbers));
        // The numbers themselves may lie in a page of their own.
        Assert.InRange(full - Resident(rig, memory.Address), 96, 100);
        _ = rig.Driver.Queues[3].Run(true, new Piece(memory.Address + (100 * Page), 100 * Page, true));
        Assert.InRange(full - Resident(rig, memory.Address), 196, 200);
        // Used again, they are the guest's again.
        rig.Memory.Write(memory.Address, new byte[] { 1 });
        Assert.Equal(1, rig.Content(memory)[0]);
    }

    [Fact]
    public void What_was_asked_for_is_saved()
    {
        using Rig rig = Start(new Way("pci", false, true, true)), other = Start(new Way("pci", false, true, true));
        ((VirtioBalloon)rig.Device).Target = 55;
        rig.Device.WriteConfig(4, 4, 44);
        var writer = new Hardware.State.StateWriter();
        writer.WriteSection(rig.Device);
        new Hardware.State.StateReader(writer.ToArray()).ReadSection(other.Device);
        Assert.Equal((55u, 44u), (((VirtioBalloon)other.Device).Target, ((VirtioBalloon)other.Device).Actual));
    }
}
