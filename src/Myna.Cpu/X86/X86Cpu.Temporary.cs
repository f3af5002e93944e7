using Myna.Cpu.X86.Instructions;

namespace Myna.Cpu.X86;

// Until the parts that these belong to are there.
public sealed partial class X86Cpu
{
    private ulong ArithmeticFlags => LazyFlags.Compute(State.LazyOp, State.LazyA, State.LazyB, State.LazyResult);

    private void SetArithmeticFlags(ulong flags)
    {
        ref X86Registers r = ref State;
        r.LazyOp = 0;
        r.LazyResult = flags & RFlag.Arithmetic;
    }

}
