namespace Myna.Devices.Interrupts;

// The registers: in xAPIC mode a page of memory, in x2APIC mode MSRs 800h and up (Intel SDM volume 3, tables 11-1 and 11-6).
public sealed partial class LocalApic
{
    private const uint MsrTscDeadline = 0x6e0, MsrX2Apic = 0x800, MsrX2ApicLast = 0x8ff;

    // Register numbers: offsets in the page divided by 16.
    private const int ID = 0x02, VERSION = 0x03, TPR = 0x08, APR = 0x09, PPR = 0x0a, EOI = 0x0b, RRD = 0x0c, LDR = 0x0d, DFR = 0x0e, SVR = 0x0f,
        ISR = 0x10, TMR = 0x18, IRR = 0x20, ESR = 0x28, ICR_LOW = 0x30, ICR_HIGH = 0x31, LVT_TIMER = 0x32, LVT_ERROR = 0x37,
        INITIAL_COUNT = 0x38, CURRENT_COUNT = 0x39, DIVIDE = 0x3e, SELF_IPI = 0x3f;

    // Version of an integrated xAPIC; highest local vector entry; directed EOI (section 11.4.8).
    private const uint VersionRegister = 0x14 | (LvtEntries - 1) << 16, VersionSuppressEoi = 1 << 24;

    private const uint IcrBusy = 1 << 12, IcrAssert = 1 << 14, IcrLevel = 1 << 15, IcrLogical = 1 << 11;
    private const ulong IcrWritable = 0xcfff, IcrReservedX2 = 0xfff3_2000;

    /// <inheritdoc/>
    public ulong Read(int offset, int size)
    {
        Recall();
        // Registers are 32 bits wide at multiples of 16 (section 11.4.1); the rest of each 16 bytes reads as zero.
        int within = offset & 15;
        if (within >= 4)
            return 0;
        ulong value = (uint)ReadRegister(offset >> 4, x2Apic: false) >> within * 8;
        return size >= 4 ? value : value & (1UL << size * 8) - 1;
    }

    /// <inheritdoc/>
    public void Write(int offset, int size, ulong value)
    {
        Recall();
        if ((offset & 15) == 0 && size >= 4)
            _ = WriteRegister(offset >> 4, (uint)value, x2Apic: false);
    }

    /// <inheritdoc/>
    public bool TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        Recall();
        if (msr == MsrTscDeadline)
        {
            if (_options.TscDeadline)
                value = ReadTscDeadline();
            return _options.TscDeadline;
        }
        int register = (int)(msr - MsrX2Apic);
        if (msr is < MsrX2Apic or > MsrX2ApicLast || !IsX2Apic || !IsReadableMsr(register))
            return false;
        value = ReadRegister(register, x2Apic: true);
        return true;
    }

    /// <inheritdoc/>
    public bool TryWriteMsr(uint msr, ulong value)
    {
        Recall();
        if (msr == MsrX2Apic + EOI && IsX2Apic)
        {
            if (value != 0)
                return false;
            EndOfInterrupt();
            return true;
        }
        if (msr == MsrTscDeadline)
        {
            if (_options.TscDeadline)
                WriteTscDeadline(value);
            return _options.TscDeadline;
        }
        return msr is >= MsrX2Apic and <= MsrX2ApicLast && IsX2Apic && WriteRegister((int)(msr - MsrX2Apic), value, x2Apic: true);
    }

    private static bool IsReadableMsr(int register) => register is ID or VERSION or TPR or PPR or LDR or SVR
        or (>= ISR and <= ESR) or ICR_LOW or (>= LVT_TIMER and <= CURRENT_COUNT) or DIVIDE;

    /// <summary>Bits of a register that software may set; the others are reserved. -1 for a register that cannot be written.</summary>
    private long Writable(int register) => register switch
    {
        TPR => 0xff,
        EOI or ESR => 0xffff_ffff,
        SVR => 0xff | SvrEnable | SvrFocusDisabled | (_options.SuppressEoiBroadcast ? SvrSuppressEoi : 0),
        LVT_TIMER => 0xff | LvtMask | (_options.TscDeadline ? TimerModeMask : Periodic),
        LVT_TIMER + Thermal or LVT_TIMER + Performance => 0x7ff | LvtMask,
        LVT_TIMER + Lint0 or LVT_TIMER + Lint1 => 0xa7ff | LvtMask,
        LVT_ERROR => 0xff | LvtMask,
        INITIAL_COUNT => 0xffff_ffff,
        DIVIDE => 0xb,
        _ => -1,
    };

    private ulong ReadRegister(int register, bool x2Apic)
    {
        lock (_lock)
        {
            switch (register)
            {
                case ID: return x2Apic ? _initialId : _xapicId << 24;
                case VERSION: return VersionRegister | (_options.SuppressEoiBroadcast ? VersionSuppressEoi : 0);
                case TPR: return _tpr;
                case APR or PPR: return ProcessorPriority;
                case EOI or RRD: return 0;
                case LDR: return x2Apic ? LogicalX2ApicId : _ldr;
                case DFR: return _dfr;
                case SVR: return _svr;
                case >= ISR and < TMR: return Word(_isr, register - ISR);
                case >= TMR and < IRR: return Word(_tmr, register - TMR);
                case >= IRR and < ESR: return Word(_irr, register - IRR);
                case ESR: return _esr;
                case ICR_LOW: return x2Apic ? _icr : (uint)_icr;
                case ICR_HIGH: return _icr >> 32;
                case >= LVT_TIMER and <= LVT_ERROR: return _lvt[register - LVT_TIMER];
                case INITIAL_COUNT: return _initialCount;
                case CURRENT_COUNT:
                    uint count = CurrentCount();
                    Update();
                    return count;
                case DIVIDE: return _divide;
                default:
                    if (!x2Apic)
                        RaiseError(EsrIllegalRegister);
                    Update();
                    return 0;
            }
        }
    }

    private static uint Word(ulong[] bits, int index) => (uint)(bits[index >> 1] >> (index & 1) * 32);

    /// <returns>False for #GP, in x2APIC mode only.</returns>
    private bool WriteRegister(int register, ulong value, bool x2Apic)
    {
        // What calls other parts takes the lock itself.
        switch (register)
        {
            case EOI:
                EndOfInterrupt();
                return true;
            case ICR_LOW:
                return WriteIcr(value, x2Apic);
            case SELF_IPI when x2Apic:
                if (value > 0xff)
                    return false;
                SendToSelf((byte)value);
                return true;
        }
        lock (_lock)
        {
            if (!x2Apic && WriteXApicOnly(register, (uint)value))
                return true;
            long writable = Writable(register);
            if (writable < 0)
            {
                if (x2Apic)
                    return false;
                RaiseError(EsrIllegalRegister);
                Update();
                return true;
            }
            // The read-only bits of a vector table entry may be written back as they were read.
            ulong status = register is >= LVT_TIMER and <= LVT_ERROR ? LvtStatus | LvtRemoteIrr : 0u;
            // In x2APIC mode only zero may be written to ESR (section 11.12.1.2).
            if (x2Apic && ((value & ~((ulong)writable | status)) != 0 || (register == ESR && value != 0)))
                return false;
            WriteLocked(register, (uint)(value & (ulong)writable));
            Update();
        }
        return true;
    }

    /// <summary>Registers that x2APIC mode made read-only or took away.</summary>
    private bool WriteXApicOnly(int register, uint value)
    {
        switch (register)
        {
            case ID: Volatile.Write(ref _xapicId, value >> 24); return true;
            case LDR: Volatile.Write(ref _ldr, value & 0xff00_0000); return true;
            case DFR: Volatile.Write(ref _dfr, value | 0x0fff_ffff); return true;
            case ICR_HIGH: _icr = (uint)_icr | (ulong)(value & 0xff00_0000) << 32; return true;
            // Read-only.
            case VERSION or APR or PPR or RRD or (>= ISR and < ESR) or CURRENT_COUNT: return true;
            default: return false;
        }
    }

    private void WriteLocked(int register, uint value)
    {
        switch (register)
        {
            case TPR: Volatile.Write(ref _tpr, value); break;
            case SVR: WriteSvr(value); break;
            case ESR:
                _esr = _errors;
                _errors = 0;
                break;
            case LVT_TIMER: WriteTimerEntry(Masked(value)); break;
            case > LVT_TIMER and <= LVT_ERROR: WriteEntry(register - LVT_TIMER, Masked(value)); break;
            case INITIAL_COUNT: WriteInitialCount(value); break;
            case DIVIDE: WriteDivide(value); break;
        }
    }

    /// <summary>While the APIC is disabled by software, all entries stay masked (section 11.4.7.2).</summary>
    private uint Masked(uint entry) => (_svr & SvrEnable) != 0 ? entry : entry | LvtMask;

    private void WriteSvr(uint value)
    {
        Volatile.Write(ref _svr, value);
        if ((value & SvrEnable) != 0)
            return;
        for (int i = 0; i < LvtEntries; i++)
            _lvt[i] |= LvtMask;
        ArmTimer();
    }

    private void WriteEntry(int entry, uint value)
    {
        bool wasMasked = (_lvt[entry] & LvtMask) != 0;
        uint level = value & LvtLevel;
        _lvt[entry] = value | (level != 0 ? _lvt[entry] & LvtRemoteIrr : 0);
        // A level that waited behind the mask.
        if (entry == Lint0 && wasMasked && level != 0 && _lint[0] && (value & 0x700) == 0)
            RaiseLocal(entry);
    }

    /// <summary>Interrupt command register (section 11.6.1): sends an interprocessor interrupt.</summary>
    private bool WriteIcr(ulong value, bool x2Apic)
    {
        if (x2Apic && (value & IcrReservedX2) != 0)
            return false;
        uint command = (uint)value & ~IcrBusy;
        ulong icr;
        lock (_lock)
            _icr = icr = x2Apic ? value & ~(ulong)IcrBusy : (_icr & ~(ulong)uint.MaxValue) | (command & ((uint)IcrWritable | 0xc0000));
        var mode = (DeliveryMode)(command >> 8 & 7);
        byte vector = (byte)command;
        bool level = (command & IcrLevel) != 0;
        // "INIT level de-assert" synchronised arbitration IDs, which are gone.
        if (mode == DeliveryMode.Init && level && (command & IcrAssert) == 0)
            return true;
        if (mode is DeliveryMode.Fixed or DeliveryMode.LowestPriority && vector < 16)
        {
            lock (_lock)
            {
                RaiseError(EsrSendIllegal);
                Update();
            }
            return true;
        }
        // The trigger mode of an IPI other than INIT level de-assert is edge (section 11.6.1).
        switch (command >> 18 & 3)
        {
            case 1: _ = Accept(mode, vector, false); break;
            case 2: _bus.DeliverToAll(mode, vector, false, null); break;
            case 3: _bus.DeliverToAll(mode, vector, false, this); break;
            default:
                uint destination = x2Apic ? (uint)(icr >> 32) : ApicMessage.Widen((byte)(icr >> 56));
                _ = _bus.Deliver(new ApicMessage(destination, (command & IcrLogical) != 0, mode, vector, false));
                break;
        }
        return true;
    }

    private void SendToSelf(byte vector)
    {
        lock (_lock)
        {
            if (vector < 16)
                RaiseError(EsrSendIllegal);
            else if (AcceptsInterrupts)
                _ = Request(vector, level: false);
            Update();
        }
    }
}
