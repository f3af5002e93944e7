using System.Numerics;
using Myna.Jit.Operations;

namespace Myna.Cpu.Float;

internal static partial class Arithmetic<TFormat, TNaN>
{
    public static ulong Add(ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => AddSigned(a, b, 0, rounding, ref flags);

    public static ulong Sub(ulong a, ulong b, Rounding rounding, ref FloatFlags flags) => AddSigned(a, b, SignBit, rounding, ref flags);

    private static ulong AddSigned(ulong a, ulong b, ulong flip, Rounding rounding, ref FloatFlags flags)
    {
        if (IsNaN(a) || IsNaN(b))
            return NaN(a, b, ref flags);
        a &= SignBit | MagnitudeMask;
        b = (b & (SignBit | MagnitudeMask)) ^ flip;
        bool negative = IsNegative(a);
        bool unlike = ((a ^ b) & SignBit) != 0;
        if (IsZeroOrInfinite(a) || IsZeroOrInfinite(b))
        {
            if (IsInfinite(a))
                return unlike && IsInfinite(b) ? Invalid(ref flags) : a;
            if (!IsZero(b))
                return IsInfinite(b) || IsZero(a) ? b : a;
            return IsZero(a) && unlike ? ZeroSum(rounding) : a;
        }

        ulong x = Unpack(a, out int exponent) >> 1;
        ulong y = Unpack(b, out int exponentB) >> 1;
        int distance = exponent - exponentB;
        if (distance < 0)
        {
            exponent = exponentB;
            x = ShiftRightJam(x, -distance);
        }
        else
        {
            y = ShiftRightJam(y, distance);
        }

        ulong sum;
        if (!unlike)
        {
            sum = x + y;
        }
        else if (x == y)
        {
            return ZeroSum(rounding);
        }
        else
        {
            sum = x - y;
            if (x < y)
            {
                sum = 0 - sum;
                negative = !negative;
            }
        }
        int zeros = BitOperations.LeadingZeroCount(sum);
        return Round(negative, exponent + 1 - zeros, sum << zeros, rounding, ref flags);
    }

    /// <summary>An exact sum of zero from operands of unlike sign (IEEE 754-2019, 6.3).</summary>
    private static ulong ZeroSum(Rounding rounding) => rounding == Rounding.Down ? SignBit : 0;

    public static ulong Mul(ulong a, ulong b, Rounding rounding, ref FloatFlags flags)
    {
        if (IsNaN(a) || IsNaN(b))
            return NaN(a, b, ref flags);
        bool negative = IsNegative(a ^ b);
        if (IsZeroOrInfinite(a) || IsZeroOrInfinite(b))
        {
            bool infinite = IsInfinite(a) || IsInfinite(b);
            if (infinite && (IsZero(a) || IsZero(b)))
                return Invalid(ref flags);
            return Signed(negative, infinite ? Infinity : 0);
        }

        ulong high = Math.BigMul(Unpack(a, out int exponentA), Unpack(b, out int exponentB), out ulong low);
        if (low != 0)
            high |= 1;
        int exponent = exponentA + exponentB + 1;
        if ((long)high >= 0)
        {
            high <<= 1;
            exponent--;
        }
        return Round(negative, exponent, high, rounding, ref flags);
    }

    public static ulong Div(ulong a, ulong b, Rounding rounding, ref FloatFlags flags)
    {
        if (IsNaN(a) || IsNaN(b))
            return NaN(a, b, ref flags);
        bool negative = IsNegative(a ^ b);
        if (IsZeroOrInfinite(a) || IsZeroOrInfinite(b))
        {
            if ((IsInfinite(a) && IsInfinite(b)) || (IsZero(a) && IsZero(b)))
                return Invalid(ref flags);
            if (IsZero(b) && !IsInfinite(a))
                flags |= FloatFlags.DivideByZero;
            return Signed(negative, IsInfinite(a) || IsZero(b) ? Infinity : 0);
        }

        ulong x = Unpack(a, out int exponentA);
        ulong y = Unpack(b, out int exponentB);
        int exponent = exponentA - exponentB;
        ulong quotient;
        if (TFormat.FractionBits < 31)
        {
            (quotient, ulong rest) = Math.DivRem(x, y >> 32);
            exponent -= 32;
            if (rest != 0)
                quotient |= 1;
        }
        else
        {
            quotient = Divide(x >> (63 - TFormat.FractionBits), y >> (63 - TFormat.FractionBits), ref exponent);
        }
        int zeros = BitOperations.LeadingZeroCount(quotient);
        return Round(negative, exponent + 63 - zeros, quotient << zeros, rounding, ref flags);
    }

    /// <summary>
    /// 2^57 × x / y with the inexact rest in bit 0, for x and y of the format's precision; 2^57 goes off the exponent.
    /// Two digits of 28 bits, each estimated from below with a 32-bit reciprocal: one hardware division.
    /// </summary>
    private static ulong Divide(ulong x, ulong y, ref int exponent)
    {
        const int Digit = 28;
        int below = TFormat.FractionBits - 31;
        exponent -= 2 * Digit + 1;
        if (x < y)
        {
            x <<= 1;
            exponent--;
        }
        // 1 <= x/y < 2: the digit before the point is known.
        ulong rest = x - y;
        ulong quotient = 1;
        ulong reciprocal = (1UL << 63) / ((y >> below) + 1);
        for (int i = 0; i < 2; i++)
        {
            ulong digit = ((rest >> below) * reciprocal) >> (63 - Digit);
            // Modulo 2^64; the difference is a few times y at most.
            rest = (rest << Digit) - digit * y;
            while (rest >= y)
            {
                rest -= y;
                digit++;
            }
            quotient = (quotient << Digit) + digit;
        }
        return (quotient << 1) | (rest != 0 ? 1UL : 0);
    }

    public static ulong Sqrt(ulong a, Rounding rounding, ref FloatFlags flags)
    {
        if (IsNaN(a))
            return NaN(a, ref flags);
        if (IsZero(a))
            return a & (SignBit | MagnitudeMask);
        if (IsNegative(a))
            return Invalid(ref flags);
        if (IsInfinite(a))
            return Infinity;

        // 1 <= radicand < 4 with 58 bits behind the point; the exponent becomes even.
        const int Point = 58;
        ulong rest = Unpack(a, out int exponent) >> (63 - Point - (exponent & 1));
        ulong twiceRoot = 0;
        ulong last = 1UL << (Point - TFormat.FractionBits - 1);
        // rest = (radicand - root²) / bit; the root takes the bit when (root + bit)² still fits.
        for (ulong bit = 1UL << Point; bit >= last; bit >>= 1)
        {
            ulong trial = twiceRoot + bit;
            if (rest >= trial)
            {
                rest -= trial;
                twiceRoot = trial + bit;
            }
            rest <<= 1;
        }
        ulong root = (twiceRoot << (62 - Point)) | (rest != 0 ? 1UL : 0);
        return Round(negative: false, exponent >> 1, root, rounding, ref flags);
    }

    public static ulong MulAdd(ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend, Rounding rounding, ref FloatFlags flags)
    {
        bool invalidProduct = (IsInfinite(a) && IsZero(b)) || (IsZero(a) && IsInfinite(b));
        if (IsNaN(a) || IsNaN(b) || IsNaN(c))
        {
            // IEEE 754-2019, 7.2 c leaves this to the implementation; RISC-V demands it.
            if (invalidProduct)
                flags |= FloatFlags.Invalid;
            return NaN(a, b, c, ref flags);
        }
        if (invalidProduct)
            return Invalid(ref flags);
        bool negative = IsNegative(a ^ b) ^ negateProduct;
        bool negativeC = IsNegative(c) ^ negateAddend;
        if (IsInfinite(a) || IsInfinite(b))
            return IsInfinite(c) && negative != negativeC ? Invalid(ref flags) : Signed(negative, Infinity);
        if (IsInfinite(c))
            return Signed(negativeC, Infinity);
        if (IsZero(a) || IsZero(b))
        {
            if (!IsZero(c))
                return Signed(negativeC, c & MagnitudeMask);
            return negative == negativeC ? Signed(negative, 0) : ZeroSum(rounding);
        }

        // Bit 126 leads in the product and in the addend; the product's low bits are zero, so nothing is lost.
        UInt128 product = (UInt128)Unpack(a, out int exponentA) * Unpack(b, out int exponentB);
        int exponent = exponentA + exponentB;
        if ((long)(ulong)(product >> 64) < 0)
        {
            product >>= 1;
            exponent++;
        }
        if (IsZero(c))
            return RoundWide(negative, exponent, product, rounding, ref flags);

        UInt128 addend = (UInt128)Unpack(c, out int exponentC) << 63;
        int distance = exponent - exponentC;
        if (distance < 0)
        {
            exponent = exponentC;
            product = ShiftRightJam(product, -distance);
        }
        else
        {
            addend = ShiftRightJam(addend, distance);
        }
        if (negative == negativeC)
            return RoundWide(negative, exponent, product + addend, rounding, ref flags);
        if (product == addend)
            return ZeroSum(rounding);
        return product > addend
            ? RoundWide(negative, exponent, product - addend, rounding, ref flags)
            : RoundWide(negativeC, exponent, addend - product, rounding, ref flags);
    }

    private static UInt128 ShiftRightJam(UInt128 a, int count)
    {
        if (count == 0)
            return a;
        if (count >= 128)
            return a != UInt128.Zero ? UInt128.One : UInt128.Zero;
        UInt128 shifted = a >> count;
        return (a << (128 - count)) != UInt128.Zero ? shifted | UInt128.One : shifted;
    }

    /// <summary>Rounds ±significand × 2^(exponent - 126).</summary>
    private static ulong RoundWide(bool negative, int exponent, UInt128 significand, Rounding rounding, ref FloatFlags flags)
    {
        ulong high = (ulong)(significand >> 64);
        ulong low = (ulong)significand;
        if (high == 0)
        {
            high = low;
            low = 0;
            exponent -= 64;
        }
        int zeros = BitOperations.LeadingZeroCount(high);
        high <<= zeros;
        if (zeros != 0)
            high |= low >> (64 - zeros);
        if ((low << zeros) != 0)
            high |= 1;
        return Round(negative, exponent + 1 - zeros, high, rounding, ref flags);
    }
}
