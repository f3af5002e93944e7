using System.Runtime.CompilerServices;
using System.Threading;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>Memory: segments, the soft-TLB, and the CPU where it has no answer.</summary>
internal ref partial struct InterpreterOps
{
    // Held for locked operations that the host cannot do at once: those that straddle pages, and those on devices.
    private static readonly Lock s_splitLock = new();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Linear(SegmentRegister segment, ulong offset, int bytes, bool write, out ulong linear)
    {
        if (Mode.Is64)
        {
            // Only FS and GS have a base there; whether the address is canonical, its translation finds out.
            linear = segment < SegmentRegister.Fs ? offset : offset + _registers.Bases[(int)segment];
            return true;
        }
        if (Mode.Flat && segment < SegmentRegister.Fs && !(write && segment == SegmentRegister.Cs))
        {
            linear = offset;
            return true;
        }
        return CheckedLinear(segment, offset, bytes, write, out linear);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool CheckedLinear(SegmentRegister segment, ulong offset, int bytes, bool write, out ulong linear)
    {
        if (bytes == 0)
        {
            linear = (uint)(offset + _registers.Bases[(int)segment]);
            return true;
        }
        EnterCpu();
        return Retires(_cpu.CheckSegment(segment, offset, bytes, write, out linear));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Load(ulong address, MemSize size, bool signed, out ulong value)
        => _tlb.TryRead(_mode, address, size, signed, out value) || SlowLoad(address, size, signed, out value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Store(ulong address, MemSize size, ulong value) => _tlb.TryWrite(_mode, address, size, value) || SlowStore(address, size, value);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowLoad(ulong address, MemSize size, bool signed, out ulong value)
    {
        EnterCpu();
        if (!Retires(_cpu.Load(address, size, _mode, out value)))
            return false;
        if (signed)
            value = SignExtend(value, size);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowStore(ulong address, MemSize size, ulong value)
    {
        EnterCpu();
        return Retires(_cpu.Store(address, size, _mode, value));
    }

    // A page that can be read but not written faults at the store, as a write.
    public bool LoadForUpdate(ulong linear, MemSize size, out ulong value)
        => _tlb.TryRead(_mode, linear, size, signed: false, out value)
            || (ProbeUpdate(linear, 1 << (int)size) && SlowLoad(linear, size, signed: false, out value));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool ProbeUpdate(ulong linear, int bytes)
    {
        EnterCpu();
        return Retires(_cpu.ProbeWrite(linear, bytes, _mode, alignment: bytes));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool ProbeWrite(ulong linear, int bytes, int alignment = 1)
    {
        EnterCpu();
        return Retires(_cpu.ProbeWrite(linear, bytes, _mode, alignment));
    }

    public bool LockedUpdate(AtomicOp op, ulong linear, MemSize size, ulong operand, out ulong old)
        => _tlb.TryLockedUpdate(op, _mode, linear, size, operand, out old) || SlowLockedUpdate(op, linear, size, operand, out old);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowLockedUpdate(AtomicOp op, ulong linear, MemSize size, ulong operand, out ulong old)
    {
        old = 0;
        if (!ProbeUpdate(linear, 1 << (int)size))
            return false;
        if (_tlb.TryLockedUpdate(op, _mode, linear, size, operand, out old))
            return true;
        if (_cpu.IsUser)
            return Retires(_cpu.UserUpdate(op, linear, size, operand, out old));
        lock (s_splitLock)
            return SlowLoad(linear, size, signed: false, out old) && SlowStore(linear, size, SoftTlbApply(op, old, operand));
    }

    private static ulong SoftTlbApply(AtomicOp op, ulong memory, ulong operand) => Myna.Jit.Memory.SoftTlb.Apply(op, memory, operand);

    public bool LockedCompareExchange(ulong linear, MemSize size, ulong expected, ulong desired, out ulong old)
        => _tlb.TryLockedExchange(_mode, linear, size, expected, desired, out old) || SlowLockedExchange(linear, size, expected, desired, out old);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowLockedExchange(ulong linear, MemSize size, ulong expected, ulong desired, out ulong old)
    {
        old = 0;
        if (!ProbeUpdate(linear, 1 << (int)size))
            return false;
        if (_tlb.TryLockedExchange(_mode, linear, size, expected, desired, out old))
            return true;
        if (_cpu.IsUser)
            return Retires(_cpu.UserExchange(linear, size, ZeroExtend(expected, size), desired, out old));
        lock (s_splitLock)
        {
            return SlowLoad(linear, size, signed: false, out old)
                && SlowStore(linear, size, old == ZeroExtend(expected, size) ? desired : old);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool LockedCompareExchange16(ulong linear, ulong expectedLow, ulong expectedHigh, ulong desiredLow, ulong desiredHigh, out ulong oldLow, out ulong oldHigh)
    {
        UInt128 value = new(expectedHigh, expectedLow);
        UInt128 desired = new(desiredHigh, desiredLow);
        if (_tlb.TryLockedExchange16(_mode, linear, ref value, desired)
            || (ProbeWrite(linear, 16) && _tlb.TryLockedExchange16(_mode, linear, ref value, desired)))
        {
            oldLow = (ulong)value;
            oldHigh = (ulong)(value >> 64);
            return true;
        }
        oldLow = oldHigh = 0;
        if (Flow == Flow.Fault)
            return false;
        lock (s_splitLock)
        {
            if (!SlowLoad(linear, MemSize.B8, signed: false, out oldLow) || !SlowLoad(linear + 8, MemSize.B8, signed: false, out oldHigh))
                return false;
            bool same = oldLow == expectedLow && oldHigh == expectedHigh;
            return SlowStore(linear, MemSize.B8, same ? desiredLow : oldLow) && SlowStore(linear + 8, MemSize.B8, same ? desiredHigh : oldHigh);
        }
    }

    // On x86 plain accesses lack only the order of stores before loads.
    public readonly void Fence(bool storeLoad)
    {
        if (storeLoad || !global::System.Runtime.Intrinsics.X86.X86Base.IsSupported)
            Interlocked.MemoryBarrier();
    }

    // The CPU wants to know the instruction's pc, and how many have retired before it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void EnterCpu()
    {
        _cpu.Block.Context.Pc = Pc;
        _cpu.Block.Context.InstructionCount = Retired;
    }

    private bool Retires(bool done)
    {
        if (!done)
            Flow = Flow.Fault;
        return done;
    }
}
