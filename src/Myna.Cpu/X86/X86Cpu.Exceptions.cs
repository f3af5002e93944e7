using Myna.Cpu.X86.Instructions;
using Myna.Hardware.State;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// Exceptions and interrupts: how one is chosen, and what becomes of faults while it is delivered (Intel SDM volume 3, chapter 7).
/// Whatever finds a fault notes it with <see cref="Fault"/> and answers false; the outermost caller delivers it.
/// </summary>
public sealed partial class X86Cpu
{
    private enum EventKind { Exception, External, Software, SoftwareException, DebugTrap }

    [NotSaved("valid between a fault and its delivery")] private Vector _fault;
    [NotSaved("valid between a fault and its delivery")] private uint _faultError;
    [NotSaved("valid between a fault and its delivery")] private ulong _faultAddress;
    [NotSaved("valid between a fault and its delivery")] private bool _abandoned;
    /// <summary>EXT in error codes: 1 while an exception or an external interrupt is being delivered.</summary>
    [NotSaved("valid during a delivery")] private uint _external;
    [NotSaved("valid during a delivery")] private bool _delivering;

    // Notes a fault. Always false, so that callers can return it.
    private bool Fault(Vector vector, uint error = 0)
    {
        _fault = vector;
        _faultError = vector is Vector.TS or Vector.NP or Vector.SS or Vector.GP ? error | _external : error;
        _abandoned = false;
        return false;
    }

    // A debugger's watchpoint stops the instruction as a fault would, but nothing is delivered.
    private bool AbandonForWatchpoint()
    {
        _abandoned = true;
        return false;
    }

    /// <summary>Delivers the noted fault. Always false.</summary>
    private bool Delivered()
    {
        if (_abandoned)
            _abandoned = false;
        else
            Deliver((int)_fault, EventKind.Exception, _faultError, Ip);
        return false;
    }

    private Flow Faulted()
    {
        Delivered();
        return Flow.Fault;
    }

    private Flow Raise(Vector vector, uint error = 0)
    {
        Fault(vector, error);
        return Faulted();
    }

    private Flow Undefined() => Raise(Vector.UD);

    /// <summary>
    /// Delivers an exception of class fault at the instruction whose address is <c>JitContext.Pc</c>: afterwards pc is the handler's.
    /// </summary>
    /// <param name="error">Used by the vectors that have an error code.</param>
    public void RaiseException(Vector vector, uint error = 0)
    {
        Fault(vector, error);
        Delivered();
    }

    /// <summary>Delivers an exception of class trap: INT3, INTO. The frame holds <paramref name="nextPc"/> (linear).</summary>
    public void RaiseTrap(Vector vector, ulong nextPc) => Deliver((int)vector, EventKind.SoftwareException, 0, ToIp(nextPc));

    private static bool HasErrorCode(Vector vector) => vector is Vector.DF or Vector.TS or Vector.NP or Vector.SS or Vector.GP or Vector.PF or Vector.AC or Vector.CP;

    private static bool IsContributory(Vector vector) => vector is Vector.DE or Vector.TS or Vector.NP or Vector.SS or Vector.GP or Vector.CP;

    // Table 7-5: which pairs make a double fault.
    private static bool MakesDoubleFault(Vector first, Vector second)
        => (IsContributory(first) && IsContributory(second)) || (first is Vector.PF or Vector.VE && (second is Vector.PF or Vector.VE || IsContributory(second)));

    private void Deliver(int vector, EventKind kind, uint error, ulong ip)
    {
        if (kind == EventKind.External)
            _interruptsTaken++;
        else
            _exceptionsTaken++;
        if (_user is not null)
        {
            // Linux lets user programs have three interrupts by INT n (arch/x86/kernel/idt.c).
            if (kind == EventKind.Software && vector is not ((int)Vector.BP or (int)Vector.OF or Int80Trap))
                Trap((int)Vector.GP, fault: true, (uint)(vector * 8) + 2, ip);
            else
                Trap(vector, kind == EventKind.Exception, error, ip);
            return;
        }
        _delivering = true;
        while (true)
        {
            bool exception = kind is EventKind.Exception or EventKind.DebugTrap;
            if (exception && vector == (int)Vector.PF)
                _cr2 = _faultAddress;
            _external = kind is EventKind.Software or EventKind.SoftwareException ? 0u : 1;
            bool hasError = exception && HasErrorCode((Vector)vector);
            bool done = !IsProtected ? TryDeliverReal(vector, ip)
                : IsLong ? TryDeliverLong(vector, kind, hasError, error, ip)
                : TryDeliverProtected(vector, kind, hasError, error, ip);
            _external = 0;
            if (done)
                break;
            if (exception && vector == (int)Vector.DF)
            {
                ShutDown();
                break;
            }
            if (exception && MakesDoubleFault((Vector)vector, _fault))
            {
                vector = (int)Vector.DF;
                error = 0;
            }
            else
            {
                vector = (int)_fault;
                error = _faultError;
            }
            kind = EventKind.Exception;
            // What an INT instruction meets is reported at that instruction.
            ip = Ip;
        }
        _delivering = false;
        _inhibited = false;
        // A debug exception ends HLT too.
        _halted = false;
        if (vector == (int)Vector.DB)
            _dr7 &= ~Debug.GD;
        UpdateFlags();
    }

    // RFLAGS as they are pushed: RF is set for faults, so that the instruction can be restarted past its breakpoint (section 18.3.1.1).
    private ulong FlagsImage(int vector, EventKind kind)
        => RFlags | (kind == EventKind.Exception && vector != (int)Vector.DB ? RFlag.RF : 0);

    private void ShutDown()
    {
        _shutDown = true;
        _log.Guest($"cpu {Index}: triple fault at pc 0x{Block.Context.Pc:x}");
        RequestExit(ExitRequests.Wait);
        _options.Shutdown?.Invoke();
    }

    // Real mode (SDM volume 3, section 21.1.4).
    private bool TryDeliverReal(int vector, ulong ip)
    {
        ref X86Registers r = ref State;
        if ((uint)(vector * 4) + 3 > _idtr.Limit)
            return Fault(Vector.GP);
        if (!TryReadSystem(_idtr.Base + (ulong)(vector * 4), MemSize.B4, out ulong entry))
            return false;
        StackFrame stack = CurrentStack();
        ulong flags = RFlags;
        if (!TryPush(ref stack, MemSize.B2, flags) || !TryPush(ref stack, MemSize.B2, r.Selectors[(int)SegmentRegister.Cs]) || !TryPush(ref stack, MemSize.B2, ip))
            return false;
        StackPointer = stack.Pointer;
        r.OtherFlags &= ~(RFlag.IF | RFlag.TF | RFlag.AC | RFlag.RF);
        LoadRealSegment(SegmentRegister.Cs, (ushort)(entry >> 16));
        Block.Context.Pc = (uint)(r.Bases[(int)SegmentRegister.Cs] + (ushort)entry);
        return true;
    }

    /// <summary>A stack that is being written; it becomes the CPU's when all is well.</summary>
    private struct StackFrame
    {
        public ulong Base;
        public ulong Rights;
        public ulong Pointer;
        public uint Limit;
        /// <summary>Error code of #SS.</summary>
        public uint Error;
        public int Mode;
        /// <summary>Of the stack pointer; B8: no segmentation.</summary>
        public MemSize Size;
    }

    private StackFrame CurrentStack()
    {
        ref X86Registers r = ref State;
        const int Ss = (int)SegmentRegister.Ss;
        return new StackFrame
        {
            Base = Is64 ? 0 : r.Bases[Ss],
            Limit = (uint)r.Limits[Ss],
            Rights = r.Rights[Ss],
            Pointer = StackPointer,
            Size = StackSize,
            Mode = DataMode,
        };
    }

    private StackFrame NewStack(in Descriptor descriptor, ulong pointer, int level, ushort selector) => new()
    {
        Base = (uint)descriptor.Base,
        Limit = descriptor.Limit,
        Rights = descriptor.Rights,
        Size = descriptor.Big ? MemSize.B4 : MemSize.B2,
        Pointer = pointer & Mask(descriptor.Big ? MemSize.B4 : MemSize.B2),
        Mode = level == 3 ? MmuMode.User : MmuMode.Supervisor,
        Error = SelectorError(selector),
    };

    private bool TryStackAddress(in StackFrame stack, ulong offset, int bytes, out ulong linear)
    {
        linear = offset;
        if (stack.Size == MemSize.B8)
            return (IsCanonical(offset) && IsCanonical(offset + (ulong)(bytes - 1))) || Fault(Vector.SS, stack.Error);
        linear = (uint)(stack.Base + offset);
        bool usable = (stack.Rights & Right.Unusable) == 0;
        return (usable && IsInLimit(stack.Rights, stack.Limit, offset, bytes)) || Fault(Vector.SS, stack.Error);
    }

    private bool TryPush(ref StackFrame stack, MemSize size, ulong value)
    {
        int bytes = 1 << (int)size;
        ulong pointer = (stack.Pointer - (ulong)bytes) & Mask(stack.Size);
        if (!TryStackAddress(stack, pointer, bytes, out ulong linear) || !TryStore(linear, size, stack.Mode, value))
            return false;
        stack.Pointer = pointer;
        return true;
    }

    /// <summary>Whether a push would fault; delivers the fault if so.</summary>
    internal bool ProbePush(MemSize size)
    {
        StackFrame stack = CurrentStack();
        int bytes = 1 << (int)size;
        return (TryStackAddress(stack, (stack.Pointer - (ulong)bytes) & Mask(stack.Size), bytes, out ulong linear)
            && TryProbe(linear, bytes, stack.Mode, Jit.Memory.PageRights.Write, alignment: bytes)) || Delivered();
    }

    private bool TryPop(ref StackFrame stack, MemSize size, out ulong value)
    {
        int bytes = 1 << (int)size;
        value = 0;
        if (!TryStackAddress(stack, stack.Pointer, bytes, out ulong linear) || !TryLoad(linear, size, stack.Mode, out value))
            return false;
        stack.Pointer = (stack.Pointer + (ulong)bytes) & Mask(stack.Size);
        return true;
    }
}
