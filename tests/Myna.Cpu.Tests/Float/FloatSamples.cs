using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.Float;

/// <summary>Operands where implementations go wrong; random ones are reproducible from their seed.</summary>
internal sealed class FloatSamples(FloatSize size, int seed)
{
    private readonly Random _random = new(seed);

    private int FractionBits => size == FloatSize.F32 ? 23 : 52;
    private int ExponentBits => size == FloatSize.F32 ? 8 : 11;
    private int Bias => (1 << (ExponentBits - 1)) - 1;

    public static readonly Rounding[] Roundings =
        [Rounding.NearestEven, Rounding.TowardZero, Rounding.Down, Rounding.Up, Rounding.NearestMaxMagnitude];

    public ulong Make(bool negative, int biased, ulong fraction) =>
        ((negative ? 1UL : 0) << (FractionBits + ExponentBits)) | ((ulong)biased << FractionBits) | (fraction & ((1UL << FractionBits) - 1));

    /// <summary>Every corner of the format, of both signs.</summary>
    public List<ulong> Special()
    {
        ulong ones = (1UL << FractionBits) - 1;
        int top = (1 << ExponentBits) - 1;
        var values = new List<ulong>();
        foreach (bool negative in (bool[])[false, true])
        {
            foreach (ulong fraction in (ulong[])[0, 1, 2, ones >> 1, (ones >> 1) + 1, (ones >> 1) + 2, ones - 1, ones])
            {
                foreach (int biased in (int[])[0, 1, 2, Bias - FractionBits - 1, Bias - 1, Bias, Bias + 1, Bias + 31, Bias + 63, top - 1, top])
                    values.Add(Make(negative, biased, fraction));
            }
        }
        return values;
    }

    public ulong Next() => Next(0, (1 << ExponentBits) - 1);

    /// <summary>A number whose exponent is close to that of <paramref name="other"/>, so that digits overlap or cancel.</summary>
    public ulong NextNear(ulong other)
    {
        int biased = (int)((other >> FractionBits) & ((1UL << ExponentBits) - 1));
        int reach = FractionBits + 4;
        int top = (1 << ExponentBits) - 1;
        return Next(Math.Clamp(biased - reach, 0, top - 1), Math.Clamp(biased + reach, 1, top));
    }

    private ulong Next(int fromExponent, int toExponent)
    {
        int biased = _random.Next(6) switch
        {
            0 => fromExponent,
            1 => toExponent - 1,
            2 => Math.Clamp(Bias + _random.Next(-3, 4), fromExponent, toExponent),
            _ => _random.Next(fromExponent, toExponent + 1),
        };
        ulong ones = (1UL << FractionBits) - 1;
        ulong fraction = _random.Next(6) switch
        {
            // Few bits set, or few bits clear: sums and products that end in ties and just beside them.
            0 => 1UL << _random.Next(FractionBits),
            1 => ones ^ (1UL << _random.Next(FractionBits)),
            2 => ones << _random.Next(FractionBits),
            3 => ones >> _random.Next(FractionBits),
            _ => (ulong)_random.NextInt64(),
        };
        return Make(_random.Next(2) == 0, biased, fraction);
    }

    public ulong NextInteger() => _random.Next(4) switch
    {
        0 => (ulong)_random.NextInt64(long.MinValue, long.MaxValue),
        1 => (ulong)((1L << _random.Next(64)) + _random.Next(-2, 3)),
        2 => (ulong)-((1L << _random.Next(64)) + _random.Next(-2, 3)),
        _ => (ulong)(_random.NextInt64() >> _random.Next(64)),
    };
}
