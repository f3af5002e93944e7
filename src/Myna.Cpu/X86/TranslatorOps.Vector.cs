using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

internal readonly partial struct TranslatorOps
{
    public bool LoadElement(Value linear, MemSize size, out Value value) => _ir.Load(linear, size, signed: false, out value);

    // The translator does not know the mask.
    public bool Gather(SegmentRegister segment, Value offset, MemSize size, bool behind, out Value value)
    {
        builder.Unsupported();
        value = offset;
        return true;
    }

    public bool StoreElement(Value linear, MemSize size, Value value) => _ir.Store(linear, size, value);

    public bool ProbeWrite(Value address, int bytes, int alignment = 1)
    {
        if (alignment > 1 && Mode.DataMode == MmuMode.UserAligned)
            builder.Unsupported();
        return _ir.ProbeWrite(address, bytes);
    }

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
