using System.Numerics;
using Myna.Jit.Operations;

namespace Myna.Cpu.Float;

internal static partial class Arithmetic<TFormat, TNaN>
{
    public static ulong ConvertFrom<TFrom>(ulong a, Rounding rounding, ref FloatFlags flags) where TFrom : struct, IBinaryFormat
    {
        bool negative = Arithmetic<TFrom, TNaN>.IsNegative(a);
        if (Arithmetic<TFrom, TNaN>.IsNaN(a))
        {
            if (Arithmetic<TFrom, TNaN>.IsSignalling(a))
                flags |= FloatFlags.Invalid;
            return TNaN.Convert<TFrom, TFormat>(a);
        }
        if (Arithmetic<TFrom, TNaN>.IsZeroOrInfinite(a))
            return Signed(negative, Arithmetic<TFrom, TNaN>.IsZero(a) ? 0 : Infinity);
        ulong significand = Arithmetic<TFrom, TNaN>.Unpack(a, out int exponent);
        return Round(negative, exponent, significand, rounding, ref flags);
    }

    public static ulong FromInt(IntFormat from, ulong a, Rounding rounding, ref FloatFlags flags)
    {
        ulong value = from switch
        {
            IntFormat.S32 => (ulong)(int)a,
            IntFormat.U32 => (uint)a,
            _ => a,
        };
        bool negative = from is IntFormat.S32 or IntFormat.S64 && (long)value < 0;
        if (value == 0)
            return 0;
        if (negative)
            value = 0 - value;
        int zeros = BitOperations.LeadingZeroCount(value);
        return Round(negative, 63 - zeros, value << zeros, rounding, ref flags);
    }

    public static ulong ToInt(IntFormat to, ulong a, Rounding rounding, ref FloatFlags flags)
    {
        bool signed = to is IntFormat.S32 or IntFormat.S64;
        int bits = to is IntFormat.S32 or IntFormat.U32 ? 32 : 64;
        // The largest magnitudes that fit, above and below zero.
        ulong most = ulong.MaxValue >> (64 - bits + (signed ? 1 : 0));
        ulong least = signed ? most + 1 : 0;
        bool negative = IsNegative(a);
        if (IsZero(a))
            return 0;

        ulong magnitude;
        bool inexact = false;
        int exponent = 0;
        ulong significand = IsNaN(a) || IsInfinite(a) ? 0 : Unpack(a, out exponent);
        bool fits = significand != 0 && exponent < 64;
        if (!fits)
        {
            magnitude = 0;
            negative &= !IsNaN(a);
        }
        else
        {
            magnitude = exponent < 0 ? 0 : significand >> (63 - exponent);
            // The bits behind the point, as a fraction of 2^64.
            ulong fraction = exponent >= 63 ? 0 : exponent >= -1 ? significand << (exponent + 1) : 1;
            inexact = fraction != 0;
            bool away = rounding switch
            {
                Rounding.NearestEven => fraction > 1UL << 63 || (fraction == 1UL << 63 && (magnitude & 1) != 0),
                Rounding.NearestMaxMagnitude => fraction >= 1UL << 63,
                Rounding.Down => inexact && negative,
                Rounding.Up => inexact && !negative,
                _ => false,
            };
            if (away)
                magnitude++;
            fits = magnitude <= (negative ? least : most);
        }

        if (!fits)
        {
            flags |= FloatFlags.Invalid;
            magnitude = negative ? least : most;
        }
        else if (inexact)
        {
            flags |= FloatFlags.Inexact;
        }
        ulong result = negative ? 0 - magnitude : magnitude;
        return bits == 32 ? (ulong)(int)result : result;
    }
}
