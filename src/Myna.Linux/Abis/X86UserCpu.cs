using System.Buffers.Binary;
using Myna.Cpu;
using Myna.Cpu.Engines;
using Myna.Cpu.X86;
using Myna.Host.User;
using Myna.Jit.Memory;
using Myna.Jit.User;
using Myna.Linux.Loading;

namespace Myna.Linux.Abis;

/// <summary>
/// x86-64: system calls by SYSCALL with the number in rax (Linux, arch/x86/entry), those of i386 by INT 80h; signal frames of
/// struct rt_sigframe.
/// </summary>
internal class X86UserCpu(X86Cpu cpu, IGuestSpace space, Action<X86UserCpu> disposed) : UserCpu
{
    protected const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;
    private const int SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11, SI_KERNEL = 0x80;

    // The frame: return address, ucontext (stack, machine context, mask), siginfo; the floating-point image lies above.
    private const int ContextAt = 8, StackAt = ContextAt + 16, MachineAt = ContextAt + 40, MaskAt = MachineAt + 256, InfoAt = MaskAt + 8, FrameSize = InfoAt + 128;
    private const int RipAt = MachineAt + 128, FlagsAt = RipAt + 8, SelectorsAt = RipAt + 16, ErrorAt = RipAt + 24, TrapAt = RipAt + 32, OldMaskAt = RipAt + 40, Cr2At = RipAt + 48,
        FpStateAt = RipAt + 56;
    private const ulong UC_FP_XSTATE = 1, UC_SIGCONTEXT_SS = 2, UC_STRICT_RESTORE_SS = 4;

    // In the image's bytes that software may use, and behind it.
    private const int SoftwareAt = 464;
    protected const int ImageSize = X86Cpu.UserImageSize + 4;
    private const uint FP_XSTATE_MAGIC1 = 0x4650_5853, FP_XSTATE_MAGIC2 = 0x4650_5845;
    private const int RedZone = 128;

    // r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp: struct sigcontext's order.
    private static ReadOnlySpan<byte> Order => [8, 9, 10, 11, 12, 13, 14, 15, Rdi, Rsi, Rbp, Rbx, Rdx, Rax, Rcx, Rsp];

    private readonly X86Cpu _cpu = cpu;

    public X86Cpu X86 => _cpu;
    public override VirtualCpu Cpu => _cpu;
    public override nint ExitRequestAddress => _cpu.Block.ExitRequestAddress;

    public override ulong StackPointer
    {
        get => _cpu.State.General[Rsp];
        set => _cpu.State.General[Rsp] = value;
    }

    /// <summary>The base of FS.</summary>
    public override ulong ThreadPointer
    {
        get => _cpu.State.Bases[(int)SegmentRegister.Fs];
        set => _cpu.State.Bases[(int)SegmentRegister.Fs] = value;
    }

    public override void Attach(SignalSlot slot) => _engine.Slot = slot;

    private readonly ICpuEngine _engine = cpu.Engine!;

    public override void Interpret(bool alone) => _cpu.Engine = alone ? _cpu.Stepper : _engine;

    private protected override UserEvent Trapped()
    {
        ref X86Registers r = ref _cpu.State;
        switch (_cpu.TrapVector)
        {
            case X86Cpu.SyscallTrap:
                Call = new SystemCallArguments
                {
                    Abi = AbiKind.X64, Number = (long)r.General[Rax], A0 = r.General[Rdi], A1 = r.General[Rsi], A2 = r.General[Rdx],
                    A3 = r.General[10], A4 = r.General[8], A5 = r.General[9],
                };
                return UserEvent.SystemCall;
            case X86Cpu.Int80Trap:
                Call = NarrowCall(ref r);
                return UserEvent.SystemCall;
            case X86Cpu.SysenterTrap:
                return EnterSystem();
            default:
                Fault = ToSignal();
                return UserEvent.Fault;
        }
    }

    protected static SystemCallArguments NarrowCall(ref X86Registers r) => new()
    {
        Abi = AbiKind.I386, Number = (int)r.General[Rax], A0 = (uint)r.General[Rbx], A1 = (uint)r.General[Rcx], A2 = (uint)r.General[Rdx],
        A3 = (uint)r.General[Rsi], A4 = (uint)r.General[Rdi], A5 = (uint)r.General[Rbp],
    };

    /// <summary>SYSENTER, which 64-bit programs do not have.</summary>
    protected virtual UserEvent EnterSystem()
    {
        Fault = new SignalFault(SIGSEGV, SI_KERNEL, 0);
        return UserEvent.Fault;
    }

    /// <summary>Sets the call that <see cref="EnterSystem"/> has found.</summary>
    protected UserEvent Enter(in SystemCallArguments call)
    {
        Call = call;
        return UserEvent.SystemCall;
    }

    private SignalFault ToSignal()
    {
        const int ILL_ILLOPN = 2, FPE_INTDIV = 1, FPE_INTOVF = 2, FPE_FLTINV = 7, TRAP_BRKPT = 1, BUS_ADRALN = 1;
        ulong pc = _cpu.Pc;
        switch (_cpu.TrapVector)
        {
            case 0: return new(SIGFPE, FPE_INTDIV, pc);
            case 1: return new(SIGTRAP, TRAP_BRKPT, pc);
            case 3: return new(SIGTRAP, SI_KERNEL, 0);
            case 4: return new(SIGSEGV, SI_KERNEL, 0);
            case 5: return new(SIGFPE, FPE_INTOVF, pc);
            case 6: return new(SIGILL, ILL_ILLOPN, pc);
            case 12: return new(SIGBUS, SI_KERNEL, 0);
            case 14:
                PageRights access = (_cpu.TrapError & 16) != 0 ? PageRights.Execute : (_cpu.TrapError & 2) != 0 ? PageRights.Write : PageRights.Read;
                return RiscVUserCpu.MemoryFault(space, _cpu.TrapAddress, access);
            case 16 or 19: return new(SIGFPE, FPE_FLTINV, pc);
            case 17: return new(SIGBUS, BUS_ADRALN, 0);
            default: return new(SIGSEGV, SI_KERNEL, 0);
        }
    }

    public override void SetResult(long value) => _cpu.State.General[Rax] = (ulong)value;

    public override void Restart()
    {
        _cpu.State.General[Rax] = (ulong)Call.Number;
        _cpu.Pc -= 2;
    }

    public override bool TryEnterHandler(in SignalDelivery delivery)
    {
        ref X86Registers r = ref _cpu.State;
        ulong old = r.General[Rsp];
        ulong sp = SignalFrames.ChooseStack(old - RedZone, delivery);
        ulong image = (sp - ImageSize) & ~63UL;
        ulong frame = ((image - FrameSize) & ~15UL) - 8;
        Span<byte> state = stackalloc byte[ImageSize];
        SaveState(state, ImageSize);

        Span<byte> bytes = stackalloc byte[FrameSize];
        bytes.Clear();
        Put(bytes, 0, delivery.Action.Restorer);
        Put(bytes, ContextAt, UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS);
        SignalFrames.WriteStack(bytes[StackAt..], delivery.Stack, old);
        for (int i = 0; i < 16; i++)
            Put(bytes, MachineAt + (8 * i), r.General[Order[i]]);
        Put(bytes, RipAt, _cpu.Pc);
        Put(bytes, FlagsAt, _cpu.UserFlags);
        Put(bytes, SelectorsAt, r.Selectors[(int)SegmentRegister.Cs] | r.Selectors[(int)SegmentRegister.Ss] << 48);
        bool instruction = BinaryPrimitives.ReadInt32LittleEndian(delivery.Info[8..]) > 0;
        if (instruction && _cpu.TrapVector >= 0)
        {
            Put(bytes, ErrorAt, _cpu.TrapError);
            Put(bytes, TrapAt, (ulong)_cpu.TrapVector);
            Put(bytes, Cr2At, _cpu.TrapAddress);
        }
        Put(bytes, OldMaskAt, delivery.Mask);
        Put(bytes, FpStateAt, image);
        Put(bytes, MaskAt, delivery.Mask);
        delivery.Info.CopyTo(bytes[InfoAt..]);
        if (SafeMemory.Write(image, state) != state.Length || SafeMemory.Write(frame, bytes) != FrameSize)
            return false;
        r.General[Rsp] = frame;
        r.General[Rdi] = (ulong)delivery.Signal;
        r.General[Rsi] = frame + InfoAt;
        r.General[Rdx] = frame + ContextAt;
        r.General[Rax] = 0;
        const ulong DF = 1 << 10, RF = 1 << 16, TF = 1 << 8;
        _cpu.UserFlags &= ~(DF | RF | TF);
        _cpu.Pc = delivery.Action.Handler;
        return true;
    }

    /// <summary>The floating-point image of a frame, marked as one with XSAVE's components (asm/sigcontext.h, struct _fpx_sw_bytes).</summary>
    /// <param name="extent">Bytes from the frame's floating-point pointer to the end mark.</param>
    protected void SaveState(Span<byte> state, int extent)
    {
        state.Clear();
        _cpu.SaveUserState(state);
        BinaryPrimitives.WriteUInt32LittleEndian(state[SoftwareAt..], FP_XSTATE_MAGIC1);
        BinaryPrimitives.WriteUInt32LittleEndian(state[(SoftwareAt + 4)..], (uint)extent);
        state.Slice(512, 8).CopyTo(state[(SoftwareAt + 8)..]);
        BinaryPrimitives.WriteUInt32LittleEndian(state[(SoftwareAt + 16)..], X86Cpu.UserImageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(state[X86Cpu.UserImageSize..], FP_XSTATE_MAGIC2);
    }

    /// <summary>Reads the image at an address.</summary>
    protected static bool TryReadState(ulong image, Span<byte> state, out bool extended)
    {
        state.Clear();
        extended = false;
        if (SafeMemory.Read(image, state[..512]) != 512)
            return false;
        extended = BinaryPrimitives.ReadUInt32LittleEndian(state[SoftwareAt..]) == FP_XSTATE_MAGIC1;
        return !extended || SafeMemory.Read(image, state) == state.Length;
    }

    // RET has taken the return address.
    private ulong Frame => StackPointer - 8;

    public override bool TryReadFrame(out ulong mask, out AlternateStack stack)
    {
        Span<byte> bytes = stackalloc byte[FrameSize];
        bool done = SafeMemory.Read(Frame, bytes) == bytes.Length;
        mask = BinaryPrimitives.ReadUInt64LittleEndian(bytes[MaskAt..]);
        stack = SignalFrames.ReadStack(bytes[StackAt..]);
        return done;
    }

    public override bool TryLeaveHandler()
    {
        Span<byte> bytes = stackalloc byte[FrameSize];
        if (SafeMemory.Read(Frame, bytes) != FrameSize)
            return false;
        ref X86Registers r = ref _cpu.State;
        for (int i = 0; i < 16; i++)
            r.General[Order[i]] = Get(bytes, MachineAt + (8 * i));
        _cpu.UserFlags = Get(bytes, FlagsAt);
        _cpu.Pc = Get(bytes, RipAt);
        ulong image = Get(bytes, FpStateAt);
        if (image == 0)
            return true;
        Span<byte> state = stackalloc byte[X86Cpu.UserImageSize];
        if (!TryReadState(image, state, out bool extended))
            return false;
        _cpu.LoadUserState(state, extended);
        return true;
    }

    private static void Put(Span<byte> bytes, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[at..], value);
    private static ulong Get(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);

    public override void CopyFrom(UserCpu other)
    {
        _cpu.CopyUserState(((X86UserCpu)other)._cpu);
        Call = other.Call;
    }

    /// <summary>arch_prctl(2).</summary>
    public long SetBase(int code, ulong address)
    {
        const int SetGs = 0x1001, SetFs = 0x1002, GetFs = 0x1003, GetGs = 0x1004;
        SegmentRegister segment = code is SetGs or GetGs ? SegmentRegister.Gs : SegmentRegister.Fs;
        switch (code)
        {
            case SetFs or SetGs:
                if (address >= 0x7FFF_FFFF_F000)
                    return -Errno.EPERM;
                _cpu.State.Bases[(int)segment] = address;
                return 0;
            case GetFs or GetGs:
                return SafeMemory.TryStore(address, 3, _cpu.State.Bases[(int)segment]) ? 0 : -Errno.EFAULT;
            default:
                return -Errno.EINVAL;
        }
    }

    public override void Dispose()
    {
        disposed(this);
        _cpu.Dispose();
        _cpu.Block.Dispose();
        GC.SuppressFinalize(this);
    }
}
