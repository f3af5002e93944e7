using Myna.Jit.Operations;
using Value = Myna.Jit.Ir.Value;

namespace Myna.Cpu.RiscV;

/// <summary>Floating-point operations with a rounding direction: the current one needs no change of the host's.</summary>
internal readonly partial struct TranslatorOps
{
    public Value FAdd(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FAdd(size, a, b, Current(rounding));
    public Value FSub(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FSub(size, a, b, Current(rounding));
    public Value FMul(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FMul(size, a, b, Current(rounding));
    public Value FDiv(FloatSize size, Value a, Value b, Rounding rounding) => _ir.FDiv(size, a, b, Current(rounding));
    public Value FSqrt(FloatSize size, Value a, Rounding rounding) => _ir.FSqrt(size, a, Current(rounding));
    public Value FMulAdd(FloatSize size, Value a, Value b, Value c, bool negateProduct, bool negateAddend, Rounding rounding)
        => _ir.FMulAdd(size, a, b, c, negateProduct, negateAddend, Current(rounding));
    public Value FToInt(FloatSize size, IntFormat to, Value a, Rounding rounding) => _ir.FToInt(size, to, a, rounding == Rounding.TowardZero ? rounding : Current(rounding));
    public Value FFromInt(FloatSize size, IntFormat from, Value a, Rounding rounding) => _ir.FFromInt(size, from, a, Current(rounding));
    public Value FConvert(FloatSize from, FloatSize to, Value a, Rounding rounding) => _ir.FConvert(from, to, a, Current(rounding));
}
