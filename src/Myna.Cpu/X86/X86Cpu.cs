using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Processor;
using Myna.Hardware.State;
using Myna.Hardware.Time;

using Myna.Jit.Memory;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.X86;

/// <summary>What an x86 CPU needs of its machine.</summary>
public sealed record X86CpuOptions
{
    /// <summary>0 for the bootstrap processor; also the initial APIC ID.</summary>
    public int Index { get; init; }

    /// <summary>CPUs of the machine, for the topology leaves of CPUID.</summary>
    public int Count { get; init; } = 1;

    public required CpuModel Model { get; init; }

    /// <summary>Physical addresses.</summary>
    public required AddressSpace Memory { get; init; }

    /// <summary>The 65,536 I/O ports.</summary>
    public required AddressSpace Ports { get; init; }

    public required Clock Clock { get; init; }

    /// <summary>What CPUID says of the time stamp counter's frequency: another one than 1 GHz for a CPU whose counter is the host's.</summary>
    public ulong TscHertz { get; init; } = 1_000_000_000;

    /// <summary>What of KVM's paravirtual features CPUID announces: EAX of leaf 4000_0001h; 0 for another hypervisor's signature.</summary>
    public uint Paravirtual { get; init; }

    /// <summary>The machine's kvmclock.</summary>
    public PvClock? PvClock { get; init; }

    /// <summary>Called on the CPU's thread when it shuts down by a triple fault: the board resets or stops, and says so.</summary>
    public Action? Shutdown { get; init; }

    /// <summary>Random numbers of 64 bits for RDRAND and RDSEED, called on the CPU's thread; without a source the instructions find none.</summary>
    public Func<ulong>? Random { get; init; }

    /// <summary>Called on the CPU's thread when an x87 exception meets CR0.NE = 0: FERR# is asserted, which a PC makes IRQ 13.</summary>
    public Action? FloatingPointError { get; init; }

    /// <summary>Not a machine's CPU but a user program's: 64-bit mode at CPL 3 alone, and exceptions end <see cref="VirtualCpu.Run"/>.</summary>
    public DirectMemory? User { get; init; }

    /// <summary>With <see cref="User"/>: a program in 32-bit code.</summary>
    public bool User32 { get; init; }

    public LogChannel Log { get; init; } = LogChannel.None;
}

/// <summary>
/// A virtual x86-64 CPU (Intel SDM, AMD APM). This file holds its state; the parts are segments, exceptions and interrupts,
/// address translation, memory access, system instructions, the run loop, and debugging.
/// </summary>
[Stateful("x86-cpu")]
public sealed partial class X86Cpu : EmulatedCpu, IX86Core
{
    private readonly X86CpuOptions _options;
    private readonly AddressSpace _memory;
    private readonly AddressSpace _ports;
    private readonly Clock _clock;
    private readonly LogChannel _log;
    private readonly Cpuid _cpuid;

    [Saved(1)] private readonly RegisterState _registers;
    [Saved(2)] private ulong _cr0;
    [Saved(3)] private ulong _cr2;
    [Saved(4)] private ulong _cr3;
    [Saved(5)] private ulong _cr4;
    [Saved(6)] private ulong _efer;
    [Saved(7)] private int _cpl;
    [Saved(8)] private TableRegister _gdtr;
    [Saved(9)] private TableRegister _idtr;
    [Saved(10)] private SystemSegment _ldtr;
    [Saved(11)] private SystemSegment _tr;
    /// <summary>PDPTEs of PAE paging, loaded by MOV CR3.</summary>
    [Saved(12)] private readonly ulong[] _pdptes = new ulong[4];
    [Saved(13)] private readonly ulong[] _dr = new ulong[4];
    [Saved(14)] private ulong _dr6;
    [Saved(15)] private ulong _dr7;
    [Saved(16)] private ulong _star;
    [Saved(17)] private ulong _lstar;
    [Saved(18)] private ulong _cstar;
    [Saved(19)] private ulong _fmask;
    [Saved(20)] private ulong _kernelGsBase;
    [Saved(21)] private ulong _sysenterCs;
    [Saved(22)] private ulong _sysenterEsp;
    [Saved(23)] private ulong _sysenterEip;
    [Saved(24)] private ulong _pat;
    [Saved(25)] private ulong _miscEnable;
    [Saved(26)] private ulong _tscOffset;
    [Saved(27)] private ulong _tscAdjust;
    [Saved(28)] private ulong _tscAux;
    [Saved(29)] private ulong _mtrrDefType;
    [Saved(30)] private readonly ulong[] _mtrrVariable = new ulong[16];
    [Saved(31)] private readonly ulong[] _mtrrFixed = new ulong[11];
    [Saved(32)] private ulong _xcr0;
    [Saved(33)] private ulong _xss;
    [Saved(34)] private uint _smBase;
    [Saved(35)] private uint _pkru;
    [Saved(36)] private ulong _debugControl;
    [Saved(37)] private ulong _mcgStatus;
    /// <summary>Address of the one instruction that is executed without interrupts (STI, MOV SS, POP SS); 1, which no boundary compares with, for none.</summary>
    [Saved(38)] private ulong _inhibitPc;
    [Saved(39)] private bool _inhibited;
    /// <summary>MOV SS and POP SS: NMI and #DB wait too.</summary>
    [Saved(40)] private bool _inhibitsDebug;
    [Saved(41)] private bool _halted;
    [Saved(42)] private bool _waitsForStartup;
    [Saved(43)] private bool _shutDown;
    [Saved(44)] private bool _nmiBlocked;
    [Saved(46)] private bool _initPending;
    /// <summary>Vector of a start-up message not served yet, or -1.</summary>
    [Saved(47)] private int _startupPending = -1;
    /// <summary>Bits of DR6 that a #DB waiting for the end of the instruction, or of an inhibit window, will report.</summary>
    [Saved(48)] private ulong _debugPending;

    [Saved(49)] private ulong _specCtrl;
    [Saved(50)] private int _nmisPending;

    [NotSaved("follows from the saved registers")] private uint _flags;
    [NotSaved("follows from the saved registers")] private int _levels;
    [NotSaved("level driven by the interrupt controller")] private bool _intr;

    public X86Cpu(X86CpuOptions options) : base(options.Index, options.Memory, MmuMode.Count)
    {
        _options = options;
        _memory = options.Memory;
        _ports = options.Ports;
        _clock = options.Clock;
        _log = options.Log;
        _user = options.User;
        _registers = new RegisterState(Block);
        _cpuid = new Cpuid(options);
        Reset();
    }

    /// <summary>The CPU's interrupt controller. Set it before the CPU runs; without one there is no interrupt but NMI.</summary>
    [field: NotSaved("wiring")]
    public ILocalApic? LocalApic { get; set; }

    /// <summary>The A20 gate: while false, address bit 20 is zero. Any thread.</summary>
    public bool A20
    {
        get => Volatile.Read(ref _a20Mask) == ulong.MaxValue;
        set
        {
            Volatile.Write(ref _a20Mask, value ? ulong.MaxValue : ~(1UL << 20));
            OnMemoryMapChanged();
        }
    }

    [NotSaved("driven by its device")] private ulong _a20Mask = ulong.MaxValue;

    public CpuModel Model => _options.Model;

    public ref X86Registers State => ref Block.Registers<X86Registers>();

    /// <summary>
    /// Power-on state (Intel SDM volume 3, table 10-1): the bootstrap processor starts at FFFF_FFF0h, the others wait for a start-up message.
    /// </summary>
    public override void Reset()
    {
        _registers.Reset();
        _efer = 0;
        _star = _lstar = _cstar = _fmask = _kernelGsBase = _sysenterCs = _sysenterEsp = _sysenterEip = 0;
        _pat = 0x0007_0406_0007_0406;
        // Fast strings; neither BTS nor PEBS.
        _miscEnable = 1 | 1 << 11 | 1 << 12;
        _tscOffset = _tscAdjust = _tscAux = 0;
        _mtrrDefType = 0;
        Array.Clear(_mtrrVariable);
        Array.Clear(_mtrrFixed);
        _xcr0 = 1;
        _xss = 0;
        _smBase = 0x30000;
        _pkru = 0;
        _debugControl = _mcgStatus = _specCtrl = 0;
        _nmisPending = 0;
        _initPending = false;
        _cr0 = Cr0.Reset;
        ResetForInit();
        _waitsForStartup = Index != 0;
        if (_user is not null)
            ResetForUser();
        Sync();
    }

    // What INIT resets too; it keeps CD and NW, floating point, MSRs (Intel SDM volume 3, table 10-1).
    private void ResetForInit()
    {
        ref X86Registers r = ref State;
        r.General = default;
        // Family, model and stepping.
        r.General[2] = Cpuid.Signature;
        RFlags = RFlag.Reserved1;
        for (int i = 0; i < 6; i++)
            SetRealSegment((SegmentRegister)i, 0);
        r.Selectors[(int)SegmentRegister.Cs] = 0xF000;
        r.Bases[(int)SegmentRegister.Cs] = 0xFFFF_0000;
        r.Rights[(int)SegmentRegister.Cs] = Right.Present | Right.CodeOrData | 0xB;
        _gdtr = _idtr = new TableRegister { Limit = 0xFFFF };
        _ldtr = new SystemSegment { Selector = 0, Base = 0, Limit = 0xFFFF, Rights = Right.Present | 2 };
        _tr = new SystemSegment { Selector = 0, Base = 0, Limit = 0xFFFF, Rights = Right.Present | 0xB };
        _cr0 = _cr0 & (Cr0.CD | Cr0.NW) | Cr0.ET;
        _cr2 = _cr3 = _cr4 = 0;
        _efer = 0;
        _cpl = 0;
        Array.Clear(_pdptes);
        Array.Clear(_dr);
        _dr6 = Debug.Dr6Reset;
        _dr7 = Debug.Dr7Reset;
        _inhibitPc = 0;
        _inhibited = _inhibitsDebug = _halted = _shutDown = _nmiBlocked = false;
        _startupPending = -1;
        _debugPending = 0;
        Block.Context.Pc = 0xFFFF_FFF0;
    }

    /// <summary>Replaces the reset vector's state by a boot protocol's. Paused, after <see cref="Reset"/>.</summary>
    public void Apply(in X86BootState boot)
    {
        ref X86Registers r = ref State;
        r.General[0] = boot.Rax;
        r.General[1] = boot.Rcx;
        r.General[2] = boot.Rdx;
        r.General[3] = boot.Rbx;
        r.General[4] = boot.Rsp;
        r.General[5] = boot.Rbp;
        r.General[6] = boot.Rsi;
        r.General[7] = boot.Rdi;
        _gdtr = new TableRegister { Base = boot.GdtBase, Limit = boot.GdtLimit };
        _waitsForStartup = false;
        Block.Context.Pc = boot.Rip;
        if (boot.Mode == X86BootMode.Real)
        {
            for (int i = 0; i < 6; i++)
                SetRealSegment((SegmentRegister)i, i == (int)SegmentRegister.Cs ? boot.CodeSelector : boot.DataSelector);
            Block.Context.Pc = boot.Rip + r.Bases[(int)SegmentRegister.Cs];
        }
        else
        {
            bool is64 = boot.Mode == X86BootMode.Long64;
            _cr0 = Cr0.PE | Cr0.ET | Cr0.NE | (is64 ? Cr0.PG : 0);
            _cr3 = boot.Cr3;
            if (is64)
            {
                _cr4 = Cr4.PAE;
                _efer = Efer.LME | Efer.LMA;
            }
            const ulong Flat = Right.Present | Right.CodeOrData | Right.Granular;
            for (int i = 0; i < 6; i++)
            {
                bool code = i == (int)SegmentRegister.Cs;
                r.Selectors[i] = code ? boot.CodeSelector : boot.DataSelector;
                r.Bases[i] = 0;
                r.Limits[i] = uint.MaxValue;
                r.Rights[i] = Flat | (code ? 0xBUL | (is64 ? Right.Long : Right.Big) : 3 | Right.Big);
            }
        }
        Sync();
    }

    /// <summary>
    /// Makes all memory write-back in the MTRRs, as firmware leaves it on every CPU before it starts a kernel. Paused, after <see cref="Reset"/>.
    /// </summary>
    public void PrepareMemoryTypes()
    {
        // Enabled, fixed ranges enabled, write-back.
        _mtrrDefType = 0xC06;
        Array.Fill(_mtrrFixed, 0x0606_0606_0606_0606UL);
    }

    /// <summary>Derives what is not saved.</summary>
    private void Sync()
    {
        UpdateWatching();
        FlushTranslations();
        UpdateFlags();
        RequestExit(ExitRequests.Interrupt | ExitRequests.Request);
    }

    /// <summary>The part of the state that lies in the CPU's block.</summary>
    private sealed class RegisterState(CpuBlock block) : IStateful
    {
        public string StateName => "x86-registers";
        public int StateVersion => 1;

        public void Reset()
        {
            block.Registers<X86Registers>() = default;
            ref X86Registers r = ref block.Registers<X86Registers>();
            // What FNINIT leaves is not what RESET leaves (Intel SDM volume 3, table 10-1).
            r.X87Control = 0x40;
            ref JitContext context = ref block.Context;
            context.Pc = 0;
            context.InstructionCount = 0;
            context.Mxcsr = 0x1F80;
        }

        public void SaveState(StateWriter writer)
        {
            ref JitContext context = ref block.Context;
            writer.Write(1, block.Registers<X86Registers>());
            writer.Write(2, context.Pc);
            writer.Write(3, context.InstructionCount);
            writer.Write(4, context.Mxcsr);
        }

        public void LoadState(StateReader reader)
        {
            ref JitContext context = ref block.Context;
            reader.Read(1, ref block.Registers<X86Registers>());
            reader.Read(2, ref context.Pc);
            reader.Read(3, ref context.InstructionCount);
            reader.Read(4, ref context.Mxcsr);
        }
    }
}

/// <summary>GDTR or IDTR.</summary>
internal struct TableRegister
{
    public ulong Base;
    public ushort Limit;
}

/// <summary>LDTR or TR with its hidden part; <see cref="Rights"/> as in <see cref="X86Registers.Rights"/>.</summary>
internal struct SystemSegment
{
    public ulong Base;
    public ulong Rights;
    public uint Limit;
    public ushort Selector;
}
