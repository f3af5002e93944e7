using System.Numerics;
using System.Runtime.CompilerServices;
using Myna.Jit.Operations;

namespace Myna.Cpu.Float;

/// <summary>
/// IEEE 754 operations in one format, integers only: it leaves the host's floating-point status alone, which holds a
/// guest's flags while translated code runs. A finite number other than zero is worked on as
/// significand × 2^(exponent - 63), the significand's bit 63 set.
/// </summary>
internal static partial class Arithmetic<TFormat, TNaN>
    where TFormat : struct, IBinaryFormat
    where TNaN : struct, INaNRules
{
    private static ulong SignBit => 1UL << (TFormat.FractionBits + TFormat.ExponentBits);
    private static ulong HiddenBit => 1UL << TFormat.FractionBits;
    private static ulong QuietBit => 1UL << (TFormat.FractionBits - 1);
    private static ulong Infinity => ((1UL << TFormat.ExponentBits) - 1) << TFormat.FractionBits;
    private static ulong MagnitudeMask => SignBit - 1;
    private static int Bias => (1 << (TFormat.ExponentBits - 1)) - 1;
    private static int MinExponent => 1 - Bias;

    private static bool IsNaN(ulong a) => (a & MagnitudeMask) > Infinity;

    private static bool IsInfinite(ulong a) => (a & MagnitudeMask) == Infinity;

    private static bool IsZero(ulong a) => (a & MagnitudeMask) == 0;

    private static bool IsSignalling(ulong a) => IsNaN(a) && (a & QuietBit) == 0;

    private static bool IsNegative(ulong a) => (a & SignBit) != 0;

    private static ulong Signed(bool negative, ulong magnitude) => negative ? magnitude | SignBit : magnitude;

    /// <summary>Whether a number, not a NaN, is zero or infinite; with one compare: what needs no arithmetic.</summary>
    private static bool IsZeroOrInfinite(ulong a) => ((a & MagnitudeMask) - 1) >= Infinity - 1;

    private static ulong Invalid(ref FloatFlags flags)
    {
        flags |= FloatFlags.Invalid;
        return TNaN.Default<TFormat>();
    }

    private static ulong NaN(ulong a, ref FloatFlags flags) => NaN(a, a, a, ref flags);

    private static ulong NaN(ulong a, ulong b, ref FloatFlags flags) => NaN(a, b, a, ref flags);

    private static ulong NaN(ulong a, ulong b, ulong c, ref FloatFlags flags)
    {
        if (IsSignalling(a) || IsSignalling(b) || IsSignalling(c))
            flags |= FloatFlags.Invalid;
        return TNaN.Propagate<TFormat>(a, b, c);
    }

    /// <summary>Exponent and significand of a finite number other than zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Unpack(ulong a, out int exponent)
    {
        ulong fraction = a & (HiddenBit - 1);
        int biased = (int)((a & MagnitudeMask) >> TFormat.FractionBits);
        if (biased == 0)
        {
            int zeros = BitOperations.LeadingZeroCount(fraction);
            exponent = MinExponent - TFormat.FractionBits + 63 - zeros;
            return fraction << zeros;
        }
        exponent = biased - Bias;
        return (fraction | HiddenBit) << (63 - TFormat.FractionBits);
    }

    private static ulong ShiftRightJam(ulong a, int count) =>
        count < 64 ? (a >> count) | ((a & ((1UL << count) - 1)) != 0 ? 1UL : 0) : a != 0 ? 1UL : 0;

    /// <summary>What to add below the last kept bit so that truncation then rounds; <paramref name="kept"/> ends in that bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong RoundingIncrement(bool negative, ulong kept, ulong mask, Rounding rounding) => rounding switch
    {
        Rounding.NearestEven => (mask >> 1) + (kept & 1),
        Rounding.NearestMaxMagnitude => (mask >> 1) + 1,
        Rounding.Down => negative ? mask : 0,
        Rounding.Up => negative ? 0 : mask,
        _ => 0,
    };

    /// <summary>Rounds ±significand × 2^(exponent - 63) into the format. Bit 63 is set; bit 0 stands for whatever lies below.</summary>
    private static ulong Round(bool negative, int exponent, ulong significand, Rounding rounding, ref FloatFlags flags)
    {
        int drop = 63 - TFormat.FractionBits;
        ulong mask = (1UL << drop) - 1;
        int biased = exponent + Bias;
        if (biased < 1)
            return RoundSubnormal(negative, biased, significand, rounding, ref flags);

        ulong kept = significand >> drop;
        ulong rest = significand & mask;
        kept += (rest + RoundingIncrement(negative, kept, mask, rounding)) >> drop;
        // The hidden bit, or the carry beyond it, is added into the exponent field.
        ulong result = ((ulong)(biased - 1) << TFormat.FractionBits) + kept;
        if (result >= Infinity || biased >= 2 * Bias + 1)
            return Overflow(negative, rounding, ref flags);
        if (rest != 0)
            flags |= FloatFlags.Inexact;
        return Signed(negative, result);
    }

    private static ulong RoundSubnormal(bool negative, int biased, ulong significand, Rounding rounding, ref FloatFlags flags)
    {
        int drop = 63 - TFormat.FractionBits;
        ulong mask = (1UL << drop) - 1;
        // Tininess after rounding (IEEE 754-2019, 7.5 a): as if the exponent had no lower bound.
        ulong full = significand >> drop;
        full += ((significand & mask) + RoundingIncrement(negative, full, mask, rounding)) >> drop;
        bool tiny = biased < 0 || full < HiddenBit << 1;

        significand = ShiftRightJam(significand, 1 - biased);
        ulong kept = significand >> drop;
        ulong rest = significand & mask;
        kept += (rest + RoundingIncrement(negative, kept, mask, rounding)) >> drop;
        if (rest != 0)
            flags |= tiny ? FloatFlags.Inexact | FloatFlags.Underflow : FloatFlags.Inexact;
        return Signed(negative, kept);
    }

    private static ulong Overflow(bool negative, Rounding rounding, ref FloatFlags flags)
    {
        flags |= FloatFlags.Overflow | FloatFlags.Inexact;
        bool away = rounding switch
        {
            Rounding.TowardZero => false,
            Rounding.Down => negative,
            Rounding.Up => !negative,
            _ => true,
        };
        return Signed(negative, away ? Infinity : Infinity - 1);
    }
}
