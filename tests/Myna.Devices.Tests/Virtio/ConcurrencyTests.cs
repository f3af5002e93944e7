using System.Buffers.Binary;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Block;
using Myna.Devices.Virtio.Net;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Virtio;

/// <summary>Several CPUs and the host at the same device at once: no exception, no deadlock.</summary>
public sealed class ConcurrencyTests
{
    [Theory]
    [InlineData("mmio")]
    [InlineData("pci")]
    [InlineData("msix")]
    public void A_network_device_under_fire_stays_whole(string transport)
    {
        var loop = new Loop();
        using Rig rig = Rig.Create(new Way(transport, false, true, true),
            (m, log) => new VirtioNet(m.Space, loop, [2, 0, 0, 0, 0, 1], 0, Rig.Options, log));
        Shoot(rig, 3, () => loop.Frontend!.Receive(new byte[200]));
        Assert.True(loop.Sent > 100, $"only {loop.Sent} frames were sent");
    }

    [Theory]
    [InlineData("mmio")]
    [InlineData("msix")]
    public void A_disk_under_fire_stays_whole(string transport)
    {
        var disk = new TestDisk(1 << 20) { Deferred = true };
        var random = new Random(9);
        using Rig rig = Rig.Create(new Way(transport, false, true, true), (m, log) => new VirtioBlock(m.Space, disk, "", 2, Rig.Options, log));
        int completed = 0;
        Shoot(rig, 2, () => completed += disk.CompleteOne(random) ? 1 : 0);
        Assert.True(completed > 100, $"only {completed} requests completed");
        disk.Deferred = false;
        while (disk.Pending != 0)
            disk.CompleteOne(random);
        rig.Device.Drain();
    }

    /// <summary>Two CPUs drive everything at random, mostly as a driver would, while the host does its part.</summary>
    private static void Shoot(Rig rig, int queues, Action host)
    {
        var failures = new System.Collections.Concurrent.ConcurrentQueue<Exception>();
        bool done = false;
        Thread Run(Action body)
        {
            var thread = new Thread(() =>
            {
                try
                {
                    body();
                }
                catch (Exception e)
                {
                    failures.Enqueue(e);
                }
            });
            thread.Start();
            return thread;
        }
        Thread[] cpus = [.. Enumerable.Range(1, 2).Select(seed => Run(() => Cpu(rig, queues, new Random(seed))))];
        Thread[] others =
        [
            Run(() =>
            {
                while (!Volatile.Read(ref done))
                    host();
            }),
        ];
        foreach (Thread cpu in cpus)
            Assert.True(cpu.Join(TimeSpan.FromSeconds(120)), "deadlock");
        Volatile.Write(ref done, true);
        foreach (Thread other in others)
            Assert.True(other.Join(TimeSpan.FromSeconds(120)), "deadlock");
        Assert.Empty(failures);
    }

    private static void Cpu(Rig rig, int queues, Random random)
    {
        VirtioDevice device = rig.Device;
        byte[] ring = new byte[0x1000];
        for (int i = 0; i < 30_000; i++)
        {
            switch (random.Next(20))
            {
                case 0:
                    lock (device.Lock)
                        device.WriteStatus(0);
                    break;
                case 1:
                    lock (device.Lock)
                    {
                        device.WriteStatus(3);
                        device.DriverFeaturesSelect = 0;
                        device.WriteDriverFeatures((uint)(device.OfferedFeatures & VirtioFeature.EventIdx));
                        device.DriverFeaturesSelect = 1;
                        device.WriteDriverFeatures((uint)random.Next(2) << 2 | 1);
                        device.WriteStatus(11);
                        for (uint q = 0; q < queues; q++)
                        {
                            Fill(ring, device.Negotiated(VirtioFeature.RingPacked), random);
                            rig.Memory.Write(GuestMemory.Base + q * 0x1000, ring);
                            device.QueueSelect = q;
                            Virtqueue queue = device.SelectedQueue!;
                            queue.Size = 16;
                            queue.DescriptorAddress = GuestMemory.Base + q * 0x1000;
                            queue.DriverAddress = queue.DescriptorAddress + 0x400;
                            queue.DeviceAddress = queue.DescriptorAddress + 0x800;
                            queue.SetReady(true);
                        }
                        device.WriteStatus(15);
                    }
                    break;
                case 2:
                    rig.Driver.TakeInterrupts();
                    break;
                case 3:
                    _ = rig.Driver.ReadConfig(0, 4);
                    break;
                case 4:
                    // Each of the two CPUs has all rings, as a guest without locks would.
                    Fill(ring, device.Negotiated(VirtioFeature.RingPacked), random);
                    rig.Memory.Write(GuestMemory.Base + (ulong)random.Next(queues) * 0x1000, ring.AsSpan(0, 0x400));
                    break;
                default:
                    ulong avail = GuestMemory.Base + (ulong)random.Next(queues) * 0x1000 + 0x402;
                    rig.Memory.Write16(avail, (ushort)(rig.Memory.Read16(avail) + random.Next(3)));
                    device.Notify((uint)random.Next(queues));
                    break;
            }
        }
        lock (device.Lock)
            device.WriteStatus(0);
    }

    /// <summary>Pairs of a readable and a writable descriptor, now and then wrong; the available ring names the pairs.</summary>
    private static void Fill(byte[] ring, bool packed, Random random)
    {
        Array.Clear(ring);
        for (int i = 0; i < 16; i++)
        {
            Span<byte> d = ring.AsSpan(i * 16, 16);
            BinaryPrimitives.WriteUInt64LittleEndian(d, GuestMemory.Base + 0x10000 + (ulong)random.Next(0x1000));
            BinaryPrimitives.WriteInt32LittleEndian(d[8..], random.Next(200) == 0 ? -1 : i % 2 == 0 ? 528 : 513);
            int flags = i % 2 == 0 ? 1 : 2;
            d[12] = (byte)(packed ? i : flags);
            d[14] = (byte)(packed ? flags | 0x80 : i + 1);
            BinaryPrimitives.WriteUInt16LittleEndian(ring.AsSpan(0x404 + 2 * i), (ushort)(random.Next(8) * 2));
        }
    }

    /// <summary>A wire that answers from inside Send, as a user-mode stack may.</summary>
    private sealed class Loop : INetBackend
    {
        public INetFrontend? Frontend { get; private set; }

        public int Sent { get; private set; }

        public void Attach(INetFrontend frontend) => Frontend = frontend;

        public void Send(ReadOnlySpan<byte> frame)
        {
            Sent++;
            Frontend!.Receive(frame);
        }

        public void ReceiveReady() => Frontend!.Receive(new byte[64]);
    }
}
