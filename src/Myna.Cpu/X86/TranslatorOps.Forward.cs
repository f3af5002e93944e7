using Myna.Jit.Operations;
using Value = Myna.Jit.Ir.Value;

namespace Myna.Cpu.X86;

/// <summary>The operations that every instruction set shares, passed on to the IR.</summary>
internal readonly partial struct TranslatorOps
{
    public Value Const(ulong value) => _ir.Const(value);
    public Value Get(int slot) => _ir.Get(slot);
    // The flags' operands are looked at in their width only: what was computed for a 32-bit register serves as well.
    public void Set(int slot, Value value) => _ir.Set(slot, slot is >= X86Registers.FlagA and <= X86Registers.FlagR ? builder.Narrowed(value) : value);
    public Value GetFloat(int slot) => _ir.GetFloat(slot);
    public void SetFloat(int slot, Value value) => _ir.SetFloat(slot, value);

    public Value Add(Value a, Value b) => _ir.Add(a, b);
    public Value Sub(Value a, Value b) => _ir.Sub(a, b);
    public Value Mul(Value a, Value b) => _ir.Mul(a, b);
    public Value MulHighS(Value a, Value b) => _ir.MulHighS(a, b);
    public Value MulHighU(Value a, Value b) => _ir.MulHighU(a, b);
    public Value MulHighSU(Value a, Value b) => _ir.MulHighSU(a, b);
    public Value DivS(Value a, Value b) => _ir.DivS(a, b);
    public Value DivU(Value a, Value b) => _ir.DivU(a, b);
    public Value RemS(Value a, Value b) => _ir.RemS(a, b);
    public Value RemU(Value a, Value b) => _ir.RemU(a, b);
    public Value And(Value a, Value b) => _ir.And(a, b);
    public Value Or(Value a, Value b) => _ir.Or(a, b);
    public Value Xor(Value a, Value b) => _ir.Xor(a, b);
    public Value Not(Value a) => _ir.Not(a);
    public Value Shl(Value a, Value count) => _ir.Shl(a, count);
    public Value ShrU(Value a, Value count) => _ir.ShrU(a, count);
    public Value ShrS(Value a, Value count) => _ir.ShrS(a, count);
    public Value RotateRight(Value a, Value count) => _ir.RotateRight(a, count);
    public Value RotateRight32(Value a, Value count) => _ir.RotateRight32(a, count);
    public Value SignExtend(Value a, MemSize from) => _ir.SignExtend(a, from);
    public Value ZeroExtend(Value a, MemSize from) => _ir.ZeroExtend(a, from);
    public Value Set(Cond cond, Value a, Value b) => _ir.Set(cond, a, b);
    public Value Select(Cond cond, Value a, Value b, Value whenTrue, Value whenFalse) => _ir.Select(cond, a, b, whenTrue, whenFalse);
    public Value CountLeadingZeros(Value a) => _ir.CountLeadingZeros(a);
    public Value CountTrailingZeros(Value a) => _ir.CountTrailingZeros(a);
    public Value PopCount(Value a) => _ir.PopCount(a);
    public Value ByteSwap(Value a) => _ir.ByteSwap(a);
    public Value OrCombineBytes(Value a) => _ir.OrCombineBytes(a);
    public Value ClMul(Value a, Value b) => _ir.ClMul(a, b);
    public Value ClMulHigh(Value a, Value b) => _ir.ClMulHigh(a, b);


    public void Jump(ulong target) => _ir.Jump(target);
    public void JumpIndirect(Value target) => _ir.JumpIndirect(target);
    public void Branch(Cond cond, Value a, Value b, ulong target) => _ir.Branch(cond, a, b, target);

    public Value UnboxF32(Value register) => _ir.UnboxF32(register);
    public Value BoxF32(Value value) => _ir.BoxF32(value);
    public Value FloatToBits(Value value, FloatSize size) => _ir.FloatToBits(value, size);
    public Value BitsToFloat(Value bits, FloatSize size) => _ir.BitsToFloat(bits, size);
    public Value FAdd(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FAdd(size, a, b, rounding);
    public Value FSub(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FSub(size, a, b, rounding);
    public Value FMul(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FMul(size, a, b, rounding);
    public Value FDiv(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FDiv(size, a, b, rounding);
    public Value FSqrt(FloatSize size, Value a, Rounding rounding) => _ir.FSqrt(size, a, rounding);
    public Value FMulAdd(FloatSize size, Value a, Value b, Value c, bool negateProduct, bool negateAddend, Rounding rounding)
        => _ir.FMulAdd(size, a, b, c, negateProduct, negateAddend, rounding);
    public Value FMin(FloatSize size, Value a, Value b) => _ir.FMin(size, a, b);
    public Value FMax(FloatSize size, Value a, Value b) => _ir.FMax(size, a, b);
    public Value FSignCopy(FloatSize size, Value a, Value b) => _ir.FSignCopy(size, a, b);
    public Value FSignNot(FloatSize size, Value a, Value b) => _ir.FSignNot(size, a, b);
    public Value FSignXor(FloatSize size, Value a, Value b) => _ir.FSignXor(size, a, b);
    public Value FCompare(FloatSize size, FloatCompare compare, Value a, Value b) => _ir.FCompare(size, compare, a, b);
    public Value FClass(FloatSize size, Value a) => _ir.FClass(size, a);
    public Value FToInt(FloatSize size, IntFormat to, Value a, Rounding rounding) => _ir.FToInt(size, to, a, rounding);
    public Value FFromInt(FloatSize size, IntFormat from, Value a, Rounding rounding) => _ir.FFromInt(size, from, a, rounding);
    public Value FConvert(FloatSize from, FloatSize to, Value a, Rounding rounding) => _ir.FConvert(from, to, a, rounding);
}
