namespace Myna.Devices.Sd;

/// <summary>Registers of an SD host controller (SD Association, Host Controller Simplified Specification 3.00, chapter 2), by the dword that holds them.</summary>
internal static class SdhciRegister
{
    public const int SystemAddress = 0x00, Block = 0x04, Argument = 0x08, Command = 0x0c, Response = 0x10, DataPort = 0x20, PresentState = 0x24, Control = 0x28, Clock = 0x2c, Status = 0x30, StatusEnable = 0x34,
        SignalEnable = 0x38, AutoCommand = 0x3c, Capabilities = 0x40, CapabilitiesHigh = 0x44, MaximumCurrent = 0x48, ForceEvent = 0x50, AdmaError = 0x54, AdmaAddress = 0x58, AdmaAddressHigh = 0x5c, Slot = 0xfc;

    // Transfer mode, and in the upper half the command.
    public const uint DmaEnable = 1, BlockCountEnable = 2, AutoCmd12 = 4, AutoCmd23 = 8, AutoCommands = 0xc, ReadDirection = 0x10, MultipleBlocks = 0x20;
    public const uint ResponseType = 3 << 16, LongResponse = 1 << 16, ShortResponse = 2 << 16, BusyResponse = 3 << 16, DataPresent = 1 << 21;
    public const int CommandIndexShift = 24;

    // Present state.
    public const uint CommandInhibit = 1, DataInhibit = 2, DataActive = 4, WriteActive = 1 << 8, ReadActive = 1 << 9, BufferWriteEnable = 1 << 10, BufferReadEnable = 1 << 11,
        CardInserted = 1 << 16, CardStable = 1 << 17, CardDetectPin = 1 << 18, WriteEnabled = 1 << 19, Data0 = 1 << 20, IdleLines = 0x01f0_0000;

    // Host control 1: bits 4:3 select the kind of DMA; power control lies in the next byte.
    public const uint DmaSelect = 0x18, Adma32 = 0x10, Adma64 = 0x18, BusPower = 1 << 8;

    // Clock control; software reset lies in the highest byte.
    public const uint InternalClock = 1, InternalClockStable = 2, ResetAll = 1 << 24, ResetCommand = 1 << 25, ResetData = 1 << 26;

    // Normal interrupts, and in the upper half errors.
    public const uint CommandComplete = 1, TransferComplete = 2, DmaInterrupt = 8, BufferWriteReady = 0x10, BufferReadReady = 0x20, Insertion = 0x40, Removal = 0x80, Error = 1 << 15,
        CommandTimeout = 1 << 16, DataTimeout = 1 << 20, DataCrc = 1 << 21, AutoCommandError = 1 << 24, AdmaErrorBit = 1 << 25, ErrorBits = 0xffff_0000, StatusBits = 0x03ff_01ff;

    // A descriptor of ADMA2 (section 1.13.3).
    public const int Valid = 1, End = 2, Interrupt = 4, Action = 0x30, Transfer = 0x20, Link = 0x30;
}
