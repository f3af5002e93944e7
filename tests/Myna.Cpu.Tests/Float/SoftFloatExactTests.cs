using System.Numerics;
using Myna.Cpu.Float;
using Myna.Jit.Operations;
using Rational = Myna.Cpu.Tests.Float.ExactArithmetic.Rational;

namespace Myna.Cpu.Tests.Float;

/// <summary>Results and flags of every rounding direction against exact rational arithmetic.</summary>
public sealed class SoftFloatExactTests
{
    private const int Count = 6000;

    public static TheoryData<FloatSize, Rounding> Cases()
    {
        var data = new TheoryData<FloatSize, Rounding>();
        foreach (FloatSize size in Enum.GetValues<FloatSize>())
        {
            foreach (Rounding rounding in FloatSamples.Roundings)
                data.Add(size, rounding);
        }
        return data;
    }

    private delegate ulong Operation(ulong a, ulong b, ref FloatFlags flags);

    /// <summary>Runs over special and random pairs of finite numbers and compares with the rounded exact result.</summary>
    private static void Check(FloatSize size, Rounding rounding, int seed, string name, Operation operation,
        Func<Rational, Rational, Rational?> exact, Func<bool, bool, bool> zeroSign)
    {
        var oracle = new ExactArithmetic(size);
        var samples = new FloatSamples(size, seed);
        foreach ((ulong a, ulong b) in Pairs(samples))
        {
            if (!oracle.IsFinite(a) || !oracle.IsFinite(b) || exact(oracle.Value(a), oracle.Value(b)) is not { } value)
                continue;
            FloatFlags expectedFlags = 0;
            ulong expected = value.IsZero
                ? oracle.WithSign(0, zeroSign(oracle.IsNegative(a), oracle.IsNegative(b)))
                : oracle.Round(value, rounding, ref expectedFlags);
            FloatFlags flags = 0;
            ulong result = operation(a, b, ref flags);
            if (result != expected || flags != expectedFlags)
                Assert.Fail($"{name} {size} {rounding} {a:x} {b:x}: {result:x} {flags}, expected {expected:x} {expectedFlags}");
        }
    }

    private static IEnumerable<(ulong A, ulong B)> Pairs(FloatSamples samples)
    {
        List<ulong> special = samples.Special();
        foreach (ulong a in special)
        {
            foreach (ulong b in special)
                yield return (a, b);
        }
        for (int i = 0; i < Count; i++)
        {
            ulong a = samples.Next();
            yield return (a, i % 2 == 0 ? samples.NextNear(a) : samples.Next());
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Addition(FloatSize size, Rounding rounding) => Check(size, rounding, 1, "add",
        (ulong a, ulong b, ref FloatFlags f) => SoftFloat.Add(size, a, b, rounding, ref f),
        (a, b) => a + b, (a, b) => a == b ? a : rounding == Rounding.Down);

    [Theory, MemberData(nameof(Cases))]
    public void Subtraction(FloatSize size, Rounding rounding) => Check(size, rounding, 2, "sub",
        (ulong a, ulong b, ref FloatFlags f) => SoftFloat.Sub(size, a, b, rounding, ref f),
        (a, b) => a + -b, (a, b) => a != b ? a : rounding == Rounding.Down);

    [Theory, MemberData(nameof(Cases))]
    public void Multiplication(FloatSize size, Rounding rounding) => Check(size, rounding, 3, "mul",
        (ulong a, ulong b, ref FloatFlags f) => SoftFloat.Mul(size, a, b, rounding, ref f),
        (a, b) => a * b, (a, b) => a != b);

    [Theory, MemberData(nameof(Cases))]
    public void Division(FloatSize size, Rounding rounding) => Check(size, rounding, 4, "div",
        (ulong a, ulong b, ref FloatFlags f) => SoftFloat.Div(size, a, b, rounding, ref f),
        (a, b) => b.IsZero ? null : a / b, (a, b) => a != b);

    [Theory, MemberData(nameof(Cases))]
    public void SquareRoot(FloatSize size, Rounding rounding) => Check(size, rounding, 5, "sqrt",
        (ulong a, ulong b, ref FloatFlags f) => SoftFloat.Sqrt(size, a, rounding, ref f),
        (a, b) => a.Numerator.Sign < 0 ? null : ExactArithmetic.Root(a), (a, b) => a);

    [Theory, MemberData(nameof(Cases))]
    public void Fused_multiply_add(FloatSize size, Rounding rounding)
    {
        var oracle = new ExactArithmetic(size);
        var samples = new FloatSamples(size, 6);
        for (int i = 0; i < 4 * Count; i++)
        {
            ulong a = samples.Next();
            ulong b = samples.NextNear(samples.Make(false, size == FloatSize.F32 ? 127 : 1023, 0));
            if (!oracle.IsFinite(a) || !oracle.IsFinite(b))
                continue;
            // The addend near the product, which may nearly cancel it, or anywhere.
            FloatFlags ignored = 0;
            ulong product = SoftFloat.Mul(size, a, b, Rounding.TowardZero, ref ignored);
            ulong c = (i % 4) switch { 0 => samples.Next(), 1 => product, _ => samples.NextNear(product) };
            if (!oracle.IsFinite(c))
                continue;
            bool negateProduct = (i & 4) != 0;
            bool negateAddend = (i & 8) != 0;
            bool signProduct = oracle.IsNegative(a) ^ oracle.IsNegative(b) ^ negateProduct;
            bool signAddend = oracle.IsNegative(c) ^ negateAddend;
            Rational left = oracle.Value(a) * oracle.Value(b);
            Rational right = oracle.Value(c);
            Rational value = (negateProduct ? -left : left) + (negateAddend ? -right : right);
            FloatFlags expectedFlags = 0;
            ulong expected = value.IsZero
                ? oracle.WithSign(0, signProduct == signAddend ? signProduct : rounding == Rounding.Down)
                : oracle.Round(value, rounding, ref expectedFlags);
            FloatFlags flags = 0;
            ulong result = SoftFloat.MulAdd(size, a, b, c, negateProduct, negateAddend, rounding, ref flags);
            if (result != expected || flags != expectedFlags)
                Assert.Fail($"fma {size} {rounding} {a:x} {b:x} {c:x} {negateProduct} {negateAddend}: {result:x} {flags}, expected {expected:x} {expectedFlags}");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Conversion_to_integers(FloatSize size, Rounding rounding)
    {
        var oracle = new ExactArithmetic(size);
        var samples = new FloatSamples(size, 7);
        var values = samples.Special();
        ulong one = samples.Make(false, size == FloatSize.F32 ? 127 : 1023, 0);
        for (int i = 0; i < Count; i++)
            values.Add(i % 4 == 0 ? samples.Next() : samples.NextNear(one));
        for (int i = 0; i < Count; i++)
        {
            FloatFlags ignored = 0;
            values.Add(SoftFloat.FromInt(size, IntFormat.S64, samples.NextInteger(), rounding, ref ignored));
            values.Add(SoftFloat.FromInt(size, IntFormat.S32, samples.NextInteger(), rounding, ref ignored));
        }
        foreach (ulong a in values.Where(oracle.IsFinite))
        {
            foreach (IntFormat format in Enum.GetValues<IntFormat>())
            {
                (BigInteger least, BigInteger most) = Range(format);
                BigInteger expected = ExactArithmetic.ToInteger(oracle.Value(a), rounding, out bool exact);
                FloatFlags expectedFlags = exact ? 0 : FloatFlags.Inexact;
                if (expected < least || expected > most)
                {
                    expected = expected < least ? least : most;
                    expectedFlags = FloatFlags.Invalid;
                }
                FloatFlags flags = 0;
                ulong result = SoftFloat.ToInt(size, format, a, rounding, ref flags);
                if (result != Register(format, expected) || flags != expectedFlags)
                    Assert.Fail($"{format} of {size} {rounding} {a:x}: {result:x} {flags}, expected {expected} {expectedFlags}");
            }
        }
    }

    private static (BigInteger Least, BigInteger Most) Range(IntFormat format) => format switch
    {
        IntFormat.S32 => (int.MinValue, int.MaxValue),
        IntFormat.U32 => (uint.MinValue, uint.MaxValue),
        IntFormat.S64 => (long.MinValue, long.MaxValue),
        _ => (ulong.MinValue, ulong.MaxValue),
    };

    /// <summary>An integer as it lies in a 64-bit register: 32-bit formats sign-extended.</summary>
    private static ulong Register(IntFormat format, BigInteger value) => format switch
    {
        IntFormat.S32 => (ulong)(long)value,
        IntFormat.U32 => (ulong)(int)(uint)value,
        IntFormat.S64 => (ulong)(long)value,
        _ => (ulong)value,
    };

    [Theory, MemberData(nameof(Cases))]
    public void Conversion_from_integers(FloatSize size, Rounding rounding)
    {
        var oracle = new ExactArithmetic(size);
        var samples = new FloatSamples(size, 8);
        ulong[] edges = [0, 1, 2, ulong.MaxValue, long.MaxValue, 1UL << 63, int.MaxValue, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFF_80000000];
        for (int i = 0; i < Count + edges.Length; i++)
        {
            ulong a = i < edges.Length ? edges[i] : samples.NextInteger();
            foreach (IntFormat format in Enum.GetValues<IntFormat>())
            {
                BigInteger value = format switch
                {
                    IntFormat.S32 => (int)a,
                    IntFormat.U32 => (uint)a,
                    IntFormat.S64 => (long)a,
                    _ => a,
                };
                FloatFlags expectedFlags = 0;
                ulong expected = value.IsZero ? 0 : oracle.Round(new Rational(value, 1), rounding, ref expectedFlags);
                FloatFlags flags = 0;
                ulong result = SoftFloat.FromInt(size, format, a, rounding, ref flags);
                if (result != expected || flags != expectedFlags)
                    Assert.Fail($"{size} of {format} {rounding} {a:x}: {result:x} {flags}, expected {expected:x} {expectedFlags}");
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Conversion_between_formats(FloatSize size, Rounding rounding)
    {
        FloatSize to = size == FloatSize.F32 ? FloatSize.F64 : FloatSize.F32;
        var source = new ExactArithmetic(size);
        var target = new ExactArithmetic(to);
        var samples = new FloatSamples(size, 9);
        var values = samples.Special();
        // binary64 numbers around the ends of binary32's range, where overflow and underflow begin.
        int[] exponents = size == FloatSize.F32 ? [] : [1023 - 151, 1023 - 150, 1023 - 149, 1023 - 127, 1023 - 126, 1023 + 127, 1023 + 128];
        foreach (int biased in exponents)
        {
            foreach (ulong fraction in (ulong[])[0, 1, 1UL << 28, (1UL << 28) + 1, (1UL << 29) - 1, (1UL << 52) - 1, (1UL << 52) - (1UL << 28), (1UL << 52) - (1UL << 28) - 1, (1UL << 52) - (1UL << 27)])
            {
                values.Add(samples.Make(false, biased, fraction));
                values.Add(samples.Make(true, biased, fraction));
            }
        }
        for (int i = 0; i < Count; i++)
            values.Add(i % 2 == 0 ? samples.Next() : samples.NextNear(samples.Make(false, size == FloatSize.F32 ? 20 : 1023 - 140, 0)));
        foreach (ulong a in values.Where(source.IsFinite))
        {
            Rational value = source.Value(a);
            FloatFlags expectedFlags = 0;
            ulong expected = value.IsZero ? target.WithSign(0, source.IsNegative(a)) : target.Round(value, rounding, ref expectedFlags);
            FloatFlags flags = 0;
            ulong result = SoftFloat.Convert(size, to, a, rounding, ref flags);
            if (result != expected || flags != expectedFlags)
                Assert.Fail($"{to} of {size} {rounding} {a:x}: {result:x} {flags}, expected {expected:x} {expectedFlags}");
        }
    }
}
