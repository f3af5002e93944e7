using Myna.Devices.Pci;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Tests.Pci;

public sealed class PciHostTests
{
    private readonly AddressSpace _space = new();
    private readonly InterruptProbe _probe = new();
    private readonly PciHost _host;
    private readonly TestDevice _a = new("a"), _b = new("b");

    public PciHostTests()
    {
        _space.Map(0x4010_0000, 0x1000, "obstacle", new Nothing());
        _host = new PciHost(_space, [new PciWindow(0x4000_0000, 0x1000_0000), new PciWindow(0x4_0000_0000, 1UL << 32)],
            [_probe.Line(0), _probe.Line(1), _probe.Line(2), _probe.Line(3)], _probe);
        _host.Add(_a, 2);
        _host.Add(_b);
    }

    [Fact]
    public void The_bus_shows_what_is_plugged_and_all_ones_elsewhere()
    {
        Assert.Equal(0x0008_1b36u, Get(0, 0, 4));
        Assert.Equal(0x0600u, Get(0, 10, 2));
        Assert.Equal(0x2222_1111u, Get(1, 0, 4));
        Assert.Equal(0x2222_1111u, Get(2, 0, 4));
        Assert.Equal([uint.MaxValue, 0xffffu, 0xffu], new[] { Get(3, 0, 4), Get(3, 2, 2), Get(3, 3, 1) });
        Assert.True(_host.Read(5 << 20, 4, out ulong absent));
        Assert.Equal(uint.MaxValue, absent);
        Assert.True(_host.Read(2 << 15, 8, out ulong wide));
        Assert.Equal(0x2222_1111u, (uint)wide);
        Assert.Throws<ArgumentException>(() => _host.Add(new TestDevice("c"), 2));
    }

    [Fact]
    public void Bars_are_sized_by_writing_ones()
    {
        Set(2, 0x10, 4, uint.MaxValue);
        Assert.Equal(0xffff_e00cu, Get(2, 0x10, 4));
        Set(2, 0x14, 4, uint.MaxValue);
        Assert.Equal(0xffff_ffffu, Get(2, 0x14, 4));
        Set(2, 0x18, 4, uint.MaxValue);
        Assert.Equal(0xffff_f000u, Get(2, 0x18, 4));
        Set(2, 0x20, 4, uint.MaxValue);
        Assert.Equal(0u, Get(2, 0x20, 4));
        Set(2, 0x30, 4, uint.MaxValue);
        Assert.Equal(0u, Get(2, 0x30, 4));
    }

    [Fact]
    public void Bars_are_where_the_guest_puts_them_while_memory_is_enabled()
    {
        Set(2, 0x18, 4, 0x4000_5000);
        Assert.False(_space.Load(0x4000_5000, 4, out _));
        Set(2, 4, 2, 2);
        Assert.True(_space.Load(0x4000_5010, 4, out ulong value));
        Assert.Equal(0x1010u + 'a', value);
        Set(2, 0x18, 4, 0x4002_0000);
        Assert.False(_space.Load(0x4000_5010, 4, out _));
        Assert.True(_space.Load(0x4002_0ffc, 4, out value));
        Assert.Equal(0x1ffcu + 'a', value);
        Assert.True(_space.Store(0x4002_0008, 2, 0x77));
        Assert.Equal((1, 8ul, 2, 0x77ul), _a.LastWrite);
        Set(2, 0x10, 4, 0x2000);
        Set(2, 0x14, 4, 4);
        Assert.True(_space.Load(0x4_0000_2000, 1, out value));
        Set(2, 4, 2, 0);
        Assert.False(_space.Load(0x4002_0ffc, 4, out _));
        Assert.False(_space.Load(0x4_0000_2000, 1, out _));
        Set(2, 4, 2, 2);
        _a.Reset();
        Assert.False(_space.Load(0x4002_0ffc, 4, out _));
    }

    [Fact]
    public void An_expansion_rom_is_read_where_its_register_enables_it()
    {
        byte[] image = [0x55, 0xaa, .. Enumerable.Range(0, 5000).Select(i => (byte)i)];
        _host.Add(new TestDevice("rom", image), 5);
        Set(5, 0x30, 4, 0xffff_fffe);
        Assert.Equal(0xffff_e000u, Get(5, 0x30, 4));
        Set(5, 0x30, 4, 0x4003_0000);
        Set(5, 4, 2, 2);
        Assert.False(_space.Load(0x4003_0000, 4, out _));
        Set(5, 0x30, 4, 0x4003_0001);
        Assert.True(_space.Load(0x4003_0000, 4, out ulong value));
        Assert.Equal(0x0100_aa55u, value);
        Assert.True(_space.Load(0x4003_1ff8, 8, out value));
        Assert.Equal(ulong.MaxValue, value);
        Assert.True(_space.Store(0x4003_0000, 4, 0));
        Assert.True(_space.Load(0x4003_0000, 2, out value));
        Assert.Equal(0xaa55u, value);
        Set(5, 4, 2, 0);
        Assert.False(_space.Load(0x4003_0000, 4, out _));
    }

    [Fact]
    public void A_bar_in_the_way_of_something_or_outside_the_windows_is_not_mapped()
    {
        Set(1, 4, 2, 2);
        Set(2, 4, 2, 2);
        foreach (uint bad in new uint[] { 0, 0x4010_0000, 0x8000_0000, 0x5000_0000, 0xffff_f000 })
        {
            Set(2, 0x18, 4, bad);
            Assert.DoesNotContain(_space.Regions, r => r.Name.StartsWith("a BAR 2", StringComparison.Ordinal));
        }
        Set(1, 0x18, 4, 0x4000_0000);
        Set(2, 0x18, 4, 0x4000_0000);
        Assert.True(_space.Load(0x4000_0000, 4, out ulong value));
        Assert.Equal(0x1000u + 'b', value);
        // What is in the way leaves: the other appears.
        Set(1, 0x18, 4, 0x4000_1000);
        Assert.True(_space.Load(0x4000_0000, 4, out value));
        Assert.Equal(0x1000u + 'a', value);
    }

    [Fact]
    public void Wires_are_shared()
    {
        var c = new TestDevice("c");
        _host.Add(c, 5);
        _b.Interrupt(true);
        Assert.True(_probe.Level(1));
        c.Interrupt(true);
        _b.Interrupt(false);
        Assert.True(_probe.Level(1));
        c.Interrupt(false);
        Assert.False(_probe.Level(1));
        _a.Interrupt(true);
        Assert.True(_probe.Level(2));
    }

    [Fact]
    public void State_moves_bars_and_wires()
    {
        Set(2, 0x18, 4, 0x4000_5000);
        Set(2, 4, 2, 6);
        _a.Interrupt(true);
        var writer = new StateWriter();
        writer.WriteSection(_a);
        _a.Reset();
        Assert.False(_probe.Level(2));
        new StateReader(writer.ToArray()).ReadSection(_a);
        Assert.True(_probe.Level(2));
        Assert.True(_space.Load(0x4000_5000, 4, out _));
        Assert.True(_a.BusMaster);
        Assert.Equal(0x2222_1111u, Get(2, 0, 4));
    }

    [Fact]
    public void Read_only_registers_stay()
    {
        byte[] before = new byte[64];
        for (int i = 0; i < 64; i++)
            before[i] = (byte)Get(2, i, 1);
        for (int i = 0; i < 4096; i += 4)
            Set(2, i, 4, uint.MaxValue);
        Assert.Equal(0x2222_1111u, Get(2, 0, 4));
        Assert.Equal(0x0546u, Get(2, 4, 2));
        Assert.Equal((uint)before[6] | 0x10u, Get(2, 6, 2) & 0xffff);
        Assert.Equal(0u, Get(2, 0x100, 4));
        Assert.Equal(1u, Get(2, 0x3d, 1));
    }

    private uint Get(int slot, int offset, int size)
    {
        Assert.True(_host.Read((ulong)(slot << 15 | offset), size, out ulong value));
        return (uint)value;
    }

    private void Set(int slot, int offset, int size, uint value) => Assert.True(_host.Write((ulong)(slot << 15 | offset), size, value));

    private sealed class Nothing : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0xdead;
            return true;
        }

        public bool Write(ulong offset, int size, ulong value) => true;
    }

    private sealed class TestDevice : PciDevice
    {
        public TestDevice(string name, byte[]? rom = null) : base(name, new PciIdentity(0x1111, 0x2222, 0xff0000))
        {
            AddBar(0, 0x2000, is64Bit: true, prefetchable: true);
            AddBar(2, 100, is64Bit: false, prefetchable: false);
            AddIntx();
            AddPciExpress();
            if (rom is not null)
                AddRom(rom);
        }

        public (int, ulong, int, ulong) LastWrite { get; private set; }

        public void Interrupt(bool level) => SetIntx(level);

        public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
        {
            value = offset + 0x1000 + Name[0];
            return true;
        }

        public override bool WriteBar(int bar, ulong offset, int size, ulong value)
        {
            LastWrite = (bar == 2 ? 1 : 0, offset, size, value);
            return true;
        }
    }
}
