namespace Myna.Devices.Floppy;

/// <summary>Registers and their bits (82077AA data sheet, section 2.1).</summary>
internal static class FloppyRegister
{
    public const int SRA = 0, SRB = 1, DOR = 2, TDR = 3, MSR = 4, FIFO = 5;

    // DOR: motors in bits 7:4, the drive selected in bits 1:0.
    public const byte NotReset = 0x04, DMAGATE = 0x08;

    public const byte RQM = 0x80, DIO = 0x40, NONDMA = 0x20, CMDBSY = 0x10;

    /// <summary>DSR: a software reset, which ends by itself.</summary>
    public const byte SoftwareReset = 0x80;

    /// <summary>DIR: the disk change line.</summary>
    public const byte DSKCHG = 0x80;
}

/// <summary>Command codes, without the bits MT, MFM and SK (section 5, table 5-1).</summary>
internal static class FloppyCommand
{
    public const byte READ_TRACK = 0x02, SPECIFY = 0x03, SENSE_DRIVE_STATUS = 0x04, WRITE_DATA = 0x05, READ_DATA = 0x06, RECALIBRATE = 0x07, SENSE_INTERRUPT_STATUS = 0x08,
        WRITE_DELETED_DATA = 0x09, READ_ID = 0x0a, READ_DELETED_DATA = 0x0c, FORMAT_TRACK = 0x0d, DUMPREG = 0x0e, SEEK = 0x0f, VERSION = 0x10, PERPENDICULAR_MODE = 0x12,
        CONFIGURE = 0x13, LOCK = 0x14, VERIFY = 0x16;

    public const byte MT = 0x80, RelativeSeek = 0x80, LockBit = 0x80;

    /// <summary>Bytes of parameters behind a command's first byte, or -1 for none that exists.</summary>
    public static int Parameters(byte first) => Code(first) switch
    {
        READ_TRACK or WRITE_DATA or READ_DATA or WRITE_DELETED_DATA or READ_DELETED_DATA or VERIFY => 8,
        FORMAT_TRACK => 5,
        CONFIGURE => 3,
        SPECIFY or SEEK => 2,
        SENSE_DRIVE_STATUS or RECALIBRATE or READ_ID or PERPENDICULAR_MODE => 1,
        SENSE_INTERRUPT_STATUS or DUMPREG or VERSION or LOCK => 0,
        _ => -1,
    };

    public static byte Code(byte first) => (byte)(first & 0x1f) switch
    {
        // These have no such bits: with others set they are no commands.
        SPECIFY or SENSE_DRIVE_STATUS or RECALIBRATE or SENSE_INTERRUPT_STATUS or DUMPREG or VERSION or PERPENDICULAR_MODE or CONFIGURE when (first & 0xe0) != 0 => 0,
        SEEK when (first & 0x20) != 0 => 0,
        LOCK when (first & 0x60) != 0 => 0,
        byte code => code,
    };
}

/// <summary>Bits of the status registers 0 to 3 of a command's end (section 6).</summary>
internal static class FloppyStatus
{
    public const byte Abnormal = 0x40, Invalid = 0x80, Polled = 0xc0, SeekEnd = 0x20, EquipmentCheck = 0x10;
    public const byte EndOfCylinder = 0x80, DataError = 0x20, Overrun = 0x10, NoData = 0x04, NotWritable = 0x02, MissingMark = 0x01;
    public const byte ControlMark = 0x40, DataErrorInField = 0x20, WrongCylinder = 0x10;
    public const byte WriteProtected = 0x40, Track0 = 0x10, AlwaysOne = 0x28;
}
