using Myna.Devices.Virtio;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>A guest's driver at the level of registers, over some transport.</summary>
internal abstract class Driver(GuestMemory memory)
{
    public GuestMemory Memory { get; } = memory;
    public List<DriverQueue> Queues { get; } = [];
    public ulong Features { get; private set; }

    public abstract uint Status { get; set; }
    public abstract ulong ReadDeviceFeatures();
    public abstract void WriteDriverFeatures(ulong features);
    public abstract void SelectQueue(int queue);
    public abstract int QueueMaxSize { get; }
    public abstract void SetupQueue(int size, ulong descriptors, ulong driver, ulong device);
    public abstract void Notify(int queue);

    /// <summary>Reads and acknowledges: bit 0 queues, bit 1 configuration.</summary>
    public abstract int TakeInterrupts();
    public abstract ulong ReadConfig(int offset, int size);
    public abstract void WriteConfig(int offset, int size, ulong value);

    /// <summary>The sequence of section 3.1.1.</summary>
    /// <param name="wanted">Features to take if offered, beside VERSION_1.</param>
    public void Start(ulong wanted, int queues, int size = 0)
    {
        Status = 0;
        Assert.Equal(0u, Status);
        Status = 1;
        Status = 1 | 2;
        Features = ReadDeviceFeatures() & (wanted | VirtioFeature.Version1);
        WriteDriverFeatures(Features);
        Status = 1 | 2 | 8;
        Assert.Equal(1u | 2 | 8, Status);
        for (int i = 0; i < queues; i++)
            AddQueue(i, size);
        Status = 1 | 2 | 8 | 4;
        Assert.Equal(15u, Status);
    }

    public DriverQueue AddQueue(int index, int size = 0)
    {
        SelectQueue(index);
        int max = QueueMaxSize;
        Assert.True(max > 0);
        size = size == 0 ? max : Math.Min(size, max);
        DriverQueue queue = (Features & VirtioFeature.RingPacked) != 0
            ? new PackedDriverQueue(this, index, size)
            : new SplitDriverQueue(this, index, size);
        SetupQueue(size, queue.Descriptors, queue.DriverArea, queue.DeviceArea);
        Queues.Add(queue);
        return queue;
    }
}
