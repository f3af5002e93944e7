using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>INT n and its kin, IRET, and the instructions on IF and the whole of RFLAGS (Intel SDM volume 2).</summary>
public sealed partial class X86Cpu
{
    [X86Instruction(Mnemonic.Int)]
    internal Flow Int(in Insn insn) => SoftwareInterrupt((byte)insn.Immediate, EventKind.Software, insn);

    [X86Instruction(Mnemonic.Int3)]
    internal Flow Int3(in Insn insn) => SoftwareInterrupt((int)Vector.BP, EventKind.SoftwareException, insn);

    [X86Instruction(Mnemonic.Into)]
    internal Flow Into(in Insn insn)
        => (ArithmeticFlags & RFlag.OF) != 0 ? SoftwareInterrupt((int)Vector.OF, EventKind.SoftwareException, insn) : Flow.Next;

    [X86Instruction(Mnemonic.Int1)]
    internal Flow Int1(in Insn insn)
    {
        // A data breakpoint that MOV SS has held back is reported by the same exception.
        ReportDebug(_debugPending);
        _debugPending = 0;
        return SoftwareInterrupt((int)Vector.DB, EventKind.DebugTrap, insn);
    }

    private Flow SoftwareInterrupt(int vector, EventKind kind, in Insn insn)
    {
        _steppedTrap = false;
        if (IsV86 && kind == EventKind.Software)
        {
            if ((_cr4 & Cr4.VME) != 0)
            {
                if (!TryReadRedirection(vector, out bool toProgram))
                    return Faulted();
                if (toProgram)
                    return TryDeliverToProgram(vector, NextIp(insn)) ? Transferred() : Faulted();
            }
            if (Iopl < 3)
                return Raise(Vector.GP);
        }
        ulong count = _exceptionsTaken;
        Deliver(vector, kind, 0, NextIp(insn));
        // More than one delivery: the first one failed, and the instruction is to be repeated.
        return count == _exceptionsTaken ? Flow.Fault : Flow.Return;
    }

    // Virtual-8086 mode extensions (volume 3, section 21.3): a bit of the map in front of the I/O bitmap is 0 for interrupts that the
    // program's own table serves.
    private bool TryReadRedirection(int vector, out bool toProgram)
    {
        toProgram = false;
        if ((_tr.Rights & 8) == 0 || _tr.Limit < 103)
            return Fault(Vector.GP);
        if (!TryReadSystem(_tr.Base + 102, MemSize.B2, out ulong map))
            return false;
        ulong offset = map - 32 + (ulong)(vector >> 3);
        if (map < 32 || offset > _tr.Limit)
            return Fault(Vector.GP);
        if (!TryReadSystem(_tr.Base + offset, MemSize.B1, out ulong bits))
            return false;
        toProgram = (bits >> (vector & 7) & 1) == 0;
        return true;
    }

    private bool TryDeliverToProgram(int vector, ulong ip)
    {
        ref X86Registers r = ref State;
        if (!TryLoad((ulong)(vector * 4), MemSize.B4, DataMode, out ulong entry))
            return false;
        ulong flags = RFlags & 0xFFFF;
        if (Iopl < 3)
        {
            // The program sees its virtual IF, and an IOPL of 3.
            flags = flags & ~RFlag.IF | RFlag.IOPL;
            if ((r.OtherFlags & RFlag.VIF) != 0)
                flags |= RFlag.IF;
        }
        StackFrame stack = CurrentStack();
        if (!TryPush(ref stack, MemSize.B2, flags) || !TryPush(ref stack, MemSize.B2, r.Selectors[(int)SegmentRegister.Cs]) || !TryPush(ref stack, MemSize.B2, ip))
            return false;
        StackPointer = stack.Pointer;
        r.OtherFlags &= ~(RFlag.TF | RFlag.NT | (Iopl < 3 ? RFlag.VIF : RFlag.IF));
        SetV86Segment(SegmentRegister.Cs, (ushort)(entry >> 16));
        Block.Context.Pc = (uint)(r.Bases[(int)SegmentRegister.Cs] + (ushort)entry);
        return true;
    }

    // IRET.

    [X86Instruction(Mnemonic.Iret, Mnemonic.Iretd, Mnemonic.Iretq)]
    internal Flow Iret(in Insn insn)
    {
        MemSize size = insn.Mnemonic switch { Mnemonic.Iret => MemSize.B2, Mnemonic.Iretd => MemSize.B4, _ => MemSize.B8 };
        bool done = !IsProtected || IsV86 ? TryReturnReal(size) : TryReturnInterrupt(size, NextIp(insn));
        if (!done)
        {
            // Even an IRET that faults lets NMIs in again (volume 3, section 7.7.1).
            _nmiBlocked = false;
            return Faulted();
        }
        _nmiBlocked = false;
        return Transferred();
    }

    private bool TryReturnReal(MemSize size)
    {
        StackFrame stack = CurrentStack();
        bool v86 = IsV86;
        bool extended = v86 && Iopl < 3;
        if (extended && ((_cr4 & Cr4.VME) == 0 || size != MemSize.B2))
            return Fault(Vector.GP);
        if (!TryPop(ref stack, size, out ulong ip) || !TryPop(ref stack, size, out ulong selector) || !TryPop(ref stack, size, out ulong flags))
            return false;
        if (extended && (((State.OtherFlags & RFlag.VIP) != 0 && (flags & RFlag.IF) != 0) || (flags & RFlag.TF) != 0))
            return Fault(Vector.GP);
        if (!TryRealJump((ushort)selector, ip))
            return false;
        StackPointer = stack.Pointer;
        ulong old = RFlags;
        ulong writable = RFlag.Arithmetic | RFlag.TF | RFlag.DF | RFlag.NT;
        if (extended)
        {
            old = (flags & RFlag.IF) != 0 ? old | RFlag.VIF : old & ~RFlag.VIF;
        }
        else
        {
            writable |= RFlag.IF | (v86 ? 0 : RFlag.IOPL);
            if (size != MemSize.B2)
                writable |= RFlag.RF | RFlag.AC | RFlag.ID;
        }
        RFlags = old & ~writable | flags & writable;
        return true;
    }

    private bool TryReturnInterrupt(MemSize size, ulong nextIp)
    {
        ref X86Registers r = ref State;
        if ((r.OtherFlags & RFlag.NT) != 0)
            return IsLong ? Fault(Vector.GP) : TryReturnTask(nextIp);
        StackFrame stack = CurrentStack();
        if (!TryPop(ref stack, size, out ulong ip) || !TryPop(ref stack, size, out ulong segment) || !TryPop(ref stack, size, out ulong flags))
            return false;
        var selector = (ushort)segment;
        if (size == MemSize.B4 && (flags & RFlag.VM) != 0 && _cpl == 0 && !IsLong)
            return TryReturnToV86(stack, ip, selector, flags);
        if (!TryReadReturnCode(selector, out Descriptor code, out ulong codeAddress))
            return false;
        int level = selector & 3;
        bool outer = level != _cpl;
        MemSize stackSize = StackSize;
        ushort stackSelector = 0;
        Descriptor stackDescriptor = default;
        ulong stackAddress = 0, pointer = 0;
        // 64-bit mode always pops SS:RSP.
        bool popsStack = outer || Is64;
        if (popsStack)
        {
            if (!TryPop(ref stack, size, out pointer) || !TryPop(ref stack, size, out ulong stackSegment))
                return false;
            stackSelector = (ushort)stackSegment;
            if (!TryReadReturnStack(stackSelector, level, code, out stackDescriptor, out stackAddress))
                return false;
        }
        if (!TryCheckTarget(code, ip) || !TryMarkAccessed(ref code, codeAddress))
            return false;
        if (popsStack && !IsNull(stackSelector) && !TryMarkAccessed(ref stackDescriptor, stackAddress))
            return false;

        ulong writable = RFlag.Arithmetic | RFlag.TF | RFlag.DF | RFlag.NT;
        if (size != MemSize.B2)
            writable |= RFlag.RF | RFlag.AC | RFlag.ID;
        if (_cpl <= Iopl)
            writable |= RFlag.IF;
        if (_cpl == 0)
        {
            writable |= RFlag.IOPL;
            if (size != MemSize.B2)
                writable |= RFlag.VIF | RFlag.VIP;
        }
        // RF is of interest to instruction breakpoints only.
        if ((_dr7 & 0xFF) == 0)
            flags &= ~RFlag.RF;
        ulong newFlags = RFlags & ~writable | flags & writable;
        if (popsStack)
        {
            _cpl = level;
            if (IsNull(stackSelector))
                SetNullSegment(SegmentRegister.Ss, stackSelector, level);
            else
                SetSegment(SegmentRegister.Ss, stackSelector, stackDescriptor);
            r.General[4] = MergeStackPointer(pointer, IsLong && code.Long ? MemSize.B8 : stackDescriptor.Big ? MemSize.B4 : MemSize.B2);
        }
        else
        {
            r.General[4] = MergeStackPointer(stack.Pointer, stackSize);
        }
        SetCode(selector, code, ip);
        if (outer)
            DropPrivilegedSegments();
        SetArithmeticFlags(newFlags);
        r.OtherFlags = newFlags & RFlag.Defined & ~RFlag.Arithmetic | RFlag.Reserved1;
        return true;
    }

    private bool TryReturnToV86(StackFrame stack, ulong ip, ushort selector, ulong flags)
    {
        ReadOnlySpan<SegmentRegister> order = [SegmentRegister.Ss, SegmentRegister.Es, SegmentRegister.Ds, SegmentRegister.Fs, SegmentRegister.Gs];
        Span<ushort> selectors = stackalloc ushort[5];
        if (!TryPop(ref stack, MemSize.B4, out ulong pointer))
            return false;
        for (int i = 0; i < 5; i++)
        {
            if (!TryPop(ref stack, MemSize.B4, out ulong value))
                return false;
            selectors[i] = (ushort)value;
        }
        if (ip > 0xFFFF)
            return Fault(Vector.GP);
        _cpl = 3;
        SetV86Segment(SegmentRegister.Cs, selector);
        for (int i = 0; i < 5; i++)
            SetV86Segment(order[i], selectors[i]);
        State.General[4] = (uint)pointer;
        Block.Context.Pc = State.Bases[(int)SegmentRegister.Cs] + (ushort)ip;
        if ((_dr7 & 0xFF) == 0)
            flags &= ~RFlag.RF;
        RFlags = flags & RFlag.Defined;
        return true;
    }

    // Flags.

    [X86Instruction(Mnemonic.Pushf, Mnemonic.Pushfd, Mnemonic.Pushfq)]
    internal Flow Pushf(in Insn insn)
    {
        ulong flags = RFlags & ~(RFlag.VM | RFlag.RF);
        if (IsV86 && Iopl < 3)
        {
            if (insn.OperandSize != MemSize.B2 || (_cr4 & Cr4.VME) == 0)
                return Raise(Vector.GP);
            flags = flags & ~RFlag.IF | RFlag.IOPL | ((flags & RFlag.VIF) != 0 ? RFlag.IF : 0);
        }
        StackFrame stack = CurrentStack();
        if (!TryPush(ref stack, insn.OperandSize, flags))
            return Faulted();
        StackPointer = stack.Pointer;
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Popf, Mnemonic.Popfd, Mnemonic.Popfq)]
    internal Flow Popf(in Insn insn)
    {
        MemSize size = insn.OperandSize;
        bool extended = IsV86 && Iopl < 3;
        if (extended && (size != MemSize.B2 || (_cr4 & Cr4.VME) == 0))
            return Raise(Vector.GP);
        StackFrame stack = CurrentStack();
        if (!TryPop(ref stack, size, out ulong flags))
            return Faulted();
        ulong old = RFlags & ~RFlag.RF;
        ulong writable = RFlag.Arithmetic | RFlag.TF | RFlag.DF | RFlag.NT;
        if (size != MemSize.B2)
            writable |= RFlag.AC | RFlag.ID;
        if (extended)
        {
            if ((flags & RFlag.TF) != 0 || ((flags & RFlag.IF) != 0 && (old & RFlag.VIP) != 0))
                return Raise(Vector.GP);
            old = (flags & RFlag.IF) != 0 ? old | RFlag.VIF : old & ~RFlag.VIF;
        }
        else if (IsV86)
        {
            writable |= RFlag.IF;
        }
        else
        {
            if (_cpl <= Iopl)
                writable |= RFlag.IF;
            if (_cpl == 0)
            {
                writable |= RFlag.IOPL;
                if (size != MemSize.B2)
                    old &= ~(RFlag.VIF | RFlag.VIP);
            }
        }
        StackPointer = stack.Pointer;
        ulong before = State.OtherFlags;
        ulong next = old & ~writable | flags & writable;
        SetArithmeticFlags(next);
        State.OtherFlags = next & RFlag.Defined & ~RFlag.Arithmetic | RFlag.Reserved1;
        if (((before ^ State.OtherFlags) & RFlag.IF) != 0)
            CheckInterrupts();
        else if (((before ^ State.OtherFlags) & ~(RFlag.ID | RFlag.IOPL | RFlag.NT)) == 0 && !Flags.Slow)
            return Flow.Next;
        return Resync();
    }

    [X86Instruction(Mnemonic.Cli)]
    internal Flow Cli(in Insn insn)
    {
        ref ulong flags = ref State.OtherFlags;
        if (!IsProtected || _cpl <= Iopl)
            flags &= ~RFlag.IF;
        else if (UsesVirtualInterrupts)
            flags &= ~RFlag.VIF;
        else
            return Raise(Vector.GP);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Sti)]
    internal Flow Sti(in Insn insn)
    {
        ref ulong flags = ref State.OtherFlags;
        if (!IsProtected || _cpl <= Iopl)
        {
            if ((flags & RFlag.IF) == 0)
            {
                flags |= RFlag.IF;
                Inhibit(NextPc(insn), debugToo: false);
                if (IsInterruptDeliverable)
                {
                    CheckInterrupts();
                    return Flow.Resync;
                }
            }
        }
        else if (UsesVirtualInterrupts && (flags & RFlag.VIP) == 0)
        {
            flags |= RFlag.VIF;
        }
        else
        {
            return Raise(Vector.GP);
        }
        return Flow.Next;
    }

    // VME in virtual-8086 mode, PVI at CPL 3.
    private bool UsesVirtualInterrupts => IsV86 ? (_cr4 & Cr4.VME) != 0 : _cpl == 3 && (_cr4 & Cr4.PVI) != 0;

    [X86Instruction(Mnemonic.Clac, Mnemonic.Stac)]
    internal Flow AlignmentCheckFlag(in Insn insn)
    {
        if (!Model.Has(CpuFeature.Smap) || _cpl != 0 || IsV86)
            return Undefined();
        State.OtherFlags = insn.Mnemonic == Mnemonic.Stac ? State.OtherFlags | RFlag.AC : State.OtherFlags & ~RFlag.AC;
        return Resync();
    }
}
