namespace Myna.Cpu.X86;

/// <summary>Bits of RFLAGS (Intel SDM volume 1, section 3.4.3).</summary>
public static class RFlag
{
    public const ulong CF = 1, PF = 1 << 2, AF = 1 << 4, ZF = 1 << 6, SF = 1 << 7, TF = 1 << 8, IF = 1 << 9, DF = 1 << 10, OF = 1 << 11,
        IOPL = 3 << 12, NT = 1 << 14, RF = 1 << 16, VM = 1 << 17, AC = 1 << 18, VIF = 1 << 19, VIP = 1 << 20, ID = 1 << 21;

    /// <summary>Always set.</summary>
    public const ulong Reserved1 = 2;

    /// <summary>What <see cref="X86Registers.LazyOp"/> and its operands stand for.</summary>
    public const ulong Arithmetic = CF | PF | AF | ZF | SF | OF;

    public const ulong Defined = Arithmetic | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

    public const int IoplShift = 12;
}

/// <summary>Bits of the control registers (Intel SDM volume 3, section 2.5).</summary>
internal static class Cr0
{
    public const ulong PE = 1, MP = 2, EM = 4, TS = 8, ET = 16, NE = 32, WP = 1 << 16, AM = 1 << 18, NW = 1 << 29, CD = 1 << 30, PG = 1U << 31;
    public const ulong Writable = PE | MP | EM | TS | NE | WP | AM | NW | CD | PG;
    public const ulong Reset = CD | NW | ET;
}

/// <inheritdoc cref="Cr0"/>
internal static class Cr4
{
    public const ulong VME = 1, PVI = 2, TSD = 4, DE = 8, PSE = 16, PAE = 32, MCE = 64, PGE = 128, PCE = 256, OSFXSR = 512, OSXMMEXCPT = 1024,
        UMIP = 1 << 11, LA57 = 1 << 12, FSGSBASE = 1 << 16, PCIDE = 1 << 17, OSXSAVE = 1 << 18, SMEP = 1 << 20, SMAP = 1 << 21, PKE = 1 << 22;
}

/// <summary>Bits of IA32_EFER.</summary>
internal static class Efer
{
    public const ulong SCE = 1, LME = 1 << 8, LMA = 1 << 10, NXE = 1 << 11;
}

/// <summary>Bits of DR6 and DR7 (Intel SDM volume 3, section 18.2).</summary>
internal static class Debug
{
    public const ulong BD = 1 << 13, BS = 1 << 14, BT = 1 << 15, Dr6Reset = 0xFFFF_0FF0, Dr7Reset = 0x400, GD = 1 << 13;
}

/// <summary>Numbers of model-specific registers (Intel SDM volume 4, AMD APM volume 2 appendix A).</summary>
internal static class Msr
{
    public const uint Tsc = 0x10, PlatformId = 0x17, ApicBase = 0x1B, FeatureControl = 0x3A, TscAdjust = 0x3B, SpecCtrl = 0x48, PredCmd = 0x49,
        BiosUpdate = 0x79, BiosSignature = 0x8B, SmiCount = 0x34, SmBase = 0x9E, PlatformInfo = 0xCE, MtrrCap = 0xFE, ArchCapabilities = 0x10A, MiscFeatures = 0x140,
        SysenterCs = 0x174, SysenterEsp = 0x175, SysenterEip = 0x176, McgCap = 0x179, McgStatus = 0x17A,
        PerfStatus = 0x198, PerfControl = 0x199, ThermStatus = 0x19C, MiscEnable = 0x1A0, EnergyBias = 0x1B0, DebugControl = 0x1D9, LastBranchFrom = 0x1DB, LastBranchTo = 0x1DC,
        LastIntFrom = 0x1DD, LastIntTo = 0x1DE, MtrrPhysical0 = 0x200, MtrrPhysicalLast = 0x20F, MtrrFix64 = 0x250, MtrrFix16A = 0x258, MtrrFix16B = 0x259,
        MtrrFix4First = 0x268, MtrrFix4Last = 0x26F, Pat = 0x277, MtrrDefType = 0x2FF, TscDeadline = 0x6E0, X2ApicFirst = 0x800, X2ApicLast = 0x8FF,
        KvmFirst = 0x4B56_4D00, KvmSystemTime = 0x4B56_4D01, KvmLast = 0x4B56_4D07, Xss = 0xDA0, Efer = 0xC000_0080, Star = 0xC000_0081, LStar = 0xC000_0082, CStar = 0xC000_0083, FMask = 0xC000_0084,
        FsBase = 0xC000_0100, GsBase = 0xC000_0101, KernelGsBase = 0xC000_0102, TscAux = 0xC000_0103;
}
