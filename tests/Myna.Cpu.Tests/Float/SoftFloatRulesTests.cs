using Myna.Cpu.Float;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.Float;

/// <summary>NaNs, infinities and zeros, from the RISC-V F and D chapters and IEEE 754-2019 section 7.</summary>
public sealed class SoftFloatRulesTests
{
    private const Rounding Near = Rounding.NearestEven;
    private const FloatFlags NV = FloatFlags.Invalid;

    private readonly record struct Constants(ulong Quiet, ulong Payload, ulong Signalling, ulong Infinity, ulong One, ulong Sign, ulong Subnormal)
    {
        public static Constants Of(FloatSize size) => size == FloatSize.F32
            ? new(0x7FC00000, 0xFFC12345, 0x7F800001, 0x7F800000, 0x3F800000, 0x80000000, 1)
            : new(0x7FF8000000000000, 0xFFF8000012345678, 0x7FF0000000000001, 0x7FF0000000000000, 0x3FF0000000000000, 1UL << 63, 1);
    }

    private delegate ulong Operation(ref FloatFlags flags);

    private static void Expect(ulong bits, FloatFlags flags, Operation operation)
    {
        FloatFlags actual = 0;
        ulong result = operation(ref actual);
        Assert.Equal((bits, flags), (result, actual));
    }

    [Theory, InlineData(FloatSize.F32), InlineData(FloatSize.F64)]
    public void Every_NaN_operand_gives_the_canonical_NaN_and_only_signalling_ones_are_invalid(FloatSize f)
    {
        var k = Constants.Of(f);
        foreach ((ulong nan, FloatFlags flags) in ((ulong, FloatFlags)[])[(k.Payload, 0), (k.Quiet, 0), (k.Signalling, NV), (k.Signalling | k.Sign, NV)])
        {
            foreach (ulong other in (ulong[])[0, k.One, k.Infinity, k.Payload])
            {
                Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.Add(f, nan, other, Near, ref x));
                Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.Sub(f, other, nan, Near, ref x));
                Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.Mul(f, other, nan, Near, ref x));
                Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.Div(f, nan, other, Near, ref x));
                Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.MulAdd(f, nan, other, k.One, false, false, Near, ref x));
                Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.MulAdd(f, k.One, other, nan, true, false, Near, ref x));
            }
            Expect(k.Quiet, flags, (ref FloatFlags x) => SoftFloat.Sqrt(f, nan, Near, ref x));
            foreach (FloatSize to in Enum.GetValues<FloatSize>())
                Expect(Constants.Of(to).Quiet, flags, (ref FloatFlags x) => SoftFloat.Convert(f, to, nan, Near, ref x));
        }
    }

    [Theory, InlineData(FloatSize.F32), InlineData(FloatSize.F64)]
    public void Operations_without_a_meaningful_result_are_invalid(FloatSize f)
    {
        var k = Constants.Of(f);
        ulong minusInfinity = k.Infinity | k.Sign;
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Add(f, k.Infinity, minusInfinity, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Sub(f, k.Infinity, k.Infinity, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Mul(f, k.Sign, k.Infinity, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Div(f, minusInfinity, k.Infinity, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Div(f, 0, k.Sign, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Sqrt(f, k.One | k.Sign, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Sqrt(f, k.Subnormal | k.Sign, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Sqrt(f, minusInfinity, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.MulAdd(f, k.Infinity, 0, k.One, false, false, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.MulAdd(f, 0, k.Infinity, k.Payload, false, false, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.MulAdd(f, k.Infinity, k.One, k.Infinity, true, false, Near, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.MulAdd(f, k.One, k.Infinity, k.Infinity, false, true, Near, ref x));
    }

    [Theory, InlineData(FloatSize.F32), InlineData(FloatSize.F64)]
    public void Infinities_and_zeros_are_exact(FloatSize f)
    {
        var k = Constants.Of(f);
        ulong minusInfinity = k.Infinity | k.Sign;
        Expect(k.Infinity, FloatFlags.DivideByZero, (ref FloatFlags x) => SoftFloat.Div(f, k.One, 0, Near, ref x));
        Expect(minusInfinity, FloatFlags.DivideByZero, (ref FloatFlags x) => SoftFloat.Div(f, k.Subnormal, k.Sign, Near, ref x));
        Expect(minusInfinity, 0, (ref FloatFlags x) => SoftFloat.Div(f, k.Infinity, k.Sign, Near, ref x));
        Expect(k.Sign, 0, (ref FloatFlags x) => SoftFloat.Div(f, k.One | k.Sign, k.Infinity, Near, ref x));
        Expect(k.Sign, 0, (ref FloatFlags x) => SoftFloat.Sqrt(f, k.Sign, Near, ref x));
        Expect(k.Infinity, 0, (ref FloatFlags x) => SoftFloat.Sqrt(f, k.Infinity, Near, ref x));
        Expect(k.Infinity, 0, (ref FloatFlags x) => SoftFloat.Add(f, k.One, k.Infinity, Near, ref x));
        Expect(minusInfinity, 0, (ref FloatFlags x) => SoftFloat.Sub(f, k.One, k.Infinity, Near, ref x));
        Expect(minusInfinity, 0, (ref FloatFlags x) => SoftFloat.MulAdd(f, k.One, k.One, k.Infinity, false, true, Near, ref x));
        Expect(k.One | k.Sign, 0, (ref FloatFlags x) => SoftFloat.MulAdd(f, 0, k.One, k.One, false, true, Rounding.Down, ref x));
    }

    [Theory, InlineData(FloatSize.F32), InlineData(FloatSize.F64)]
    public void Comparisons(FloatSize f)
    {
        var k = Constants.Of(f);
        foreach (FloatCompare compare in Enum.GetValues<FloatCompare>())
        {
            bool quiet = compare is FloatCompare.EqQuiet or FloatCompare.LtQuiet or FloatCompare.LeQuiet;
            Expect(0, quiet ? 0 : NV, (ref FloatFlags x) => SoftFloat.Compare(f, compare, k.Payload, k.One, ref x) ? 1UL : 0);
            Expect(0, quiet ? 0 : NV, (ref FloatFlags x) => SoftFloat.Compare(f, compare, k.Quiet, k.Quiet, ref x) ? 1UL : 0);
            Expect(0, NV, (ref FloatFlags x) => SoftFloat.Compare(f, compare, k.One, k.Signalling, ref x) ? 1UL : 0);
            bool strict = compare is FloatCompare.LtQuiet or FloatCompare.LtSignalling;
            Expect(strict ? 0UL : 1, 0, (ref FloatFlags x) => SoftFloat.Compare(f, compare, 0, k.Sign, ref x) ? 1UL : 0);
        }
    }

    [Theory, InlineData(FloatSize.F32), InlineData(FloatSize.F64)]
    public void Minimum_and_maximum_number(FloatSize f)
    {
        var k = Constants.Of(f);
        Expect(k.Sign, 0, (ref FloatFlags x) => SoftFloat.Min(f, 0, k.Sign, ref x));
        Expect(0, 0, (ref FloatFlags x) => SoftFloat.Max(f, k.Sign, 0, ref x));
        Expect(k.One, 0, (ref FloatFlags x) => SoftFloat.Min(f, k.Payload, k.One, ref x));
        Expect(k.One, NV, (ref FloatFlags x) => SoftFloat.Max(f, k.One, k.Signalling, ref x));
        Expect(k.Quiet, 0, (ref FloatFlags x) => SoftFloat.Max(f, k.Payload, k.Payload, ref x));
        Expect(k.Quiet, NV, (ref FloatFlags x) => SoftFloat.Min(f, k.Signalling, k.Payload, ref x));
    }

    [Theory, InlineData(FloatSize.F32), InlineData(FloatSize.F64)]
    public void Classes(FloatSize f)
    {
        var k = Constants.Of(f);
        ulong[] byBit = [k.Infinity | k.Sign, k.One | k.Sign, k.Subnormal | k.Sign, k.Sign, 0, k.Subnormal, k.One, k.Infinity, k.Signalling, k.Payload];
        for (int bit = 0; bit < byBit.Length; bit++)
            Assert.Equal(1u << bit, SoftFloat.Class(f, byBit[bit]));
    }

    [Theory]
    [InlineData(IntFormat.S32, 0x7FFFFFFFUL, 0xFFFFFFFF80000000UL)]
    [InlineData(IntFormat.U32, 0xFFFFFFFFFFFFFFFFUL, 0UL)]
    [InlineData(IntFormat.S64, 0x7FFFFFFFFFFFFFFFUL, 0x8000000000000000UL)]
    [InlineData(IntFormat.U64, 0xFFFFFFFFFFFFFFFFUL, 0UL)]
    public void Integer_conversion_of_infinities_and_NaNs(IntFormat to, ulong most, ulong least)
    {
        foreach (FloatSize f in Enum.GetValues<FloatSize>())
        {
            var k = Constants.Of(f);
            Expect(most, NV, (ref FloatFlags x) => SoftFloat.ToInt(f, to, k.Infinity, Near, ref x));
            Expect(least, NV, (ref FloatFlags x) => SoftFloat.ToInt(f, to, k.Infinity | k.Sign, Near, ref x));
            Expect(most, NV, (ref FloatFlags x) => SoftFloat.ToInt(f, to, k.Payload, Near, ref x));
            Expect(most, NV, (ref FloatFlags x) => SoftFloat.ToInt(f, to, k.Signalling | k.Sign, Near, ref x));
            Expect(0, FloatFlags.Inexact, (ref FloatFlags x) => SoftFloat.ToInt(f, to, k.Subnormal | k.Sign, Near, ref x));
        }
    }

    [Fact]
    public void Bits_above_a_binary32_operand_are_ignored()
    {
        const FloatSize F = FloatSize.F32;
        const ulong Junk = 0xDEADBEEF_00000000;
        const ulong One = 0x3F800000;
        Expect(0x40000000, 0, (ref FloatFlags x) => SoftFloat.Add(F, One | Junk, One | Junk, Near, ref x));
        Expect(One, 0, (ref FloatFlags x) => SoftFloat.Sub(F, One | Junk, Junk, Near, ref x));
        Expect(One, 0, (ref FloatFlags x) => SoftFloat.Sqrt(F, One | Junk, Near, ref x));
        Expect(0, 0, (ref FloatFlags x) => SoftFloat.Sqrt(F, Junk, Near, ref x));
        Expect(One, 0, (ref FloatFlags x) => SoftFloat.Min(F, One | Junk, 0x40000000 | Junk, ref x));
        Expect(One, 0, (ref FloatFlags x) => SoftFloat.MulAdd(F, Junk, One, One | Junk, false, false, Near, ref x));
        Expect(0x7F800000, 0, (ref FloatFlags x) => SoftFloat.Add(F, 0x7F800000 | Junk, One, Near, ref x));
        Assert.True(SoftFloat.Class(F, One | Junk) == 1 << 6);
    }
}
