using Myna.Devices.Pci;
using Myna.Devices.Virtio.Gpu;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Virtio;

/// <summary>QEMU's virtio-vga: specs/standard-vga, and virtio 1.2, section 4.1.4.</summary>
public sealed class VirtioVgaTests : IDisposable
{
    private readonly VirtioVga _vga;

    public VirtioVgaTests()
    {
        var memory = new AddressSpace();
        _vga = new VirtioVga(new VirtioGpu(memory), new ManualClock(), 4 << 20);
        new PciHost(memory, [], Enumerable.Repeat(default(InterruptLine), 4)).Add(_vga);
    }

    public void Dispose() => _vga.Dispose();

    private ulong Read(ulong offset, int size) => _vga.ReadBar(2, offset, size, out ulong value) ? value : throw new InvalidOperationException();

    private void WriteVbe(int index, ushort value) => _ = _vga.WriteBar(2, 0x500 + (ulong)index * 2, 2, value);

    [Fact]
    public void It_is_a_VGA_to_who_knows_nothing_else()
    {
        Assert.Equal((0x1050_1af4u, 0x0300u), (_vga.ReadConfig(0, 4), _vga.ReadConfig(10, 2)));
        Assert.Equal((0xb0c5ul, 0x00ff_ffff_ffff_ff00ul), (Read(0x500, 2), Read(0, 8)));
        // 800 by 600, 32 bits, linear.
        WriteVbe(1, 800);
        WriteVbe(2, 600);
        WriteVbe(3, 32);
        WriteVbe(4, 0x41);
        ((ReadOnlySpan<byte>)[0x56, 0x34, 0x12, 0]).CopyTo(_vga.Memory.GetForWrite(4 * 801, 4));
        var surface = new Surface();
        _vga.Draw(surface);
        Assert.Equal((800, 600, 0x123456u), (surface.Width, surface.Height, surface.Row(1)[1]));
    }

    [Fact]
    public void Virtio_structures_lie_behind_the_registers()
    {
        var structures = new List<(uint Type, uint Bar, uint Offset)>();
        for (uint at = _vga.ReadConfig(0x34, 1); at != 0; at = _vga.ReadConfig((int)at + 1, 1))
        {
            if (_vga.ReadConfig((int)at, 1) == 9)
                structures.Add((_vga.ReadConfig((int)at + 3, 1), _vga.ReadConfig((int)at + 4, 1), _vga.ReadConfig((int)at + 8, 4)));
        }
        Assert.Equal([1u, 2u, 3u, 4u], structures.Where(s => s.Type < 5).Select(s => s.Type).Order());
        Assert.All(structures.Where(s => s.Type < 5), s => Assert.True(s.Bar == 2 && s.Offset is >= 0x1000 and < 0x8000));
        // num_queues, then device_status through its write and back.
        uint common = structures.First(s => s.Type == 1).Offset;
        Assert.Equal(2ul, Read(common + 0x12, 2));
        Assert.True(_vga.WriteBar(2, common + 0x14, 1, 3));
        Assert.Equal(3ul, Read(common + 0x14, 1));
        // The configuration's num_scanouts.
        Assert.Equal(1ul, Read(structures.First(s => s.Type == 4).Offset + 8, 4));
    }

    [Fact]
    public void A_surface_that_another_drew_on_is_drawn_anew()
    {
        var surface = new Surface();
        _vga.Draw(surface);
        int generation = surface.Generation;
        _vga.Draw(surface);
        Assert.Equal(generation, surface.Generation);
        surface.Claim(this);
        surface.Fill(0xffffff);
        _vga.Draw(surface);
        Assert.NotEqual(generation, surface.Generation);
        Assert.Equal(0u, surface.Row(0)[0]);
    }
}
