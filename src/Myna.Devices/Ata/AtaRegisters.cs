namespace Myna.Devices.Ata;

/// <summary>Bits of the Status register (ATA8-ACS, section 6.1), of Error and of others.</summary>
internal static class AtaBits
{
    public const byte ERR = 0x01, DRQ = 0x08, SeekComplete = 0x10, DF = 0x20, DRDY = 0x40, BSY = 0x80;

    /// <summary>Error: aborted, no such address, uncorrectable.</summary>
    public const byte ABRT = 0x04, IDNF = 0x10, UNC = 0x40, ICRC = 0x80;

    /// <summary>Device: LBA rather than cylinders, and device 1. In a queued command bit 7 is FUA.</summary>
    public const byte LBA = 0x40, DEV = 0x10, FUA = 0x80;

    /// <summary>Interrupt reason of a packet device, in Count: a command is wanted, data goes to the host.</summary>
    public const byte CoD = 0x01, IO = 0x02;

    /// <summary>Device Control: no interrupts, software reset, high-order bytes.</summary>
    public const byte nIEN = 0x02, SRST = 0x04, HOB = 0x80;
}

/// <summary>Command codes (ATA8-ACS, annex B).</summary>
internal static class AtaCommand
{
    public const byte NOP = 0x00, DATA_SET_MANAGEMENT = 0x06, DEVICE_RESET = 0x08, RECALIBRATE = 0x10, READ_SECTORS = 0x20, READ_SECTORS_ONCE = 0x21,
        READ_SECTORS_EXT = 0x24, READ_DMA_EXT = 0x25, READ_NATIVE_MAX_EXT = 0x27, READ_MULTIPLE_EXT = 0x29, READ_LOG_EXT = 0x2f, WRITE_SECTORS = 0x30,
        WRITE_SECTORS_ONCE = 0x31, WRITE_SECTORS_EXT = 0x34, WRITE_DMA_EXT = 0x35, WRITE_MULTIPLE_EXT = 0x39, WRITE_DMA_FUA_EXT = 0x3d, VERIFY = 0x40,
        VERIFY_ONCE = 0x41, VERIFY_EXT = 0x42, READ_FPDMA_QUEUED = 0x60, WRITE_FPDMA_QUEUED = 0x61, SEEK = 0x70, DIAGNOSTIC = 0x90,
        INITIALIZE_DEVICE_PARAMETERS = 0x91, PACKET = 0xa0, IDENTIFY_PACKET_DEVICE = 0xa1, READ_MULTIPLE = 0xc4, WRITE_MULTIPLE = 0xc5,
        SET_MULTIPLE_MODE = 0xc6, READ_DMA = 0xc8, READ_DMA_ONCE = 0xc9, WRITE_DMA = 0xca, WRITE_DMA_ONCE = 0xcb, WRITE_MULTIPLE_FUA_EXT = 0xce,
        STANDBY_IMMEDIATE = 0xe0, IDLE_IMMEDIATE = 0xe1, STANDBY = 0xe2, IDLE = 0xe3, CHECK_POWER_MODE = 0xe5, SLEEP = 0xe6, FLUSH_CACHE = 0xe7,
        FLUSH_CACHE_EXT = 0xea, IDENTIFY_DEVICE = 0xec, SET_FEATURES = 0xef, READ_NATIVE_MAX = 0xf8;

    public static bool IsQueued(byte command) => command is READ_FPDMA_QUEUED or WRITE_FPDMA_QUEUED;

    /// <summary>Whether data goes by DMA rather than through the data register. PACKET says so itself.</summary>
    public static bool IsDma(byte command) => command is READ_DMA or READ_DMA_ONCE or READ_DMA_EXT or WRITE_DMA or WRITE_DMA_ONCE or WRITE_DMA_EXT
        or WRITE_DMA_FUA_EXT or DATA_SET_MANAGEMENT or READ_FPDMA_QUEUED or WRITE_FPDMA_QUEUED;

    /// <summary>Whether a data block of the data register has as many sectors as SET MULTIPLE MODE said.</summary>
    public static bool IsMultiple(byte command) => command is READ_MULTIPLE or READ_MULTIPLE_EXT or WRITE_MULTIPLE or WRITE_MULTIPLE_EXT or WRITE_MULTIPLE_FUA_EXT;
}

/// <summary>
/// The command block registers of a command, in their 48-bit form (ATA8-ACS, section 6.1): what the host wrote, and the
/// device's answer in place of it.
/// </summary>
internal struct TaskFile
{
    /// <summary>Bits 47:0; of 28-bit commands bits 27:24 are in <see cref="Device"/>.</summary>
    public ulong Lba;
    public ushort Feature, Count;
    public byte Device, Command, Status, Error;

    /// <summary>The command has ended well.</summary>
    public void Succeed()
    {
        Status = AtaBits.DRDY | AtaBits.SeekComplete;
        Error = 0;
    }

    /// <summary>The command has ended with bits of Error.</summary>
    public void Fail(byte error)
    {
        Status = AtaBits.DRDY | AtaBits.SeekComplete | AtaBits.ERR;
        Error = error;
    }
}
