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
}
