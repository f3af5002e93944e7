using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Threading;
using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>Memory: the soft-TLB, and the hart where it has no answer.</summary>
internal ref partial struct InterpreterOps
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Load(ulong address, MemSize size, bool signed, out ulong value)
        => _tlb.TryRead(_mode, address, size, signed, out value) || SlowLoad(address, size, signed, out value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Store(ulong address, MemSize size, ulong value) => _tlb.TryWrite(_mode, address, size, value) || SlowStore(address, size, value);

    public bool LoadFloat(ulong address, FloatSize size, out ulong value)
        => Load(address, size == FloatSize.F32 ? MemSize.B4 : MemSize.B8, signed: false, out value);

    public bool StoreFloat(ulong address, FloatSize size, ulong value)
        => Store(address, size == FloatSize.F32 ? MemSize.B4 : MemSize.B8, value);

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool Atomic(AtomicOp op, ulong address, MemSize size, ulong operand, out ulong old)
    {
        EnterHart();
        return Retires(_hart.Atomic(op, address, size, SignExtend(operand, size), out old));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool LoadReserved(ulong address, MemSize size, out ulong value)
    {
        EnterHart();
        return Retires(_hart.LoadReserved(address, size, out value));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public bool StoreConditional(ulong address, MemSize size, ulong value, out ulong failed)
    {
        EnterHart();
        return Retires(_hart.StoreConditional(address, size, value, out failed));
    }

    // On x86 plain accesses lack only the order of stores before loads.
    public readonly void Fence(bool storeLoad)
    {
        if (storeLoad || !X86Base.IsSupported)
            Interlocked.MemoryBarrier();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowLoad(ulong address, MemSize size, bool signed, out ulong value)
    {
        EnterHart();
        if (!Retires(_hart.SlowLoad(address, size, _mode, out value)))
            return false;
        if (signed)
            value = SignExtend(value, size);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool SlowStore(ulong address, MemSize size, ulong value)
    {
        EnterHart();
        return Retires(_hart.SlowStore(address, size, _mode, value));
    }

    // The hart wants to know the instruction, its pc, and how many have retired before it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void EnterHart()
    {
        _hart.Instruction = _raw;
        _hart.Block.Context.Pc = Pc;
        _hart.Block.Context.InstructionCount = Retired;
    }

    private bool Retires(bool done)
    {
        if (!done)
            Flow = Flow.Trap;
        return done;
    }
}
