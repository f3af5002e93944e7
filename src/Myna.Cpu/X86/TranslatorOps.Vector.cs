using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

internal readonly partial struct TranslatorOps
{
    public Value GetVector(int slot) => _ir.GetVector(slot);
    public void SetVector(int slot, Value value) => _ir.SetVector(slot, value);
    public Value ZeroVector() => _ir.ZeroVector();
    public bool LoadVector(Value address, int bytes, out Value value, bool aligned = false, bool pair = false) => _ir.LoadVector(address, bytes, out value, aligned, pair);
    public bool LoadElement(Value linear, MemSize size, out Value value) => _ir.Load(linear, size, signed: false, out value);

    // The translator does not know the mask.
    public bool Gather(SegmentRegister segment, Value offset, MemSize size, bool behind, out Value value)
    {
        builder.Unsupported();
        value = offset;
        return true;
    }

    public bool StoreElement(Value linear, MemSize size, Value value) => _ir.Store(linear, size, value);
    public bool StoreVector(Value address, int bytes, Value value, bool aligned = false) => _ir.StoreVector(address, bytes, value, aligned);

    public bool ProbeWrite(Value address, int bytes, int alignment = 1)
    {
        if (alignment > 1 && Mode.DataMode == MmuMode.UserAligned)
            builder.Unsupported();
        return _ir.ProbeWrite(address, bytes);
    }

    public Value Vector(VectorOp op, Value a, byte imm = 0) => _ir.Vector(op, a, imm);
    public Value Vector(VectorOp op, Value a, Value b, byte imm = 0) => _ir.Vector(op, a, b, imm);
    public Value Vector(VectorOp op, Value a, Value b, Value c) => _ir.Vector(op, a, b, c);
    public Value VectorToInteger(VectorOp op, Value a, byte imm = 0) => _ir.VectorToInteger(op, a, imm);
    public Value IntegerToVector(VectorOp op, Value value) => _ir.IntegerToVector(op, value);
    public Value Insert(VectorOp op, Value a, Value value, byte imm = 0) => _ir.Insert(op, a, value, imm);
    public Value VectorCompare(VectorOp op, Value a, Value b) => _ir.VectorCompare(op, a, b);

    public void VectorString(VectorOp op, Value a, Value b, Value lengthA, Value lengthB, bool wide, byte imm, out Value index, out Value mask, out Value flags)
        => _ir.VectorString(op, a, b, lengthA, lengthB, wide, imm, out index, out mask, out flags);

    public Value GetMxcsr() => builder.ReadMxcsr();

    // What changes the masks or faults is the interpreter's.
    public bool SetMxcsr(Value value)
    {
        if (!Mode.SimdMasked)
            builder.Unsupported();
        builder.Guard(Cond.Ne, MemSize.B4, _ir.And(value, Const(~Mxcsr.Defined | Mxcsr.Masks)), Const(Mxcsr.Masks));
        builder.WriteMxcsr(value);
        return true;
    }

    // With unmasked exceptions the interpreter computes first and looks at what came of it.
    public bool RaiseSimd()
    {
        if (!Mode.SimdMasked)
            builder.Unsupported();
        return true;
    }
}
