using System.Buffers.Binary;
using Myna.Cpu;
using Myna.Cpu.Engines;
using Myna.Cpu.RiscV;
using Myna.Host.User;
using Myna.Jit.Memory;
using Myna.Jit.User;
using Myna.Linux.Loading;

namespace Myna.Linux.Abis;

/// <summary>riscv64: system calls by ECALL with the number in a7 (Linux, arch/riscv), signal frames of struct rt_sigframe.</summary>
internal sealed class RiscVUserCpu(Hart hart, IGuestSpace space, ulong trampoline, Action<RiscVUserCpu> disposed) : UserCpu
{
    private const int Sp = 2, Tp = 4, A0 = 10, A7 = 17;

    // Offsets in the frame: siginfo, then ucontext with its stack, mask, and machine context (pc and x1 to x31, then f0 to f31 and fcsr).
    private const int FrameSize = 1088, StackAt = 128 + 16, MaskAt = 128 + 40, PcAt = 304, FloatAt = 560, FcsrAt = 816;

    private readonly Hart _hart = hart;

    public Hart Hart => _hart;
    public override VirtualCpu Cpu => _hart;
    public override nint ExitRequestAddress => _hart.Block.ExitRequestAddress;

    public override ulong StackPointer
    {
        get => _hart.Registers64.X[Sp];
        set => _hart.Registers64.X[Sp] = value;
    }

    public override ulong ThreadPointer
    {
        get => _hart.Registers64.X[Tp];
        set => _hart.Registers64.X[Tp] = value;
    }

    public override void Attach(SignalSlot slot) => _engine.Slot = slot;

    private readonly ICpuEngine _engine = hart.Engine!;

    public override void Interpret(bool alone) => _hart.Engine = alone ? _hart.Stepper : _engine;

    private protected override UserEvent Trapped()
    {
        ref RiscVRegisters r = ref _hart.Registers64;
        if (_hart.TrapCause == Cause.EcallFromU)
        {
            Call = new SystemCallArguments
            {
                Abi = AbiKind.RiscV64,
                Number = (long)r.X[A7], A0 = r.X[10], A1 = r.X[11], A2 = r.X[12], A3 = r.X[13], A4 = r.X[14], A5 = r.X[15],
            };
            _hart.Pc += 4;
            return UserEvent.SystemCall;
        }
        Fault = ToSignal(_hart.TrapCause, _hart.TrapValue);
        return UserEvent.Fault;
    }

    private SignalFault ToSignal(Cause cause, ulong value)
    {
        const int SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, ILL_ILLOPC = 1, TRAP_BRKPT = 1, BUS_ADRALN = 1;
        ulong pc = _hart.Pc;
        return cause switch
        {
            Cause.Breakpoint => new(SIGTRAP, TRAP_BRKPT, pc),
            Cause.InstructionAddressMisaligned or Cause.LoadAddressMisaligned or Cause.StoreAddressMisaligned => new(SIGBUS, BUS_ADRALN, value),
            Cause.InstructionPageFault or Cause.InstructionAccessFault => MemoryFault(space, value, PageRights.Execute),
            Cause.LoadPageFault or Cause.LoadAccessFault => MemoryFault(space, value, PageRights.Read),
            Cause.StorePageFault or Cause.StoreAccessFault => MemoryFault(space, value, PageRights.Write),
            _ => new(SIGILL, ILL_ILLOPC, pc),
        };
    }

    /// <summary>SIGSEGV where the mapping does not allow the access, SIGBUS where it does and there is nothing behind it.</summary>
    internal static SignalFault MemoryFault(IGuestSpace space, ulong address, PageRights access)
    {
        const int SIGBUS = 7, SIGSEGV = 11, SEGV_MAPERR = 1, SEGV_ACCERR = 2, BUS_ADRERR = 2;
        PageRights rights = space.RightsAt(address);
        if (rights == PageRights.None)
            return new(SIGSEGV, space.IsMapped(address) ? SEGV_ACCERR : SEGV_MAPERR, address);
        return (rights & access) != 0 ? new(SIGBUS, BUS_ADRERR, address) : new(SIGSEGV, SEGV_ACCERR, address);
    }

    public override void SetResult(long value) => _hart.Registers64.X[A0] = (ulong)value;

    public override void Restart()
    {
        _hart.Registers64.X[A0] = Call.A0;
        _hart.Pc -= 4;
    }

    public override bool TryEnterHandler(in SignalDelivery delivery)
    {
        ref RiscVRegisters r = ref _hart.Registers64;
        ulong sp = SignalFrames.ChooseStack(r.X[Sp], delivery);
        ulong frame = (sp - FrameSize) & ~15UL;
        Span<byte> bytes = stackalloc byte[FrameSize];
        bytes.Clear();
        delivery.Info.CopyTo(bytes);
        SignalFrames.WriteStack(bytes[StackAt..], delivery.Stack, r.X[Sp]);
        Put(bytes, MaskAt, delivery.Mask);
        Put(bytes, PcAt, _hart.Pc);
        for (int i = 1; i < 32; i++)
            Put(bytes, PcAt + (8 * i), r.X[i]);
        for (int i = 0; i < 32; i++)
            Put(bytes, FloatAt + (8 * i), r.F[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[FcsrAt..], _hart.FloatControl);
        if (SafeMemory.Write(frame, bytes) != FrameSize)
            return false;
        r.X[1] = trampoline;
        r.X[Sp] = frame;
        r.X[A0] = (ulong)delivery.Signal;
        r.X[11] = frame;
        r.X[12] = frame + 128;
        _hart.Pc = delivery.Action.Handler;
        return true;
    }

    public override bool TryReadFrame(out ulong mask, out AlternateStack stack)
    {
        Span<byte> bytes = stackalloc byte[PcAt];
        bool done = SafeMemory.Read(StackPointer, bytes) == bytes.Length;
        mask = BinaryPrimitives.ReadUInt64LittleEndian(bytes[MaskAt..]);
        stack = SignalFrames.ReadStack(bytes[StackAt..]);
        return done;
    }

    public override bool TryLeaveHandler()
    {
        Span<byte> bytes = stackalloc byte[FrameSize];
        if (SafeMemory.Read(StackPointer, bytes) != FrameSize)
            return false;
        ref RiscVRegisters r = ref _hart.Registers64;
        _hart.Pc = Get(bytes, PcAt);
        for (int i = 1; i < 32; i++)
            r.X[i] = Get(bytes, PcAt + (8 * i));
        for (int i = 0; i < 32; i++)
            r.F[i] = Get(bytes, FloatAt + (8 * i));
        _hart.FloatControl = BinaryPrimitives.ReadUInt32LittleEndian(bytes[FcsrAt..]);
        // A handler must not complete a store-conditional of the code it interrupted, nor the other way round.
        _hart.Block.Context.ReservedSize = 0;
        return true;
    }

    private static void Put(Span<byte> bytes, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[at..], value);
    private static ulong Get(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);

    public override void CopyFrom(UserCpu other)
    {
        Hart from = ((RiscVUserCpu)other)._hart;
        _hart.Registers64 = from.Registers64;
        _hart.Pc = from.Pc;
        _hart.FloatControl = from.FloatControl;
        Call = other.Call;
    }

    public override void Dispose()
    {
        disposed(this);
        _hart.Dispose();
        _hart.Block.Dispose();
    }
}
