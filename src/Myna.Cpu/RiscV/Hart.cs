using System.Numerics;
using Myna.Cpu.RiscV.Sbi;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>
/// A RISC-V hart: RV64 with M, S and U modes (privileged specification 1.13). This file holds its state; the parts are
/// traps, CSRs, counters, address translation, memory access, the run loop, the built-in SBI's view, and debugging.
/// As an <see cref="IInterruptSink"/> its inputs are the bit numbers of mip: 1 SSI (sets SSIP at a rising edge), 3 MSI,
/// 7 MTI, 9 SEI, 11 MEI.
/// </summary>
[Stateful("riscv-hart")]
public sealed partial class Hart : EmulatedCpu, IInterruptSink, ISbiHart
{
    private readonly AddressSpace _memory;
    private readonly Clock _clock;
    private readonly ClockTimer _timer;
    private readonly ClockTimer _counterTimer;
    private readonly LogChannel _log;
    private readonly SbiFirmware? _firmware;
    private readonly ulong _hertz;
    private readonly ulong _ticksDivisor;
    private readonly ulong _resetVector;
    private readonly Pmp _pmp;

    [Saved(1)] private readonly RegisterState _registers;
    [Saved(2)] private PrivilegeLevel _privilege;
    [Saved(3)] private ulong _mstatus;
    [Saved(4)] private ulong _medeleg;
    [Saved(5)] private ulong _mideleg;
    [Saved(6)] private ulong _mie;
    /// <summary>The bits of mip that software writes: SSIP, STIP, SEIP, LCOFIP. Changed with Interlocked.</summary>
    [Saved(7)] private ulong _softwarePending;
    [Saved(8)] private ulong _mtvec;
    [Saved(9)] private ulong _stvec;
    [Saved(10)] private ulong _mscratch;
    [Saved(11)] private ulong _sscratch;
    [Saved(12)] private ulong _mepc;
    [Saved(13)] private ulong _sepc;
    [Saved(14)] private ulong _mcause;
    [Saved(15)] private ulong _scause;
    [Saved(16)] private ulong _mtval;
    [Saved(17)] private ulong _stval;
    [Saved(18)] private ulong _mcounteren;
    [Saved(19)] private ulong _scounteren;
    [Saved(20)] private ulong _mcountinhibit;
    [Saved(21)] private ulong _menvcfg;
    [Saved(22)] private ulong _senvcfg;
    [Saved(23)] private ulong _stimecmp;
    [Saved(24)] private ulong _satp;
    [Saved(25)] private readonly byte[] _pmpConfig = new byte[CsrTable.PmpEntries];
    [Saved(26)] private readonly ulong[] _pmpAddress = new ulong[CsrTable.PmpEntries];
    [Saved(27)] private int _frm;
    [Saved(28)] private readonly ulong[] _events = new ulong[CsrTable.ProgrammableCounters];
    [Saved(29)] private readonly ulong[] _counterValues = new ulong[3 + CsrTable.ProgrammableCounters];
    [Saved(30)] private bool _waiting;
    /// <summary>HartState, as the integer that Volatile takes.</summary>
    [Saved(31)] private int _hsmValue;
    [Saved(32)] private ulong _startAddress;
    [Saved(33)] private ulong _startOpaque;

    [NotSaved("follows from the saved CSRs")] private int _dataMode;
    [NotSaved("follows from the saved CSRs")] private uint _blockFlags;
    [NotSaved("follows from satp")] private int _levels;
    [NotSaved("an engine's matter: set again when the guest looks at a counter")] private bool _countsInstructions;
    [NotSaved("levels driven by their devices")] private ulong _linesPending;
    [NotSaved("follows from stimecmp and the clock")] private ulong _timerPending;

    public Hart(HartOptions options) : base(options.HartId, options.Memory, MmuMode.Count)
    {
        _memory = options.Memory;
        _clock = options.Clock;
        _hertz = options.TimebaseHertz;
        _ticksDivisor = 1_000_000_000 % _hertz == 0 ? 1_000_000_000 / _hertz : 0;
        _resetVector = options.ResetVector;
        _firmware = options.Firmware;
        _log = options.Log;
        _user = options.User;
        _registers = new RegisterState(Block);
        _pmp = new Pmp(_pmpConfig, _pmpAddress);
        _timer = _clock.CreateTimer(OnTimer);
        _counterTimer = _clock.CreateTimer(() => RequestExit(ExitRequests.Request));
        Reset();
    }

    /// <summary>Encoding of the instruction being executed; the interpreter sets it before it calls anything here that
    /// can raise an illegal-instruction exception, whose tval it becomes.</summary>
    [field: NotSaved("valid only inside an instruction")]
    public uint Instruction { get; set; }

    public ref RiscVRegisters Registers64 => ref Block.Registers<RiscVRegisters>();

    public PrivilegeLevel Privilege => _privilege;

    /// <summary>MMU mode of data accesses now (<see cref="MmuMode"/>).</summary>
    public int DataMode => _dataMode;

    /// <summary>MMU mode of instruction fetches now.</summary>
    public int FetchMode => (int)_privilege;

    /// <summary>
    /// What a translation depends on besides the code: the bits of <see cref="RiscV.BlockFlags"/>.
    /// </summary>
    public uint BlockFlags => _blockFlags;

    /// <inheritdoc/>
    public override void Reset()
    {
        _registers.Reset();
        _privilege = PrivilegeLevel.Machine;
        _mstatus = 0;
        _medeleg = _mideleg = _mie = 0;
        _softwarePending = 0;
        _mtvec = _stvec = _mscratch = _sscratch = _mepc = _sepc = _mcause = _scause = _mtval = _stval = 0;
        _mcounteren = _scounteren = _mcountinhibit = _menvcfg = _senvcfg = 0;
        _stimecmp = ulong.MaxValue;
        _satp = 0;
        Array.Clear(_pmpConfig);
        Array.Clear(_pmpAddress);
        _frm = 0;
        Array.Clear(_events);
        Array.Clear(_counterValues);
        _countsInstructions = false;
        StartCounters();
        _waiting = false;
        _hsmValue = (int)HartState.Started;
        _startAddress = _startOpaque = 0;
        _siselect = _miselect = 0;
        Block.Context.Pc = _resetVector;
        Registers64.X[10] = (ulong)Index;
        if (_firmware is not null)
            ResetForFirmware();
        if (_user is not null)
            ResetForUser();
        Sync();
    }

    /// <summary>Derives what is not saved.</summary>
    private void Sync()
    {
        _pmp.Update();
        lock (_posted)
            _posted.Clear();
        ArmCounters();
        ArmTimer();
        FlushTranslations();
        UpdateMode();
        RequestExit(ExitRequests.Interrupt | ExitRequests.Request);
    }

    // Everything that follows from privilege, mstatus, frm and satp.
    private void UpdateMode()
    {
        PrivilegeLevel data = _privilege;
        if (_privilege == PrivilegeLevel.Machine && (_mstatus & Mstatus.Mprv) != 0)
            data = (PrivilegeLevel)((_mstatus & Mstatus.Mpp) >> Mstatus.MppShift);
        _dataMode = data switch
        {
            PrivilegeLevel.User => MmuMode.User,
            PrivilegeLevel.Supervisor => (_mstatus & Mstatus.Sum) != 0 ? MmuMode.SupervisorUserMemory : MmuMode.Supervisor,
            _ => MmuMode.Machine,
        };
        _levels = (_satp >> 60) switch { 8 => 3, 9 => 4, 10 => 5, _ => 0 };
        int fs = (int)((_mstatus & Mstatus.Fs) >> Mstatus.FsShift);
        _blockFlags = new BlockFlags((int)_privilege, _dataMode, fs, _frm, CacheBlockEnabled(EnvironmentConfig.Cbze), _countsInstructions).Bits;
        Generation++;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _timer.Dispose();
        _counterTimer.Dispose();
    }

    // Interrupt inputs.

    /// <inheritdoc/>
    public void SetLevel(int input, bool level)
    {
        if (input == Interrupts.Ssi)
        {
            if (level)
                SetSoftwarePending(Interrupts.Ssip, true);
            return;
        }
        ulong bit = 1UL << input & (Interrupts.Msip | Interrupts.Mtip | Interrupts.Seip | Interrupts.Meip);
        if (level)
            Interlocked.Or(ref _linesPending, bit);
        else
            Interlocked.And(ref _linesPending, ~bit);
        if (level)
            RequestExit(ExitRequests.Interrupt);
    }

    private void SetSoftwarePending(ulong bits, bool on)
    {
        if (on)
            Interlocked.Or(ref _softwarePending, bits);
        else
            Interlocked.And(ref _softwarePending, ~bits);
        if (on)
            RequestExit(ExitRequests.Interrupt);
    }

    /// <summary>mip as software reads it.</summary>
    private ulong Pending => Volatile.Read(ref _linesPending) | Volatile.Read(ref _softwarePending)
        & (StimecmpEnabled ? ~Interrupts.Stip : ulong.MaxValue) | (StimecmpEnabled ? Volatile.Read(ref _timerPending) : 0);

    private bool StimecmpEnabled => (_menvcfg & EnvironmentConfig.Stce) != 0;

    // Time.

    /// <summary>The time CSR, in ticks of the timebase.</summary>
    public ulong Time => ToTicks(_clock.Now);

    private ulong ToTicks(ulong nanoseconds) => _ticksDivisor != 0 ? nanoseconds / _ticksDivisor : Clock.ToTicks(nanoseconds, _hertz);

    private void OnTimer() => ArmTimer();

    // Sstc: STIP is pending while time >= stimecmp. Runs on the hart's and on the clock's thread.
    private void ArmTimer()
    {
        lock (_timer)
        {
            ulong compare = Volatile.Read(ref _stimecmp);
            bool due = Time >= compare;
            Volatile.Write(ref _timerPending, due ? Interrupts.Stip : 0);
            if (due)
                RequestExit(ExitRequests.Interrupt);
            else if (compare == ulong.MaxValue)
                _timer.Cancel();
            else
                _timer.Arm(Clock.FromTicks(compare, _hertz));
        }
    }

    /// <summary>The part of the state that lies in the CPU's block.</summary>
    private sealed class RegisterState(CpuBlock block) : IStateful
    {
        public string StateName => "riscv-registers";
        public int StateVersion => 1;

        public void Reset()
        {
            block.Registers<RiscVRegisters>() = default;
            ref JitContext context = ref block.Context;
            context.Pc = 0;
            context.InstructionCount = 0;
            context.ReservedSize = 0;
            context.ReservedAddress = context.ReservedValue = 0;
            context.Mxcsr = 0x1F80;
        }

        public void SaveState(StateWriter writer)
        {
            ref JitContext context = ref block.Context;
            writer.Write(1, block.Registers<RiscVRegisters>());
            writer.Write(2, context.Pc);
            writer.Write(3, context.InstructionCount);
            writer.Write(4, context.Mxcsr);
            writer.Write(5, context.ReservedSize);
            writer.Write(6, context.ReservedAddress);
            writer.Write(7, context.ReservedValue);
        }

        public void LoadState(StateReader reader)
        {
            ref JitContext context = ref block.Context;
            reader.Read(1, ref block.Registers<RiscVRegisters>());
            reader.Read(2, ref context.Pc);
            reader.Read(3, ref context.InstructionCount);
            reader.Read(4, ref context.Mxcsr);
            reader.Read(5, ref context.ReservedSize);
            reader.Read(6, ref context.ReservedAddress);
            reader.Read(7, ref context.ReservedValue);
            block.Registers<RiscVRegisters>().X[0] = 0;
        }
    }
}
