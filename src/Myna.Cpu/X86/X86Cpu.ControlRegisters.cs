using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Control and debug registers (Intel SDM volume 3, sections 2.5 and 18.2), and the instructions that change translation.</summary>
public sealed partial class X86Cpu
{
    /// <summary>MOV to and from a control register.</summary>
    [X86Form(Code.Mov_r32_cr, Code.Mov_r64_cr, Code.Mov_cr_r32, Code.Mov_cr_r64)]
    internal Flow MovControl(in Insn insn)
    {
        bool writes = insn.Op0.Kind == OperandKind.Control;
        int number = writes ? insn.Op0.Register : insn.Op1.Register;
        if (number is not (0 or 2 or 3 or 4 or 8))
            return Undefined();
        if (!IsPrivileged)
            return Raise(Vector.GP);
        MemSize size = Is64 ? MemSize.B8 : MemSize.B4;
        if (!writes)
        {
            ulong value = number switch { 0 => _cr0, 2 => _cr2, 3 => _cr3, 4 => _cr4, _ => (ulong)(LocalApic?.TaskPriority ?? 0) };
            SetGeneral(insn.Op0.Register, size, value);
            return Flow.Next;
        }
        ulong source = State.General[insn.Op1.Register] & Mask(size);
        switch (number)
        {
            case 0:
                if (!TrySetCr0(source))
                    return Faulted();
                break;
            case 2:
                _cr2 = source;
                return Flow.Next;
            case 3:
                if (!TrySetCr3(source))
                    return Faulted();
                break;
            case 4:
                if (!TrySetCr4(source))
                    return Faulted();
                break;
            default:
                if (source > 15)
                    return Raise(Vector.GP);
                if (LocalApic is { } apic)
                    apic.TaskPriority = (int)source;
                break;
        }
        return Resync();
    }

    private bool TrySetCr0(ulong value)
    {
        // Reserved bits among the lower 32 are ignored, above they fault (MOV - Move to/from Control Registers).
        if (value >> 32 != 0 || (value & (Cr0.PG | Cr0.PE)) == Cr0.PG || (value & (Cr0.NW | Cr0.CD)) == Cr0.NW)
            return Fault(Vector.GP);
        value = value & Cr0.Writable | Cr0.ET;
        ulong changed = _cr0 ^ value;
        ulong efer = _efer;
        if ((changed & Cr0.PG) != 0)
        {
            if ((value & Cr0.PG) != 0)
            {
                if ((_efer & Efer.LME) != 0)
                {
                    if ((_cr4 & Cr4.PAE) == 0 || (State.Rights[(int)SegmentRegister.Cs] & Right.Long) != 0)
                        return Fault(Vector.GP);
                    efer |= Efer.LMA;
                }
            }
            else
            {
                if (Is64 || (_cr4 & Cr4.PCIDE) != 0)
                    return Fault(Vector.GP);
                efer &= ~Efer.LMA;
            }
        }
        bool pae = (value & Cr0.PG) != 0 && (_cr4 & Cr4.PAE) != 0 && (efer & Efer.LMA) == 0;
        if (pae && (changed & (Cr0.PG | Cr0.CD | Cr0.NW)) != 0 && !TryLoadPdptes(_cr3))
            return Fault(Vector.GP);
        _cr0 = value;
        _efer = efer;
        if ((changed & Cr0.PE) != 0)
            _cpl = 0;
        if ((changed & (Cr0.PG | Cr0.WP | Cr0.PE)) != 0)
            FlushTranslations();
        return true;
    }

    private bool TrySetCr3(ulong value)
    {
        bool keeps = false;
        if (IsLong)
        {
            if ((_cr4 & Cr4.PCIDE) != 0)
            {
                keeps = value >> 63 != 0;
                value &= ~(1UL << 63);
            }
            if ((value & ~PhysicalMask) != 0)
                return Fault(Vector.GP);
        }
        else if (_levels == 3 && !TryLoadPdptes(value))
        {
            return Fault(Vector.GP);
        }
        // Bit 63 allows to keep what belongs to the new PCID; the soft-TLB holds one address space only.
        if (keeps && value == _cr3)
            return true;
        _cr3 = value;
        FlushTranslations();
        return true;
    }

    private ulong Cr4Supported
    {
        get
        {
            ulong bits = Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE | Cr4.OSFXSR | Cr4.OSXMMEXCPT;
            bits |= Has(CpuFeature.Vme, Cr4.VME | Cr4.PVI) | Has(CpuFeature.Umip, Cr4.UMIP) | Has(CpuFeature.La57, Cr4.LA57) | Has(CpuFeature.FsGsBase, Cr4.FSGSBASE)
                | Has(CpuFeature.Pcid, Cr4.PCIDE) | Has(CpuFeature.Xsave, Cr4.OSXSAVE) | Has(CpuFeature.Smep, Cr4.SMEP) | Has(CpuFeature.Smap, Cr4.SMAP) | Has(CpuFeature.Pku, Cr4.PKE);
            return bits;
        }
    }

    private ulong Has(CpuFeature feature, ulong bits) => Model.Has(feature) ? bits : 0;

    private bool TrySetCr4(ulong value)
    {
        ulong changed = _cr4 ^ value;
        if ((value & ~Cr4Supported) != 0)
            return Fault(Vector.GP);
        if (IsLong && ((value & Cr4.PAE) == 0 || (changed & Cr4.LA57) != 0))
            return Fault(Vector.GP);
        if ((changed & value & Cr4.PCIDE) != 0 && (!IsLong || (_cr3 & 0xFFF) != 0))
            return Fault(Vector.GP);
        bool pae = (_cr0 & Cr0.PG) != 0 && (value & Cr4.PAE) != 0 && !IsLong;
        if (pae && (changed & (Cr4.PGE | Cr4.PSE | Cr4.PAE | Cr4.SMEP)) != 0 && !TryLoadPdptes(_cr3))
            return Fault(Vector.GP);
        _cr4 = value;
        if ((changed & (Cr4.PGE | Cr4.PSE | Cr4.PAE | Cr4.PCIDE | Cr4.SMEP | Cr4.SMAP | Cr4.PKE | Cr4.LA57)) != 0)
            FlushTranslations();
        return true;
    }

    [X86Instruction(Mnemonic.Clts)]
    internal Flow Clts(in Insn insn)
    {
        if (!IsPrivileged)
            return Raise(Vector.GP);
        if ((_cr0 & Cr0.TS) == 0)
            return Flow.Next;
        _cr0 &= ~Cr0.TS;
        return Resync();
    }

    [X86Instruction(Mnemonic.Smsw)]
    internal Flow Smsw(in Insn insn)
    {
        if (UmipForbids)
            return Raise(Vector.GP);
        MemSize size = insn.Op0.Kind == OperandKind.Memory ? MemSize.B2 : insn.Op0.Width;
        return TryWrite(insn, insn.Op0, size, _cr0) ? Flow.Next : Faulted();
    }

    [X86Instruction(Mnemonic.Lmsw)]
    internal Flow Lmsw(in Insn insn)
    {
        if (!IsPrivileged)
            return Raise(Vector.GP);
        if (!TryRead(insn, insn.Op0, MemSize.B2, out ulong value))
            return Faulted();
        // PE can be set but not cleared.
        const ulong Low = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS;
        return TrySetCr0(_cr0 & ~(Low & ~Cr0.PE) | value & Low) ? Resync() : Faulted();
    }

    [X86Instruction(Mnemonic.Invlpg)]
    internal Flow Invlpg(in Insn insn)
    {
        if (!IsPrivileged)
            return Raise(Vector.GP);
        TryCheckSegment(insn.Segment, EffectiveOffset(insn), 0, write: false, out ulong linear);
        if (_levels < 4 || IsCanonical(linear))
            Block.Tlb.FlushPage(linear);
        Generation++;
        return Flow.Resync;
    }

    [X86Instruction(Mnemonic.Invpcid)]
    internal Flow Invpcid(in Insn insn)
    {
        if (!Model.Has(CpuFeature.Invpcid) || IsV86)
            return Undefined();
        if (!IsPrivileged)
            return Raise(Vector.GP);
        ulong type = State.General[insn.Op0.Register] & Mask(Is64 ? MemSize.B8 : MemSize.B4);
        if (!TryLoadMemory(insn, 0, MemSize.B8, out ulong pcid) || !TryLoadMemory(insn, 8, MemSize.B8, out ulong address))
            return Faulted();
        if (type > 3 || (pcid & ~0xFFFUL) != 0 || ((_cr4 & Cr4.PCIDE) == 0 && type < 2 && pcid != 0) || (type == 0 && IsLong && !IsCanonicalMsr(address)))
            return Raise(Vector.GP);
        // Only the present PCID's translations are kept.
        if (type == 0 && pcid == (_cr3 & 0xFFF))
            Block.Tlb.FlushPage(address);
        else if (type >= 2 || pcid == (_cr3 & 0xFFF))
            Block.Tlb.Flush();
        Generation++;
        return Flow.Resync;
    }

    [X86Instruction(Mnemonic.Invd, Mnemonic.Wbinvd, Mnemonic.Wbnoinvd)]
    internal Flow InvalidateCaches(in Insn insn) => IsPrivileged ? Flow.Next : Raise(Vector.GP);

    [X86Instruction(Mnemonic.Clflush, Mnemonic.Clflushopt, Mnemonic.Clwb)]
    internal Flow FlushCacheLine(in Insn insn)
    {
        // Caches are coherent; only the checks of a byte load remain.
        ulong offset = EffectiveOffset(insn);
        return TryCheckSegment(insn.Segment, offset, 1, write: false, out ulong linear) && TryLoadByteRights(linear) ? Flow.Next : Faulted();
    }

    private bool TryLoadByteRights(ulong linear) => TryProbe(linear, 1, DataMode, Jit.Memory.PageRights.Read);

    /// <summary>MOV to and from a test register: gone since the 486.</summary>
    [X86Form(Code.Mov_r32_tr, Code.Mov_tr_r32)]
    internal Flow MovTest(in Insn insn) => Undefined();

    /// <summary>MOV to and from a debug register.</summary>
    [X86Form(Code.Mov_r32_dr, Code.Mov_r64_dr, Code.Mov_dr_r32, Code.Mov_dr_r64)]
    internal Flow MovDebug(in Insn insn)
    {
        bool writes = insn.Op0.Kind == OperandKind.Debug;
        int number = writes ? insn.Op0.Register : insn.Op1.Register;
        if (number > 7)
            return Undefined();
        if (number is 4 or 5)
        {
            if ((_cr4 & Cr4.DE) != 0)
                return Undefined();
            number += 2;
        }
        if (!IsPrivileged)
            return Raise(Vector.GP);
        if ((_dr7 & Debug.GD) != 0)
        {
            _dr6 |= Debug.BD;
            return Raise(Vector.DB);
        }
        MemSize size = Is64 ? MemSize.B8 : MemSize.B4;
        if (!writes)
        {
            SetGeneral(insn.Op0.Register, size, number switch { < 4 => _dr[number], 6 => _dr6, _ => _dr7 });
            return Flow.Next;
        }
        ulong value = State.General[insn.Op1.Register] & Mask(size);
        if (number >= 6 && value >> 32 != 0)
            return Raise(Vector.GP);
        switch (number)
        {
            case < 4:
                _dr[number] = value;
                break;
            case 6:
                // Bits 0 to 3 and 13 to 15; the others are fixed.
                _dr6 = value & 0xE00F | Debug.Dr6Reset;
                break;
            default:
                _dr7 = value & 0xFFFF_2FFF | Debug.Dr7Reset;
                break;
        }
        UpdateWatching();
        FlushTranslations();
        return Resync();
    }
}
