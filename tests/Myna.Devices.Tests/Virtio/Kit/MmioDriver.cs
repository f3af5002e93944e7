using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>A driver on virtio-mmio, register numbers from the specification's table 4.1.</summary>
internal sealed class MmioDriver(GuestMemory memory, IMmio slot) : Driver(memory)
{
    public override uint Status { get => Get(0x70); set => Set(0x70, value); }
    public override int QueueMaxSize => (int)Get(0x34);

    public uint Get(ulong offset)
    {
        Assert.True(slot.Read(offset, 4, out ulong value));
        return (uint)value;
    }

    public void Set(ulong offset, uint value) => Assert.True(slot.Write(offset, 4, value));

    public override ulong ReadDeviceFeatures()
    {
        Set(0x14, 0);
        ulong low = Get(0x10);
        Set(0x14, 1);
        return low | (ulong)Get(0x10) << 32;
    }

    public override void WriteDriverFeatures(ulong features)
    {
        Set(0x24, 0);
        Set(0x20, (uint)features);
        Set(0x24, 1);
        Set(0x20, (uint)(features >> 32));
    }

    public override void SelectQueue(int queue) => Set(0x30, (uint)queue);

    public override void SetupQueue(int size, ulong descriptors, ulong driver, ulong device)
    {
        Set(0x38, (uint)size);
        Set(0x80, (uint)descriptors);
        Set(0x84, (uint)(descriptors >> 32));
        Set(0x90, (uint)driver);
        Set(0x94, (uint)(driver >> 32));
        Set(0xa0, (uint)device);
        Set(0xa4, (uint)(device >> 32));
        Set(0x44, 1);
    }

    public override void Notify(int queue) => Set(0x50, (uint)queue);

    public override int TakeInterrupts()
    {
        uint status = Get(0x60);
        Set(0x64, status);
        return (int)status;
    }

    public override ulong ReadConfig(int offset, int size)
    {
        Assert.True(slot.Read(0x100 + (ulong)offset, size, out ulong value));
        return value;
    }

    public override void WriteConfig(int offset, int size, ulong value) => Assert.True(slot.Write(0x100 + (ulong)offset, size, value));
}
