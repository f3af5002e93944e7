namespace Myna.Devices.Scsi;

/// <summary>Operation codes (SPC-4, SBC-3 and MMC-6, the lists in their annexes).</summary>
internal static class ScsiOp
{
    public const byte TEST_UNIT_READY = 0x00, REZERO_UNIT = 0x01, REQUEST_SENSE = 0x03, READ_6 = 0x08, WRITE_6 = 0x0a, SEEK_6 = 0x0b, INQUIRY = 0x12, MODE_SELECT_6 = 0x15,
        MODE_SENSE_6 = 0x1a, START_STOP_UNIT = 0x1b, PREVENT_ALLOW_MEDIUM_REMOVAL = 0x1e, READ_CAPACITY_10 = 0x25, READ_10 = 0x28, WRITE_10 = 0x2a,
        SEEK_10 = 0x2b, WRITE_AND_VERIFY_10 = 0x2e, VERIFY_10 = 0x2f, SYNCHRONIZE_CACHE_10 = 0x35, WRITE_SAME_10 = 0x41, UNMAP = 0x42, READ_SUB_CHANNEL = 0x42,
        READ_TOC = 0x43, GET_CONFIGURATION = 0x46, GET_EVENT_STATUS_NOTIFICATION = 0x4a, READ_DISC_INFORMATION = 0x51, READ_TRACK_INFORMATION = 0x52,
        MODE_SELECT_10 = 0x55, MODE_SENSE_10 = 0x5a, READ_16 = 0x88, WRITE_16 = 0x8a, VERIFY_16 = 0x8f, SYNCHRONIZE_CACHE_16 = 0x91, WRITE_SAME_16 = 0x93,
        SERVICE_ACTION_IN_16 = 0x9e, REPORT_LUNS = 0xa0, READ_12 = 0xa8, WRITE_12 = 0xaa, READ_DVD_STRUCTURE = 0xad, GET_PERFORMANCE = 0xac, SET_CD_SPEED = 0xbb,
        MECHANISM_STATUS = 0xbd, READ_CD = 0xbe;
}

/// <summary>Sense data: key, additional sense code and its qualifier (SPC-4, section 4.5).</summary>
internal readonly record struct Sense(byte Key, byte Asc = 0, byte Ascq = 0)
{
    public const byte NotReadyKey = 2, IllegalRequestKey = 5, UnitAttentionKey = 6;

    public static Sense None => default;
    public static Sense NoMedium => new(NotReadyKey, 0x3a);
    public static Sense TrayOpen => new(NotReadyKey, 0x3a, 2);
    public static Sense UnrecoveredRead => new(3, 0x11);
    public static Sense WriteError => new(3, 0x0c);
    public static Sense InvalidOpCode => new(IllegalRequestKey, 0x20);
    public static Sense OutOfRange => new(IllegalRequestKey, 0x21);
    public static Sense InvalidField => new(IllegalRequestKey, 0x24);
    public static Sense InvalidParameter => new(IllegalRequestKey, 0x26);
    public static Sense NoSuchUnit => new(IllegalRequestKey, 0x25);
    public static Sense RemovalPrevented => new(IllegalRequestKey, 0x53, 2);
    public static Sense IllegalMode => new(IllegalRequestKey, 0x64);
    public static Sense PowerOn => new(UnitAttentionKey, 0x29);
    public static Sense MediumChanged => new(UnitAttentionKey, 0x28);
    public static Sense WriteProtected => new(7, 0x27);
    public static Sense SpaceFailed => new(7, 0x27, 7);
}
