using System.Runtime.InteropServices;
using Myna.Host.Kvm;

namespace Myna.Cpu.X86.Kvm;

// The state's way into the kernel and back.
public sealed partial class KvmX86Engine
{
    private readonly uint[] _msrs = new uint[X86Cpu.KvmMsrs.Length];
    // What the kernel has in them.
    private readonly ulong[] _msrValues = new ulong[X86Cpu.KvmMsrs.Length];
    private readonly KvmMsr[] _msrBuffer = new KvmMsr[X86Cpu.KvmMsrs.Length];
    private int _msrCount;
    private ulong _xcr0;

    private void Configure()
    {
        _configured = true;
        _vcpu.SetCpuid(KvmCpuid.Entries(_cpu));
        // An MSR that the model or the kernel lacks is not exchanged.
        foreach (uint msr in X86Cpu.KvmMsrs)
        {
            if (!_cpu.TryGetKvmMsr(msr, out ulong value))
                continue;
            KvmMsr entry = new() { Index = msr };
            if (_vcpu.ReadMsrs(new Span<KvmMsr>(ref entry)) != 1)
                continue;
            ulong kernels = entry.Value;
            entry.Value = value;
            if (_vcpu.WriteMsrs(new Span<KvmMsr>(ref entry)) != 1)
            {
                _machine.Log.Info($"cpu {_cpu.Index}: KVM does not take 0x{value:x} in MSR 0x{msr:x}, which holds 0x{kernels:x}");
                continue;
            }
            _msrs[_msrCount] = msr;
            _msrValues[_msrCount++] = value;
        }
        _xcr0 = 0;
    }

    // What the kernel has, in the form in which we would write it: what is as it was is not written again.
    private readonly byte[] _xsaveThere = new byte[X86Cpu.KvmXsaveSize];
    private KvmSregs _sregsThere;
    private KvmDebugRegs _debugThere;
    private KvmVcpuEvents _eventsThere;
    private bool _known, _eventsKnown;

    /// <returns>False: the kernel does not run a CPU in this state.</returns>
    private bool TryPushState(bool msrs = true)
    {
        lock (_msrs)
        {
            if (!_configured)
                Configure();
        }
        _cpu.WriteKvm(out KvmSregs sregs);
        if ((!_known || !Same(sregs, _sregsThere)) && _vcpu.TrySet(ref sregs, _machine.HasSregs2) is var refused and < 0)
        {
            _known = false;
            if (_refused == 0)
                _machine.Log.Info($"cpu {_cpu.Index}: KVM does not run guests in this mode (errno {-refused}; CR0 0x{sregs.Cr0:x}, CR4 0x{sregs.Cr4:x}, EFER 0x{sregs.Efer:x}); it is interpreted");
            return false;
        }
        _sregsThere = sregs;
        _cpu.WriteKvm(out KvmRegs regs);
        if (_sharesRegisters)
            _vcpu.Share(regs);
        else
            _vcpu.Set(ref regs);
        if (_cpu.Xcr0 != _xcr0)
            _vcpu.Xcr0 = _xcr0 = _cpu.Xcr0;
        PushXsave();
        _cpu.WriteKvm(out KvmDebugRegs debug);
        if (!_known || !Same(debug, _debugThere))
            _vcpu.Set(ref debug);
        _debugThere = debug;
        if (msrs)
            PushMsrs();
        _cpu.WriteKvm(out KvmVcpuEvents events);
        if (!_known || !_eventsKnown || !Same(events, _eventsThere))
        {
            if (_sharesRegisters)
                _vcpu.Share(events);
            else
                _vcpu.Set(ref events);
        }
        _known = true;
        return true;
    }

    private void PushXsave()
    {
        Span<byte> image = _vcpu.Xsave;
        _cpu.WriteKvmXsave(image);
        if (_known && image[..X86Cpu.KvmXsaveSize].SequenceEqual(_xsaveThere))
            return;
        image[..X86Cpu.KvmXsaveSize].CopyTo(_xsaveThere);
        _vcpu.WriteXsave();
    }

    private static bool Same<T>(in T a, in T b) where T : unmanaged
        => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in a)).SequenceEqual(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in b)));

    // The CPU's state is the kernel's.
    private void NoteState(bool eventsKnown)
    {
        _cpu.WriteKvm(out _sregsThere);
        _cpu.WriteKvm(out _debugThere);
        _cpu.WriteKvm(out _eventsThere);
        _cpu.WriteKvmXsave(_xsaveThere);
        _known = true;
        _eventsKnown = eventsKnown;
    }

    private void PushMsrs()
    {
        int count = 0;
        for (int i = 0; i < _msrCount; i++)
        {
            if (!_cpu.TryGetKvmMsr(_msrs[i], out ulong value))
                continue;
            // The counter runs: it is set only when it is far from where the kernel's must be.
            if (i == 0 ? !IsTscMoved() || TryPushTscOffset() : value == _msrValues[i])
                continue;
            _msrValues[i] = value;
            _msrBuffer[count++] = new KvmMsr { Index = _msrs[i], Value = value };
        }
        if (count != 0)
            _vcpu.WriteMsrs(_msrBuffer.AsSpan(0, count));
    }

    private ulong _tscOffsetPulled = ulong.MaxValue;

    // MSR 10h is the first in the list.
    private bool IsTscMoved()
    {
        ulong offset = _cpu.TscOffset;
        bool moved = offset != _tscOffsetPulled;
        _tscOffsetPulled = offset;
        return moved;
    }

    // Written as what the kernel keeps, not as a value, which would be late.
    private bool TryPushTscOffset()
    {
        var msr = new KvmMsr { Index = Msr.Tsc };
        if (!_machine.ScalesTsc || !_vcpu.TryGetTscOffset(out ulong kernel) || _vcpu.ReadMsrs(new Span<KvmMsr>(ref msr)) != 1)
            return false;
        ulong now = _cpu.Now;
        return _vcpu.TrySetTscOffset(kernel + (_cpu.TscOffset - _machine.Tsc.Map(kernel, msr.Value - now, now)));
    }

    /// <returns>Whether an event on its way was delivered, so that pc is a handler's.</returns>
    private bool PullState()
    {
        // First: what start-up messages do to the other registers happens with it.
        uint waits = _inside ? _vcpu.MpState : 0;
        bool shared = _vcpu.TryGetShared(out KvmRegs regs, out KvmSregs sregs, out KvmVcpuEvents events);
        if (!shared)
        {
            _vcpu.Get(out regs);
            _vcpu.Get(out events);
        }
        if (!shared || LacksDirectoryPointers(sregs))
            _vcpu.Get(out sregs, _machine.HasSregs2);
        _vcpu.Get(out KvmDebugRegs debug);
        _xcr0 = _vcpu.Xcr0;
        _vcpu.ReadXsave(_machine.HasXsave2);
        PullMsrs();
        _cpu.ReadKvm(regs, sregs);
        if (_inside)
        {
            _cpu.ReadKvmMpState(waits);
            _cpu.LocalApic!.Observe(sregs.ApicBase, (int)sregs.Cr8);
        }
        ComeOut();
        _cpu.ReadKvm(debug);
        _cpu.ReadKvmXcr0(_xcr0);
        _cpu.ReadKvmXsave(_vcpu.Xsave);
        _cpu.ReadKvmShadow(events);
        NoteState(eventsKnown: !events.IsAnythingOnItsWay);
        bool delivered = _cpu.ReadKvm(events);
        _cpu.RequestInterruptCheck();
        return delivered;
    }

    // The shared form of the system registers knows nothing of PAE's.
    private static bool LacksDirectoryPointers(in KvmSregs sregs) => (sregs.Cr4 & Cr4.PAE) != 0 && (sregs.Cr0 & Cr0.PG) != 0 && (sregs.Efer & Efer.LMA) == 0;

    private void PullMsrs()
    {
        for (int i = 0; i < _msrCount; i++)
            _msrBuffer[i] = new KvmMsr { Index = _msrs[i] };
        int count = _vcpu.ReadMsrs(_msrBuffer.AsSpan(0, _msrCount));
        for (int i = 0; i < count; i++)
        {
            _msrValues[i] = _msrBuffer[i].Value;
            _cpu.SetKvmMsr(_msrs[i], _msrBuffer[i].Value);
        }
        if (_machine.ScalesTsc && _vcpu.TryGetTscOffset(out ulong kernel))
            _cpu.SetKvmTscOffset(_machine.Tsc.Map(kernel, _cpu.TscOffset, _cpu.Now));
        _tscOffsetPulled = _cpu.TscOffset;
    }
}
