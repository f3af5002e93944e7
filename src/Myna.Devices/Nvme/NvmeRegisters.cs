namespace Myna.Devices.Nvme;

/// <summary>Offsets of controller registers (NVMe 1.4, section 3.1) and their bits.</summary>
internal static class NvmeRegister
{
    public const int CAP = 0x00, VS = 0x08, INTMS = 0x0c, INTMC = 0x10, CC = 0x14, CSTS = 0x1c, NSSR = 0x20, AQA = 0x24, ASQ = 0x28, ACQ = 0x30;

    /// <summary>Where doorbells begin; each takes four bytes.</summary>
    public const int Doorbells = 0x1000;

    /// <summary>CC: enable, shutdown notification.</summary>
    public const uint EN = 1, SHN = 3 << 14;

    /// <summary>CSTS: ready, fatal, shutdown complete.</summary>
    public const uint RDY = 1, CFS = 2, SHST = 3 << 2, ShutdownComplete = 2 << 2;
}

/// <summary>Opcodes (NVMe 1.4, figures 139 and 346).</summary>
internal static class NvmeOp
{
    public const byte DeleteSq = 0x00, CreateSq = 0x01, GetLogPage = 0x02, DeleteCq = 0x04, CreateCq = 0x05, Identify = 0x06, Abort = 0x08, SetFeatures = 0x09,
        GetFeatures = 0x0a, AsyncEvent = 0x0c;

    public const byte Flush = 0x00, Write = 0x01, Read = 0x02, WriteZeroes = 0x08, DatasetManagement = 0x09;
}

/// <summary>Status: status code in bits 7:0, status code type in 10:8, do not retry in 14 (NVMe 1.4, section 4.6.1).</summary>
internal static class NvmeStatus
{
    public const ushort DoNotRetry = 1 << 14;

    public const ushort Success = 0, InvalidOpcode = 0x01 | DoNotRetry, InvalidField = 0x02 | DoNotRetry, DataTransferError = 0x04, InternalError = 0x06,
        InvalidNamespace = 0x0b | DoNotRetry, InvalidPrpOffset = 0x13 | DoNotRetry, LbaOutOfRange = 0x80 | DoNotRetry, CapacityExceeded = 0x81 | DoNotRetry,
        InvalidCq = 0x100 | DoNotRetry, InvalidQueueId = 0x101 | DoNotRetry, InvalidQueueSize = 0x102 | DoNotRetry, TooManyEvents = 0x105 | DoNotRetry,
        InvalidVector = 0x108 | DoNotRetry, InvalidLog = 0x109 | DoNotRetry, InvalidQueueDeletion = 0x10c | DoNotRetry,
        NotSaveable = 0x10d | DoNotRetry, NotChangeable = 0x10e | DoNotRetry, ReadOnly = 0x182 | DoNotRetry, WriteFault = 0x280, ReadError = 0x281;
}

/// <summary>A submission queue entry (NVMe 1.4, section 4.2).</summary>
internal struct NvmeEntry
{
    public uint Cdw0, Nsid;
    public ulong Prp1, Prp2;
    public uint Cdw10, Cdw11, Cdw12, Cdw13;

    /// <summary>Bytes in a queue, and of a completion.</summary>
    public const int Size = 64, CompletionSize = 16;

    public readonly byte Opcode => (byte)Cdw0;
    public readonly ushort Id => (ushort)(Cdw0 >> 16);
}
