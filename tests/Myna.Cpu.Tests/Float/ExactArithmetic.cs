using System.Numerics;
using Myna.Cpu.Float;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.Float;

/// <summary>
/// A slow second opinion: operands become rational numbers, the operation is done exactly, and one rounding function,
/// written from IEEE 754-2019 section 4.3 and 7, makes the result and its flags. Knows numbers only, no NaNs or infinities.
/// </summary>
internal sealed class ExactArithmetic(FloatSize size)
{
    private readonly int _precision = size == FloatSize.F32 ? 24 : 53;
    private readonly int _maxExponent = size == FloatSize.F32 ? 127 : 1023;

    private int ExponentBits => size == FloatSize.F32 ? 8 : 11;
    private int Width => size == FloatSize.F32 ? 32 : 64;

    /// <summary>A number of the form Numerator / Denominator, Denominator positive.</summary>
    internal readonly record struct Rational(BigInteger Numerator, BigInteger Denominator)
    {
        public static Rational operator +(Rational a, Rational b) =>
            new(a.Numerator * b.Denominator + b.Numerator * a.Denominator, a.Denominator * b.Denominator);
        public static Rational operator -(Rational a) => new(-a.Numerator, a.Denominator);
        public static Rational operator *(Rational a, Rational b) => new(a.Numerator * b.Numerator, a.Denominator * b.Denominator);
        public static Rational operator /(Rational a, Rational b) => b.Numerator.Sign < 0
            ? new(-a.Numerator * b.Denominator, -a.Denominator * b.Numerator)
            : new(a.Numerator * b.Denominator, a.Denominator * b.Numerator);
        public bool IsZero => Numerator.IsZero;
    }

    public bool IsFinite(ulong bits) => ((bits >> (_precision - 1)) & ((1UL << ExponentBits) - 1)) != (1UL << ExponentBits) - 1;

    public bool IsNegative(ulong bits) => ((bits >> (Width - 1)) & 1) != 0;

    public Rational Value(ulong bits)
    {
        BigInteger fraction = bits & ((1UL << (_precision - 1)) - 1);
        int biased = (int)((bits >> (_precision - 1)) & ((1UL << ExponentBits) - 1));
        if (biased != 0)
            fraction += BigInteger.One << (_precision - 1);
        int scale = Math.Max(biased, 1) - _maxExponent - (_precision - 1);
        if (IsNegative(bits))
            fraction = -fraction;
        return scale >= 0 ? new(fraction << scale, 1) : new(fraction, BigInteger.One << -scale);
    }

    /// <summary>The root to 300 bits, an odd last bit standing for the rest: enough to round any sum of these formats.</summary>
    public static Rational Root(Rational a)
    {
        const int Bits = 300;
        int shift = Math.Max(0, 2 * Bits - (int)a.Numerator.GetBitLength() + (int)a.Denominator.GetBitLength());
        shift += shift & 1;
        BigInteger radicand = BigInteger.DivRem(a.Numerator << shift, a.Denominator, out BigInteger rest);
        BigInteger root = IntegerRoot(radicand);
        BigInteger twice = 2 * root + (rest.IsZero && root * root == radicand ? 0 : 1);
        return new(twice, BigInteger.One << (shift / 2 + 1));
    }

    private static BigInteger IntegerRoot(BigInteger a)
    {
        if (a.IsZero)
            return 0;
        BigInteger x = BigInteger.One << (int)((a.GetBitLength() + 1) / 2);
        while (true)
        {
            BigInteger next = (x + a / x) >> 1;
            if (next >= x)
                return x;
            x = next;
        }
    }

    /// <summary>Rounds a number other than zero.</summary>
    public ulong Round(Rational value, Rounding rounding, ref FloatFlags flags)
    {
        bool negative = value.Numerator.Sign < 0;
        var magnitude = negative ? -value : value;
        int exponent = Exponent(magnitude);

        BigInteger unbounded = RoundToMultiple(magnitude, exponent - _precision + 1, negative, rounding, out _);
        bool tiny = Compare(unbounded, exponent - _precision + 1, 1 - _maxExponent) < 0;

        int quantum = Math.Max(exponent, 1 - _maxExponent) - _precision + 1;
        BigInteger digits = RoundToMultiple(magnitude, quantum, negative, rounding, out bool exact);
        if (Compare(digits, quantum, _maxExponent + 1) >= 0)
        {
            flags |= FloatFlags.Overflow | FloatFlags.Inexact;
            bool finite = rounding == Rounding.TowardZero || rounding == (negative ? Rounding.Up : Rounding.Down);
            ulong infinity = ((1UL << ExponentBits) - 1) << (_precision - 1);
            return WithSign(finite ? infinity - 1 : infinity, negative);
        }
        if (!exact)
            flags |= tiny ? FloatFlags.Inexact | FloatFlags.Underflow : FloatFlags.Inexact;
        if (digits == BigInteger.One << _precision)
        {
            digits >>= 1;
            quantum++;
        }
        ulong fraction = (ulong)digits;
        ulong biased = fraction >> (_precision - 1) == 0 ? 0 : (ulong)(quantum + _precision - 1 + _maxExponent);
        return WithSign((biased << (_precision - 1)) | (fraction & ((1UL << (_precision - 1)) - 1)), negative);
    }

    public ulong WithSign(ulong magnitude, bool negative) => magnitude | (negative ? 1UL << (Width - 1) : 0);

    /// <summary>The integer that a number rounds to.</summary>
    public static BigInteger ToInteger(Rational value, Rounding rounding, out bool exact)
    {
        bool negative = value.Numerator.Sign < 0;
        BigInteger digits = RoundToMultiple(negative ? -value : value, 0, negative, rounding, out exact);
        return negative ? -digits : digits;
    }

    /// <summary>digits × 2^quantum against 2^exponent.</summary>
    private static int Compare(BigInteger digits, int quantum, int exponent) => quantum >= exponent
        ? (digits << (quantum - exponent)).CompareTo(BigInteger.One)
        : digits.CompareTo(BigInteger.One << (exponent - quantum));

    /// <summary>floor(log2(a)).</summary>
    private static int Exponent(Rational a)
    {
        int exponent = (int)(a.Numerator.GetBitLength() - a.Denominator.GetBitLength());
        bool atLeast = exponent >= 0
            ? a.Numerator >= a.Denominator << exponent
            : a.Numerator << -exponent >= a.Denominator;
        return atLeast ? exponent : exponent - 1;
    }

    private static BigInteger RoundToMultiple(Rational a, int quantum, bool negative, Rounding rounding, out bool exact)
    {
        BigInteger numerator = quantum < 0 ? a.Numerator << -quantum : a.Numerator;
        BigInteger denominator = quantum > 0 ? a.Denominator << quantum : a.Denominator;
        BigInteger below = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        exact = rest.IsZero;
        if (exact)
            return below;
        int half = (2 * rest).CompareTo(denominator);
        bool up = rounding switch
        {
            Rounding.NearestEven => half > 0 || (half == 0 && !below.IsEven),
            Rounding.NearestMaxMagnitude => half >= 0,
            Rounding.Up => !negative,
            Rounding.Down => negative,
            _ => false,
        };
        return up ? below + 1 : below;
    }
}
