using Iced.Intel;
using Myna.Cpu.X86.Instructions;

namespace Myna.Cpu.X86;

/// <summary>Decimal adjustment (Intel SDM volume 2); these have no 64-bit form and are rare. Undefined flags are as processors leave them.</summary>
public sealed partial class X86Cpu
{
    private byte Al
    {
        get => (byte)State.General[0];
        set => State.General[0] = (State.General[0] & ~0xFFUL) | value;
    }

    private ushort Ax
    {
        get => (ushort)State.General[0];
        set => State.General[0] = (State.General[0] & ~0xFFFFUL) | value;
    }

    // SF, ZF and PF of a byte.
    private static ulong ByteFlags(byte value) => LazyFlags.Compute(LazyFlags.Op(FlagKind.Logic, Jit.Operations.MemSize.B1), 0, 0, value);

    [X86Instruction(Mnemonic.Daa)]
    internal Flow Daa(in Insn insn) => AdjustPacked(1);

    [X86Instruction(Mnemonic.Das)]
    internal Flow Das(in Insn insn) => AdjustPacked(-1);

    private Flow AdjustPacked(int direction)
    {
        ulong flags = ArithmeticFlags;
        byte old = Al;
        int value = old;
        ulong result = 0;
        bool carry = (flags & LazyFlags.CF) != 0;
        if ((old & 0xF) > 9 || (flags & LazyFlags.AF) != 0)
        {
            value += 6 * direction;
            if (direction < 0 && value < 0)
                result |= LazyFlags.CF;
            result |= LazyFlags.AF;
        }
        if (old > 0x99 || carry)
        {
            value += 0x60 * direction;
            result |= LazyFlags.CF;
        }
        Al = (byte)value;
        SetArithmeticFlags(result | ByteFlags((byte)value));
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Aaa)]
    internal Flow Aaa(in Insn insn) => AdjustUnpacked(0x106);

    [X86Instruction(Mnemonic.Aas)]
    internal Flow Aas(in Insn insn) => AdjustUnpacked(-0x106);

    private Flow AdjustUnpacked(int by)
    {
        bool adjust = (Al & 0xF) > 9 || (ArithmeticFlags & LazyFlags.AF) != 0;
        if (adjust)
            Ax = (ushort)(Ax + by);
        Al &= 0xF;
        SetArithmeticFlags((adjust ? LazyFlags.CF | LazyFlags.AF : 0) | ByteFlags(Al));
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Aad)]
    internal Flow Aad(in Insn insn)
    {
        Ax = (byte)(Al + ((Ax >> 8) * (byte)insn.Immediate));
        SetArithmeticFlags(ByteFlags(Al));
        return Flow.Next;
    }

    [X86Instruction(Mnemonic.Aam)]
    internal Flow Aam(in Insn insn)
    {
        byte radix = (byte)insn.Immediate;
        if (radix == 0)
        {
            RaiseException(Vector.DE);
            return Flow.Fault;
        }
        Ax = (ushort)((Al / radix << 8) | (Al % radix));
        SetArithmeticFlags(ByteFlags(Al));
        return Flow.Next;
    }
}
