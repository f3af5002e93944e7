using Myna.Jit.Operations;

namespace Myna.Cpu.Float;

/// <summary>
/// IEEE 754-2019 binary32 and binary64 arithmetic on raw bits, with RISC-V's rules: every NaN result is canonical,
/// tininess is detected after rounding. A binary32 operand lies in the low 32 bits and the rest is ignored; a binary32
/// result is zero-extended. Flags are or-ed into <c>flags</c>. The rounding is never <see cref="Rounding.Dynamic"/>.
/// </summary>
public static class SoftFloat
{
    public static ulong Add(FloatSize size, ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Add(a, b, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.Add(a, b, rounding, ref flags);

    public static ulong Sub(FloatSize size, ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Sub(a, b, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.Sub(a, b, rounding, ref flags);

    public static ulong Mul(FloatSize size, ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Mul(a, b, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.Mul(a, b, rounding, ref flags);

    public static ulong Div(FloatSize size, ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Div(a, b, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.Div(a, b, rounding, ref flags);

    public static ulong Sqrt(FloatSize size, ulong a, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Sqrt(a, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.Sqrt(a, rounding, ref flags);

    /// <summary>±(a×b) ± c with one rounding. Infinity times zero is invalid even when c is a quiet NaN.</summary>
    public static ulong MulAdd(FloatSize size, ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.MulAdd(a, b, c, negateProduct, negateAddend, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.MulAdd(a, b, c, negateProduct, negateAddend, rounding, ref flags);

    /// <summary>minimumNumber: a NaN loses against a number, -0 is less than +0; a signalling NaN is invalid.</summary>
    public static ulong Min(FloatSize size, ulong a, ulong b, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.MinMax(a, b, wantLess: true, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.MinMax(a, b, wantLess: true, ref flags);

    /// <summary>maximumNumber; as <see cref="Min"/>.</summary>
    public static ulong Max(FloatSize size, ulong a, ulong b, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.MinMax(a, b, wantLess: false, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.MinMax(a, b, wantLess: false, ref flags);

    /// <summary>Whether the comparison holds; with a NaN none does.</summary>
    public static bool Compare(FloatSize size, FloatCompare compare, ulong a, ulong b, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Compare(compare, a, b, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.Compare(compare, a, b, ref flags);

    /// <summary>The RISC-V fclass mask: ten bits, one set. Raises nothing.</summary>
    public static uint Class(FloatSize size, ulong a) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.Class(a)
        : Arithmetic<Binary64, CanonicalNaN>.Class(a);

    /// <summary>
    /// Out of range saturates and NaN gives the largest value, both invalid and not inexact (RISC-V F, "Domains of
    /// float-to-integer conversions and behavior for invalid inputs"). 32-bit results are sign-extended, also U32.
    /// </summary>
    public static ulong ToInt(FloatSize size, IntFormat to, ulong a, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.ToInt(to, a, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.ToInt(to, a, rounding, ref flags);

    /// <summary>The 32-bit formats take the low half of <paramref name="a"/>.</summary>
    public static ulong FromInt(FloatSize size, IntFormat from, ulong a, Rounding rounding, ref FloatFlags flags) => size == FloatSize.F32
        ? Arithmetic<Binary32, CanonicalNaN>.FromInt(from, a, rounding, ref flags)
        : Arithmetic<Binary64, CanonicalNaN>.FromInt(from, a, rounding, ref flags);

    /// <summary>Between formats; converting to the same format only makes a NaN canonical.</summary>
    public static ulong Convert(FloatSize from, FloatSize to, ulong a, Rounding rounding, ref FloatFlags flags) => (from, to) switch
    {
        (FloatSize.F32, FloatSize.F64) => Arithmetic<Binary64, CanonicalNaN>.ConvertFrom<Binary32>(a, rounding, ref flags),
        (FloatSize.F64, FloatSize.F32) => Arithmetic<Binary32, CanonicalNaN>.ConvertFrom<Binary64>(a, rounding, ref flags),
        (FloatSize.F32, _) => Arithmetic<Binary32, CanonicalNaN>.ConvertFrom<Binary32>(a, rounding, ref flags),
        _ => Arithmetic<Binary64, CanonicalNaN>.ConvertFrom<Binary64>(a, rounding, ref flags),
    };
}
