using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

internal readonly partial struct TranslatorOps
{
    public bool Linear(SegmentRegister segment, Value offset, int bytes, bool write, out Value linear)
    {
        linear = offset;
        if (!Mode.Flat || (write && segment == SegmentRegister.Cs && !Mode.Is64))
        {
            // LIMIT: memory of segments with bases and limits is the interpreter's.
            builder.Unsupported();
            return true;
        }
        if (segment < SegmentRegister.Fs)
        {
            // Code segments cannot be written: the interpreter raises #GP.
            if (write && segment == SegmentRegister.Cs && !Mode.Is64)
                builder.Unsupported();
            return true;
        }
        Value sum = _ir.Add(offset, _ir.Get(X86Registers.Base(segment)));
        if (Mode.Is64)
        {
            linear = sum;
            return true;
        }
        // Everything up to 4 GiB, or the interpreter checks.
        builder.Guard(Cond.Ne, MemSize.B8, builder.Field(X86Registers.Limit(segment)), Const(uint.MaxValue));
        builder.Guard(Cond.LtU, MemSize.B8, Const(0x1_0000_0000 - (ulong)bytes), offset);
        linear = _ir.ZeroExtend(sum, MemSize.B4);
        return true;
    }

    public bool Load(Value address, MemSize size, bool signed, out Value value) => _ir.Load(address, size, signed, out value);
    public bool LoadForUpdate(Value linear, MemSize size, out Value value) => _ir.LoadForUpdate(linear, size, out value);
    public bool Store(Value address, MemSize size, Value value) => _ir.Store(address, size, value);
    public bool LockedUpdate(AtomicOp op, Value linear, MemSize size, Value operand, out Value old) => _ir.LockedUpdate(op, linear, size, operand, out old);

    public bool LockedCompareExchange(Value linear, MemSize size, Value expected, Value desired, out Value old)
        => _ir.LockedCompareExchange(linear, size, expected, desired, out old);

    public bool LockedCompareExchange16(Value linear, Value expectedLow, Value expectedHigh, Value desiredLow, Value desiredHigh, out Value oldLow, out Value oldHigh)
        => _ir.LockedCompareExchange16(linear, expectedLow, expectedHigh, desiredLow, desiredHigh, out oldLow, out oldHigh);

    public void Fence(bool storeLoad) => _ir.Fence(storeLoad);

    // RISC-V's.
    public bool LoadFloat(Value address, FloatSize size, out Value value) => _ir.LoadFloat(address, size, out value);
    public bool StoreFloat(Value address, FloatSize size, Value value) => _ir.StoreFloat(address, size, value);
    public bool Atomic(AtomicOp op, Value address, MemSize size, Value operand, out Value old) => _ir.Atomic(op, address, size, operand, out old);
    public bool LoadReserved(Value address, MemSize size, out Value value) => _ir.LoadReserved(address, size, out value);
    public bool StoreConditional(Value address, MemSize size, Value value, out Value failed) => _ir.StoreConditional(address, size, value, out failed);
}
