using System.Buffers.Binary;
using Myna.Hardware.State;

namespace Myna.Cpu.X86;

// What KVM offers its guests (Linux, Documentation/virt/kvm/x86/cpuid.rst and msr.rst). The kernel does it; here the MSRs are kept, so that
// a guest that began under KVM goes on elsewhere: its clock is served, and of the rest nothing happens, which is what it must expect anyway.
public sealed partial class X86Cpu
{
    [Saved(51)] private readonly ulong[] _paravirtual = new ulong[(int)(Msr.KvmLast - Msr.KvmFirst) + 1];

    private const int PvClockSize = 32;

    private bool HasParavirtual => _options.Paravirtual != 0 || _paravirtual.AsSpan().ContainsAnyExcept(0UL);

    private bool WriteParavirtualMsr(uint msr, ulong value)
    {
        _paravirtual[msr - Msr.KvmFirst] = value;
        if (msr == Msr.KvmSystemTime)
            UpdatePvClock();
        return true;
    }

    // pvclock_vcpu_time_info: nanoseconds are those at a value of the TSC, and one for each of its ticks from there on.
    private void UpdatePvClock()
    {
        ulong register = _paravirtual[Msr.KvmSystemTime - Msr.KvmFirst];
        if ((register & 1) == 0 || _options.PvClock is not { } clock || Engine is { IsNative: true })
            return;
        ulong address = register & ~1UL;
        Span<byte> info = stackalloc byte[PvClockSize];
        if (!_memory.Read(address, info))
            return;
        uint version = (BinaryPrimitives.ReadUInt32LittleEndian(info) | 1) + 1;
        info.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(info, version);
        ulong now = _clock.Now;
        BinaryPrimitives.WriteUInt64LittleEndian(info[8..], now + _tscOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(info[16..], clock.At(now));
        // (ticks << 1) * 2^31 >> 32.
        BinaryPrimitives.WriteUInt32LittleEndian(info[24..], 0x8000_0000);
        info[28] = 1;
        info[29] = 1;
        _ = _memory.Write(address, info);
    }
}
