using Iced.Intel;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>RDRAND and RDSEED, from the machine's source of random numbers.</summary>
public sealed partial class X86Cpu
{
    [X86Instruction(Mnemonic.Rdrand, Mnemonic.Rdseed)]
    internal Flow ReadRandom(in Insn insn)
    {
        // CF: a number was there. Without one the destination is 0 (Intel SDM volume 2, "RDRAND").
        ulong value = _options.Random?.Invoke() ?? 0;
        ref ulong register = ref State.General[insn.Op0.Register];
        register = insn.Op0.Width switch
        {
            MemSize.B2 => (register & ~0xFFFFUL) | (ushort)value,
            MemSize.B4 => (uint)value,
            _ => value,
        };
        SetArithmeticFlags(_options.Random is null ? 0 : LazyFlags.CF);
        return Flow.Next;
    }
}
