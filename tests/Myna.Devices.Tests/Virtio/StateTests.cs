using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio.Block;
using Myna.Hardware.State;

namespace Myna.Devices.Tests.Virtio;

public sealed class StateTests
{
    [Theory]
    [MemberData(nameof(Way.All), MemberType = typeof(Way))]
    public void A_device_goes_on_in_another_machine(Way way)
    {
        var disk = new TestDisk(1 << 20);
        using Rig rig = Create(way, disk);
        rig.Driver.Start(way.Features | BlockFeature.Flush, 1, 8);
        DriverQueue q = rig.Driver.Queues[0];
        q.EnableInterrupts();
        for (int i = 0; i < 13; i++)
            Request(rig, q, way.Indirect);
        byte[] state = Save(rig);

        using Rig other = Create(way, disk);
        rig.Memory.Ram.Get(0, (int)GuestMemory.Size).CopyTo(other.Memory.Ram.GetForWrite(0, (int)GuestMemory.Size));
        Load(other, state);
        Assert.Equal(state, Save(other));
        // Interrupt wires are driven again (with MSI-X there are none).
        Assert.Equal(Levels(rig), Levels(other));
        Assert.Equal(way.Transport != "msix", Levels(other).Contains(true));

        // The driver's software state moves along with the guest: the old driver object on the new machine's registers.
        Piece header = rig.Readable(new byte[16]), data = rig.Writable(512), status = rig.Writable(1);
        int id = q.Add(way.Indirect, header, data, status);
        rig.Memory.Ram.Get(0, (int)GuestMemory.Size).CopyTo(other.Memory.Ram.GetForWrite(0, (int)GuestMemory.Size));
        other.Device.Notify(0);
        other.Memory.Ram.Get(0, (int)GuestMemory.Size).CopyTo(rig.Memory.Ram.GetForWrite(0, (int)GuestMemory.Size));
        Assert.Equal(new Used(id, 513), q.Take());
        Assert.Equal(0, rig.Content(status)[0]);
    }

    [Fact]
    public void A_damaged_state_is_no_way_out()
    {
        var disk = new TestDisk(1 << 20);
        var way = new Way("pci", true, true, true);
        using Rig rig = Create(way, disk);
        rig.Driver.Start(way.Features, 1, 8);
        Request(rig, rig.Driver.Queues[0], false);
        byte[] state = Save(rig);
        var random = new Random(3);
        for (int round = 0; round < 300; round++)
        {
            byte[] damaged = [.. state];
            for (int i = 0; i < 20; i++)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            using Rig other = Create(way, disk);
            rig.Memory.Ram.Get(0, 1 << 16).CopyTo(other.Memory.Ram.GetForWrite(0, 1 << 16));
            try
            {
                Load(other, damaged);
            }
            catch (StateException)
            {
                continue;
            }
            other.Device.NotifyAll();
            other.Device.Drain();
        }
    }

    private static void Request(Rig rig, DriverQueue q, bool indirect)
        => q.Run(indirect, rig.Readable(new byte[16]), rig.Writable(512), rig.Writable(1));

    private static Rig Create(Way way, TestDisk disk) => Rig.Create(way, (m, log) => new VirtioBlock(m.Space, disk, "x", 2, Rig.Options, log));

    private static bool[] Levels(Rig rig) => [.. Enumerable.Range(0, 4).Select(i => rig.Probe.Level(i))];

    private static byte[] Save(Rig rig)
    {
        rig.Device.Drain();
        var writer = new StateWriter();
        writer.WriteSection((IStateful?)rig.Mmio ?? rig.Pci!);
        return writer.ToArray();
    }

    private static void Load(Rig rig, byte[] state) => new StateReader(state).ReadSection((IStateful?)rig.Mmio ?? rig.Pci!);
}
