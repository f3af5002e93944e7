namespace Myna.Devices.Ata;

/// <summary>Offsets of the host's registers (AHCI 1.3.1, section 3.1).</summary>
internal static class HbaRegister
{
    public const int CAP = 0x00, GHC = 0x04, IS = 0x08, PI = 0x0c, VS = 0x10, CAP2 = 0x24, BOHC = 0x28;

    /// <summary>Where the ports' registers begin, and how many bytes a port has.</summary>
    public const int Ports = 0x100, PortSize = 0x80;

    /// <summary>GHC: reset, interrupts, AHCI mode.</summary>
    public const uint HR = 1, IE = 2, AE = 1u << 31;
}

/// <summary>Offsets of a port's registers (AHCI 1.3.1, section 3.3).</summary>
internal static class PortRegister
{
    public const int PxCLB = 0x00, PxCLBU = 0x04, PxFB = 0x08, PxFBU = 0x0c, PxIS = 0x10, PxIE = 0x14, PxCMD = 0x18, PxTFD = 0x20, PxSIG = 0x24,
        PxSSTS = 0x28, PxSCTL = 0x2c, PxSERR = 0x30, PxSACT = 0x34, PxCI = 0x38, PxSNTF = 0x3c;

    /// <summary>Bits of PxIS and PxIE.</summary>
    public const uint DHRS = 1 << 0, PSS = 1 << 1, SDBS = 1 << 3, PCS = 1 << 6, PRCS = 1 << 22, OFS = 1 << 24, HBFS = 1 << 29, TFES = 1 << 30,
        AllInterrupts = 0xfdc0_00ff;

    /// <summary>Bits of PxCMD.</summary>
    public const uint ST = 1 << 0, SUD = 1 << 1, POD = 1 << 2, CLO = 1 << 3, FRE = 1 << 4, FR = 1 << 14, CR = 1 << 15, ATAPI = 1 << 24,
        WritableCommand = ST | SUD | POD | FRE | ATAPI | 1 << 25;

    /// <summary>PxSERR: PhyRdy changed, a device was exchanged.</summary>
    public const uint DiagN = 1 << 16, DiagX = 1 << 26;
}

/// <summary>Types and places of frames (SATA 3.0, section 10.3; AHCI 1.3.1, section 4.2.1).</summary>
internal static class Fis
{
    public const byte RegisterH2D = 0x27, RegisterD2H = 0x34, PioSetup = 0x5f, SetDeviceBits = 0xa1;

    /// <summary>Offsets in the received FIS structure.</summary>
    public const int PioSetupPlace = 0x20, RegisterPlace = 0x40, SetDeviceBitsPlace = 0x58;

    /// <summary>Flags: an interrupt is wanted; data goes to the host; the frame is a command.</summary>
    public const byte Interrupt = 0x40, Direction = 0x20, Command = 0x80;
}
