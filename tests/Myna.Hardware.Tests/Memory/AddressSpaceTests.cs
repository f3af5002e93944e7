using Myna.Hardware.Memory;

namespace Myna.Hardware.Tests.Memory;

public sealed class AddressSpaceTests
{
    [Theory]
    [InlineData(1, 0xf0ul)]
    [InlineData(2, 0xdef0ul)]
    [InlineData(4, 0x9abcdef0ul)]
    [InlineData(8, 0x123456789abcdef0ul)]
    public void A_device_sees_the_bytes_that_are_stored(int size, ulong seen)
    {
        var space = new AddressSpace();
        var device = new Device();
        space.Map(0x1000, 8, "device", device);
        Assert.True(space.Store(0x1000, size, 0x123456789abcdef0));
        Assert.Equal((0ul, seen), device.Last);
    }

    [Fact]
    public void Loads_and_stores_are_little_endian_and_stay_in_their_region()
    {
        using var ram = new Ram("ram", 8192);
        var space = new AddressSpace();
        space.Map(0x1000, ram);
        Assert.True(space.Store(0x1008, 8, 0x1122334455667788));
        Assert.Equal([0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11], ram.Get(8, 8).ToArray());
        Assert.True(space.Load(0x100a, 2, out ulong value));
        Assert.Equal(0x5566u, value);
        Assert.False(space.Load(0xfff, 1, out _));
        Assert.False(space.Load(0x3000, 1, out _));
        Assert.False(space.Load(0x2ffe, 4, out _));
        Assert.False(space.Store(0x2ffd, 4, 0));
        Assert.True(space.Load(0x2ffc, 4, out _));
    }

    [Fact]
    public void Bulk_copies_cross_regions_but_not_gaps_devices_or_rom()
    {
        using var a = new Ram("a", 4096);
        using var b = new Ram("b", 4096);
        using var rom = new Ram("rom", 4096, readOnly: true);
        var space = new AddressSpace();
        space.Map(0x1000, a);
        space.Map(0x2000, b);
        space.Map(0x3000, rom);
        space.Map(0x4000, 0x1000, "device", new Device());
        byte[] bytes = [1, 2, 3, 4, 5, 6];
        Assert.True(space.Write(0x1ffd, bytes));
        byte[] back = new byte[6];
        Assert.True(space.Read(0x1ffd, back));
        Assert.Equal(bytes, back);
        Assert.Equal([4, 5, 6], b.Get(0, 3).ToArray());
        Assert.False(space.Write(0x2ffd, bytes));
        Assert.True(space.Write(0x2ffd, bytes, rom: true));
        Assert.True(space.Read(0x2ffd, back));
        Assert.False(space.Store(0x3000, 1, 0));
        Assert.False(space.Read(0x3ffd, back));
        Assert.False(space.Write(0xffe, bytes));
    }

    [Fact]
    public void Overlaps_are_refused_and_what_leaves_makes_room()
    {
        var space = new AddressSpace();
        int changes = 0;
        space.Changed += () => changes++;
        Region? first = space.TryMap(0x1000, 0x1000, "first", new Device());
        Assert.NotNull(first);
        Assert.Null(space.TryMap(0x1fff, 1, "inside", new Device()));
        Assert.Null(space.TryMap(0, 0x1001, "before", new Device()));
        Assert.Null(space.TryMap(0x5000, 0, "empty", new Device()));
        Assert.Null(space.TryMap(ulong.MaxValue, 2, "around", new Device()));
        Assert.NotNull(space.TryMap(ulong.MaxValue, 1, "last", new Device()));
        Assert.Throws<ArgumentException>(() => space.Map(0x1000, 4, "again", new Device()));
        int version = space.Version;
        Assert.Equal(2, changes);
        space.Unmap(first);
        Assert.NotEqual(version, space.Version);
        Assert.Equal(3, changes);
        Assert.Null(space.Find(0x1000));
        Assert.NotNull(space.TryMap(0x1800, 0x1000, "other", new Device()));
        Assert.Equal("other", space.Find(0x2000)!.Name);
    }

    [Fact]
    public void A_device_with_content_is_read_as_rom_and_gets_the_stores()
    {
        using var rom = new Ram("rom", 4096, readOnly: true);
        rom.GetForWrite(8, 1)[0] = 0x5a;
        var space = new AddressSpace();
        var device = new Device();
        Region plain = space.Map(0x1000, 4096, "flash", device);
        Region both = space.Replace(plain, plain with { Ram = rom });
        Assert.Same(both, space.Find(0x1008));
        Assert.True(space.Load(0x1008, 2, out ulong value));
        Assert.Equal(0x5aul, value);
        Assert.True(space.Store(0x1008, 4, 0x77));
        Assert.Equal((8ul, 0x77ul), device.Last);
        Assert.False(space.Write(0x1008, [1]));
        Assert.True(space.FindRam(0x1008, 4, out _, out _, out _));
        space.Replace(both, plain);
        Assert.True(space.Load(0x1008, 2, out value));
        Assert.Equal(0ul, value);
        Assert.Throws<ArgumentException>(() => space.Replace(both, plain));
        Assert.Throws<ArgumentException>(() => space.Replace(plain, plain with { Size = 8192 }));
    }

    [Fact]
    public void Watched_pages_report_every_kind_of_write()
    {
        using var ram = new Ram("ram", 16384);
        var space = new AddressSpace();
        space.Map(0, ram);
        var watcher = new Watcher();
        ram.SetWatcher(watcher);
        ram.Watch(0x1000, true);
        Assert.True(space.Store(0x800, 8, 1));
        Assert.True(space.Write(0x2000, new byte[64]));
        Assert.Empty(watcher.Writes);
        Assert.True(space.Store(0x1ff8, 8, 1));
        ram.StoreRelease(0x1002, 7);
        Assert.Equal(7, ram.LoadAcquire(0x1002));
        ram.NoteWrite(0xfff, 2);
        Assert.Equal([(0x1ff8ul, 8ul), (0x1002ul, 2ul), (0xffful, 2ul)], watcher.Writes);
        watcher.Writes.Clear();
        Assert.True(space.Write(0x400, new byte[0x1000]));
        Assert.Contains(watcher.Writes, w => w.Offset <= 0x1000 && w.Offset + w.Length > 0x1000);
        ram.Watch(0x1000, false);
        watcher.Writes.Clear();
        Assert.True(space.Store(0x1000, 1, 1));
        Assert.Empty(watcher.Writes);
    }

    private sealed class Watcher : IRamWatcher
    {
        public List<(ulong Offset, ulong Length)> Writes { get; } = [];

        public void Written(Ram ram, ulong offset, ulong length) => Writes.Add((offset, length));
    }

    private sealed class Device : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            return true;
        }

        public (ulong Offset, ulong Value) Last { get; private set; }

        public bool Write(ulong offset, int size, ulong value)
        {
            Last = (offset, value);
            return true;
        }
    }
}
