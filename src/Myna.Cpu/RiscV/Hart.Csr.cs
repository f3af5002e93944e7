using Myna.Cpu.Float;

namespace Myna.Cpu.RiscV;

/// <summary>Control and status registers.</summary>
public sealed partial class Hart
{
    // Implemented letters: A B C D F I M S U; MXL = 2 (64 bits).
    private const ulong Misa = 2UL << 62 | 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 20;

    /// <summary>One CSR instruction: an atomic read and modification.</summary>
    /// <param name="writes">False for CSRRS and CSRRC with rs1 = x0.</param>
    /// <param name="old">The value before.</param>
    /// <returns>False: the access is illegal and the exception was raised.</returns>
    public bool Csr(int csr, CsrOp op, ulong operand, bool writes, out ulong old)
    {
        old = 0;
        if (CsrTable.Find(csr) is not { } row || _privilege < row.Privilege || (writes && row.ReadOnly) || !IsAccessible((CsrNumber)csr))
            return RaiseIllegal();
        if ((CsrNumber)csr is CsrNumber.Sireg or CsrNumber.Mireg or CsrNumber.Stopei or CsrNumber.Mtopei)
            return InterruptFileCsr((CsrNumber)csr, op, operand, writes, out old);
        old = ReadCsr((CsrNumber)csr);
        if (!writes)
            return true;
        if ((CsrNumber)csr is CsrNumber.Mip or CsrNumber.Sip or CsrNumber.Mvip)
        {
            WritePending((CsrNumber)csr, op, operand);
            return true;
        }
        ulong value = op switch { CsrOp.Write => operand, CsrOp.Set => old | operand, _ => old & ~operand };
        WriteCsr((CsrNumber)csr, old & ~row.Writable | value & row.Writable);
        return true;
    }

    // Accesses that other CSRs forbid to lower privileges.
    private bool IsAccessible(CsrNumber csr) => csr switch
    {
        CsrNumber.Fflags or CsrNumber.Frm or CsrNumber.Fcsr => (_mstatus & Mstatus.Fs) != 0,
        CsrNumber.Satp => _privilege != PrivilegeLevel.Supervisor || (_mstatus & Mstatus.Tvm) == 0,
        CsrNumber.Stimecmp => _privilege == PrivilegeLevel.Machine || (StimecmpEnabled && (_mcounteren & 2) != 0),
        >= CsrNumber.Cycle and < CsrNumber.Cycle + 32 => IsCounterAccessible(csr - CsrNumber.Cycle),
        CsrNumber.Siselect or CsrNumber.Sireg or CsrNumber.Stopei or CsrNumber.Stopi => SupervisorFile is not null,
        CsrNumber.Miselect or CsrNumber.Mireg or CsrNumber.Mtopei or CsrNumber.Mtopi or CsrNumber.Mvien or CsrNumber.Mvip => MachineFile is not null,
        _ => true,
    };

    private bool IsCounterAccessible(int counter) => _privilege == PrivilegeLevel.Machine
        || ((_mcounteren >> counter & 1) != 0 && (_privilege == PrivilegeLevel.Supervisor || (_scounteren >> counter & 1) != 0));

    private ulong ReadCsr(CsrNumber csr)
    {
        switch (csr)
        {
            case CsrNumber.Fflags: return (ulong)AccruedFlags;
            case CsrNumber.Frm: return (ulong)_frm;
            case CsrNumber.Fcsr: return (ulong)_frm << 5 | (ulong)AccruedFlags;
            case CsrNumber.Time: return Time;
            case CsrNumber.Mstatus: return Status | Mstatus.Uxl | Mstatus.Sxl;
            case CsrNumber.Sstatus: return Status & (Mstatus.SupervisorWritable | Mstatus.Sd) | Mstatus.Uxl;
            case CsrNumber.Misa: return Misa;
            case CsrNumber.Medeleg: return _medeleg;
            case CsrNumber.Mideleg: return _mideleg;
            case CsrNumber.Mie: return _mie;
            case CsrNumber.Sie: return _mie & _mideleg;
            case CsrNumber.Mip: return Pending;
            case CsrNumber.Sip: return Pending & _mideleg;
            case CsrNumber.Mtvec: return _mtvec;
            case CsrNumber.Stvec: return _stvec;
            case CsrNumber.Mscratch: return _mscratch;
            case CsrNumber.Sscratch: return _sscratch;
            case CsrNumber.Mepc: return _mepc;
            case CsrNumber.Sepc: return _sepc;
            case CsrNumber.Mcause: return _mcause;
            case CsrNumber.Scause: return _scause;
            case CsrNumber.Mtval: return _mtval;
            case CsrNumber.Stval: return _stval;
            case CsrNumber.Mcounteren: return _mcounteren;
            case CsrNumber.Scounteren: return _scounteren;
            case CsrNumber.Mcountinhibit: return _mcountinhibit;
            case CsrNumber.Menvcfg: return _menvcfg;
            case CsrNumber.Senvcfg: return _senvcfg;
            case CsrNumber.Stimecmp: return _stimecmp;
            case CsrNumber.Satp: return _satp;
            case CsrNumber.Scountovf: return CounterOverflows;
            case CsrNumber.Pmpcfg0: return _pmp.ReadConfig(0);
            case CsrNumber.Pmpcfg2: return _pmp.ReadConfig(2);
            case >= CsrNumber.Pmpaddr0 and < CsrNumber.Pmpaddr0 + CsrTable.PmpEntries: return _pmp.ReadAddress(csr - CsrNumber.Pmpaddr0);
            case >= CsrNumber.Cycle and < CsrNumber.Cycle + 32: return ReadCounter(csr - CsrNumber.Cycle);
            case >= CsrNumber.Mcycle and < CsrNumber.Mcycle + 32: return ReadCounter(csr - CsrNumber.Mcycle);
            case >= CsrNumber.Mhpmevent3 and < CsrNumber.Mhpmevent3 + CsrTable.ProgrammableCounters: return _events[csr - CsrNumber.Mhpmevent3];
            case CsrNumber.Siselect: return _siselect;
            case CsrNumber.Miselect: return _miselect;
            case CsrNumber.Stopi: return TopInterrupt(Pending & _mie & _mideleg);
            case CsrNumber.Mtopi: return TopInterrupt(Pending & _mie & ~_mideleg);
            case CsrNumber.Mvip: return Volatile.Read(ref _softwarePending) & (Interrupts.Ssip | Interrupts.Seip);
            case CsrNumber.Mhartid: return (ulong)Index;
            case CsrNumber.Marchid: return ArchitectureId;
            case CsrNumber.Mimpid: return ImplementationId;
            // No triggers: tselect is stuck at 0 and tdata1 there has type 0; tinfo says that this is the only type.
            case CsrNumber.Tinfo: return 1;
            // tdata1-3, mvendorid (not a commercial implementation), mconfigptr, counters that do not exist.
            default: return 0;
        }
    }

    private ulong Status => _mstatus | ((_mstatus & Mstatus.Fs) == Mstatus.Fs ? Mstatus.Sd : 0);

    // The table's mask of writable bits has been applied.
    private void WriteCsr(CsrNumber csr, ulong value)
    {
        switch (csr)
        {
            case CsrNumber.Fflags:
                SetAccruedFlags((FloatFlags)value);
                MarkFloatDirty();
                break;
            case CsrNumber.Frm:
                SetRoundingMode((int)value);
                break;
            case CsrNumber.Fcsr:
                SetAccruedFlags((FloatFlags)(value & 0x1F));
                SetRoundingMode((int)(value >> 5));
                break;
            case CsrNumber.Mstatus:
                WriteStatus(value & Mstatus.Writable);
                break;
            case CsrNumber.Sstatus:
                WriteStatus(_mstatus & ~Mstatus.SupervisorWritable | value & Mstatus.SupervisorWritable);
                break;
            case CsrNumber.Medeleg: _medeleg = value; break;
            case CsrNumber.Mideleg:
                _mideleg = value;
                CheckInterrupts();
                break;
            case CsrNumber.Mie:
                _mie = value;
                CheckInterrupts();
                break;
            case CsrNumber.Sie:
                _mie = _mie & ~_mideleg | value & _mideleg;
                CheckInterrupts();
                break;
            case CsrNumber.Mtvec: _mtvec = value; break;
            case CsrNumber.Stvec: _stvec = value; break;
            case CsrNumber.Mscratch: _mscratch = value; break;
            case CsrNumber.Sscratch: _sscratch = value; break;
            case CsrNumber.Mepc: _mepc = value; break;
            case CsrNumber.Sepc: _sepc = value; break;
            case CsrNumber.Mcause: _mcause = value; break;
            case CsrNumber.Scause: _scause = value; break;
            case CsrNumber.Mtval: _mtval = value; break;
            case CsrNumber.Stval: _stval = value; break;
            case CsrNumber.Mcounteren: _mcounteren = value; break;
            case CsrNumber.Scounteren: _scounteren = value; break;
            case CsrNumber.Mcountinhibit: WriteCounterInhibit(value); break;
            case CsrNumber.Menvcfg:
                WriteEnvironmentConfig(value);
                break;
            case CsrNumber.Senvcfg:
                _senvcfg = LegalizeCbie(value);
                UpdateMode();
                break;
            case CsrNumber.Stimecmp:
                Volatile.Write(ref _stimecmp, value);
                ArmTimer();
                break;
            case CsrNumber.Satp: WriteSatp(value); break;
            case CsrNumber.Siselect: _siselect = value; break;
            case CsrNumber.Miselect: _miselect = value; break;
            case CsrNumber.Pmpcfg0 or CsrNumber.Pmpcfg2:
                _pmp.WriteConfig(csr - CsrNumber.Pmpcfg0, value);
                FlushTranslations();
                break;
            case >= CsrNumber.Pmpaddr0 and < CsrNumber.Pmpaddr0 + CsrTable.PmpEntries:
                _pmp.WriteAddress(csr - CsrNumber.Pmpaddr0, value);
                FlushTranslations();
                break;
            case >= CsrNumber.Mcycle and < CsrNumber.Mcycle + 32:
                WriteCounter(csr - CsrNumber.Mcycle, value);
                break;
            case >= CsrNumber.Mhpmevent3 and < CsrNumber.Mhpmevent3 + CsrTable.ProgrammableCounters:
                WriteEvent(csr - CsrNumber.Mhpmevent3, value);
                break;
        }
    }

    private void WriteStatus(ulong value)
    {
        // MPP is WARL: mode 2 does not exist.
        if ((value & Mstatus.Mpp) == 2 << Mstatus.MppShift)
            value = value & ~Mstatus.Mpp | _mstatus & Mstatus.Mpp;
        ulong changed = value ^ _mstatus;
        _mstatus = value;
        // MXR decides what a soft-TLB entry may hold; SUM and MPRV choose another table.
        if ((changed & Mstatus.Mxr) != 0)
            FlushTranslations();
        if ((changed & (Mstatus.Fs | Mstatus.Sum | Mstatus.Mprv | Mstatus.Mpp)) != 0)
            UpdateMode();
        CheckInterrupts();
    }

    // sip and mip. SEIP's read value also has the controller's level in it, but CSRRS and CSRRC modify the software bit
    // alone (section "Machine Interrupt (mip and mie) Registers"); and other threads set bits meanwhile.
    private void WritePending(CsrNumber csr, CsrOp op, ulong operand)
    {
        ulong mask = CsrTable.Find((int)csr)!.Writable;
        if (csr == CsrNumber.Sip)
            mask &= _mideleg;
        else if (StimecmpEnabled)
            mask &= ~Interrupts.Stip;
        if (op != CsrOp.Set)
            Interlocked.And(ref _softwarePending, op == CsrOp.Write ? operand | ~mask : ~(operand & mask));
        if (op != CsrOp.Clear)
            Interlocked.Or(ref _softwarePending, operand & mask);
        CheckInterrupts();
    }

    private void WriteSatp(ulong value)
    {
        // An unsupported MODE makes the whole write have no effect (section "Supervisor Address Translation and Protection").
        if ((value >> 60) is not (0 or 8 or 9 or 10) || value == _satp)
            return;
        _satp = value;
        UpdateMode();
        FlushTranslations();
    }

    private void WriteEnvironmentConfig(ulong value)
    {
        ulong changed = value ^ _menvcfg;
        _menvcfg = LegalizeCbie(value);
        UpdateMode();
        if ((changed & (EnvironmentConfig.Pbmte | EnvironmentConfig.Adue)) != 0)
            FlushTranslations();
        if ((changed & EnvironmentConfig.Stce) != 0)
            ArmTimer();
        CheckInterrupts();
    }

    // CBIE = 2 is reserved.
    private static ulong LegalizeCbie(ulong value)
        => (value & EnvironmentConfig.Cbie) == 2UL << (int)EnvironmentConfig.CbieShift ? value & ~EnvironmentConfig.Cbie : value;

    // Floating-point status.

    /// <summary>frm: 0-4, or an invalid mode.</summary>
    public int RoundingMode => _frm;

    /// <summary>mstatus.FS is not off.</summary>
    public bool IsFloatEnabled => (_mstatus & Mstatus.Fs) != 0;

    /// <summary>Call it whenever floating-point state changes.</summary>
    public void MarkFloatDirty()
    {
        if ((_mstatus & Mstatus.Fs) == Mstatus.Fs)
            return;
        _mstatus |= Mstatus.Fs;
        UpdateMode();
    }

    /// <summary>fflags. They are kept where generated code accrues them, in the layout of x86's MXCSR.</summary>
    public FloatFlags AccruedFlags
    {
        get
        {
            uint mxcsr = Block.Context.Mxcsr;
            return (FloatFlags)((mxcsr & 1) << 4 | (mxcsr & 4) << 1 | (mxcsr & 8) >> 1 | (mxcsr & 16) >> 3 | (mxcsr & 32) >> 5);
        }
    }

    /// <summary>Adds to fflags; the caller has made the state dirty.</summary>
    public void AccrueFlags(FloatFlags flags) => Block.Context.Mxcsr |= ToMxcsr(flags);

    private void SetAccruedFlags(FloatFlags flags) => Block.Context.Mxcsr = Block.Context.Mxcsr & ~0x3Fu | ToMxcsr(flags);

    private static uint ToMxcsr(FloatFlags flags)
    {
        uint f = (uint)flags;
        return (f & 16) >> 4 | (f & 8) >> 1 | (f & 4) << 1 | (f & 2) << 3 | (f & 1) << 5;
    }

    private void SetRoundingMode(int mode)
    {
        _frm = mode;
        // RTZ, RDN, RUP in x86's order; what x86 lacks is interpreted, so its value does not matter.
        uint rounding = mode switch { 1 => 3u, 2 => 1u, 3 => 2u, _ => 0u };
        Block.Context.Mxcsr = Block.Context.Mxcsr & ~0x6000u | rounding << 13;
        _mstatus |= Mstatus.Fs;
        UpdateMode();
    }
}
