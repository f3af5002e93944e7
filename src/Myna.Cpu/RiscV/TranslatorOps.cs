using Myna.Cpu.Engines;
using Myna.Jit.Ir;
using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>
/// RISC-V semantics as IR. What depends on state the block's flags do not fix, or touches system registers, is left to
/// the interpreter for the one instruction.
/// </summary>
[Forwards(nameof(_ir))]
internal readonly partial struct TranslatorOps(Translator translator, IrBuilder builder) : IRiscVOps<Value>
{
    private readonly IrOps _ir = new(builder);

    public ulong Pc => builder.Pc;

    public Value X(int register) => register == 0 ? _ir.Const(0) : _ir.Get(RiscVRegisters.SlotX(register));

    public void SetX(int register, Value value)
    {
        if (register != 0)
            _ir.Set(RiscVRegisters.SlotX(register), value);
    }

    public Value F(int register) => _ir.GetFloat(RiscVRegisters.SlotF(register));

    public void SetF(int register, Value value)
    {
        // The interpreter makes FS dirty, which changes the flags; later blocks find it so.
        if (!translator.Flags.FloatDirty)
            builder.Unsupported();
        _ir.SetFloat(RiscVRegisters.SlotF(register), value);
    }

    public bool FloatEnabled(Rounding rounding, bool flags)
    {
        BlockFlags state = translator.Flags;
        if (!state.FloatOn || (flags && !state.FloatDirty)
            || (rounding == Rounding.Dynamic && state.Rounding is Rounding.Dynamic or Rounding.NearestMaxMagnitude))
        {
            builder.Unsupported();
        }
        return true;
    }

    public void Raise(Cause cause, Value tval) => Leave();
    public void Ecall() => Leave();
    public void Ebreak() => Leave();
    public void Mret() => Leave();
    public void Sret() => Leave();

    public bool Csr(int csr, CsrOp op, Value operand, bool writes, out Value old)
    {
        old = default;
        if (csr is (int)CsrNumber.Fflags or (int)CsrNumber.Frm or (int)CsrNumber.Fcsr && FloatCsr(csr, op, operand, writes, ref old))
            return true;
        builder.Unsupported();
        return false;
    }

    // A rounding mode that is what it was already changes nothing; another one is the interpreter's.
    private bool FloatCsr(int csr, CsrOp op, Value operand, bool writes, ref Value old)
    {
        BlockFlags state = translator.Flags;
        if (!state.FloatOn || (writes && (!state.FloatDirty || op != CsrOp.Write)))
            return false;
        bool flags = csr != (int)CsrNumber.Frm, rounding = csr != (int)CsrNumber.Fflags;
        int shift = flags ? 5 : 0;
        Value mode = _ir.Const((ulong)state.Frm << shift);
        if (writes && rounding)
            builder.Guard(Cond.Ne, MemSize.B8, _ir.And(operand, _ir.Const(7UL << shift)), mode);
        old = !flags ? mode : rounding ? _ir.Or(builder.ReadFlags(), mode) : builder.ReadFlags();
        if (writes && flags)
            builder.WriteFlags(operand);
        return true;
    }

    public bool CacheBlock(CacheBlockOp op, Value address)
    {
        if (op == CacheBlockOp.Zero && translator.Flags.CacheBlockZero)
            builder.ZeroLine(address);
        else
            builder.Unsupported();
        return true;
    }

    public void Wfi() => builder.Unsupported();
    public void WaitOnReservation(bool shortTimeout) => builder.Unsupported();
    public void SfenceVma(bool anyAddress, Value address, bool anyAsid, Value asid) => builder.Unsupported();
    public void SfenceInval() => builder.Unsupported();
    // A store to translated code invalidates it at once, so only this block must not go on with what it read before.
    public void FenceI()
    {
        if (translator.User)
            builder.Unsupported();
        else
            translator.EndsBlock = true;
    }
    public void Pause() => builder.Unsupported();

    private void Leave()
    {
        translator.Leaves = true;
        builder.Unsupported();
    }

    /// <summary>A mode that equals the current one needs no change of the host's, which has all but one.</summary>
    private Rounding Current(Rounding rounding)
        => rounding == translator.Flags.Rounding && rounding != Rounding.NearestMaxMagnitude ? Rounding.Dynamic : rounding;
}
