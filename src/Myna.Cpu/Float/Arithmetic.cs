using Myna.Jit.Operations;

namespace Myna.Cpu.Float;

internal static partial class Arithmetic<TFormat, TNaN>
    where TFormat : struct, IBinaryFormat
    where TNaN : struct, INaNRules
{
    public static ulong Add(ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong Sub(ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong Mul(ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong Div(ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong Sqrt(ulong a, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong MulAdd(ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong MinMax(ulong a, ulong b, bool wantLess, ref FloatFlags flags) => throw new NotImplementedException();
    public static bool Compare(FloatCompare compare, ulong a, ulong b, ref FloatFlags flags) => throw new NotImplementedException();
    public static uint Class(ulong a) => throw new NotImplementedException();
    public static ulong ToInt(IntFormat to, ulong a, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong FromInt(IntFormat from, ulong a, Rounding rounding, ref FloatFlags flags) => throw new NotImplementedException();
    public static ulong ConvertFrom<TFrom>(ulong a, Rounding rounding, ref FloatFlags flags) where TFrom : struct, IBinaryFormat => throw new NotImplementedException();
}
