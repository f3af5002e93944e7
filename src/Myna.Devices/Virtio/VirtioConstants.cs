namespace Myna.Devices.Virtio;

/// <summary>Device types (virtio 1.2, section 5).</summary>
public enum VirtioDeviceId : ushort { Net = 1, Block = 2, Console = 3, Entropy = 4, Balloon = 5, Scsi = 8, Gpu = 16, Input = 18 }

/// <summary>The device status field (virtio 1.2, section 2.1).</summary>
[Flags]
public enum VirtioStatus
{
    None = 0,
    Acknowledge = 1,
    Driver = 2,
    DriverOk = 4,
    FeaturesOk = 8,
    DeviceNeedsReset = 64,
    Failed = 128,
}

/// <summary>Reserved feature bits, the same for every device (virtio 1.2, section 6).</summary>
public static class VirtioFeature
{
    public const ulong IndirectDesc = 1UL << 28;
    public const ulong EventIdx = 1UL << 29;
    public const ulong Version1 = 1UL << 32;
    public const ulong RingPacked = 1UL << 34;
}

/// <summary>What the user may choose about a device's rings.</summary>
/// <param name="Packed">Offers VIRTIO_F_RING_PACKED; a driver that knows packed rings then uses them.</param>
/// <param name="EventIdx">Offers VIRTIO_F_EVENT_IDX.</param>
/// <param name="IndirectDesc">Offers VIRTIO_F_INDIRECT_DESC.</param>
public sealed record VirtioOptions(bool Packed = false, bool EventIdx = true, bool IndirectDesc = true)
{
    public static VirtioOptions Default { get; } = new();

    internal ulong Features => VirtioFeature.Version1
        | (Packed ? VirtioFeature.RingPacked : 0)
        | (EventIdx ? VirtioFeature.EventIdx : 0)
        | (IndirectDesc ? VirtioFeature.IndirectDesc : 0);
}
