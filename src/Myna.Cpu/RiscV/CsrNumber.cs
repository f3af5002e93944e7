namespace Myna.Cpu.RiscV;

/// <summary>CSR addresses (privileged specification, chapter "CSR listing"); a name in lower case is the CSR's.</summary>
public enum CsrNumber
{
    Fflags = 0x001, Frm = 0x002, Fcsr = 0x003,
    Cycle = 0xC00, Time = 0xC01, Instret = 0xC02, Hpmcounter3 = 0xC03,

    Sstatus = 0x100, Sie = 0x104, Stvec = 0x105, Scounteren = 0x106, Senvcfg = 0x10A,
    Sscratch = 0x140, Sepc = 0x141, Scause = 0x142, Stval = 0x143, Sip = 0x144, Stimecmp = 0x14D,
    Siselect = 0x150, Sireg = 0x151, Stopei = 0x15C, Stopi = 0xDB0, Satp = 0x180,
    Scountovf = 0xDA0,

    Mstatus = 0x300, Misa = 0x301, Medeleg = 0x302, Mideleg = 0x303, Mie = 0x304, Mtvec = 0x305, Mcounteren = 0x306,
    Menvcfg = 0x30A, Mcountinhibit = 0x320, Mhpmevent3 = 0x323,
    Mvien = 0x308, Mvip = 0x309, Miselect = 0x350, Mireg = 0x351, Mtopei = 0x35C, Mtopi = 0xFB0,
    Mscratch = 0x340, Mepc = 0x341, Mcause = 0x342, Mtval = 0x343, Mip = 0x344,
    Pmpcfg0 = 0x3A0, Pmpcfg2 = 0x3A2, Pmpaddr0 = 0x3B0,
    Tselect = 0x7A0, Tdata1 = 0x7A1, Tdata2 = 0x7A2, Tdata3 = 0x7A3, Tinfo = 0x7A4,
    Mcycle = 0xB00, Minstret = 0xB02, Mhpmcounter3 = 0xB03,
    Mvendorid = 0xF11, Marchid = 0xF12, Mimpid = 0xF13, Mhartid = 0xF14, Mconfigptr = 0xF15,
}
