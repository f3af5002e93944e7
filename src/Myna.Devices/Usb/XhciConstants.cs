namespace Myna.Devices.Usb;

/// <summary>Where registers lie (xHCI 1.2, chapter 5), and their bits.</summary>
internal static class XhciRegister
{
    // Ranges of the BAR.
    public const int Operational = 0x40, Ports = 0x440, Capabilities = 0x500, Runtime = 0x1000, Doorbells = 0x2000, BarSize = 0x4000;

    // Capability registers (section 5.3).
    public const int CAPLENGTH = 0x00, HCSPARAMS1 = 0x04, HCSPARAMS2 = 0x08, HCSPARAMS3 = 0x0c, HCCPARAMS1 = 0x10, DBOFF = 0x14, RTSOFF = 0x18;

    // Operational registers (section 5.4), from their range's start.
    public const int USBCMD = 0x00, USBSTS = 0x04, PAGESIZE = 0x08, DNCTRL = 0x14, CRCR = 0x18, DCBAAP = 0x30, CONFIG = 0x38;

    // USBCMD: run, reset, interrupts, host system error, save, restore.
    public const uint RS = 1, HCRST = 1 << 1, INTE = 1 << 2, LHCRST = 1 << 7, CSS = 1 << 8, CRS = 1 << 9, CommandKept = RS | INTE | 1 << 3 | 1 << 10 | 1 << 11;

    // USBSTS: halted, host system error, event interrupt, port change, save/restore error.
    public const uint HCH = 1, HSE = 1 << 2, EINT = 1 << 3, PCD = 1 << 4, SRE = 1 << 10;

    // CRCR: cycle, stop, abort, running.
    public const uint RCS = 1, CS = 2, CA = 4, CRR = 8;

    // PORTSC (section 5.4.8).
    public const uint CCS = 1, PED = 1 << 1, PR = 1 << 4, PLS = 15 << 5, PP = 1 << 9, LWS = 1 << 16, CSC = 1 << 17, PEC = 1 << 18, WRC = 1 << 19, OCC = 1 << 20,
        PRC = 1 << 21, PLC = 1 << 22, CEC = 1 << 23, Changes = CSC | PEC | WRC | OCC | PRC | PLC | CEC, WakeEnables = 7u << 25, WPR = 1u << 31;
    public const int PlsShift = 5, SpeedShift = 10;

    // Link states.
    public const uint U0 = 0, U3 = 3, RxDetect = 5, Polling = 7, Resume = 15;

    // Interrupters (section 5.5.2), from the runtime range's start.
    public const int MFINDEX = 0, Interrupters = 0x20, InterrupterSize = 0x20, IMAN = 0x00, IMOD = 0x04, ERSTSZ = 0x08, ERSTBA = 0x10, ERDP = 0x18;
    public const uint IP = 1, IE = 2, EHB = 8;
}

/// <summary>TRB types (xHCI 1.2, table 6-91).</summary>
internal static class TrbType
{
    public const int Normal = 1, Setup = 2, Data = 3, Status = 4, Isoch = 5, Link = 6, EventData = 7, NoOp = 8, EnableSlot = 9, DisableSlot = 10, AddressDevice = 11,
        ConfigureEndpoint = 12, EvaluateContext = 13, ResetEndpoint = 14, StopEndpoint = 15, SetTrDequeue = 16, ResetDevice = 17, GetPortBandwidth = 21, NoOpCommand = 23,
        TransferEvent = 32, CommandCompletion = 33, PortStatusChange = 34;
}

/// <summary>Completion codes (xHCI 1.2, table 6-90).</summary>
internal static class TrbCode
{
    public const int Success = 1, Babble = 3, Transaction = 4, TrbError = 5, Stall = 6, NoSlots = 9, SlotNotEnabled = 11, EndpointNotEnabled = 12, ShortPacket = 13,
        Parameter = 17, ContextState = 19, RingStopped = 24, CommandAborted = 25;
}

/// <summary>A transfer request block (xHCI 1.2, section 4.11).</summary>
/// <param name="Address">Where the guest has it.</param>
internal readonly record struct Trb(ulong Address, ulong Parameter, uint Status, uint Control)
{
    /// <summary>Bytes of one, and how many a ring's walk may see without work in them.</summary>
    public const int Size = 16, MostLinks = 8;

    public const uint Cycle = 1, ToggleCycle = 2, InterruptOnShort = 4, Chain = 16, InterruptOnCompletion = 32, Immediate = 64, BlockInterrupt = 512;

    public int Type => (int)(Control >> 10 & 63);
    public bool Has(uint flag) => (Control & flag) != 0;
    public uint Length => Status & 0x1_ffff;
    public int Interrupter => (int)(Status >> 22);
    public int Slot => (int)(Control >> 24);
    public int Endpoint => (int)(Control >> 16 & 31);
    public bool IsData => Type is TrbType.Normal or TrbType.Data or TrbType.Isoch;
}

/// <summary>An interrupter's registers and its place in the event ring.</summary>
internal struct XhciInterrupter
{
    public ulong Erstba, Erdp, Segment;
    public uint Iman, Imod, Erstsz, Size, Enqueue, Cycle;
}

/// <summary>States of a slot (xHCI 1.2, section 4.5.3), as the slot context numbers them, plus whether it is enabled.</summary>
internal enum SlotState : byte
{
    Enabled = 0,
    Default = 1,
    Addressed = 2,
    Configured = 3,
    Disabled = 0xff,
}

internal struct XhciSlot
{
    public ulong Context;
    public uint Route;
    public SlotState State;
    public byte Port;
    public ushort Reserved;
}

/// <summary>States of an endpoint (xHCI 1.2, section 4.8.3), as its context numbers them.</summary>
internal enum EndpointState : byte
{
    Disabled,
    Running,
    Halted,
    Stopped,
    Error,
}

internal struct XhciEndpoint
{
    /// <summary>Where the next TD is.</summary>
    public ulong Dequeue;
    public EndpointState State;
    public byte Cycle, Type, Reserved;
    public uint Reserved2;
}
