using System.Numerics;
using Myna.Hardware.Processor;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Interrupts;

/// <summary>What a local APIC offers; what CPUID says must agree.</summary>
/// <param name="X2Apic">x2APIC mode.</param>
/// <param name="TscDeadline">The timer's TSC-deadline mode.</param>
/// <param name="SuppressEoiBroadcast">Directed EOI: bit 12 of the spurious vector register.</param>
/// <param name="PhysicalAddressBits">Width of physical addresses; higher bits of IA32_APIC_BASE are reserved.</param>
public sealed record LocalApicOptions(bool X2Apic = true, bool TscDeadline = true, bool SuppressEoiBroadcast = true, int PhysicalAddressBits = 52);

/// <summary>
/// A local APIC in xAPIC and x2APIC mode (Intel SDM volume 3, chapter 11; section numbers below are those). Its timer runs
/// at 1 GHz before the divider. Six local vectors: timer, thermal sensor, performance counters, LINT0, LINT1, error.
/// DEVIATION: out of reset, LINT0 of CPU 0 is an unmasked ExtINT input (virtual wire mode), as MP firmware leaves it, so
/// that a kernel booted without firmware gets the 8259's interrupts.
/// LIMIT: system management interrupts are accepted and forgotten.
/// </summary>
[Stateful("lapic")]
public sealed partial class LocalApic : ILocalApic
{
    private const ulong BaseBsp = 1 << 8, BaseExtended = 1 << 10, BaseEnable = 1 << 11, BaseReserved = 0x2ff;
    private const ulong DefaultAddress = 0xfee0_0000;
    private const uint SvrEnable = 1 << 8, SvrFocusDisabled = 1 << 9, SvrSuppressEoi = 1 << 12;
    private const uint EsrSendIllegal = 1 << 5, EsrReceiveIllegal = 1 << 6, EsrIllegalRegister = 1 << 7;

    // Bits of local vector table entries (section 11.5.1).
    private const uint LvtStatus = 1 << 12, LvtRemoteIrr = 1 << 14, LvtLevel = 1 << 15, LvtMask = 1 << 16;
    private const int Timer = 0, Thermal = 1, Performance = 2, Lint0 = 3, Lint1 = 4, Error = 5, LvtEntries = 6;

    private readonly Lock _lock = new();
    private readonly ApicBus _bus;
    private readonly Clock _clock;
    private readonly LocalApicOptions _options;
    private readonly ClockTimer _timer;
    private readonly IX86Core _core;
    private readonly uint _initialId;

    [Saved(1)] private ulong _apicBase;
    [Saved(2)] private uint _xapicId;
    [Saved(3)] private readonly ulong[] _isr = new ulong[4];
    [Saved(4)] private readonly ulong[] _tmr = new ulong[4];
    [Saved(5)] private readonly ulong[] _irr = new ulong[4];
    [Saved(6)] private uint _tpr;
    [Saved(7)] private uint _svr;
    [Saved(8)] private uint _esr;

    // Errors since the last write of ESR.
    [Saved(9)] private uint _errors;
    [Saved(10)] private ulong _icr;
    [Saved(11)] private uint _ldr;
    [Saved(12)] private uint _dfr;
    [Saved(13)] private readonly uint[] _lvt = new uint[LvtEntries];
    [Saved(14)] private uint _initialCount;
    [Saved(15)] private uint _divide;

    // When the timer's count reaches zero next, in the clock's nanoseconds; 0 while it stands.
    [Saved(16)] private ulong _expiry;
    [Saved(17)] private ulong _tscDeadline;

    // Levels of LINT0 and LINT1.
    [Saved(18)] private readonly bool[] _lint = new bool[2];

    // An ExtINT message waits for its acknowledge.
    [Saved(19)] private bool _external;

    [NotSaved("what the CPU was told last; told again by Sync")] private bool _intr;
    [NotSaved("the highest vector in service, -1 for none; derived from ISR")] private int _inService = -1;
    [NotSaved("armed by Sync")] private bool _armed;

    /// <param name="core">The CPU; its <see cref="IX86Core.Index"/> 0 makes it the bootstrap processor.</param>
    /// <param name="id">Initial APIC ID, as in CPUID.</param>
    public LocalApic(ApicBus bus, Clock clock, IX86Core core, uint id, LocalApicOptions options)
    {
        _bus = bus;
        _clock = clock;
        _core = core;
        _initialId = id;
        _options = options;
        _timer = clock.CreateTimer(TimerCallback);
        bus.Add(this);
        Reset();
    }

    /// <summary>Initial APIC ID.</summary>
    public uint Id => _initialId;

    /// <inheritdoc/>
    public ulong ApicBase => Volatile.Read(ref _apicBase);

    /// <inheritdoc/>
    public int TaskPriority
    {
        get => (int)(Volatile.Read(ref _tpr) >> 4);
        set
        {
            Recall();
            lock (_lock)
            {
                _tpr = (uint)(value & 15) << 4;
                Update();
            }
        }
    }

    /// <summary>Enabled by IA32_APIC_BASE and by the spurious vector register: takes fixed interrupts.</summary>
    internal bool AcceptsInterrupts => Enabled && (_svr & SvrEnable) != 0;

    /// <summary>Bits 7:4 of the processor priority register.</summary>
    internal int PriorityClass => (int)(ProcessorPriority >> 4);

    private bool Enabled => (_apicBase & BaseEnable) != 0;
    private bool IsX2Apic => (_apicBase & BaseExtended) != 0;

    /// <summary>PPR (section 11.8.3.1).</summary>
    private uint ProcessorPriority
    {
        get
        {
            uint tpr = _tpr;
            int inService = _inService;
            return inService < 0 || (tpr >> 4) >= (uint)inService >> 4 ? tpr : (uint)inService & 0xf0;
        }
    }

    private bool ExternalPending => _external || (_lint[0] && (!Enabled || (_lvt[Lint0] & (LvtMask | 0x700)) == 0x700));

    /// <inheritdoc/>
    public bool TrySetApicBase(ulong value)
    {
        Recall();
        lock (_lock)
        {
            ulong old = _apicBase, reserved = BaseReserved | ~((1UL << _options.PhysicalAddressBits) - 1);
            if (!_options.X2Apic)
                reserved |= BaseExtended;
            bool enable = (value & BaseEnable) != 0, extend = (value & BaseExtended) != 0;
            // The states of figure 11-27: no x2APIC while disabled, none directly from disabled, no way back to xAPIC.
            if ((value & reserved) != 0 || (extend && !enable) || (extend && !Enabled) || (enable && !extend && IsX2Apic))
                return false;
            Volatile.Write(ref _apicBase, value);
            if (!enable && (old & BaseEnable) != 0)
                ResetRegisters(keepId: false, keepTaskPriority: true);
            else if (extend && (old & BaseExtended) == 0)
                _icr &= uint.MaxValue;
            Update();
        }
        return true;
    }

    /// <inheritdoc/>
    public int Acknowledge()
    {
        lock (_lock)
        {
            if (_hosted && !HostedIntr)
                return -1;
            if (!_hosted && !ExternalPending)
                return TakeHighest();
            _external = false;
            Update();
        }
        return _bus.AcknowledgeExternal();
    }

    /// <summary>Whether a message with this destination is for this APIC (sections 11.6.2 and 11.12.10).</summary>
    internal bool IsDestination(uint destination, bool logical)
    {
        if (destination == ApicMessage.Broadcast)
            return true;
        if (!logical)
            return destination == (IsX2Apic ? _initialId : _xapicId);
        if (IsX2Apic)
            return destination >> 16 == LogicalX2ApicId >> 16 && (destination & LogicalX2ApicId & 0xffff) != 0;
        uint own = _ldr >> 24;
        if (destination > 0xff)
            return false;
        // Flat model, or clusters of four.
        return _dfr >> 28 == 15 ? (destination & own) != 0 : destination >> 4 == own >> 4 && (destination & own & 15) != 0;
    }

    /// <summary>Takes a message. Any thread.</summary>
    /// <returns>False when the APIC does not take it in its present state.</returns>
    internal bool Accept(DeliveryMode mode, byte vector, bool level)
    {
        if (!Enabled)
            return false;
        switch (mode)
        {
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority:
                lock (_lock)
                {
                    if (!AcceptsInterrupts)
                        return false;
                    bool legal = Request(vector, level);
                    Update();
                    return legal;
                }
            case DeliveryMode.Nmi:
                _core.Nmi();
                return true;
            case DeliveryMode.Init:
                InitByPin();
                return true;
            case DeliveryMode.Startup:
                _core.Startup(vector);
                return true;
            case DeliveryMode.ExtInt:
                lock (_lock)
                {
                    _external = true;
                    Update();
                }
                return true;
            default:
                return mode == DeliveryMode.Smi;
        }
    }

    /// <summary>INIT: registers as after reset, except the APIC ID and the mode (section 11.4.7.3).</summary>
    internal void InitByPin()
    {
        lock (_lock)
        {
            ResetRegisters(keepId: true, keepTaskPriority: false);
            Update();
        }
        _core.Init();
    }

    /// <summary>LINT0 (0) or LINT1 (1).</summary>
    internal void SetLint(int input, bool level)
    {
        lock (_lock)
        {
            bool rising = level && !_lint[input];
            _lint[input] = level;
            if (_hosted)
            {
                if (input == 0 || rising)
                    SetHostedLint(input);
                return;
            }
            if (!Enabled)
            {
                // The pins are the processor's INTR and NMI then (section 11.4.3).
                if (input == 1 && rising)
                    _core.Nmi();
            }
            else if (rising)
            {
                RaiseLocal(Lint0 + input);
            }
            Update();
        }
    }

    /// <summary>A performance counter overflowed.</summary>
    public void RaisePerformanceInterrupt()
    {
        lock (_lock)
        {
            RaiseLocal(Performance);
            // Section 11.5.1: the entry is masked as the interrupt is delivered.
            _lvt[Performance] |= LvtMask;
            Update();
        }
    }

    /// <summary>Power-on state; the wires keep their levels. The machine is paused.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _apicBase = DefaultAddress | BaseEnable | (_core.Index == 0 ? BaseBsp : 0);
            ResetRegisters(keepId: false, keepTaskPriority: false);
        }
        Sync();
    }

    private uint LogicalX2ApicId => (_initialId >> 4) << 16 | 1u << (int)(_initialId & 15);

    /// <summary>Section 11.4.7.1.</summary>
    private void ResetRegisters(bool keepId, bool keepTaskPriority)
    {
        Array.Clear(_isr);
        Array.Clear(_tmr);
        Array.Clear(_irr);
        _inService = -1;
        if (!keepId)
            _xapicId = _initialId & 0xff;
        if (!keepTaskPriority)
            _tpr = 0;
        _svr = 0xff;
        _esr = _errors = 0;
        _icr = 0;
        _ldr = 0;
        _dfr = uint.MaxValue;
        Array.Fill(_lvt, LvtMask);
        if (_core.Index == 0)
            _lvt[Lint0] = 0x700;
        _initialCount = 0;
        _divide = 0;
        _expiry = 0;
        _tscDeadline = 0;
        _external = false;
        ArmTimer();
    }

    private void Sync()
    {
        lock (_lock)
        {
            _inService = Highest(_isr);
            _intr = Deliverable() || ExternalPending;
            _core.SetIntr(_intr);
            _armed = true;
            ArmTimer();
        }
    }

    /// <summary>Tells the CPU whether there is an interrupt for it.</summary>
    private void Update()
    {
        if (_hosted)
            return;
        bool intr = Deliverable() || ExternalPending;
        if (intr != _intr)
        {
            _intr = intr;
            _core.SetIntr(intr);
        }
    }

    private bool Deliverable() => Highest(_irr) is var vector && vector >> 4 > (int)(ProcessorPriority >> 4);

    /// <summary>Moves the request of the highest priority into service (section 11.8.4).</summary>
    private int TakeHighest()
    {
        int vector = Highest(_irr);
        if (vector >> 4 <= (int)(ProcessorPriority >> 4))
            return -1;
        _irr[vector >> 6] &= ~(1UL << vector);
        _isr[vector >> 6] |= 1UL << vector;
        _inService = vector;
        Update();
        return vector;
    }

    /// <summary>Sets a request.</summary>
    /// <returns>False for an illegal vector, which is an error.</returns>
    private bool Request(int vector, bool level)
    {
        if (vector < 16)
        {
            RaiseError(EsrReceiveIllegal);
            return false;
        }
        ulong bit = 1UL << vector;
        _irr[vector >> 6] |= bit;
        if (level)
            _tmr[vector >> 6] |= bit;
        else
            _tmr[vector >> 6] &= ~bit;
        return true;
    }

    /// <summary>EOI register: the interrupt in service with the highest priority is done (section 11.8.5).</summary>
    private void EndOfInterrupt()
    {
        int vector;
        bool broadcast;
        lock (_lock)
        {
            vector = _inService;
            if (vector < 0)
                return;
            _isr[vector >> 6] &= ~(1UL << vector);
            _inService = Highest(_isr);
            bool level = (_tmr[vector >> 6] >> vector & 1) != 0;
            if (level)
                EndLocalLevel(vector);
            broadcast = level && (_svr & SvrSuppressEoi) == 0;
            Update();
        }
        // Not under the lock: the I/O APIC may send the interrupt again at once.
        if (broadcast)
            _bus.BroadcastEoi((byte)vector);
    }

    /// <summary>Delivers the interrupt of an entry of the local vector table.</summary>
    private void RaiseLocal(int entry)
    {
        uint lvt = _lvt[entry];
        if ((lvt & LvtMask) != 0)
            return;
        switch (entry is Timer or Error ? DeliveryMode.Fixed : (DeliveryMode)(lvt >> 8 & 7))
        {
            case DeliveryMode.Fixed:
                // LINT0 is the only local input that can be a level.
                bool level = entry == Lint0 && (lvt & LvtLevel) != 0;
                if (level && (lvt & LvtRemoteIrr) != 0)
                    break;
                if (Request((byte)lvt, level) && level)
                    _lvt[entry] |= LvtRemoteIrr;
                break;
            case DeliveryMode.Nmi: _core.Nmi(); break;
            case DeliveryMode.Init: _core.Init(); break;
        }
    }

    private void EndLocalLevel(int vector)
    {
        ref uint lvt = ref _lvt[Lint0];
        if ((lvt & LvtRemoteIrr) == 0 || (byte)lvt != vector)
            return;
        lvt &= ~LvtRemoteIrr;
        if (_lint[0])
            RaiseLocal(Lint0);
    }

    /// <summary>Notes an error; the interrupt comes once until software writes ESR (section 11.5.3).</summary>
    private void RaiseError(uint error)
    {
        bool first = _errors == 0;
        _errors |= error;
        // An error entry with an illegal vector would be an error of its own.
        if (first && (byte)_lvt[Error] >= 16)
            RaiseLocal(Error);
    }

    private static int Highest(ulong[] bits)
    {
        for (int i = 3; i >= 0; i--)
        {
            if (bits[i] != 0)
                return i * 64 + 63 - BitOperations.LeadingZeroCount(bits[i]);
        }
        return -1;
    }
}
