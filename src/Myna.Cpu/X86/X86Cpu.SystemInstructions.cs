using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>System calls, counters, CPUID, waiting, bases of FS and GS, XCR0 (Intel SDM volume 2).</summary>
public sealed partial class X86Cpu
{
    [X86Instruction(Mnemonic.Hlt)]
    internal Flow Hlt(in Insn insn)
    {
        if (!IsPrivileged)
            return Raise(Vector.GP);
        _halted = true;
        RequestExit(ExitRequests.Wait);
        return Flow.Resync;
    }

    [X86Instruction(Mnemonic.Cpuid)]
    internal Flow Cpuid_(in Insn insn)
    {
        ref X86Registers r = ref State;
        Cpuid.Leaf leaf = ReadCpuid((uint)r.General[0], (uint)r.General[1]);
        r.General[0] = leaf.Eax;
        r.General[3] = leaf.Ebx;
        r.General[1] = leaf.Ecx;
        r.General[2] = leaf.Edx;
        return Flow.Next;
    }

    private Cpuid.Leaf ReadCpuid(uint number, uint subleaf)
    {
        Cpuid.Leaf leaf = _cpuid.Read(number, subleaf);
        switch (number)
        {
            case 1:
                if ((_cr4 & Cr4.OSXSAVE) != 0)
                    leaf.Ecx |= 1 << 27;
                // The APIC bit follows IA32_APIC_BASE.
                if (LocalApic is not { } apic || (apic.ApicBase & 1 << 11) == 0)
                    leaf.Edx &= ~(1u << 9);
                break;
            case 7 when subleaf == 0:
                if ((_cr4 & Cr4.PKE) != 0)
                    leaf.Ecx |= 1 << 4;
                break;
            case 0xD when subleaf == 0 && Model.Has(CpuFeature.Xsave):
                leaf.Ebx = Cpuid.XsaveSize(_xcr0);
                break;
            case 0xD when subleaf == 1 && Model.Has(CpuFeature.Xsavec):
                leaf.Ebx = Cpuid.CompactedSize(_xcr0 | _xss);
                break;
        }
        return leaf;
    }

    // Time stamp counter.

    /// <summary>The time stamp counter: 1 GHz.</summary>
    public ulong TimeStamp => _clock.Now + _tscOffset;

    private void SetDxAx(ulong value)
    {
        State.General[0] = (uint)value;
        State.General[2] = value >> 32;
    }

    [X86Instruction(Mnemonic.Rdtsc)]
    internal Flow Rdtsc(in Insn insn)
    {
        if ((_cr4 & Cr4.TSD) != 0 && _cpl != 0)
            return Raise(Vector.GP);
        SetDxAx(TimeStamp);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Rdtscp)]
    internal Flow Rdtscp(in Insn insn)
    {
        if (!Model.Has(CpuFeature.Rdtscp))
            return Undefined();
        if ((_cr4 & Cr4.TSD) != 0 && _cpl != 0)
            return Raise(Vector.GP);
        SetDxAx(TimeStamp);
        State.General[1] = (uint)_tscAux;
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Rdpid)]
    internal Flow Rdpid(in Insn insn)
    {
        if (!Model.Has(CpuFeature.Rdpid))
            return Undefined();
        SetGeneral(insn.Op0.Register, Is64 ? MemSize.B8 : MemSize.B4, (uint)_tscAux);
        return Flow.Next;
    }

    // There are no performance counters.
    [X86Instruction(Mnemonic.Rdpmc)]
    internal Flow Rdpmc(in Insn insn) => Raise(Vector.GP);

    // MONITOR is not announced.
    [X86Instruction(Mnemonic.Monitor, Mnemonic.Mwait)]
    internal Flow Monitor(in Insn insn) => Undefined();

    // System calls.

    private void SetFlatSegment(SegmentRegister segment, ulong selector, int dpl, bool is64, bool code)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        r.Selectors[i] = (ushort)selector;
        r.Bases[i] = 0;
        r.Limits[i] = uint.MaxValue;
        r.Rights[i] = Right.Present | Right.CodeOrData | Right.Granular | (ulong)dpl << Right.DplShift | (code ? 0xBUL : 3) | (code && is64 ? Right.Long : Right.Big);
    }

    /// <summary>
    /// SYSCALL. DEVIATION: it executes outside 64-bit mode too, as AMD's processors have it (APM volume 3); Intel's raise #UD there.
    /// </summary>
    [X86Instruction(Mnemonic.Syscall)]
    internal Flow Syscall(in Insn insn)
    {
        if ((_efer & Efer.SCE) == 0 || !IsProtected || IsV86)
            return Undefined();
        ref X86Registers r = ref State;
        ulong flags = RFlags & ~RFlag.RF;
        ulong next = NextIp(insn), target;
        if (_user is not null)
            return Is64 ? SystemCall(next, flags) : Undefined();
        if (IsLong)
        {
            target = Is64 ? _lstar : _cstar;
            r.General[1] = next;
            r.General[11] = flags;
            flags &= ~_fmask;
        }
        else
        {
            target = (uint)_star;
            r.General[1] = (uint)next;
            flags &= ~(RFlag.IF | RFlag.VM);
        }
        SetArithmeticFlags(flags);
        r.OtherFlags = flags & RFlag.Defined & ~RFlag.Arithmetic | RFlag.Reserved1;
        if ((flags & RFlag.TF) == 0)
            _steppedTrap = false;
        _cpl = 0;
        SetFlatSegment(SegmentRegister.Cs, _star >> 32 & 0xFFFC, 0, is64: IsLong, code: true);
        SetFlatSegment(SegmentRegister.Ss, (_star >> 32 & 0xFFFC) + 8, 0, is64: IsLong, code: false);
        Block.Context.Pc = target;
        UpdateFlags();
        return Flow.Return;
    }

    /// <summary>SYSRET; like <see cref="Syscall"/> in legacy mode too.</summary>
    [X86Instruction(Mnemonic.Sysret, Mnemonic.Sysretq)]
    internal Flow Sysret(in Insn insn)
    {
        if ((_efer & Efer.SCE) == 0 || !IsProtected || IsV86)
            return Undefined();
        if (_cpl != 0)
            return Raise(Vector.GP);
        ref X86Registers r = ref State;
        bool to64 = insn.Mnemonic == Mnemonic.Sysretq;
        ulong target = to64 ? r.General[1] : (uint)r.General[1];
        if (!IsCanonical(target))
            return Raise(Vector.GP);
        // Legacy mode saved no flags: IF is set again.
        ulong flags = IsLong ? r.General[11] & 0x3C_7FD7 | RFlag.Reserved1 : RFlags | RFlag.IF;
        if ((_dr7 & 0xFF) == 0)
            flags &= ~RFlag.RF;
        SetArithmeticFlags(flags);
        r.OtherFlags = flags & RFlag.Defined & ~(RFlag.Arithmetic | RFlag.VM) | RFlag.Reserved1;
        _cpl = 3;
        SetFlatSegment(SegmentRegister.Cs, ((_star >> 48) + (to64 ? 16u : 0)) | 3, 3, to64, code: true);
        SetFlatSegment(SegmentRegister.Ss, ((_star >> 48) + 8) | 3, 3, to64, code: false);
        Block.Context.Pc = target;
        if ((flags & RFlag.TF) != 0)
        {
            // As if the SYSCALL had just been stepped over: the trap comes before the first instruction.
            _debugPending |= Debug.BS;
            RequestExit(ExitRequests.Slow);
        }
        return Transferred();
    }

    [X86Instruction(Mnemonic.Sysenter)]
    internal Flow Sysenter(in Insn insn)
    {
        if (_user is not null)
            return Is64 ? Raise(Vector.GP) : SystemCall(SysenterTrap, NextIp(insn));
        if (!IsProtected || (_sysenterCs & 0xFFFC) == 0)
            return Raise(Vector.GP);
        ref X86Registers r = ref State;
        r.OtherFlags &= ~(RFlag.VM | RFlag.IF | RFlag.RF);
        bool to64 = IsLong;
        _cpl = 0;
        SetFlatSegment(SegmentRegister.Cs, _sysenterCs & 0xFFFC, 0, to64, code: true);
        SetFlatSegment(SegmentRegister.Ss, (_sysenterCs & 0xFFFC) + 8, 0, to64, code: false);
        r.General[4] = to64 ? _sysenterEsp : (uint)_sysenterEsp;
        Block.Context.Pc = to64 ? _sysenterEip : (uint)_sysenterEip;
        UpdateFlags();
        return Flow.Return;
    }

    [X86Instruction(Mnemonic.Sysexit, Mnemonic.Sysexitq)]
    internal Flow Sysexit(in Insn insn)
    {
        if (!IsProtected || _cpl != 0 || (_sysenterCs & 0xFFFC) == 0)
            return Raise(Vector.GP);
        ref X86Registers r = ref State;
        bool to64 = insn.Mnemonic == Mnemonic.Sysexitq;
        ulong ip = r.General[2], pointer = r.General[1];
        if (to64 && (!IsCanonical(ip) || !IsCanonical(pointer)))
            return Raise(Vector.GP);
        ulong selector = (_sysenterCs & 0xFFFC) + (to64 ? 32u : 16);
        _cpl = 3;
        SetFlatSegment(SegmentRegister.Cs, selector | 3, 3, to64, code: true);
        SetFlatSegment(SegmentRegister.Ss, (selector + 8) | 3, 3, to64, code: false);
        r.General[4] = to64 ? pointer : (uint)pointer;
        Block.Context.Pc = to64 ? ip : (uint)ip;
        return Transferred();
    }

    // Bases.

    [X86Instruction(Mnemonic.Swapgs)]
    internal Flow Swapgs(in Insn insn)
    {
        if (!Is64)
            return Undefined();
        if (_cpl != 0)
            return Raise(Vector.GP);
        ref ulong gs = ref State.Bases[(int)SegmentRegister.Gs];
        (gs, _kernelGsBase) = (_kernelGsBase, gs);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Rdfsbase, Mnemonic.Rdgsbase)]
    internal Flow ReadBase(in Insn insn)
    {
        if (!Is64 || (_cr4 & Cr4.FSGSBASE) == 0)
            return Undefined();
        SetGeneral(insn.Op0.Register, insn.Op0.Width, State.Bases[(int)(insn.Mnemonic == Mnemonic.Rdfsbase ? SegmentRegister.Fs : SegmentRegister.Gs)]);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Wrfsbase, Mnemonic.Wrgsbase)]
    internal Flow WriteBase(in Insn insn)
    {
        if (!Is64 || (_cr4 & Cr4.FSGSBASE) == 0)
            return Undefined();
        ulong value = State.General[insn.Op0.Register] & Mask(insn.Op0.Width);
        if (!IsCanonical(value))
            return Raise(Vector.GP);
        State.Bases[(int)(insn.Mnemonic == Mnemonic.Wrfsbase ? SegmentRegister.Fs : SegmentRegister.Gs)] = value;
        return Flow.Next;
    }

    // Extended state and protection keys.

    /// <summary>XCR0: the state components that XSAVE and AVX may use.</summary>
    internal ulong Xcr0 => _xcr0;

    /// <summary>IA32_XSS: supervisor state components of XSAVES.</summary>
    internal ulong Xss => _xss;

    /// <summary>CR4, for what depends on single bits of it.</summary>
    internal ulong ControlRegister4 => _cr4;

    /// <summary>CR0, likewise.</summary>
    internal ulong ControlRegister0 => _cr0;

    /// <summary>PKRU, state component 9.</summary>
    internal uint Pkru
    {
        get => _pkru;
        set
        {
            if (value == _pkru)
                return;
            _pkru = value;
            Block.Tlb.Flush();
            Generation++;
        }
    }

    [X86Instruction(Mnemonic.Xgetbv)]
    internal Flow Xgetbv(in Insn insn)
    {
        if ((_cr4 & Cr4.OSXSAVE) == 0)
            return Undefined();
        uint index = (uint)State.General[1];
        if (index > (Model.Has(CpuFeature.Xgetbv1) ? 1u : 0))
            return Raise(Vector.GP);
        // 1: those of XCR0's components that are in use, as XSAVE sees them.
        SetDxAx(index == 0 ? _xcr0 : XstateInUse() & _xcr0);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Xsetbv)]
    internal Flow Xsetbv(in Insn insn)
    {
        if ((_cr4 & Cr4.OSXSAVE) == 0)
            return Undefined();
        ulong value = State.General[2] << 32 | (uint)State.General[0];
        if (!IsPrivileged || (uint)State.General[1] != 0 || (value & 1) == 0 || (value & ~Cpuid.SupportedXcr0(Model)) != 0 || (value & 6) == 4)
            return Raise(Vector.GP);
        _xcr0 = value;
        return Resync();
    }

    [X86Instruction(Mnemonic.Rdpkru)]
    internal Flow Rdpkru(in Insn insn)
    {
        if ((_cr4 & Cr4.PKE) == 0)
            return Undefined();
        if ((uint)State.General[1] != 0)
            return Raise(Vector.GP);
        SetDxAx(_pkru);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Wrpkru)]
    internal Flow Wrpkru(in Insn insn)
    {
        if ((_cr4 & Cr4.PKE) == 0)
            return Undefined();
        if ((uint)State.General[1] != 0 || (uint)State.General[2] != 0)
            return Raise(Vector.GP);
        Pkru = (uint)State.General[0];
        return Flow.Resync;
    }
}
