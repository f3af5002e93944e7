using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Instructions on segment registers, descriptors and their tables (Intel SDM volume 2).</summary>
public sealed partial class X86Cpu
{
    /// <summary>MOV to and from a segment register.</summary>
    [X86Form(Code.Mov_rm16_Sreg, Code.Mov_r32m16_Sreg, Code.Mov_r64m16_Sreg, Code.Mov_Sreg_rm16, Code.Mov_Sreg_r32m16, Code.Mov_Sreg_r64m16)]
    internal Flow MovSegment(in Insn insn)
    {
        if (insn.Op1.Kind == OperandKind.Segment)
        {
            // A register gets the selector zero-extended to the operand size, memory always 16 bits.
            ulong selector = State.Selectors[insn.Op1.Register];
            MemSize size = insn.Op0.Kind == OperandKind.Memory ? MemSize.B2 : insn.Op0.Width;
            return TryWrite(insn, insn.Op0, size, selector) ? Flow.Next : Faulted();
        }
        var segment = (SegmentRegister)insn.Op0.Register;
        if (segment is SegmentRegister.Cs or > SegmentRegister.Gs)
            return Undefined();
        if (!TryRead(insn, insn.Op1, MemSize.B2, out ulong value) || !TryLoadSegment(segment, (ushort)value))
            return Faulted();
        if (segment == SegmentRegister.Ss)
            Inhibit(NextPc(insn), debugToo: true);
        return Resync();
    }

    [X86Form(Code.Pushw_ES, Code.Pushd_ES, Code.Pushw_CS, Code.Pushd_CS, Code.Pushw_SS, Code.Pushd_SS, Code.Pushw_DS, Code.Pushd_DS,
        Code.Pushw_FS, Code.Pushd_FS, Code.Pushq_FS, Code.Pushw_GS, Code.Pushd_GS, Code.Pushq_GS)]
    internal Flow PushSegment(in Insn insn)
    {
        StackFrame stack = CurrentStack();
        ulong selector = State.Selectors[insn.Op0.Register];
        int bytes = 1 << (int)insn.OperandSize;
        ulong pointer = (stack.Pointer - (ulong)bytes) & Mask(stack.Size);
        // Zero-extended, as AMD's processors do it; some of Intel's write 16 bits only.
        if (!TryStackAddress(stack, pointer, bytes, out ulong linear) || !TryStore(linear, insn.OperandSize, stack.Mode, selector))
            return Faulted();
        StackPointer = pointer;
        return Flow.Next;
    }

    [X86Form(Code.Popw_ES, Code.Popd_ES, Code.Popw_SS, Code.Popd_SS, Code.Popw_DS, Code.Popd_DS, Code.Popw_FS, Code.Popd_FS, Code.Popq_FS, Code.Popw_GS, Code.Popd_GS, Code.Popq_GS)]
    internal Flow PopSegment(in Insn insn)
    {
        StackFrame stack = CurrentStack();
        var segment = (SegmentRegister)insn.Op0.Register;
        if (!TryPop(ref stack, insn.OperandSize, out ulong value))
            return Faulted();
        MemSize size = StackSize;
        if (!TryLoadSegment(segment, (ushort)value))
            return Faulted();
        State.General[4] = MergeStackPointer(stack.Pointer, size);
        if (segment == SegmentRegister.Ss)
            Inhibit(NextPc(insn), debugToo: true);
        return Resync();
    }

    [X86Instruction(Mnemonic.Les)]
    internal Flow Les(in Insn insn) => LoadFarPointer(insn, SegmentRegister.Es);

    [X86Instruction(Mnemonic.Lds)]
    internal Flow Lds(in Insn insn) => LoadFarPointer(insn, SegmentRegister.Ds);

    [X86Instruction(Mnemonic.Lss)]
    internal Flow Lss(in Insn insn) => LoadFarPointer(insn, SegmentRegister.Ss);

    [X86Instruction(Mnemonic.Lfs)]
    internal Flow Lfs(in Insn insn) => LoadFarPointer(insn, SegmentRegister.Fs);

    [X86Instruction(Mnemonic.Lgs)]
    internal Flow Lgs(in Insn insn) => LoadFarPointer(insn, SegmentRegister.Gs);

    private Flow LoadFarPointer(in Insn insn, SegmentRegister segment)
    {
        MemSize size = insn.Op0.Width;
        if (!TryLoadMemory(insn, 0, size, out ulong offset) || !TryLoadMemory(insn, 1UL << (int)size, MemSize.B2, out ulong selector)
            || !TryLoadSegment(segment, (ushort)selector))
            return Faulted();
        SetGeneral(insn.Op0.Register, size, offset);
        return Resync();
    }

    // Descriptor tables.

    private bool UmipForbids => (_cr4 & Cr4.UMIP) != 0 && _cpl != 0;

    [X86Instruction(Mnemonic.Sgdt)]
    internal Flow Sgdt(in Insn insn) => StoreTable(insn, _gdtr);

    [X86Instruction(Mnemonic.Sidt)]
    internal Flow Sidt(in Insn insn) => StoreTable(insn, _idtr);

    private Flow StoreTable(in Insn insn, in TableRegister table)
    {
        if (UmipForbids)
            return Raise(Vector.GP);
        return TryStoreMemory(insn, 0, MemSize.B2, table.Limit) && TryStoreMemory(insn, 2, Is64 ? MemSize.B8 : MemSize.B4, table.Base) ? Flow.Next : Faulted();
    }

    [X86Instruction(Mnemonic.Lgdt)]
    internal Flow Lgdt(in Insn insn) => LoadTable(insn, ref _gdtr);

    [X86Instruction(Mnemonic.Lidt)]
    internal Flow Lidt(in Insn insn) => LoadTable(insn, ref _idtr);

    private Flow LoadTable(in Insn insn, ref TableRegister table)
    {
        if (!IsPrivileged)
            return Raise(Vector.GP);
        if (!TryLoadMemory(insn, 0, MemSize.B2, out ulong limit) || !TryLoadMemory(insn, 2, Is64 ? MemSize.B8 : MemSize.B4, out ulong address))
            return Faulted();
        if (Is64)
        {
            if (!IsCanonicalMsr(address))
                return Raise(Vector.GP);
        }
        else if (insn.OperandSize == MemSize.B2)
        {
            // A 16-bit operand size loads 24 bits.
            address &= 0xFF_FFFF;
        }
        table = new TableRegister { Base = address, Limit = (ushort)limit };
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Sldt)]
    internal Flow Sldt(in Insn insn) => StoreSystemSelector(insn, _ldtr.Selector);

    [X86Instruction(Mnemonic.Str)]
    internal Flow Str(in Insn insn) => StoreSystemSelector(insn, _tr.Selector);

    private Flow StoreSystemSelector(in Insn insn, ushort selector)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (UmipForbids)
            return Raise(Vector.GP);
        MemSize size = insn.Op0.Kind == OperandKind.Memory ? MemSize.B2 : insn.Op0.Width;
        return TryWrite(insn, insn.Op0, size, selector) ? Flow.Next : Faulted();
    }

    [X86Instruction(Mnemonic.Lldt)]
    internal Flow Lldt(in Insn insn)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (_cpl != 0)
            return Raise(Vector.GP);
        if (!TryRead(insn, insn.Op0, MemSize.B2, out ulong value) || !TryLoadLdt((ushort)value, Vector.GP))
            return Faulted();
        return Flow.Next;
    }

    // Vector for all but "not present" in LLDT; task switches report #TS for everything.
    private bool TryLoadLdt(ushort selector, Vector vector)
    {
        if (IsNull(selector))
        {
            _ldtr = new SystemSegment { Selector = selector, Rights = Right.Unusable };
            return true;
        }
        if ((selector & 4) != 0)
            return Fault(vector, SelectorError(selector));
        if (!TryReadDescriptor(selector, vector, out Descriptor d, out _))
            return false;
        if (!d.IsSystem || d.Type != SystemType.Ldt)
            return Fault(vector, SelectorError(selector));
        if (!d.Present)
            return Fault(vector == Vector.GP ? Vector.NP : vector, SelectorError(selector));
        if (IsLong && !IsCanonicalMsr(d.Base))
            return Fault(vector, SelectorError(selector));
        _ldtr = new SystemSegment { Selector = selector, Base = IsLong ? d.Base : (uint)d.Base, Limit = d.Limit, Rights = d.Rights };
        return true;
    }

    [X86Instruction(Mnemonic.Ltr)]
    internal Flow Ltr(in Insn insn)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (_cpl != 0)
            return Raise(Vector.GP);
        if (!TryRead(insn, insn.Op0, MemSize.B2, out ulong value))
            return Faulted();
        ushort selector = (ushort)value;
        if (IsNull(selector))
            return Raise(Vector.GP);
        if ((selector & 4) != 0)
            return Raise(Vector.GP, SelectorError(selector));
        if (!TryReadDescriptor(selector, Vector.GP, out Descriptor d, out ulong address))
            return Faulted();
        if (!d.IsSystem || !(d.Type == SystemType.Tss32 || (d.Type == SystemType.Tss16 && !IsLong)))
            return Raise(Vector.GP, SelectorError(selector));
        if (!d.Present)
            return Raise(Vector.NP, SelectorError(selector));
        if (IsLong && !IsCanonicalMsr(d.Base))
            return Raise(Vector.GP, SelectorError(selector));
        if (!TryWriteSystem(address + 5, MemSize.B1, (byte)(d.Low >> 40) | 2UL))
            return Faulted();
        _tr = new SystemSegment { Selector = selector, Base = IsLong ? d.Base : (uint)d.Base, Limit = d.Limit, Rights = d.Rights | 2 };
        return Flow.Next;
    }

    // Questions about descriptors.

    private bool TryPeekDescriptor(ushort selector, out Descriptor descriptor, out bool found)
    {
        descriptor = default;
        found = false;
        if (IsNull(selector))
            return true;
        if (TryReadDescriptor(selector, Vector.GP, out descriptor, out _))
        {
            found = true;
            return true;
        }
        // Outside the table is an answer, a page fault is not.
        return _fault == Vector.GP;
    }

    [X86Instruction(Mnemonic.Lar)]
    internal Flow Lar(in Insn insn)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (!TryRead(insn, insn.Op1, MemSize.B2, out ulong value) || !TryPeekDescriptor((ushort)value, out Descriptor d, out bool found))
            return Faulted();
        bool valid = found && IsVisible(d, (int)value & 3)
            && (!d.IsSystem || (IsLong ? d.Type is 2 or 9 or 11 or 12 : d.Type is 1 or 2 or 3 or 4 or 5 or 9 or 11 or 12));
        if (valid)
            SetGeneral(insn.Op0.Register, insn.Op0.Width, insn.Op0.Width == MemSize.B2 ? d.Low >> 32 & 0xFF00 : d.Low >> 32 & 0x00FF_FF00);
        SetZeroFlag(valid);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Lsl)]
    internal Flow Lsl(in Insn insn)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (!TryRead(insn, insn.Op1, MemSize.B2, out ulong value) || !TryPeekDescriptor((ushort)value, out Descriptor d, out bool found))
            return Faulted();
        bool valid = found && IsVisible(d, (int)value & 3)
            && (!d.IsSystem || (IsLong ? d.Type is 2 or 9 or 11 : d.Type is 1 or 2 or 3 or 9 or 11));
        if (valid)
            SetGeneral(insn.Op0.Register, insn.Op0.Width, d.Limit);
        SetZeroFlag(valid);
        return Flow.Next;
    }

    private bool IsVisible(in Descriptor d, int rpl) => (!d.IsSystem && d.IsCode && d.IsConforming) || (d.Dpl >= _cpl && d.Dpl >= rpl);

    [X86Instruction(Mnemonic.Verr)]
    internal Flow Verr(in Insn insn) => Verify(insn, static d => d.IsReadable);

    [X86Instruction(Mnemonic.Verw)]
    internal Flow Verw(in Insn insn) => Verify(insn, static d => d.IsWritableData);

    private Flow Verify(in Insn insn, Func<Descriptor, bool> allows)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (!TryRead(insn, insn.Op0, MemSize.B2, out ulong value) || !TryPeekDescriptor((ushort)value, out Descriptor d, out bool found))
            return Faulted();
        SetZeroFlag(found && !d.IsSystem && IsVisible(d, (int)value & 3) && allows(d));
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Arpl)]
    internal Flow Arpl(in Insn insn)
    {
        if (!IsProtected || IsV86)
            return Undefined();
        if (!TryRead(insn, insn.Op0, MemSize.B2, out ulong destination))
            return Faulted();
        ulong rpl = State.General[insn.Op1.Register] & 3;
        bool adjusts = (destination & 3) < rpl;
        if (adjusts && !TryWrite(insn, insn.Op0, MemSize.B2, destination & ~3UL | rpl))
            return Faulted();
        SetZeroFlag(adjusts);
        return Flow.Next;
    }
}
