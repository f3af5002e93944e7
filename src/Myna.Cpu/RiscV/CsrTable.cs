namespace Myna.Cpu.RiscV;

/// <summary>A CSR that exists.</summary>
/// <param name="Writable">Bits that software can change; the others keep their value (WARL and WPRI fields).</param>
public sealed record CsrRow(int Number, string Name, ulong Writable)
{
    /// <summary>Lowest privilege that may access it: bits 9:8 of the address.</summary>
    public PrivilegeLevel Privilege => (PrivilegeLevel)((Number >> 8) & 3);

    /// <summary>A write is an illegal instruction: bits 11:10 of the address are ones.</summary>
    public bool ReadOnly => Number >> 10 == 3;
}

/// <summary>The CSRs of a hart: which exist, and which of their bits can be written.</summary>
public static class CsrTable
{
    /// <summary>Counters that can count a chosen event: mhpmcounter3 and following. The others exist and read as zero.</summary>
    public const int ProgrammableCounters = 4;

    public const int PmpEntries = 16;
    private const ulong All = ulong.MaxValue;

    /// <summary>cycle, time, instret and the programmable counters.</summary>
    internal const ulong CounterBits = (1UL << (3 + ProgrammableCounters)) - 1;

    private static readonly CsrRow?[] ByNumber = new CsrRow?[4096];

    static CsrTable()
    {
        Add(CsrNumber.Fflags, 0x1F);
        Add(CsrNumber.Frm, 7);
        Add(CsrNumber.Fcsr, 0xFF);
        Add(CsrNumber.Cycle, 0);
        Add(CsrNumber.Time, 0);
        Add(CsrNumber.Instret, 0);

        Add(CsrNumber.Sstatus, Mstatus.SupervisorWritable);
        Add(CsrNumber.Sie, Interrupts.All);
        Add(CsrNumber.Stvec, ~2UL);
        Add(CsrNumber.Scounteren, CounterBits);
        Add(CsrNumber.Senvcfg, EnvironmentConfig.SupervisorWritable);
        Add(CsrNumber.Sscratch, All);
        Add(CsrNumber.Sepc, ~1UL);
        Add(CsrNumber.Scause, CauseBits);
        Add(CsrNumber.Stval, All);
        Add(CsrNumber.Sip, Interrupts.Ssip | Interrupts.Lcofip);
        Add(CsrNumber.Stimecmp, All);
        Add(CsrNumber.Satp, All);
        Add(CsrNumber.Scountovf, 0);
        Add(CsrNumber.Siselect, 0xFF);
        Add(CsrNumber.Sireg, All);
        Add(CsrNumber.Stopei, All);
        Add(CsrNumber.Stopi, 0);

        Add(CsrNumber.Mstatus, Mstatus.Writable);
        Add(CsrNumber.Misa, 0);
        Add(CsrNumber.Medeleg, 0xB3FF);
        Add(CsrNumber.Mideleg, Interrupts.Supervisor);
        Add(CsrNumber.Mie, Interrupts.All);
        Add(CsrNumber.Mtvec, ~2UL);
        Add(CsrNumber.Mcounteren, CounterBits);
        Add(CsrNumber.Menvcfg, EnvironmentConfig.MachineWritable);
        Add(CsrNumber.Mcountinhibit, CounterBits & ~2UL);
        Add(CsrNumber.Mscratch, All);
        Add(CsrNumber.Mepc, ~1UL);
        Add(CsrNumber.Mcause, CauseBits);
        Add(CsrNumber.Mtval, All);
        Add(CsrNumber.Mip, Interrupts.Ssip | Interrupts.Stip | Interrupts.Seip | Interrupts.Lcofip);
        Add(CsrNumber.Mvien, 0);
        Add(CsrNumber.Mvip, Interrupts.Ssip | Interrupts.Seip);
        Add(CsrNumber.Miselect, 0xFF);
        Add(CsrNumber.Mireg, All);
        Add(CsrNumber.Mtopei, All);
        Add(CsrNumber.Mtopi, 0);
        Add(CsrNumber.Tselect, 0);
        Add(CsrNumber.Tdata1, 0);
        Add(CsrNumber.Tdata2, 0);
        Add(CsrNumber.Tdata3, 0);
        Add(CsrNumber.Tinfo, 0);
        Add(CsrNumber.Mcycle, All);
        Add(CsrNumber.Minstret, All);
        Add(CsrNumber.Mvendorid, 0);
        Add(CsrNumber.Marchid, 0);
        Add(CsrNumber.Mimpid, 0);
        Add(CsrNumber.Mhartid, 0);
        Add(CsrNumber.Mconfigptr, 0);

        Add(CsrNumber.Pmpcfg0, All);
        Add(CsrNumber.Pmpcfg2, All);
        for (int i = 0; i < PmpEntries; i++)
            Add((int)CsrNumber.Pmpaddr0 + i, $"pmpaddr{i}", (1UL << 54) - 1);
        for (int i = 3; i < 32; i++)
        {
            bool exists = i < 3 + ProgrammableCounters;
            Add((int)CsrNumber.Mhpmcounter3 + i - 3, $"mhpmcounter{i}", exists ? All : 0);
            Add((int)CsrNumber.Mhpmevent3 + i - 3, $"mhpmevent{i}", exists ? CounterEvent.Writable : 0);
            Add((int)CsrNumber.Hpmcounter3 + i - 3, $"hpmcounter{i}", 0);
        }
        Rows = [.. ByNumber.OfType<CsrRow>()];
    }

    // mcause and scause are WLRL: the interrupt bit and six bits of code hold every value that is ever legal.
    private const ulong CauseBits = (1UL << 63) | 0x3F;

    /// <summary>All CSRs in ascending order of address.</summary>
    public static IReadOnlyList<CsrRow> Rows { get; }

    /// <summary>The CSR with that address, or null.</summary>
    public static CsrRow? Find(int number) => (uint)number < (uint)ByNumber.Length ? ByNumber[number] : null;

    private static void Add(CsrNumber number, ulong writable) => Add((int)number, number.ToString().ToLowerInvariant(), writable);

    private static void Add(int number, string name, ulong writable) => ByNumber[number] = new CsrRow(number, name, writable);
}

/// <summary>Fields of mstatus and sstatus (privileged specification, section "Machine Status (mstatus) Register").</summary>
internal static class Mstatus
{
    public const ulong Sie = 1 << 1, Mie = 1 << 3, Spie = 1 << 5, Mpie = 1 << 7, Spp = 1 << 8, Mpp = 3 << 11, Fs = 3 << 13,
        Mprv = 1 << 17, Sum = 1 << 18, Mxr = 1 << 19, Tvm = 1 << 20, Tw = 1 << 21, Tsr = 1 << 22,
        Uxl = 2UL << 32, Sxl = 2UL << 34, Sd = 1UL << 63;
    public const int MppShift = 11, FsShift = 13;
    public const ulong Writable = Sie | Mie | Spie | Mpie | Spp | Mpp | Fs | Mprv | Sum | Mxr | Tvm | Tw | Tsr;
    public const ulong SupervisorWritable = Sie | Spie | Spp | Fs | Sum | Mxr;
}

/// <summary>Bits of mip and mie.</summary>
internal static class Interrupts
{
    public const int Ssi = 1, Msi = 3, Sti = 5, Mti = 7, Sei = 9, Mei = 11, Lcofi = 13;
    public const ulong Ssip = 1 << Ssi, Msip = 1 << Msi, Stip = 1 << Sti, Mtip = 1 << Mti, Seip = 1 << Sei, Meip = 1 << Mei, Lcofip = 1 << Lcofi;
    /// <summary>Those that mideleg can delegate.</summary>
    public const ulong Supervisor = Ssip | Stip | Seip | Lcofip;
    public const ulong All = Supervisor | Msip | Mtip | Meip;
}

/// <summary>Fields of menvcfg and senvcfg.</summary>
internal static class EnvironmentConfig
{
    public const ulong Fiom = 1, CbieShift = 4, Cbie = 3 << 4, Cbcfe = 1 << 6, Cbze = 1 << 7, Adue = 1UL << 61, Pbmte = 1UL << 62, Stce = 1UL << 63;
    public const ulong SupervisorWritable = Fiom | Cbie | Cbcfe | Cbze;
    public const ulong MachineWritable = SupervisorWritable | Adue | Pbmte | Stce;
}

/// <summary>Fields of mhpmevent (Sscofpmf); the selector's values are this hart's own.</summary>
internal static class CounterEvent
{
    public const ulong Overflow = 1UL << 63, Minh = 1UL << 62, Sinh = 1UL << 61, Uinh = 1UL << 60, Selector = 0xFF;
    public const ulong None = 0, Cycles = 1, Instructions = 2;
    public const ulong Writable = Overflow | Minh | Sinh | Uinh | Selector;
}
