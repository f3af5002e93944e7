using Iced.Intel;
using Myna.Cpu.X86.Instructions;

namespace Myna.Cpu.X86;

/// <summary>Model-specific registers (Intel SDM volume 4, table 2-2; AMD APM volume 2, appendix A). Those that are not here raise #GP.</summary>
public sealed partial class X86Cpu
{
    [X86Instruction(Mnemonic.Rdmsr)]
    internal Flow Rdmsr(in Insn insn)
    {
        uint msr = (uint)State.General[1];
        if (!IsPrivileged)
            return Raise(Vector.GP);
        if (!TryReadMsr(msr, out ulong value))
        {
            _log.Guest($"cpu {Index}: RDMSR of unknown MSR 0x{msr:x} at 0x{Block.Context.Pc:x}");
            return Raise(Vector.GP);
        }
        SetDxAx(value);
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Wrmsr)]
    internal Flow Wrmsr(in Insn insn)
    {
        uint msr = (uint)State.General[1];
        ulong value = State.General[2] << 32 | (uint)State.General[0];
        if (!IsPrivileged)
            return Raise(Vector.GP);
        if (!TryWriteMsr(msr, value))
        {
            _log.Guest($"cpu {Index}: WRMSR of 0x{value:x} to MSR 0x{msr:x} at 0x{Block.Context.Pc:x} is refused");
            return Raise(Vector.GP);
        }
        // An interrupt controller's register may have made an interrupt deliverable, EFER a mode.
        return msr is Msr.FsBase or Msr.GsBase or Msr.KernelGsBase ? Flow.Next : Resync();
    }

    /// <summary>
    /// IA32_ARCH_CAPABILITIES: nothing here speculates, so that guests need no mitigations, which would cost them dearly (page table isolation, retpolines).
    /// RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
    /// </summary>
    private const ulong ImmuneCapabilities = 1 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 20 | 1 << 24 | 1 << 26 | 1 << 27 | 1UL << 62;

    /// <returns>False: #GP.</returns>
    private bool TryReadMsr(uint msr, out ulong value)
    {
        ref X86Registers r = ref State;
        ulong? found = msr switch
        {
            Msr.Tsc => TimeStamp,
            Msr.TscAdjust when Model.Has(CpuFeature.TscAdjust) => _tscAdjust,
            Msr.TscAux when Model.Has(CpuFeature.Rdtscp) || Model.Has(CpuFeature.Rdpid) => _tscAux,
            Msr.Efer => _efer,
            Msr.Star => _star,
            Msr.LStar => _lstar,
            Msr.CStar => _cstar,
            Msr.FMask => _fmask,
            Msr.FsBase => r.Bases[(int)SegmentRegister.Fs],
            Msr.GsBase => r.Bases[(int)SegmentRegister.Gs],
            Msr.KernelGsBase => _kernelGsBase,
            Msr.SysenterCs => _sysenterCs,
            Msr.SysenterEsp => _sysenterEsp,
            Msr.SysenterEip => _sysenterEip,
            Msr.Pat => _pat,
            // Eight variable ranges, fixed ranges, write combining.
            Msr.MtrrCap => 8 | 1 << 8 | 1 << 10,
            Msr.MtrrDefType => _mtrrDefType,
            >= Msr.MtrrPhysical0 and <= Msr.MtrrPhysicalLast => _mtrrVariable[msr - Msr.MtrrPhysical0],
            Msr.MiscEnable => _miscEnable,
            Msr.DebugControl => _debugControl,
            Msr.McgCap => 0,
            Msr.SpecCtrl when Model.Has(CpuFeature.SpecCtrl) => _specCtrl,
            Msr.ArchCapabilities when Model.Has(CpuFeature.ArchCapabilities) => ImmuneCapabilities,
            Msr.McgStatus => _mcgStatus,
            Msr.Xss when Model.Has(CpuFeature.Xsaves) => _xss,
            // Locked, no VMX.
            Msr.FeatureControl => 1,
            // Microcode: a revision that no errata list complains of.
            Msr.BiosSignature => 1UL << 32,
            Msr.SmBase => _smBase,
            Msr.PlatformId or Msr.SmiCount or Msr.PerfStatus or Msr.PerfControl or Msr.ThermStatus or Msr.EnergyBias or Msr.MiscFeatures
                or Msr.LastBranchFrom or Msr.LastBranchTo or Msr.LastIntFrom or Msr.LastIntTo => 0,
            // Ratio 10 times 100 MHz.
            Msr.PlatformInfo => 10 << 8,
            Msr.ApicBase when LocalApic is { } apic => apic.ApicBase,
            >= Msr.KvmFirst and <= Msr.KvmLast when HasParavirtual => _paravirtual[msr - Msr.KvmFirst],
            _ => null,
        };
        if (found is { } known)
        {
            value = known;
            return true;
        }
        if (FixedMtrr(msr) is var index and >= 0)
        {
            value = _mtrrFixed[index];
            return true;
        }
        value = 0;
        return msr is Msr.TscDeadline or (>= Msr.X2ApicFirst and <= Msr.X2ApicLast) && LocalApic is { } controller && controller.TryReadMsr(msr, out value);
    }

    private static int FixedMtrr(uint msr) => msr switch
    {
        Msr.MtrrFix64 => 0,
        Msr.MtrrFix16A or Msr.MtrrFix16B => (int)(msr - Msr.MtrrFix16A) + 1,
        >= Msr.MtrrFix4First and <= Msr.MtrrFix4Last => (int)(msr - Msr.MtrrFix4First) + 3,
        _ => -1,
    };

    // Memory types: UC, WC, WT, WP, WB, and UC- in the PAT (volume 3, section 13.12.2).
    private static bool AreMemoryTypes(ulong value, bool pat)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((value >> (8 * i) & 0xFF) is not (0 or 1 or 4 or 5 or 6) && !(pat && (value >> (8 * i) & 0xFF) == 7))
                return false;
        }
        return true;
    }

    /// <returns>False: #GP.</returns>
    private bool TryWriteMsr(uint msr, ulong value)
    {
        ref X86Registers r = ref State;
        switch (msr)
        {
            case Msr.Tsc:
                ulong delta = value - TimeStamp;
                _tscAdjust += delta;
                Volatile.Write(ref _tscOffset, _tscOffset + delta);
                LocalApic?.TscOffsetChanged();
                return true;
            case Msr.TscAdjust when Model.Has(CpuFeature.TscAdjust):
                Volatile.Write(ref _tscOffset, _tscOffset + (value - _tscAdjust));
                _tscAdjust = value;
                LocalApic?.TscOffsetChanged();
                return true;
            case Msr.TscAux when Model.Has(CpuFeature.Rdtscp) || Model.Has(CpuFeature.Rdpid):
                return value >> 32 == 0 && Set(ref _tscAux, value);
            case Msr.Efer:
                return TryWriteEfer(value);
            case Msr.Star:
                return Set(ref _star, value);
            case Msr.LStar:
                return IsCanonicalMsr(value) && Set(ref _lstar, value);
            case Msr.CStar:
                return IsCanonicalMsr(value) && Set(ref _cstar, value);
            case Msr.FMask:
                return value >> 32 == 0 && Set(ref _fmask, value);
            case Msr.FsBase:
                return IsCanonicalMsr(value) && Set(ref r.Bases[(int)SegmentRegister.Fs], value);
            case Msr.GsBase:
                return IsCanonicalMsr(value) && Set(ref r.Bases[(int)SegmentRegister.Gs], value);
            case Msr.KernelGsBase:
                return IsCanonicalMsr(value) && Set(ref _kernelGsBase, value);
            case Msr.SysenterCs:
                return Set(ref _sysenterCs, (uint)value);
            case Msr.SysenterEsp:
                return IsCanonicalMsr(value) && Set(ref _sysenterEsp, value);
            case Msr.SysenterEip:
                return IsCanonicalMsr(value) && Set(ref _sysenterEip, value);
            case Msr.Pat:
                return AreMemoryTypes(value, pat: true) && Set(ref _pat, value);
            case Msr.MtrrDefType:
                return (value & ~0xCFFUL) == 0 && (value & 0xFF) is 0 or 1 or 4 or 5 or 6 && Set(ref _mtrrDefType, value);
            case >= Msr.MtrrPhysical0 and <= Msr.MtrrPhysicalLast:
                return (value & ~PhysicalMask) == 0 && Set(ref _mtrrVariable[msr - Msr.MtrrPhysical0], value);
            case Msr.MiscEnable:
                return Set(ref _miscEnable, value);
            case Msr.DebugControl:
                // LBR and BTF are stored; there are no branch records.
                return (value & ~0xDFC3UL) == 0 && Set(ref _debugControl, value & 3);
            case Msr.SpecCtrl when Model.Has(CpuFeature.SpecCtrl):
                // IBRS, STIBP, SSBD, BHI_DIS_S.
                return (value & ~0x407UL) == 0 && Set(ref _specCtrl, value);
            case Msr.PredCmd when Model.Has(CpuFeature.SpecCtrl):
                return (value & ~1UL) == 0;
            case Msr.McgStatus:
                return value == 0 && Set(ref _mcgStatus, value);
            case Msr.Xss when Model.Has(CpuFeature.Xsaves):
                return value == 0 && Set(ref _xss, value);
            // A microcode update changes nothing.
            case Msr.BiosUpdate or Msr.BiosSignature or Msr.PerfControl or Msr.EnergyBias or Msr.MiscFeatures:
                return true;
            case >= Msr.KvmFirst and <= Msr.KvmLast when HasParavirtual:
                return WriteParavirtualMsr(msr, value);
            case Msr.ApicBase when LocalApic is { } apic:
                if (!apic.TrySetApicBase(value))
                    return false;
                FlushTranslations();
                return true;
        }
        if (FixedMtrr(msr) is var index and >= 0)
            return AreMemoryTypes(value, pat: false) && Set(ref _mtrrFixed[index], value);
        return msr is Msr.TscDeadline or (>= Msr.X2ApicFirst and <= Msr.X2ApicLast) && LocalApic is { } controller && controller.TryWriteMsr(msr, value);
    }

    private static bool Set(ref ulong register, ulong value)
    {
        register = value;
        return true;
    }

    // MSRs, bases of tables and INVPCID take what is canonical for the widest addresses the processor has.
    private bool IsCanonicalMsr(ulong value) => IsCanonical(value, Model.Has(CpuFeature.La57));

    private bool TryWriteEfer(ulong value)
    {
        ulong writable = Efer.SCE | Efer.LME | (Model.Has(CpuFeature.Nx) ? Efer.NXE : 0);
        if ((value & ~(writable | Efer.LMA)) != 0)
            return false;
        if (((value ^ _efer) & Efer.LME) != 0 && (_cr0 & Cr0.PG) != 0)
            return false;
        ulong changed = _efer ^ value;
        _efer = value & writable | _efer & Efer.LMA;
        if ((changed & Efer.NXE) != 0)
            FlushTranslations();
        return true;
    }
}
