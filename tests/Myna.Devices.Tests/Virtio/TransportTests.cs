using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Block;
using Myna.Devices.Virtio.Entropy;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Virtio;

public sealed class TransportTests
{
    [Fact]
    public void An_empty_mmio_slot_has_device_id_zero_and_nothing_else()
    {
        var slot = new VirtioMmio(null, default);
        for (ulong offset = 0; offset < 0x1000; offset += 4)
        {
            Assert.True(slot.Read(offset, 4, out ulong value));
            Assert.Equal(offset switch { 0 => 0x74726976u, 4 => 2u, _ => 0 }, value);
            Assert.True(slot.Write(offset, 4, uint.MaxValue));
        }
        slot.Reset();
    }

    [Fact]
    public void Mmio_identifies_the_device()
    {
        using Rig rig = Rng("mmio");
        var d = (MmioDriver)rig.Driver;
        Assert.Equal([0x74726976u, 2u, 4u], new[] { d.Get(0), d.Get(4), d.Get(8) });
        // Shared memory regions do not exist: length ~0 (section 4.2.2).
        d.Set(0xac, 0);
        Assert.Equal([uint.MaxValue, uint.MaxValue], new[] { d.Get(0xb0), d.Get(0xb4) });
        Assert.True(rig.Mmio!.Read(0x70, 1, out ulong narrow));
        Assert.Equal(0u, narrow);
    }

    [Fact]
    public void Pci_identifies_the_device_and_has_all_structures()
    {
        using Rig rig = Rng("pci");
        var d = (PciDriver)rig.Driver;
        Assert.Equal(0x1044_1af4u, d.GetConfig(0, 4));
        Assert.Equal(1u, d.GetConfig(8, 1));
        Assert.True(d.GetConfig(0x2e, 2) >= 0x40);
        Assert.Equal(1u, d.GetConfig(0x3d, 1));
        for (int type = 1; type <= 5; type++)
            Assert.True(d.Structure(type).Capability >= 0x40);
        Assert.Equal(0, d.MsixCapability);
        Assert.NotEqual(0, ((PciDriver)Rng("msix").Driver).MsixCapability);
    }

    [Theory]
    [InlineData("mmio")]
    [InlineData("pci")]
    public void Features_must_be_a_subset_with_version_1(string transport)
    {
        using Rig rig = Rng(transport);
        Driver d = rig.Driver;
        ulong offered = d.ReadDeviceFeatures();
        Assert.Equal(VirtioFeature.Version1 | VirtioFeature.RingPacked | VirtioFeature.EventIdx | VirtioFeature.IndirectDesc, offered);
        foreach (ulong bad in new[] { 0ul, offered & ~VirtioFeature.Version1, offered | 1, offered | 1UL << 63, VirtioFeature.Version1 | 1UL << 33 })
        {
            d.Status = 0;
            d.Status = 3;
            d.WriteDriverFeatures(bad);
            d.Status = 11;
            Assert.Equal(3u, d.Status);
            // A driver that goes on regardless gets no further.
            d.Status = 15;
            Assert.Equal(3u, d.Status);
        }
        d.Status = 0;
        d.Status = 3;
        d.WriteDriverFeatures(VirtioFeature.Version1);
        d.Status = 11;
        Assert.Equal(11u, d.Status);
        // Features are fixed now, and status bits stay.
        d.WriteDriverFeatures(offered);
        Assert.False(rig.Device.Negotiated(VirtioFeature.EventIdx));
        d.Status = 1;
        Assert.Equal(11u, d.Status);
    }

    [Theory]
    [InlineData("mmio")]
    [InlineData("pci")]
    [InlineData("msix")]
    public void A_reset_clears_everything_the_driver_set(string transport)
    {
        using Rig rig = Rng(transport);
        Driver d = rig.Driver;
        d.Start(VirtioFeature.EventIdx, 1);
        d.Queues[0].EnableInterrupts();
        d.Queues[0].Run(false, rig.Writable(8));
        d.Status = 0;
        Assert.False(rig.Probe.Level(0) || rig.Probe.Level(1) || rig.Probe.Level(2) || rig.Probe.Level(3));
        d.SelectQueue(0);
        Assert.Equal(64, d.QueueMaxSize);
        Assert.False(rig.Device.Queues[0].Ready);
        Assert.Equal(0ul, rig.Device.Queues[0].DescriptorAddress);
        Assert.False(rig.Device.Negotiated(VirtioFeature.EventIdx));
        if (d is PciDriver pci)
        {
            Assert.Equal(0xffffu, pci.Common(0x10, 2));
            Assert.Equal(0xffffu, pci.Common(0x1a, 2));
        }
    }

    [Fact]
    public void Legacy_interrupts_follow_isr_status_and_the_wire_swizzle()
    {
        using Rig rig = Rng("pci");
        var d = (PciDriver)rig.Driver;
        d.Start(0, 1);
        d.Queues[0].Run(false, rig.Writable(8));
        // Slot 1, INTA: line 1.
        Assert.Equal([false, true, false, false], new[] { rig.Probe.Level(0), rig.Probe.Level(1), rig.Probe.Level(2), rig.Probe.Level(3) });
        Assert.Equal(8u, d.GetConfig(6, 2) & 8);
        d.SetConfig(4, 2, 0x406);
        Assert.False(rig.Probe.Level(1));
        Assert.Equal(8u, d.GetConfig(6, 2) & 8);
        d.SetConfig(4, 2, 6);
        Assert.True(rig.Probe.Level(1));
        Assert.Equal(1, d.TakeInterrupts());
        Assert.False(rig.Probe.Level(1));
        Assert.Equal(0u, d.GetConfig(6, 2) & 8);
        Assert.Equal(0, d.TakeInterrupts());
    }

    [Fact]
    public void Masked_vectors_wait()
    {
        using Rig rig = Rng("msix");
        var d = (PciDriver)rig.Driver;
        d.Start(0, 1);
        DriverQueue q = d.Queues[0];
        d.Vector(1, masked: true);
        q.Run(false, rig.Writable(8));
        q.Run(false, rig.Writable(8));
        Assert.Empty(rig.Probe.TakeMessages());
        ulong pba = d.Bar(2) + (d.GetConfig(d.MsixCapability + 8, 4) & ~7u);
        Assert.Equal(2u, d.Load(pba, 4));
        Assert.Equal(2u, d.Load(pba, 8));
        d.Vector(1);
        Assert.Equal([(PciDriver.MessageAddress, 1u)], rig.Probe.TakeMessages());
        Assert.Equal(0u, d.Load(pba, 4));
        d.SetConfig(d.MsixCapability + 2, 2, 0xc000);
        q.Run(false, rig.Writable(8));
        Assert.Empty(rig.Probe.TakeMessages());
        d.SetConfig(d.MsixCapability + 2, 2, 0x8000);
        Assert.Single(rig.Probe.TakeMessages());
    }

    [Fact]
    public void A_vector_that_does_not_exist_reads_back_as_none()
    {
        using Rig rig = Rng("msix");
        var d = (PciDriver)rig.Driver;
        d.Common(0x10, 2, 2);
        Assert.Equal(0xffffu, d.Common(0x10, 2));
        d.Common(0x10, 2, 1);
        Assert.Equal(1u, d.Common(0x10, 2));
        Assert.Equal(1u, d.GetConfig(d.MsixCapability + 2, 2) & 0x7ff);
    }

    [Fact]
    public void Without_bus_master_the_device_reaches_no_memory()
    {
        using Rig rig = Rng("pci");
        var d = (PciDriver)rig.Driver;
        d.Start(0, 1);
        d.SetConfig(4, 2, 2);
        Piece piece = rig.Writable(8);
        d.Queues[0].Add(false, piece);
        d.Notify(0);
        Assert.Null(d.Queues[0].Take());
        Assert.All(rig.Content(piece), b => Assert.Equal(0xee, b));
        Assert.False(rig.NeedsReset);
        d.SetConfig(4, 2, 6);
        Assert.NotNull(d.Queues[0].Take());
    }

    [Fact]
    public void Everything_can_be_reached_through_configuration_space()
    {
        using Rig rig = Rng("pci");
        var d = (PciDriver)rig.Driver;
        int cap = d.Structure(5).Capability;
        void Window(uint offset, uint length)
        {
            d.SetConfig(cap + 4, 1, 0);
            d.SetConfig(cap + 8, 4, offset);
            d.SetConfig(cap + 12, 4, length);
        }
        d.SetConfig(4, 2, 4);
        Window(0x14, 1);
        d.SetConfig(cap + 16, 1, 3);
        Assert.Equal(3u, d.GetConfig(cap + 16, 1));
        Window(0x12, 2);
        Assert.Equal(1u, d.GetConfig(cap + 16, 2));
        // No window: an ordinary register without meaning. Nonsense: no effect.
        Window(0x3, 3);
        Assert.Equal(0u, d.GetConfig(cap + 16, 4));
        Window(0xffff_fff0, 4);
        d.SetConfig(cap + 16, 4, 1);
        Assert.Equal(0u, d.GetConfig(cap + 16, 4));
    }

    [Theory]
    [InlineData("mmio")]
    [InlineData("pci")]
    [InlineData("msix")]
    public void Registers_accessed_at_random_never_throw_or_hang(string transport)
    {
        using Rig rig = Rig.Create(new Way(transport, false, true, true), (m, log) => new VirtioBlock(m.Space, new TestDisk(1 << 20), "x", 2, Rig.Options, log));
        var random = new Random(7);
        long before = GC.GetTotalAllocatedBytes();
        for (int i = 0; i < 100_000; i++)
        {
            int size = 1 << random.Next(4);
            ulong offset = (ulong)random.Next(0x200) / (ulong)size * (ulong)size;
            ulong value = random.Next(3) switch { 0 => (ulong)random.Next(16), 1 => GuestMemory.Base + (ulong)random.Next(1 << 20) * 16, _ => (ulong)random.NextInt64() };
            if (rig.Mmio is { } mmio)
            {
                Assert.True(random.Next(2) == 0 ? mmio.Read(offset, size, out _) : mmio.Write(offset, size, value));
                continue;
            }
            if (random.Next(4) == 0)
            {
                size = Math.Min(size, 4);
                ulong register = 1 << 15 | offset / (ulong)size * (ulong)size;
                Assert.True(random.Next(2) == 0 ? rig.Host!.Read(register, size, out _) : rig.Host!.Write(register, size, value));
                continue;
            }
            int bar = random.Next(2) * 2;
            offset |= (ulong)random.Next(4) << 12;
            Assert.True(random.Next(2) == 0 ? rig.Pci!.ReadBar(bar, offset, size, out _) : rig.Pci!.WriteBar(bar, offset, size, value));
        }
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 200 << 20);
        rig.Device.Drain();
    }

    private static Rig Rng(string transport) => Rig.Create(new Way(transport, false, true, true), (m, log) => new VirtioEntropy(m.Space, static bytes => bytes.Fill(0x55), Rig.Options, log));
}
