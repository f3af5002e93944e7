namespace Myna.Devices.Virtio.Block;

/// <summary>Feature bits of block devices (virtio 1.2, section 5.2.3).</summary>
public static class BlockFeature
{
    public const ulong SegMax = 1UL << 2, ReadOnly = 1UL << 5, BlkSize = 1UL << 6, Flush = 1UL << 9;
    public const ulong Topology = 1UL << 10, Mq = 1UL << 12, Discard = 1UL << 13, WriteZeroes = 1UL << 14;
}

/// <summary>Offsets in struct virtio_blk_config (section 5.2.4).</summary>
internal static class BlockConfig
{
    public const int Capacity = 0, SegMax = 12, BlkSize = 20, PhysicalBlockExp = 24, MinIoSize = 26, OptIoSize = 28;
    public const int NumQueues = 34, MaxDiscardSectors = 36, MaxDiscardSeg = 40, DiscardSectorAlignment = 44;
    public const int MaxWriteZeroesSectors = 48, MaxWriteZeroesSeg = 52, WriteZeroesMayUnmap = 56;
    public const int Size = 60;
}

/// <summary>Request types (section 5.2.6).</summary>
internal enum BlockRequestType : uint { In = 0, Out = 1, Flush = 4, GetId = 8, Discard = 11, WriteZeroes = 13 }

/// <summary>The status byte at the end of a request (section 5.2.6).</summary>
internal enum BlockRequestStatus : byte { Ok = 0, IoErr = 1, Unsupp = 2 }
