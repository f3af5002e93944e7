namespace Myna.Devices.Network;

/// <summary>
/// Offsets of the memory-mapped registers (Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
/// Manual, table 13-2; 82574 datasheet, table 10-4).
/// </summary>
internal static class GigabitRegister
{
    public const int CTRL = 0x0000, STATUS = 0x0008, EECD = 0x0010, EERD = 0x0014, CTRL_EXT = 0x0018, MDIC = 0x0020, VET = 0x0038;
    public const int ICR = 0x00c0, ITR = 0x00c4, ICS = 0x00c8, IMS = 0x00d0, IMC = 0x00d8, EIAC = 0x00dc, IAM = 0x00e0, IVAR = 0x00e4;
    public const int RCTL = 0x0100, TCTL = 0x0400, EXTCNF_CTRL = 0x0f00, PBA = 0x1000;
    public const int RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818;
    public const int TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818;
    public const int PSRCTL = 0x2170;
    public const int RFCTL = 0x5008, MTA = 0x5200, RA = 0x5400, VFTA = 0x5600, SWSM = 0x5b50, FWSM = 0x5b54;

    /// <summary>Statistics: cleared by reading, and held at their largest value.</summary>
    public const int FirstStatistic = 0x4000, LastStatistic = 0x4124;
    public const int MPC = 0x4010, PRC64 = 0x405c, GPRC = 0x4074, BPRC = 0x4078, MPRC = 0x407c, GPTC = 0x4080;
    public const int GORCL = 0x4088, GOTCL = 0x4090, RNBC = 0x40a0, ROC = 0x40ac, TORL = 0x40c0, TOTL = 0x40c8;
    public const int TPR = 0x40d0, TPT = 0x40d4, PTC64 = 0x40d8, MPTC = 0x40f0, BPTC = 0x40f4, TSCTC = 0x40f8;

    /// <summary>Bytes of the register file that hold registers; the rest of the 128 KiB is packet buffer memory.</summary>
    public const int FileSize = 0x8000;
}

/// <summary>Device Control Register (section 13.4.1).</summary>
[Flags]
internal enum DeviceControl : uint { SLU = 1 << 6, RST = 1 << 26, VME = 1 << 30, PHY_RST = 1u << 31 }

/// <summary>Device Status Register (section 13.4.2).</summary>
[Flags]
internal enum DeviceStatus : uint { FD = 1 << 0, LU = 1 << 1, Speed1000 = 2 << 6, ASDV1000 = 2 << 8, GioMasterEnable = 1 << 19 }

/// <summary>EEPROM/Flash Control (section 13.4.3).</summary>
[Flags]
internal enum EepromControl : uint
{
    SK = 1 << 0, CS = 1 << 1, DI = 1 << 2, DO = 1 << 3, FWE = 3 << 4, REQ = 1 << 6, GNT = 1 << 7, PRES = 1 << 8, AUTO_RD = 1 << 9,
}

/// <summary>Interrupt causes (section 13.4.17; from bit 20 on 82574 datasheet, section 10.2.4.1).</summary>
[Flags]
internal enum InterruptCause : uint
{
    None = 0, TXDW = 1 << 0, TXQE = 1 << 1, LSC = 1 << 2, RXDMT0 = 1 << 4, RXO = 1 << 6, RXT0 = 1 << 7, MDAC = 1 << 9,
    RXQ0 = 1 << 20, RXQ1 = 1 << 21, TXQ0 = 1 << 22, TXQ1 = 1 << 23, OTHER = 1 << 24, INT_ASSERTED = 1u << 31,
}

/// <summary>Receive Control Register (section 13.4.22).</summary>
[Flags]
internal enum ReceiveControl : uint
{
    EN = 1 << 1, UPE = 1 << 3, MPE = 1 << 4, LPE = 1 << 5, LBM = 3 << 6, DTYP = 3 << 10, BAM = 1 << 15, VFE = 1 << 18, BSEX = 1 << 25, SECRC = 1 << 26,
}

/// <summary>Transmit Control Register (section 13.4.33).</summary>
[Flags]
internal enum TransmitControl : uint { EN = 1 << 1, PSP = 1 << 3 }

/// <summary>Transmit descriptors' command fields (section 3.3.3.1), TUCMD of context descriptors among them.</summary>
[Flags]
internal enum TransmitCommand : byte { EOP = 1, IFCS = 2, IC = 4, TSE = 4, RS = 8, DEXT = 0x20, VLE = 0x40, IDE = 0x80, TCP = 1, IP = 2 }

/// <summary>Receive descriptors' status field (section 3.2.3.1).</summary>
[Flags]
internal enum ReceiveStatus : byte { DD = 1, EOP = 2, IXSM = 4, VP = 8 }
