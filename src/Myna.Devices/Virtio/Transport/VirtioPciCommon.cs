using System.Buffers.Binary;

namespace Myna.Devices.Virtio.Transport;

/// <summary>struct virtio_pci_common_cfg (virtio 1.2, section 4.1.4.3): offsets, reads and writes.</summary>
internal static class VirtioPciCommon
{
    public const int Size = 0x40;
    public const ushort NoVector = 0xffff;

    private const int DeviceFeatureSelect = 0x00, DeviceFeature = 0x04, DriverFeatureSelect = 0x08, DriverFeature = 0x0c;
    private const int ConfigMsixVector = 0x10, NumQueues = 0x12, DeviceStatus = 0x14, ConfigGeneration = 0x15;
    private const int QueueSelect = 0x16, QueueSize = 0x18, QueueMsixVector = 0x1a, QueueEnable = 0x1c, QueueNotifyOff = 0x1e;
    private const int QueueDesc = 0x20, QueueDriver = 0x28, QueueDevice = 0x30;

    /// <summary>Reads any part of the structure.</summary>
    public static ulong Read(VirtioDevice device, ushort configVector, ReadOnlySpan<ushort> queueVectors, int offset, int size)
    {
        Span<byte> all = stackalloc byte[Size + 8];
        all.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(all[DeviceFeatureSelect..], device.DeviceFeaturesSelect);
        BinaryPrimitives.WriteUInt32LittleEndian(all[DeviceFeature..], device.ReadDeviceFeatures());
        BinaryPrimitives.WriteUInt32LittleEndian(all[DriverFeatureSelect..], device.DriverFeaturesSelect);
        BinaryPrimitives.WriteUInt32LittleEndian(all[DriverFeature..], device.ReadDriverFeatures());
        BinaryPrimitives.WriteUInt16LittleEndian(all[ConfigMsixVector..], configVector);
        BinaryPrimitives.WriteUInt16LittleEndian(all[NumQueues..], (ushort)device.Queues.Length);
        all[DeviceStatus] = (byte)device.Status;
        all[ConfigGeneration] = (byte)device.ConfigGeneration;
        BinaryPrimitives.WriteUInt16LittleEndian(all[QueueSelect..], (ushort)device.QueueSelect);
        if (device.SelectedQueue is { } queue)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(all[QueueSize..], queue.Size);
            BinaryPrimitives.WriteUInt16LittleEndian(all[QueueMsixVector..], queueVectors[queue.Index]);
            BinaryPrimitives.WriteUInt16LittleEndian(all[QueueEnable..], queue.Ready ? (ushort)1 : (ushort)0);
            BinaryPrimitives.WriteUInt16LittleEndian(all[QueueNotifyOff..], (ushort)queue.Index);
            BinaryPrimitives.WriteUInt64LittleEndian(all[QueueDesc..], queue.DescriptorAddress);
            BinaryPrimitives.WriteUInt64LittleEndian(all[QueueDriver..], queue.DriverAddress);
            BinaryPrimitives.WriteUInt64LittleEndian(all[QueueDevice..], queue.DeviceAddress);
        }
        return offset >= Size ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(all[offset..]) & ulong.MaxValue >> (64 - size * 8);
    }

    /// <summary>Writes a field with its own width, or half of a 64-bit one; other accesses are ignored (section 4.1.3.1).</summary>
    public static void Write(VirtioDevice device, ref ushort configVector, Span<ushort> queueVectors, int vectors, int offset, int size, uint value)
    {
        switch (offset, size)
        {
            case (DeviceFeatureSelect, 4): device.DeviceFeaturesSelect = value; return;
            case (DriverFeatureSelect, 4): device.DriverFeaturesSelect = value; return;
            case (DriverFeature, 4): device.WriteDriverFeatures(value); return;
            case (ConfigMsixVector, 2): configVector = Vector(value, vectors); return;
            case (DeviceStatus, 1): device.WriteStatus(value); return;
            case (QueueSelect, 2): device.QueueSelect = value; return;
        }
        if (device.SelectedQueue is not { } queue)
            return;
        switch (offset, size)
        {
            case (QueueSize, 2): queue.Size = (ushort)value; break;
            case (QueueMsixVector, 2): queueVectors[queue.Index] = Vector(value, vectors); break;
            // Section 4.1.4.3.2: the driver never writes 0 here; only a reset disables a queue.
            case (QueueEnable, 2) when value == 1: queue.SetReady(true); break;
            case (QueueDesc, 4) or (QueueDesc + 4, 4): queue.DescriptorAddress = Half(queue.DescriptorAddress, offset, value); break;
            case (QueueDriver, 4) or (QueueDriver + 4, 4): queue.DriverAddress = Half(queue.DriverAddress, offset, value); break;
            case (QueueDevice, 4) or (QueueDevice + 4, 4): queue.DeviceAddress = Half(queue.DeviceAddress, offset, value); break;
        }
    }

    /// <summary>A vector that does not exist reads back as NO_VECTOR, so that the driver notices (section 4.1.5.1.2).</summary>
    private static ushort Vector(uint value, int vectors) => value < vectors ? (ushort)value : NoVector;

    private static ulong Half(ulong address, int offset, uint value)
        => (offset & 4) == 0 ? (address & 0xffff_ffff_0000_0000) | value : (uint)address | (ulong)value << 32;
}
