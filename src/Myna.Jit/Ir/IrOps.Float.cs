using Myna.Jit.Operations;

namespace Myna.Jit.Ir;

public readonly partial struct IrOps
{
    public Value UnboxF32(Value register)
    {
        // The host's single-precision operations ignore the upper half, so a boxed value serves as it is.
        return _b.Code[register.Id].Op == Op.BoxF32 ? register : One(Op.UnboxF32, register);
    }

    public Value BoxF32(Value value) => One(Op.BoxF32, value);

    public Value FloatToBits(Value value, FloatSize size)
    {
        int v = _b.Append(Op.FloatToBits, value.Id, size: (int)size);
        return new(size == FloatSize.F32 ? _b.Narrow(v, 64, 32) : v);
    }

    public Value BitsToFloat(Value bits, FloatSize size) => new(_b.Append(Op.BitsToFloat, bits.Id, size: (int)size));

    // Only the mode that MXCSR holds is said in IR; the translator maps a static mode that equals the current one to Dynamic.
    private Value Rounded(Op op, FloatSize size, Rounding rounding, Value a, Value? b = null, Value? c = null, int aux = 0)
    {
        if (rounding != Rounding.Dynamic)
            _b.Unsupported();
        return new(_b.Append(op, a.Id, b?.Id ?? -1, c?.Id ?? -1, size: (int)size, aux: aux, mode: (int)rounding));
    }

    public Value FAdd(FloatSize size, Value a, Value b, Rounding rounding) => Rounded(Op.FAdd, size, rounding, a, b);
    public Value FSub(FloatSize size, Value a, Value b, Rounding rounding) => Rounded(Op.FSub, size, rounding, a, b);
    public Value FMul(FloatSize size, Value a, Value b, Rounding rounding) => Rounded(Op.FMul, size, rounding, a, b);
    public Value FDiv(FloatSize size, Value a, Value b, Rounding rounding) => Rounded(Op.FDiv, size, rounding, a, b);
    public Value FSqrt(FloatSize size, Value a, Rounding rounding) => Rounded(Op.FSqrt, size, rounding, a);

    public Value FMulAdd(FloatSize size, Value a, Value b, Value c, bool negateProduct, bool negateAddend, Rounding rounding)
        => Rounded(Op.FMulAdd, size, rounding, a, b, c, (negateProduct ? 1 : 0) | (negateAddend ? 2 : 0));

    public Value FMin(FloatSize size, Value a, Value b) => new(_b.Append(Op.FMin, a.Id, b.Id, size: (int)size));
    public Value FMax(FloatSize size, Value a, Value b) => new(_b.Append(Op.FMax, a.Id, b.Id, size: (int)size));

    public Value FCompare(FloatSize size, FloatCompare compare, Value a, Value b)
        => new(_b.Narrow(_b.Append(Op.FCompare, a.Id, b.Id, size: (int)size, aux: (int)compare), 2, 1));

    public Value FSignCopy(FloatSize size, Value a, Value b)
        => a.Id == b.Id ? a : new(_b.Append(Op.FSignCopy, a.Id, b.Id, size: (int)size));

    public Value FSignNot(FloatSize size, Value a, Value b) => new(_b.Append(Op.FSignNot, a.Id, b.Id, size: (int)size));
    public Value FSignXor(FloatSize size, Value a, Value b) => new(_b.Append(Op.FSignXor, a.Id, b.Id, size: (int)size));

    public Value FClass(FloatSize size, Value a)
    {
        _b.Unsupported();
        return a;
    }

    public Value FToInt(FloatSize size, IntFormat to, Value a, Rounding rounding)
    {
        // Rounding F64 before a conversion to 32 bits could raise inexact for what then is out of range.
        bool said = rounding == Rounding.TowardZero
            || (to is IntFormat.S32 or IntFormat.S64 && rounding == Rounding.Dynamic)
            || (to == IntFormat.S64 || (to == IntFormat.S32 && size == FloatSize.F32)) && rounding != Rounding.NearestMaxMagnitude;
        if (!said)
            _b.Unsupported();
        int v = _b.Append(Op.FToInt, a.Id, size: (int)size, aux: (int)to, mode: (int)rounding);
        return new(to is IntFormat.S32 or IntFormat.U32 ? _b.Narrow(v, 32, 64) : v);
    }

    public Value FFromInt(FloatSize size, IntFormat from, Value a, Rounding rounding)
    {
        bool exact = size == FloatSize.F64 && from is IntFormat.S32 or IntFormat.U32;
        if (rounding != Rounding.Dynamic && !exact)
            _b.Unsupported();
        return new(_b.Append(Op.FFromInt, a.Id, size: (int)size, aux: (int)from));
    }

    public Value FConvert(FloatSize from, FloatSize to, Value a, Rounding rounding)
    {
        if (rounding != Rounding.Dynamic && to == FloatSize.F32)
            _b.Unsupported();
        return new(_b.Append(Op.FConvert, a.Id, size: (int)from, aux: (int)to));
    }
}
