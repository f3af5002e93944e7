namespace Myna.Devices.Virtio.Net;

/// <summary>Feature bits of network devices (virtio 1.2, section 5.1.3).</summary>
public static class NetFeature
{
    public const ulong Mtu = 1UL << 3, Mac = 1UL << 5, MrgRxbuf = 1UL << 15, Status = 1UL << 16;
    public const ulong CtrlVq = 1UL << 17, CtrlRx = 1UL << 18, CtrlMacAddr = 1UL << 23;
}

/// <summary>Offsets in struct virtio_net_config (section 5.1.4).</summary>
internal static class NetConfig
{
    public const int Mac = 0, Status = 6, MaxVirtqueuePairs = 8, Mtu = 10;
    public const int Size = 12;

    /// <summary>VIRTIO_NET_S_LINK_UP.</summary>
    public const ushort LinkUp = 1;
}

/// <summary>struct virtio_net_hdr (section 5.1.6) without hash: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers.</summary>
internal static class NetHeader
{
    public const int NumBuffers = 10;
    public const int Size = 12;
}

/// <summary>Classes and commands of the control queue (section 5.1.6.5).</summary>
internal static class NetControl
{
    public const byte Ok = 0, Err = 1;
    public const byte ClassRx = 0, ClassMac = 1;
    public const byte RxNoBroadcast = 5, MacTableSet = 0, MacAddrSet = 1;

    /// <summary>class and command.</summary>
    public const int HeaderSize = 2;
}
