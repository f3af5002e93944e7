using Myna.Cpu.Engines;
using Myna.Cpu.X86.Instructions;
using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// x86 semantics as IR. What depends on state that the block's flags do not fix, what touches system registers, and all
/// memory of segments that are not flat is left to the interpreter for the one instruction.
/// </summary>
[Forwards(nameof(_ir))]
internal readonly partial struct TranslatorOps(Translator translator, IrBuilder builder) : IX86Ops<Value, Value>
{
    private readonly IrOps _ir = new(builder);

    public ulong Pc => builder.Pc;
    public BlockFlags Mode => translator.Flags;

    // The flags' operands are looked at in their width only: what was computed for a 32-bit register serves as well.
    public void Set(int slot, Value value) => _ir.Set(slot, slot is >= X86Registers.FlagA and <= X86Registers.FlagR ? builder.Narrowed(value) : value);

    public bool TryConst(Value value, out ulong constant) => builder.TryConst(value, out constant);
    public Value Field(int offset) => builder.Field(offset);
    public Value ComputeFlags() => builder.ComputeFlags();
    public bool TryCarryOf(Value sum, out Value carry) => builder.TryCarryOf(sum, out carry);

    public bool Divide(MemSize width, bool signed, Value high, Value low, Value divisor, out Value quotient, out Value remainder)
    {
        if (width < MemSize.B4)
            return DivideNarrow(width, signed, high, low, divisor, out quotient, out remainder);
        if (signed)
        {
            // Other dividends are rare: the upper half comes from CDQ or CQO. Then only 0 and -1 need care.
            Value sign = _ir.ShrS(_ir.SignExtend(low, width), Const(63));
            builder.Guard(Cond.Ne, width, high, sign);
            builder.Guard(Cond.LtU, width, _ir.Add(divisor, Const(1)), Const(2));
        }
        else
        {
            // The quotient fits when the upper half is below the divisor, which then is not zero.
            builder.Guard(Cond.GeU, width, high, divisor);
        }
        _ir.Divide(width, signed, high, low, divisor, out quotient, out remainder);
        return true;
    }

    // By a division of 64 bits, whose quotient then may turn out too large.
    private bool DivideNarrow(MemSize width, bool signed, Value high, Value low, Value divisor, out Value quotient, out Value remainder)
    {
        builder.Guard(Cond.Eq, width, divisor, Const(0));
        Value shifted = _ir.Shl(signed ? _ir.SignExtend(high, width) : _ir.ZeroExtend(high, width), Const(8UL << (int)width));
        Value dividend = _ir.Or(shifted, _ir.ZeroExtend(low, width));
        Value by = signed ? _ir.SignExtend(divisor, width) : _ir.ZeroExtend(divisor, width);
        _ir.Divide(MemSize.B8, signed, signed ? _ir.ShrS(dividend, Const(63)) : Const(0), dividend, by, out quotient, out remainder);
        builder.Guard(Cond.Ne, MemSize.B8, quotient, signed ? _ir.SignExtend(quotient, width) : _ir.ZeroExtend(quotient, width));
        return true;
    }

    public void Raise(Vector vector, uint error = 0) => Leave();

    public bool RaiseIf(Cond cond, Value a, Value b, Vector vector)
    {
        builder.Guard(cond, MemSize.B8, a, b);
        return true;
    }

    public void RaiseVectorUnavailable(bool avx) => Leave();
    public void Unsupported() => builder.Unsupported();
    public void System(in Insn insn) => builder.Unsupported();
    public void SetDirection(bool backward) => builder.Unsupported();

    // The interpreter's: the translator leaves repeated instructions to it as a whole.
    public void Repeat() => builder.Unsupported();

    // ---- Jumps ----

    public bool CheckNear(Value ip, MemSize operandSize, bool pushes = false)
    {
        if (Mode.Is64)
        {
            // Canonical addresses of the same half as the instruction's; the interpreter looks at all others.
            if ((long)Pc >= 0)
                builder.Guard(Cond.Ne, MemSize.B8, _ir.ShrU(ip, Const(47)), Const(0));
            else
                builder.Guard(Cond.Ne, MemSize.B8, _ir.ShrS(ip, Const(47)), Const(ulong.MaxValue));
        }
        else if (!Mode.Flat)
        {
            builder.Unsupported();
        }
        return true;
    }

    public void JumpNear(Value ip, MemSize operandSize)
    {
        if (!Mode.Flat)
            builder.Unsupported();
        else if (Mode.Is64)
            _ir.JumpIndirect(ip);
        else
            _ir.JumpIndirect(_ir.ZeroExtend(ip, operandSize == MemSize.B2 ? MemSize.B2 : MemSize.B4));
    }

    public void JumpRelative(in Insn insn)
    {
        if (Mode.Flat)
            _ir.Jump(Target(in insn));
        else
            builder.Unsupported();
    }

    public void BranchRelative(in Insn insn, Cond cond, MemSize width, Value a, Value b)
    {
        if (Mode.Flat)
            _ir.Branch(cond, width, a, b, Target(in insn));
        else
            builder.Unsupported();
    }

    public bool EndIf(in Insn insn, Cond cond, MemSize width, Value a, Value b)
    {
        ulong next = Pc + insn.Length;
        _ir.Branch(cond, width, a, b, Mode.Is64 ? next : (uint)next);
        return false;
    }

    private ulong Target(in Insn insn)
    {
        ulong target = Pc + insn.Length + insn.Immediate;
        if (Mode.Is64)
            return target;
        return insn.OperandSize == MemSize.B2 ? (ushort)target : (uint)target;
    }

    public Value NextIp(in Insn insn)
    {
        ulong next = Pc + insn.Length;
        if (Mode.Is64)
            return Const(next);
        return Mode.Flat
            ? Const((uint)next)
            : _ir.ZeroExtend(_ir.Sub(Const(next), _ir.Get(X86Registers.Base(SegmentRegister.Cs))), MemSize.B4);
    }

    /// <summary>The interpreter executes the instruction, and goes on elsewhere.</summary>
    private void Leave()
    {
        translator.Leaves = true;
        builder.Unsupported();
    }
}
