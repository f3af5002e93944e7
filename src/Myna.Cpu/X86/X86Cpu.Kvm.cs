using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Myna.Cpu.X86.Instructions;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Memory;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86;

// The CPU's state in the form that KVM has it, both ways; and what a guest under KVM asks of the CPU.
public sealed partial class X86Cpu
{
    internal Cpuid CpuidTable => _cpuid;

    internal AddressSpace Ports => _ports;

    internal bool IntrLevel => Volatile.Read(ref _intr);

    internal ref int ExitRequestWord => ref Block.Context.ExitRequest;

    internal void WriteKvm(out KvmRegs k)
    {
        ref X86Registers r = ref State;
        k = new KvmRegs
        {
            Rax = r.General[0], Rcx = r.General[1], Rdx = r.General[2], Rbx = r.General[3], Rsp = r.General[4], Rbp = r.General[5], Rsi = r.General[6], Rdi = r.General[7],
            R8 = r.General[8], R9 = r.General[9], R10 = r.General[10], R11 = r.General[11], R12 = r.General[12], R13 = r.General[13], R14 = r.General[14], R15 = r.General[15],
            Rip = Ip, Rflags = RFlags,
        };
    }

    internal void WriteKvm(out KvmSregs k)
    {
        k = new KvmSregs
        {
            Cs = KvmSegmentOf(SegmentRegister.Cs), Ds = KvmSegmentOf(SegmentRegister.Ds), Es = KvmSegmentOf(SegmentRegister.Es),
            Fs = KvmSegmentOf(SegmentRegister.Fs), Gs = KvmSegmentOf(SegmentRegister.Gs), Ss = KvmSegmentOf(SegmentRegister.Ss),
            Tr = KvmSegmentOf(_tr.Selector, _tr.Base, _tr.Limit, _tr.Rights), Ldt = KvmSegmentOf(_ldtr.Selector, _ldtr.Base, _ldtr.Limit, _ldtr.Rights),
            Gdt = new KvmTable { Base = _gdtr.Base, Limit = _gdtr.Limit }, Idt = new KvmTable { Base = _idtr.Base, Limit = _idtr.Limit },
            Cr0 = _cr0, Cr2 = _cr2, Cr3 = _cr3, Cr4 = _cr4, Cr8 = (ulong)(LocalApic?.TaskPriority ?? 0), Efer = _efer, ApicBase = LocalApic?.ApicBase ?? 0,
        };
        // The privilege level is SS's DPL there.
        if (IsProtected && !IsV86)
            k.Ss.Dpl = (byte)_cpl;
        if (_levels == 3)
        {
            k.Flags = KvmSregs.PdptesValid;
            for (int i = 0; i < 4; i++)
                k.Pdptes[i] = _pdptes[i];
        }
    }

    internal void WriteKvm(out KvmVcpuEvents k)
    {
        k = new KvmVcpuEvents { Flags = KvmVcpuEvents.NmiPendingValid | KvmVcpuEvents.ShadowValid, NmiMasked = _nmiBlocked ? (byte)1 : (byte)0 };
        if (_inhibited && _inhibitPc == Block.Context.Pc)
            k.InterruptShadow = _inhibitsDebug ? KvmVcpuEvents.ShadowMovSs : KvmVcpuEvents.ShadowSti;
    }

    internal void WriteKvm(out KvmDebugRegs k)
        => k = new KvmDebugRegs { Db0 = _dr[0], Db1 = _dr[1], Db2 = _dr[2], Db3 = _dr[3], Dr6 = _dr6, Dr7 = _dr7 };

    /// <summary>Bytes of <see cref="WriteKvmXsave"/>.</summary>
    internal const int KvmXsaveSize = XsaveSize;

    /// <summary>An XSAVE area of the standard format with x87, SSE and AVX.</summary>
    internal void WriteKvmXsave(Span<byte> image)
    {
        image[..XsaveSize].Clear();
        PackX87(image, IsLong);
        PackMxcsr(image);
        ReadOnlySpan<byte> vectors = MemoryMarshal.AsBytes((Span<Vector128<byte>>)State.Vector);
        vectors[..256].CopyTo(image[XmmOffset..]);
        vectors[256..].CopyTo(image[AvxOffset..]);
        ulong components = XstateX87 | XstateSse | (Model.Has(CpuFeature.Avx) ? XstateAvx : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(image[LegacySize..], components);
    }

    internal void ReadKvm(in KvmRegs k, in KvmSregs s)
    {
        ref X86Registers r = ref State;
        r.General[0] = k.Rax;
        r.General[1] = k.Rcx;
        r.General[2] = k.Rdx;
        r.General[3] = k.Rbx;
        r.General[4] = k.Rsp;
        r.General[5] = k.Rbp;
        r.General[6] = k.Rsi;
        r.General[7] = k.Rdi;
        r.General[8] = k.R8;
        r.General[9] = k.R9;
        r.General[10] = k.R10;
        r.General[11] = k.R11;
        r.General[12] = k.R12;
        r.General[13] = k.R13;
        r.General[14] = k.R14;
        r.General[15] = k.R15;
        ReadSegment(SegmentRegister.Cs, s.Cs);
        ReadSegment(SegmentRegister.Ds, s.Ds);
        ReadSegment(SegmentRegister.Es, s.Es);
        ReadSegment(SegmentRegister.Fs, s.Fs);
        ReadSegment(SegmentRegister.Gs, s.Gs);
        ReadSegment(SegmentRegister.Ss, s.Ss);
        _tr = SystemSegmentOf(s.Tr);
        _ldtr = SystemSegmentOf(s.Ldt);
        _gdtr = new TableRegister { Base = s.Gdt.Base, Limit = s.Gdt.Limit };
        _idtr = new TableRegister { Base = s.Idt.Base, Limit = s.Idt.Limit };
        _cr0 = s.Cr0;
        _cr2 = s.Cr2;
        _cr3 = s.Cr3;
        _cr4 = s.Cr4;
        _efer = s.Efer;
        _cpl = !IsProtected ? 0 : (k.Rflags & RFlag.VM) != 0 ? 3 : s.Ss.Dpl;
        RFlags = k.Rflags;
        if (_levels == 3)
        {
            if ((s.Flags & KvmSregs.PdptesValid) != 0)
            {
                for (int i = 0; i < 4; i++)
                    _pdptes[i] = s.Pdptes[i];
            }
            else
            {
                TryLoadPdptes(_cr3);
            }
        }
        Block.Context.Pc = ToPc(k.Rip);
        FlushTranslations();
    }

    /// <summary>What keeps interrupts out for now. After the registers.</summary>
    internal void ReadKvmShadow(in KvmVcpuEvents k)
    {
        _nmiBlocked = k.NmiMasked != 0;
        _inhibited = k.InterruptShadow != 0;
        _inhibitsDebug = (k.InterruptShadow & KvmVcpuEvents.ShadowMovSs) != 0;
        _inhibitPc = _inhibited ? Block.Context.Pc : 0;
    }

    /// <summary>After the registers and the shadow.</summary>
    /// <returns>Whether an event on its way was delivered, so that pc is a handler's.</returns>
    internal bool ReadKvm(in KvmVcpuEvents k)
    {
        if (k.NmiPending != 0)
            Nmi();
        if (k.ExceptionInjected != 0 || k.ExceptionPending != 0)
        {
            _faultAddress = _cr2;
            EventKind kind = (Vector)k.ExceptionVector is Vector.BP or Vector.OF ? EventKind.SoftwareException : EventKind.Exception;
            Deliver(k.ExceptionVector, kind, k.ExceptionError, Ip);
            return true;
        }
        if (k.NmiInjected != 0)
        {
            _nmiBlocked = true;
            Deliver((int)Vector.NMI, EventKind.External, 0, Ip);
            return true;
        }
        if (k.InterruptInjected == 0 || k.InterruptSoft != 0)
            return false;
        Deliver(k.InterruptVector, EventKind.External, 0, Ip);
        return true;
    }

    internal void ReadKvm(in KvmDebugRegs k)
    {
        (_dr[0], _dr[1], _dr[2], _dr[3]) = (k.Db0, k.Db1, k.Db2, k.Db3);
        _dr6 = k.Dr6;
        _dr7 = k.Dr7;
        UpdateWatching();
        UpdateFlags();
    }

    // KVM_MP_STATE_* of linux/kvm.h.
    private const uint MpRunnable = 0, MpUninitialized = 1, MpInitReceived = 2, MpHalted = 3;

    internal uint KvmMpState => _waitsForStartup ? MpInitReceived : _halted ? MpHalted : MpRunnable;

    internal void ReadKvmMpState(uint state)
    {
        _waitsForStartup = state is MpUninitialized or MpInitReceived;
        _halted = state == MpHalted;
    }

    internal void ReadKvmXcr0(ulong value) => _xcr0 = value;

    internal void ReadKvmXsave(ReadOnlySpan<byte> image)
    {
        ulong components = BinaryPrimitives.ReadUInt64LittleEndian(image[LegacySize..]);
        if ((components & XstateX87) != 0)
        {
            UnpackX87(image, IsLong);
        }
        else
        {
            X87Initialize();
            ((Span<Vector128<ulong>>)State.X87).Clear();
        }
        Span<byte> vectors = MemoryMarshal.AsBytes((Span<Vector128<byte>>)State.Vector);
        if ((components & XstateSse) != 0)
            image.Slice(XmmOffset, 256).CopyTo(vectors);
        else
            vectors[..256].Clear();
        if ((components & XstateAvx) != 0)
            image.Slice(AvxOffset, 256).CopyTo(vectors[256..]);
        else
            vectors[256..].Clear();
        uint mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]);
        LoadMxcsr((components & (XstateSse | XstateAvx)) == 0 && mxcsr == 0 ? Mxcsr.Reset : mxcsr & Mxcsr.Defined);
    }

    /// <summary>MSRs that both have, in the order in which they are exchanged.</summary>
    internal static readonly uint[] KvmMsrs =
    [
        Msr.Tsc, Msr.TscAux, Msr.Star, Msr.LStar, Msr.CStar, Msr.FMask, Msr.KernelGsBase, Msr.SysenterCs, Msr.SysenterEsp, Msr.SysenterEip,
        // What only rare instructions look at.
        Msr.TscAdjust, Msr.Pat, Msr.MiscEnable, Msr.SpecCtrl, Msr.Xss, Msr.MtrrDefType, Msr.MtrrFix64, Msr.MtrrFix16A, Msr.MtrrFix16B,
        .. Enumerable.Range(0, 8).Select(i => Msr.MtrrFix4First + (uint)i),
        .. Enumerable.Range(0, 16).Select(i => Msr.MtrrPhysical0 + (uint)i),
        .. Enumerable.Range(0, (int)(Msr.KvmLast - Msr.KvmFirst) + 1).Select(i => Msr.KvmFirst + (uint)i),
    ];

    /// <returns>False: the model lacks it.</returns>
    internal bool TryGetKvmMsr(uint msr, out ulong value) => TryReadMsr(msr, out value);

    /// <summary>The machine's clock.</summary>
    internal ulong Now => _clock.Now;

    internal void SetKvmTscOffset(ulong value) => Volatile.Write(ref _tscOffset, value);

    /// <summary>Sets an MSR's value without the checks and effects of a guest's WRMSR.</summary>
    internal void SetKvmMsr(uint msr, ulong value)
    {
        switch (msr)
        {
            case Msr.Tsc: Volatile.Write(ref _tscOffset, value - _clock.Now); break;
            case Msr.TscAux: _tscAux = value; break;
            case Msr.TscAdjust: _tscAdjust = value; break;
            case Msr.Star: _star = value; break;
            case Msr.LStar: _lstar = value; break;
            case Msr.CStar: _cstar = value; break;
            case Msr.FMask: _fmask = value; break;
            case Msr.KernelGsBase: _kernelGsBase = value; break;
            case Msr.SysenterCs: _sysenterCs = value; break;
            case Msr.SysenterEsp: _sysenterEsp = value; break;
            case Msr.SysenterEip: _sysenterEip = value; break;
            case Msr.Pat: _pat = value; break;
            case Msr.MiscEnable: _miscEnable = value; break;
            case Msr.SpecCtrl: _specCtrl = value; break;
            case Msr.Xss: _xss = value; break;
            case Msr.MtrrDefType: _mtrrDefType = value; break;
            case >= Msr.MtrrPhysical0 and <= Msr.MtrrPhysicalLast: _mtrrVariable[msr - Msr.MtrrPhysical0] = value; break;
            case >= Msr.KvmFirst and <= Msr.KvmLast: _paravirtual[msr - Msr.KvmFirst] = value; break;
            default:
                if (FixedMtrr(msr) is var index and >= 0)
                    _mtrrFixed[index] = value;
                break;
        }
    }

    /// <summary>An MSR that the kernel leaves to us.</summary>
    /// <returns>False: #GP.</returns>
    internal bool ReadKvmMsrExit(uint msr, out ulong value)
    {
        if (TryReadMsr(msr, out value))
            return true;
        _log.Guest($"cpu {Index}: RDMSR of unknown MSR 0x{msr:x}");
        return false;
    }

    /// <inheritdoc cref="ReadKvmMsrExit"/>
    internal bool WriteKvmMsrExit(uint msr, ulong value)
    {
        if (TryWriteMsr(msr, value))
            return true;
        _log.Guest($"cpu {Index}: WRMSR of 0x{value:x} to MSR 0x{msr:x} is refused");
        return false;
    }

    internal ulong ReadKvmPort(int port, int size) => ReadPort(port, size);

    internal void WriteKvmPort(int port, int size, ulong value) => WritePort(port, size, value);

    internal ulong ReadKvmMemory(ulong physical, int length)
    {
        if (length is 1 or 2 or 4 or 8)
            return ReadPhysical(physical, length);
        ulong value = 0;
        for (int i = 0; i < length; i++)
            value |= ReadPhysical(physical + (ulong)i, 1) << (8 * i);
        return value;
    }

    internal void WriteKvmMemory(ulong physical, int length, ulong value)
    {
        if (length is 1 or 2 or 4 or 8)
        {
            WritePhysical(physical, length, value);
            return;
        }
        for (int i = 0; i < length; i++)
            WritePhysical(physical + (ulong)i, 1, (byte)(value >> (8 * i)));
    }

    /// <summary>The guest executed HLT; pc is behind it.</summary>
    internal void HaltByKvm()
    {
        _halted = true;
        RequestExit(ExitRequests.Wait);
    }

    internal void ShutDownByKvm() => ShutDown();

    /// <summary>Takes an NMI that waits, for KVM to deliver.</summary>
    internal bool TakeNmi()
    {
        if (Volatile.Read(ref _nmisPending) == 0)
            return false;
        lock (_messages)
            _nmisPending--;
        return true;
    }

    internal void RequestInterruptCheck() => RequestExit(ExitRequests.Interrupt);

    private KvmSegment KvmSegmentOf(SegmentRegister segment)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        return KvmSegmentOf((ushort)r.Selectors[i], r.Bases[i], (uint)r.Limits[i], r.Rights[i]);
    }

    private static KvmSegment KvmSegmentOf(ushort selector, ulong start, uint limit, ulong rights)
    {
        bool unusable = (rights & Right.Unusable) != 0;
        return new KvmSegment
        {
            Selector = selector, Base = start, Limit = limit,
            Type = (byte)(rights & 15), S = (byte)(rights >> 4 & 1), Dpl = (byte)(rights >> 5 & 3), Present = unusable ? (byte)0 : (byte)(rights >> 7 & 1),
            Avl = (byte)(rights >> 12 & 1), L = (byte)(rights >> 13 & 1), Db = (byte)(rights >> 14 & 1), G = (byte)(rights >> 15 & 1), Unusable = unusable ? (byte)1 : (byte)0,
        };
    }

    private static ulong RightsOf(in KvmSegment k)
        => (ulong)(k.Type & 15u) | (ulong)(k.S & 1) << 4 | (ulong)(k.Dpl & 3) << 5 | (ulong)(k.Present & 1) << 7 | (ulong)(k.Avl & 1) << 12 | (ulong)(k.L & 1) << 13
            | (ulong)(k.Db & 1) << 14 | (ulong)(k.G & 1) << 15 | (k.Unusable != 0 ? Right.Unusable : 0);

    private void ReadSegment(SegmentRegister segment, in KvmSegment k)
    {
        ref X86Registers r = ref State;
        int i = (int)segment;
        r.Selectors[i] = k.Selector;
        r.Bases[i] = k.Base;
        r.Limits[i] = k.Limit;
        r.Rights[i] = RightsOf(k);
    }

    private static SystemSegment SystemSegmentOf(in KvmSegment k) => new() { Selector = k.Selector, Base = k.Base, Limit = k.Limit, Rights = RightsOf(k) };
}
