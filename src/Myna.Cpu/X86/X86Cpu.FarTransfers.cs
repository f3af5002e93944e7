using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Far jumps, calls and returns, with call gates and changes of privilege (Intel SDM volume 2, JMP, CALL, RET; volume 3, section 6.8).</summary>
public sealed partial class X86Cpu
{
    [X86Form(Code.Jmp_ptr1616, Code.Jmp_ptr1632, Code.Jmp_m1616, Code.Jmp_m1632, Code.Jmp_m1664)]
    internal Flow JumpFar(in Insn insn)
        => TryReadFarPointer(insn, out ushort selector, out ulong offset) && TryJumpFar(selector, offset, NextIp(insn)) ? Transferred() : Faulted();

    [X86Form(Code.Call_ptr1616, Code.Call_ptr1632, Code.Call_m1616, Code.Call_m1632, Code.Call_m1664)]
    internal Flow CallFar(in Insn insn)
        => TryReadFarPointer(insn, out ushort selector, out ulong offset) && TryCallFar(selector, offset, insn.OperandSize, NextIp(insn)) ? Transferred() : Faulted();

    [X86Instruction(Mnemonic.Retf)]
    internal Flow ReturnFar(in Insn insn) => TryReturnFar(insn.OperandSize, insn.Op0.Kind == OperandKind.Immediate ? (ushort)insn.Immediate : (ushort)0) ? Transferred() : Faulted();

    // The instruction retired, and pc is set.
    private Flow Transferred()
    {
        UpdateFlags();
        CheckInterrupts();
        return Flow.Return;
    }

    private bool TryReadFarPointer(in Insn insn, out ushort selector, out ulong offset)
    {
        if (insn.Op0.Kind == OperandKind.Far)
        {
            selector = (ushort)insn.Displacement;
            offset = insn.Immediate;
            return true;
        }
        selector = 0;
        // The operand size is that of the offset in memory.
        MemSize size = insn.Code switch
        {
            Code.Jmp_m1616 or Code.Call_m1616 => MemSize.B2,
            Code.Jmp_m1632 or Code.Call_m1632 => MemSize.B4,
            _ => MemSize.B8,
        };
        if (!TryLoadMemory(insn, 0, size, out offset) || !TryLoadMemory(insn, 1UL << (int)size, MemSize.B2, out ulong segment))
            return false;
        selector = (ushort)segment;
        return true;
    }

    private void SetCode(ushort selector, in Descriptor code, ulong ip)
    {
        SetSegment(SegmentRegister.Cs, selector, code);
        if (IsLong && code.Long)
        {
            State.Bases[(int)SegmentRegister.Cs] = 0;
            Block.Context.Pc = ip;
        }
        else
        {
            Block.Context.Pc = (uint)(State.Bases[(int)SegmentRegister.Cs] + ip);
        }
    }

    private bool TryCheckTarget(in Descriptor code, ulong ip)
        => (IsLong && code.Long ? IsCanonical(ip) : ip <= code.Limit) || Fault(Vector.GP);

    private bool TryRealJump(ushort selector, ulong offset)
    {
        if (offset > State.Limits[(int)SegmentRegister.Cs])
            return Fault(Vector.GP);
        if (IsV86)
            SetV86Segment(SegmentRegister.Cs, selector);
        else
            LoadRealSegment(SegmentRegister.Cs, selector);
        Block.Context.Pc = (uint)(State.Bases[(int)SegmentRegister.Cs] + offset);
        return true;
    }

    // Code for JMP and CALL without a change of privilege.
    private bool TryCheckCode(ushort selector, in Descriptor code)
    {
        int rpl = selector & 3;
        if (code.IsConforming ? code.Dpl > _cpl : rpl > _cpl || code.Dpl != _cpl)
            return Fault(Vector.GP, SelectorError(selector));
        if (IsLong && code.Long && code.Big)
            return Fault(Vector.GP, SelectorError(selector));
        return code.Present || Fault(Vector.NP, SelectorError(selector));
    }

    private bool TryJumpFar(ushort selector, ulong offset, ulong nextIp)
    {
        if (!IsProtected || IsV86)
            return TryRealJump(selector, offset);
        if (IsNull(selector))
            return Fault(Vector.GP);
        if (!TryReadDescriptor(selector, Vector.GP, out Descriptor d, out ulong address))
            return false;
        if (!d.IsSystem)
        {
            if (!d.IsCode)
                return Fault(Vector.GP, SelectorError(selector));
            if (!TryCheckCode(selector, d) || !TryCheckTarget(d, offset) || !TryMarkAccessed(ref d, address))
                return false;
            SetCode((ushort)(selector & 0xFFFC | _cpl), d, offset);
            return true;
        }
        if (!TryCheckGate(selector, d))
            return false;
        switch (d.Type)
        {
            case SystemType.CallGate16:
            case SystemType.CallGate32:
                if (!TryReadGateTarget(d, out ushort target, out Descriptor code, out ulong codeAddress, out ulong ip))
                    return false;
                if (code.IsConforming ? code.Dpl > _cpl : code.Dpl != _cpl)
                    return Fault(Vector.GP, SelectorError(target));
                if (!code.Present)
                    return Fault(Vector.NP, SelectorError(target));
                if (!TryCheckTarget(code, ip) || !TryMarkAccessed(ref code, codeAddress))
                    return false;
                SetCode((ushort)(target & 0xFFFC | _cpl), code, ip);
                return true;
            case SystemType.TaskGate:
                return TryReadTss(d.GateSelector, Vector.GP, busy: false, out Descriptor tss) && TrySwitchTask(d.GateSelector, tss, TaskSource.Jump, nextIp, RFlags);
            default:
                return TrySwitchTask(selector, d, TaskSource.Jump, nextIp, RFlags);
        }
    }

    // Type, privilege and presence of a gate or TSS that JMP or CALL names.
    private bool TryCheckGate(ushort selector, in Descriptor d)
    {
        // The second half of a gate of 16 bytes has a type of 0, so that nobody takes it for a descriptor (section 6.8.3.1).
        bool valid = IsLong
            ? d.Type == SystemType.CallGate32 && (d.High >> 40 & 0x1F) == 0
            : d.Type is SystemType.CallGate16 or SystemType.CallGate32 or SystemType.TaskGate or SystemType.Tss16 or SystemType.Tss32;
        if (!valid || d.Dpl < _cpl || d.Dpl < (selector & 3))
            return Fault(Vector.GP, SelectorError(selector));
        if (d.Type is SystemType.Tss16 or SystemType.Tss32 && (selector & 4) != 0)
            return Fault(Vector.GP, SelectorError(selector));
        return d.Present || Fault(Vector.NP, SelectorError(selector));
    }

    // The code segment behind a call gate; in IA-32e mode it must be 64-bit code.
    private bool TryReadGateTarget(in Descriptor gate, out ushort selector, out Descriptor code, out ulong address, out ulong ip)
    {
        selector = gate.GateSelector;
        ip = IsLong ? gate.GateOffset64 : gate.Type == SystemType.CallGate32 ? gate.GateOffset32 : gate.GateOffset32 & 0xFFFF;
        code = default;
        address = 0;
        if (IsNull(selector))
            return Fault(Vector.GP);
        if (!TryReadDescriptor(selector, Vector.GP, out code, out address))
            return false;
        return (!code.IsSystem && code.IsCode && code.Dpl <= _cpl && (!IsLong || (code.Long && !code.Big))) || Fault(Vector.GP, SelectorError(selector));
    }

    private bool TryCallFar(ushort selector, ulong offset, MemSize size, ulong nextIp)
    {
        ref X86Registers r = ref State;
        ulong oldSelector = r.Selectors[(int)SegmentRegister.Cs];
        MemSize stackSize = StackSize;
        StackFrame stack = CurrentStack();
        if (!IsProtected || IsV86)
        {
            if (!TryPush(ref stack, size, oldSelector) || !TryPush(ref stack, size, nextIp) || !TryRealJump(selector, offset))
                return false;
            r.General[4] = MergeStackPointer(stack.Pointer, stackSize);
            return true;
        }
        if (IsNull(selector))
            return Fault(Vector.GP);
        if (!TryReadDescriptor(selector, Vector.GP, out Descriptor d, out ulong address))
            return false;
        if (!d.IsSystem)
        {
            if (!d.IsCode)
                return Fault(Vector.GP, SelectorError(selector));
            if (!TryCheckCode(selector, d) || !TryPush(ref stack, size, oldSelector) || !TryPush(ref stack, size, nextIp) || !TryCheckTarget(d, offset)
                || !TryMarkAccessed(ref d, address))
                return false;
            r.General[4] = MergeStackPointer(stack.Pointer, stackSize);
            SetCode((ushort)(selector & 0xFFFC | _cpl), d, offset);
            return true;
        }
        if (!TryCheckGate(selector, d))
            return false;
        switch (d.Type)
        {
            case SystemType.CallGate16:
            case SystemType.CallGate32:
                return TryCallGate(d, nextIp);
            case SystemType.TaskGate:
                return TryReadTss(d.GateSelector, Vector.GP, busy: false, out Descriptor tss) && TrySwitchTask(d.GateSelector, tss, TaskSource.Call, nextIp, RFlags);
            default:
                return TrySwitchTask(selector, d, TaskSource.Call, nextIp, RFlags);
        }
    }

    private bool TryCallGate(in Descriptor gate, ulong nextIp)
    {
        ref X86Registers r = ref State;
        if (!TryReadGateTarget(gate, out ushort target, out Descriptor code, out ulong codeAddress, out ulong ip))
            return false;
        if (!code.Present)
            return Fault(Vector.NP, SelectorError(target));
        MemSize size = IsLong ? MemSize.B8 : gate.Type == SystemType.CallGate32 ? MemSize.B4 : MemSize.B2;
        bool inner = !code.IsConforming && code.Dpl < _cpl;
        int level = inner ? code.Dpl : _cpl;
        StackFrame stack = CurrentStack();
        if (IsLong)
            stack.Size = MemSize.B8;
        ulong oldStack = r.General[4], oldStackSelector = r.Selectors[(int)SegmentRegister.Ss];
        ushort stackSelector = 0;
        Descriptor stackDescriptor = default;
        ulong stackAddress = 0;
        if (inner)
        {
            if (IsLong)
            {
                uint offset = (uint)(4 + (8 * level));
                if (offset + 7 > _tr.Limit)
                    return Fault(Vector.TS, SelectorError(_tr.Selector));
                if (!TryReadSystem(_tr.Base + offset, MemSize.B8, out ulong pointer))
                    return false;
                stack = new StackFrame { Size = MemSize.B8, Pointer = pointer, Mode = MmuMode.Supervisor };
                if (!IsCanonical(pointer))
                    return Fault(Vector.SS);
            }
            else
            {
                if (!TryReadInnerStack(level, out stackSelector, out ulong pointer)
                    || !TryReadStackDescriptor(stackSelector, level, Vector.TS, out stackDescriptor, out stackAddress))
                    return false;
                stack = NewStack(stackDescriptor, pointer, level, stackSelector);
            }
            StackFrame old = CurrentStack();
            if (!TryPush(ref stack, size, oldStackSelector) || !TryPush(ref stack, size, oldStack))
                return false;
            // Parameters are copied in their order; 64-bit gates have none.
            int count = IsLong ? 0 : gate.GateParameters;
            for (int i = count - 1; i >= 0; i--)
            {
                StackFrame from = old;
                from.Pointer = (old.Pointer + (ulong)(i << (int)size)) & Mask(old.Size);
                if (!TryPop(ref from, size, out ulong parameter) || !TryPush(ref stack, size, parameter))
                    return false;
            }
        }
        if (!TryPush(ref stack, size, r.Selectors[(int)SegmentRegister.Cs]) || !TryPush(ref stack, size, nextIp) || !TryCheckTarget(code, ip)
            || !TryMarkAccessed(ref code, codeAddress) || (inner && !IsLong && !TryMarkAccessed(ref stackDescriptor, stackAddress)))
            return false;
        if (inner)
        {
            if (IsLong)
                SetNullSegment(SegmentRegister.Ss, (ushort)level, level);
            else
                SetSegment(SegmentRegister.Ss, stackSelector, stackDescriptor);
        }
        r.General[4] = MergeStackPointer(stack.Pointer, stack.Size);
        _cpl = level;
        SetCode((ushort)(target & 0xFFFC | level), code, ip);
        return true;
    }

    // Code that RETF and IRET return to.
    private bool TryReadReturnCode(ushort selector, out Descriptor code, out ulong address)
    {
        code = default;
        address = 0;
        if (IsNull(selector))
            return Fault(Vector.GP);
        if (!TryReadDescriptor(selector, Vector.GP, out code, out address))
            return false;
        int rpl = selector & 3;
        if (code.IsSystem || !code.IsCode || rpl < _cpl || (code.IsConforming ? code.Dpl > rpl : code.Dpl != rpl) || (IsLong && code.Long && code.Big))
            return Fault(Vector.GP, SelectorError(selector));
        return code.Present || Fault(Vector.NP, SelectorError(selector));
    }

    // SS on the way out; a null one is good enough for 64-bit code above CPL 3.
    private bool TryReadReturnStack(ushort selector, int level, in Descriptor code, out Descriptor stack, out ulong address)
    {
        stack = default;
        address = 0;
        if (IsNull(selector))
            return (IsLong && code.Long && level != 3 && (selector & 3) == level) || Fault(Vector.GP);
        return TryReadStackDescriptor(selector, level, Vector.GP, out stack, out address);
    }

    private bool TryReturnFar(MemSize size, ushort release)
    {
        ref X86Registers r = ref State;
        StackFrame stack = CurrentStack();
        if (!TryPop(ref stack, size, out ulong ip) || !TryPop(ref stack, size, out ulong segment))
            return false;
        var selector = (ushort)segment;
        if (!IsProtected || IsV86)
        {
            if (!TryRealJump(selector, ip))
                return false;
            StackPointer = stack.Pointer + release;
            return true;
        }
        if (!TryReadReturnCode(selector, out Descriptor code, out ulong codeAddress))
            return false;
        int level = selector & 3;
        if (level == _cpl)
        {
            MemSize stackSize = StackSize;
            if (!TryCheckTarget(code, ip) || !TryMarkAccessed(ref code, codeAddress))
                return false;
            r.General[4] = MergeStackPointer((stack.Pointer + release) & Mask(stackSize), stackSize);
            SetCode(selector, code, ip);
            return true;
        }
        stack.Pointer = (stack.Pointer + release) & Mask(stack.Size);
        if (!TryPop(ref stack, size, out ulong pointer) || !TryPop(ref stack, size, out ulong stackSegment)
            || !TryReadReturnStack((ushort)stackSegment, level, code, out Descriptor stackDescriptor, out ulong stackAddress) || !TryCheckTarget(code, ip)
            || !TryMarkAccessed(ref code, codeAddress))
            return false;
        if (!TryEnterOuterLevel(level, (ushort)stackSegment, stackDescriptor, stackAddress, pointer + release, code.Long, ip, selector, code))
            return false;
        return true;
    }

    private bool TryEnterOuterLevel(int level, ushort stackSelector, Descriptor stack, ulong stackAddress, ulong pointer, bool to64, ulong ip, ushort selector, in Descriptor code)
    {
        if (!IsNull(stackSelector) && !TryMarkAccessed(ref stack, stackAddress))
            return false;
        _cpl = level;
        if (IsNull(stackSelector))
            SetNullSegment(SegmentRegister.Ss, stackSelector, level);
        else
            SetSegment(SegmentRegister.Ss, stackSelector, stack);
        State.General[4] = MergeStackPointer(pointer, IsLong && to64 ? MemSize.B8 : stack.Big ? MemSize.B4 : MemSize.B2);
        SetCode(selector, code, ip);
        DropPrivilegedSegments();
        return true;
    }
}
