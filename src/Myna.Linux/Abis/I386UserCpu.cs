using System.Buffers.Binary;
using Myna.Cpu.X86;
using Myna.Host.User;
using Myna.Jit.User;
using Myna.Linux.Loading;

namespace Myna.Linux.Abis;

/// <summary>
/// i386 as a 64-bit Linux runs it: system calls by INT 80h with the number in eax (or SYSENTER behind AT_SYSINFO), the two
/// signal frames of arch/x86/include/asm/sigframe.h, thread-local storage by descriptors.
/// </summary>
/// <param name="entryPage">Address of <see cref="I386EntryPage"/>.</param>
internal sealed class I386UserCpu(X86Cpu cpu, IGuestSpace space, ulong entryPage, Action<X86UserCpu> disposed) : X86UserCpu(cpu, space, disposed)
{
    // struct sigcontext_32, of 88 bytes: gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, then these.
    private const int ContextSize = 88, GeneralAt = 16, TrapAt = 48, ErrorAt = 52, EipAt = 56, CsAt = 60, FlagsAt = 64, EspAgainAt = 68, SsAt = 72, FpStateAt = 76,
        OldMaskAt = 80, Cr2At = 84;

    // Both frames begin with the return address and the signal.
    private const int OldContextAt = 8, OldFpAt = OldContextAt + ContextSize, OldExtraMaskAt = OldFpAt + 112, OldCodeAt = OldExtraMaskAt + 4, OldSize = OldCodeAt + 8;
    private const int InfoPointerAt = 8, ContextPointerAt = 12, InfoAt = 16, UcAt = InfoAt + SignalInfo32.Size, StackAt = UcAt + 8, MachineAt = UcAt + 20,
        MaskAt = MachineAt + ContextSize, CodeAt = MaskAt + 8, RealTimeSize = CodeAt + 8;

    private const int LegacySize = 112;
    private const uint UC_FP_XSTATE = 1;
    private const ulong SA_RESTORER = 0x0400_0000;

    private static ReadOnlySpan<byte> Order => [Rdi, Rsi, Rbp, Rsp, Rbx, Rdx, Rcx, Rax];

    public override ulong StackPointer
    {
        get => (uint)X86.State.General[Rsp];
        set => X86.State.General[Rsp] = (uint)value;
    }

    /// <summary>Set: the address of a struct user_desc that describes the segment. Get: the base of GS.</summary>
    public override ulong ThreadPointer
    {
        get => X86.State.Bases[(int)SegmentRegister.Gs];
        set => _ = SetThreadArea(value, choose: false);
    }

    public override void SetResult(long value) => X86.State.General[Rax] = (uint)value;

    public override void Restart()
    {
        X86.State.General[Rax] = (uint)Call.Number;
        Pc -= 2;
    }

    // The program goes on behind the entry page's own INT 80h; the sixth argument and the pointer to its stack are where that has them.
    protected override UserEvent EnterSystem()
    {
        ref X86Registers r = ref X86.State;
        uint stack = (uint)r.General[Rbp];
        if (!SafeMemory.TryLoad(stack, 2, out ulong sixth))
            return Enter(NarrowCall(ref r) with { Number = -1 });
        r.General[Rsp] = stack;
        r.General[Rbp] = (uint)sixth;
        Pc = entryPage + I386EntryPage.Landing;
        return Enter(NarrowCall(ref r));
    }

    public override bool TryEnterHandler(in SignalDelivery delivery)
    {
        const ulong DF = 1 << 10, RF = 1 << 16, TF = 1 << 8;
        ref X86Registers r = ref X86.State;
        bool realTime = (delivery.Action.Flags & Signals.SignalAction.SigInfo) != 0;
        ulong old = StackPointer;
        ulong sp = SignalFrames.ChooseStack(old, delivery);
        ulong image = (sp - ImageSize) & ~63UL, legacy = image - LegacySize;
        int size = realTime ? RealTimeSize : OldSize;
        ulong frame = ((legacy - (ulong)size + 4) & ~15UL) - 4;
        if (frame > uint.MaxValue || frame < Memory.AddressSpace.Lowest)
            return false;
        Span<byte> state = stackalloc byte[LegacySize + ImageSize];
        SaveState(state[LegacySize..], LegacySize + ImageSize);
        LegacyImage.FromExtended(state[LegacySize..], state);
        Span<byte> bytes = stackalloc byte[RealTimeSize];
        bytes = bytes[..size];
        bytes.Clear();
        bool restores = (delivery.Action.Flags & SA_RESTORER) != 0;
        Put(bytes, 0, restores ? delivery.Action.Restorer : entryPage + (uint)(realTime ? I386EntryPage.RealTimeSignalReturn : I386EntryPage.SignalReturn));
        Put(bytes, 4, (ulong)delivery.Signal);
        bool instruction = BinaryPrimitives.ReadInt32LittleEndian(delivery.Info[8..]) > 0;
        SaveContext(bytes[(realTime ? MachineAt : OldContextAt)..], legacy, delivery.Mask, instruction);
        if (realTime)
        {
            Put(bytes, InfoPointerAt, frame + InfoAt);
            Put(bytes, ContextPointerAt, frame + UcAt);
            SignalInfo32.FromHost(delivery.Info, bytes[InfoAt..]);
            Put(bytes, UcAt, UC_FP_XSTATE);
            SignalFrames.WriteNarrowStack(bytes[StackAt..], delivery.Stack, old);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes[MaskAt..], delivery.Mask);
            // mov eax, __NR_rt_sigreturn; int 80h: gdb and unwinders look for it.
            ReadOnlySpan<byte> code = [0xB8, 173, 0, 0, 0, 0xCD, 0x80, 0];
            code.CopyTo(bytes[CodeAt..]);
        }
        else
        {
            Put(bytes, OldExtraMaskAt, delivery.Mask >> 32);
            ReadOnlySpan<byte> code = [0x58, 0xB8, 119, 0, 0, 0, 0xCD, 0x80];
            code.CopyTo(bytes[OldCodeAt..]);
        }
        if (SafeMemory.Write(legacy, state) != state.Length || SafeMemory.Write(frame, bytes) != size)
            return false;
        r.General[Rsp] = frame;
        r.General[Rax] = (ulong)delivery.Signal;
        r.General[Rdx] = realTime ? frame + InfoAt : 0;
        r.General[Rcx] = realTime ? frame + UcAt : 0;
        X86.UserFlags &= ~(DF | RF | TF);
        _ = X86.TrySetUserCode(X86Cpu.User32Code);
        X86.SetUserSegment(SegmentRegister.Ss, X86Cpu.UserData);
        X86.SetUserSegment(SegmentRegister.Ds, X86Cpu.UserData);
        X86.SetUserSegment(SegmentRegister.Es, X86Cpu.UserData);
        Pc = delivery.Action.Handler;
        return true;
    }

    private void SaveContext(Span<byte> c, ulong fpState, ulong mask, bool instruction)
    {
        ref X86Registers r = ref X86.State;
        Put(c, 0, r.Selectors[(int)SegmentRegister.Gs]);
        Put(c, 4, r.Selectors[(int)SegmentRegister.Fs]);
        Put(c, 8, r.Selectors[(int)SegmentRegister.Es]);
        Put(c, 12, r.Selectors[(int)SegmentRegister.Ds]);
        for (int i = 0; i < Order.Length; i++)
            Put(c, GeneralAt + 4 * i, r.General[Order[i]]);
        if (instruction && X86.TrapVector is >= 0 and not X86Cpu.Int80Trap)
        {
            Put(c, TrapAt, (ulong)X86.TrapVector);
            Put(c, ErrorAt, X86.TrapError);
            Put(c, Cr2At, X86.TrapAddress);
        }
        Put(c, EipAt, Pc);
        Put(c, CsAt, r.Selectors[(int)SegmentRegister.Cs]);
        Put(c, FlagsAt, X86.UserFlags);
        Put(c, EspAgainAt, r.General[Rsp]);
        Put(c, SsAt, r.Selectors[(int)SegmentRegister.Ss]);
        Put(c, FpStateAt, fpState);
        Put(c, OldMaskAt, mask);
    }

    // RET has taken the return address; the older one's code has popped the signal too.
    private ulong Frame => StackPointer - 4;
    private ulong OldFrame => StackPointer - 8;

    public override bool TryReadFrame(out ulong mask, out AlternateStack stack)
    {
        Span<byte> bytes = stackalloc byte[RealTimeSize];
        bool done = SafeMemory.Read(Frame, bytes) == bytes.Length;
        mask = BinaryPrimitives.ReadUInt64LittleEndian(bytes[MaskAt..]);
        stack = SignalFrames.ReadNarrowStack(bytes[StackAt..]);
        return done;
    }

    public override bool TryReadOldFrame(out ulong mask)
    {
        Span<byte> bytes = stackalloc byte[OldSize];
        bool done = SafeMemory.Read(OldFrame, bytes) == bytes.Length;
        mask = Get(bytes, OldContextAt + OldMaskAt) | (ulong)Get(bytes, OldExtraMaskAt) << 32;
        return done;
    }

    public override bool TryLeaveHandler() => TryRestoreContext(Frame + MachineAt);

    public override bool TryLeaveOldHandler() => TryRestoreContext(OldFrame + OldContextAt);

    private bool TryRestoreContext(ulong address)
    {
        Span<byte> c = stackalloc byte[ContextSize];
        if (SafeMemory.Read(address, c) != ContextSize)
            return false;
        ref X86Registers r = ref X86.State;
        for (int i = 0; i < Order.Length; i++)
            r.General[Order[i]] = Get(c, GeneralAt + 4 * i);
        if (!X86.TrySetUserCode((ushort)Get(c, CsAt)))
            return false;
        X86.SetUserSegment(SegmentRegister.Ss, (ushort)(Get(c, SsAt) | 3));
        X86.SetUserSegment(SegmentRegister.Gs, (ushort)Get(c, 0));
        X86.SetUserSegment(SegmentRegister.Fs, (ushort)Get(c, 4));
        X86.SetUserSegment(SegmentRegister.Es, (ushort)Get(c, 8));
        X86.SetUserSegment(SegmentRegister.Ds, (ushort)Get(c, 12));
        X86.UserFlags = Get(c, FlagsAt);
        Pc = Get(c, EipAt);
        uint fpState = Get(c, FpStateAt);
        if (fpState == 0)
            return true;
        Span<byte> state = stackalloc byte[X86Cpu.UserImageSize];
        Span<byte> legacy = stackalloc byte[LegacySize];
        if (SafeMemory.Read(fpState, legacy) != LegacySize || !TryReadState(fpState + LegacySize, state, out bool extended))
            return false;
        LegacyImage.ToExtended(legacy, state);
        X86.LoadUserState(state, extended);
        return true;
    }

    /// <summary>set_thread_area(2).</summary>
    /// <param name="address">Of a struct user_desc.</param>
    /// <param name="choose">Entry -1 means any that is free.</param>
    public long SetThreadArea(ulong address, bool choose)
    {
        Span<byte> bytes = stackalloc byte[UserDescriptor.Size];
        if (SafeMemory.Read(address, bytes) != bytes.Length)
            return -Errno.EFAULT;
        UserDescriptor d = UserDescriptor.Read(bytes);
        if (!d.IsEmpty && !d.IsData)
            return -Errno.EINVAL;
        int slot = (int)d.Entry - X86Cpu.FirstTls;
        if (choose && d.Entry == uint.MaxValue)
        {
            for (slot = 0; slot < X86Cpu.TlsCount && X86.GetTls(slot) != 0; slot++)
            {
            }
            if (slot == X86Cpu.TlsCount)
                return -Errno.ESRCH;
            if (!SafeMemory.TryStore(address, 2, (ulong)(X86Cpu.FirstTls + slot)))
                return -Errno.EFAULT;
        }
        if ((uint)slot >= X86Cpu.TlsCount)
            return -Errno.EINVAL;
        X86.SetTls(slot, d.IsEmpty ? 0 : d.ToDescriptor());
        return 0;
    }

    /// <summary>get_thread_area(2).</summary>
    public long GetThreadArea(ulong address)
    {
        Span<byte> bytes = stackalloc byte[UserDescriptor.Size];
        if (SafeMemory.Read(address, bytes) != bytes.Length)
            return -Errno.EFAULT;
        uint entry = UserDescriptor.Read(bytes).Entry;
        if (entry - X86Cpu.FirstTls >= X86Cpu.TlsCount)
            return -Errno.EINVAL;
        UserDescriptor.FromDescriptor(entry, X86.GetTls((int)entry - X86Cpu.FirstTls)).Write(bytes);
        return SafeMemory.Write(address, bytes) == bytes.Length ? 0 : -Errno.EFAULT;
    }

    private static void Put(Span<byte> bytes, int at, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], (uint)value);
    private static uint Get(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
