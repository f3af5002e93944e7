using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Delivery of an event through the IDT in protected mode and in IA-32e mode (Intel SDM volume 3, sections 7.12 and 7.14).</summary>
public sealed partial class X86Cpu
{
    // Error code of faults that name an IDT entry: IDT bit set.
    private static uint IdtError(int vector) => (uint)(vector * 8) | 2;

    private static bool IsSoftware(EventKind kind) => kind is EventKind.Software or EventKind.SoftwareException;

    private bool TryDeliverProtected(int vector, EventKind kind, bool hasError, uint error, ulong ip)
    {
        if ((uint)(vector * 8) + 7 > _idtr.Limit)
            return Fault(Vector.GP, IdtError(vector));
        if (!TryReadSystem(_idtr.Base + (ulong)(vector * 8), MemSize.B8, out ulong low))
            return false;
        Descriptor gate = new(low, 0);
        if (!gate.IsSystem || gate.Type is not (SystemType.TaskGate or SystemType.InterruptGate16 or SystemType.TrapGate16 or SystemType.InterruptGate32 or SystemType.TrapGate32))
            return Fault(Vector.GP, IdtError(vector));
        if (IsSoftware(kind) && gate.Dpl < _cpl)
            return Fault(Vector.GP, IdtError(vector));
        if (!gate.Present)
            return Fault(Vector.NP, IdtError(vector));
        ulong flags = FlagsImage(vector, kind);
        if (gate.Type == SystemType.TaskGate)
            return TryDeliverTask(gate.GateSelector, hasError, error, ip, flags);

        MemSize size = gate.Type >= SystemType.InterruptGate32 ? MemSize.B4 : MemSize.B2;
        ulong target = size == MemSize.B4 ? gate.GateOffset32 : gate.GateOffset32 & 0xFFFF;
        ushort selector = gate.GateSelector;
        if (!TryReadHandler(selector, out Descriptor code, out ulong codeAddress))
            return false;
        ref X86Registers r = ref State;
        bool v86 = IsV86;
        StackFrame stack;
        Descriptor stackDescriptor = default;
        ulong stackAddress = 0;
        ushort stackSelector = 0;
        bool inner = !code.IsConforming && code.Dpl < _cpl;
        int level = inner ? code.Dpl : _cpl;
        if (v86 && (!inner || code.Dpl != 0))
            return Fault(Vector.GP, SelectorError(selector));
        if (inner)
        {
            if (!TryReadInnerStack(level, out stackSelector, out ulong pointer)
                || !TryReadStackDescriptor(stackSelector, level, Vector.TS, out stackDescriptor, out stackAddress))
                return false;
            stack = NewStack(stackDescriptor, pointer, level, stackSelector);
            if (v86)
            {
                foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Gs, SegmentRegister.Fs, SegmentRegister.Ds, SegmentRegister.Es])
                {
                    if (!TryPush(ref stack, size, r.Selectors[(int)segment]))
                        return false;
                }
            }
            if (!TryPush(ref stack, size, r.Selectors[(int)SegmentRegister.Ss]) || !TryPush(ref stack, size, r.General[4]))
                return false;
        }
        else
        {
            stack = CurrentStack();
        }
        if (!TryPush(ref stack, size, flags) || !TryPush(ref stack, size, r.Selectors[(int)SegmentRegister.Cs]) || !TryPush(ref stack, size, ip)
            || (hasError && !TryPush(ref stack, size, error)))
            return false;
        if (target > code.Limit)
            return Fault(Vector.GP);
        if (!TryMarkAccessed(ref code, codeAddress) || (inner && !TryMarkAccessed(ref stackDescriptor, stackAddress)))
            return false;

        if (inner)
        {
            SetSegment(SegmentRegister.Ss, stackSelector, stackDescriptor);
            if (v86)
            {
                foreach (SegmentRegister segment in (ReadOnlySpan<SegmentRegister>)[SegmentRegister.Gs, SegmentRegister.Fs, SegmentRegister.Ds, SegmentRegister.Es])
                    SetNullSegment(segment, 0);
            }
        }
        r.General[4] = MergeStackPointer(stack.Pointer, stack.Size);
        _cpl = level;
        SetSegment(SegmentRegister.Cs, (ushort)(selector & 0xFFFC | level), code);
        r.OtherFlags &= ~(RFlag.TF | RFlag.NT | RFlag.RF | RFlag.VM);
        if (gate.Type is SystemType.InterruptGate16 or SystemType.InterruptGate32)
            r.OtherFlags &= ~RFlag.IF;
        Block.Context.Pc = (uint)(r.Bases[(int)SegmentRegister.Cs] + target);
        return true;
    }

    private bool TryReadHandler(ushort selector, out Descriptor code, out ulong address)
    {
        code = default;
        address = 0;
        if (IsNull(selector))
            return Fault(Vector.GP);
        if (!TryReadDescriptor(selector, Vector.GP, out code, out address))
            return false;
        if (!code.IsCode || code.Dpl > _cpl)
            return Fault(Vector.GP, SelectorError(selector));
        return code.Present || Fault(Vector.NP, SelectorError(selector));
    }

    // SS and ESP of an inner level from the current TSS (sections 8.2.1 and 8.6).
    private bool TryReadInnerStack(int level, out ushort selector, out ulong pointer)
    {
        selector = 0;
        pointer = 0;
        bool wide = (_tr.Rights & 8) != 0;
        uint offset = (uint)(wide ? 4 + (8 * level) : 2 + (4 * level));
        if (offset + (wide ? 5u : 3) > _tr.Limit)
            return Fault(Vector.TS, SelectorError(_tr.Selector));
        if (!TryReadSystem(_tr.Base + offset, wide ? MemSize.B4 : MemSize.B2, out pointer)
            || !TryReadSystem(_tr.Base + offset + (wide ? 4u : 2), MemSize.B2, out ulong segment))
            return false;
        selector = (ushort)segment;
        return true;
    }

    private bool TryDeliverLong(int vector, EventKind kind, bool hasError, uint error, ulong ip)
    {
        if ((uint)(vector * 16) + 15 > _idtr.Limit)
            return Fault(Vector.GP, IdtError(vector));
        if (!TryReadSystem(_idtr.Base + (ulong)(vector * 16), MemSize.B8, out ulong low) || !TryReadSystem(_idtr.Base + (ulong)(vector * 16) + 8, MemSize.B8, out ulong high))
            return false;
        Descriptor gate = new(low, high);
        if (!gate.IsSystem || gate.Type is not (SystemType.InterruptGate32 or SystemType.TrapGate32))
            return Fault(Vector.GP, IdtError(vector));
        if (IsSoftware(kind) && gate.Dpl < _cpl)
            return Fault(Vector.GP, IdtError(vector));
        if (!gate.Present)
            return Fault(Vector.NP, IdtError(vector));
        ushort selector = gate.GateSelector;
        if (!TryReadHandler(selector, out Descriptor code, out ulong codeAddress))
            return false;
        if (!code.Long || code.Big)
            return Fault(Vector.GP, SelectorError(selector));
        bool inner = !code.IsConforming && code.Dpl < _cpl;
        int level = inner ? code.Dpl : _cpl;
        ref X86Registers r = ref State;
        ulong pointer = Is64 ? r.General[4] : StackPointer;
        if (gate.GateIst != 0 || inner)
        {
            uint offset = (uint)(gate.GateIst != 0 ? 28 + (8 * gate.GateIst) : 4 + (8 * level));
            if (offset + 7 > _tr.Limit)
                return Fault(Vector.TS, SelectorError(_tr.Selector));
            if (!TryReadSystem(_tr.Base + offset, MemSize.B8, out pointer))
                return false;
        }
        StackFrame stack = new()
        {
            Size = MemSize.B8,
            Pointer = pointer & ~0xFUL,
            Mode = level == 3 ? MmuMode.User : _cpl == 3 ? MmuMode.Supervisor : DataMode,
        };
        if (!IsCanonical(pointer))
            return Fault(Vector.SS);
        if (!TryPush(ref stack, MemSize.B8, r.Selectors[(int)SegmentRegister.Ss]) || !TryPush(ref stack, MemSize.B8, Is64 ? r.General[4] : StackPointer)
            || !TryPush(ref stack, MemSize.B8, FlagsImage(vector, kind)) || !TryPush(ref stack, MemSize.B8, r.Selectors[(int)SegmentRegister.Cs])
            || !TryPush(ref stack, MemSize.B8, ip) || (hasError && !TryPush(ref stack, MemSize.B8, error)))
            return false;
        if (!IsCanonical(gate.GateOffset64))
            return Fault(Vector.GP);
        if (!TryMarkAccessed(ref code, codeAddress))
            return false;

        if (inner)
            SetNullSegment(SegmentRegister.Ss, (ushort)level, level);
        r.General[4] = stack.Pointer;
        _cpl = level;
        SetSegment(SegmentRegister.Cs, (ushort)(selector & 0xFFFC | level), code);
        r.Bases[(int)SegmentRegister.Cs] = 0;
        r.OtherFlags &= ~(RFlag.TF | RFlag.NT | RFlag.RF | RFlag.VM);
        if (gate.Type == SystemType.InterruptGate32)
            r.OtherFlags &= ~RFlag.IF;
        Block.Context.Pc = gate.GateOffset64;
        return true;
    }
}
