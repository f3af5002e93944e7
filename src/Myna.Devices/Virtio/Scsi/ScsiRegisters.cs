namespace Myna.Devices.Virtio.Scsi;

/// <summary>Offsets in struct virtio_scsi_config (virtio 1.2, section 5.6.4), and the values of those that the driver may set.</summary>
internal static class ScsiConfig
{
    public const int NumQueues = 0, SegMax = 4, MaxSectors = 8, CmdPerLun = 12, EventInfoSize = 16, SenseSize = 20, CdbSize = 24, MaxChannel = 28, MaxTarget = 30, MaxLun = 32;
    public const int Size = 36;
    public const int DefaultSenseSize = 96, DefaultCdbSize = 32, MostSense = 256, MostCdb = 255;
}

/// <summary>Feature bits (section 5.6.3).</summary>
public static class ScsiFeature
{
    /// <summary>The device reports changes of units' parameters.</summary>
    public const ulong Change = 1UL << 2;
}

/// <summary>Response codes (sections 5.6.6.1 and 5.6.6.2).</summary>
internal enum ScsiResponse : byte
{
    Ok = 0, Overrun = 1, Aborted = 2, BadTarget = 3, Reset = 4, Busy = 5, TransportFailure = 6, TargetFailure = 7, NexusFailure = 8, Failure = 9,
    FunctionSucceeded = 10, FunctionRejected = 11, IncorrectLun = 12,
}

/// <summary>Requests of the control queue (section 5.6.6.2), and task management functions.</summary>
internal static class ScsiControl
{
    public const uint TMF = 0, AN_QUERY = 1, AN_SUBSCRIBE = 2;
    public const uint ABORT_TASK = 0, ABORT_TASK_SET = 1, CLEAR_ACA = 2, CLEAR_TASK_SET = 3, I_T_NEXUS_RESET = 4, LOGICAL_UNIT_RESET = 5, QUERY_TASK = 6, QUERY_TASK_SET = 7;
}

/// <summary>Events (section 5.6.6.3).</summary>
internal static class ScsiEvent
{
    public const uint NO_EVENT = 0, PARAM_CHANGE = 3, EVENTS_MISSED = 0x8000_0000;
    public const int Size = 16;
}

/// <summary>The lun field of requests (section 5.6.6.1): 1, the target, and the unit's number in the single-level format of SAM.</summary>
internal readonly record struct ScsiAddress(bool Valid, byte Target, ushort Unit)
{
    public const int Size = 8;

    public static ScsiAddress Read(ReadOnlySpan<byte> lun)
    {
        // The report-LUNs well-known unit and others are not there.
        int unit = lun[2] << 8 | lun[3];
        return new(lun[0] == 1 && (unit & 0xc000) is 0 or 0x4000 && !lun[4..Size].ContainsAnyExcept((byte)0), lun[1], (ushort)(unit & 0x3fff));
    }

    public void Write(Span<byte> lun)
    {
        lun[..Size].Clear();
        (lun[0], lun[1], lun[2], lun[3]) = (1, Target, (byte)(0x40 | Unit >> 8), (byte)Unit);
    }
}
