using System.Runtime.CompilerServices;
using Myna.Cpu.Float;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.Float;

/// <summary>Rounding to nearest even against the host's processor; a NaN matches any NaN, which the host makes by its own rules.</summary>
public sealed class SoftFloatHostTests
{
    private const int Count = 200_000;
    private const Rounding Near = Rounding.NearestEven;

    private static double D(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    private static float S(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static ulong Bits(double a) => double.IsNaN(a) ? 0x7FF8000000000000 : BitConverter.DoubleToUInt64Bits(a);

    private static ulong Bits(float a) => float.IsNaN(a) ? 0x7FC00000 : BitConverter.SingleToUInt32Bits(a);

    private static void Equal(ulong expected, ulong actual, ulong a, ulong b, ulong c = 0, [CallerArgumentExpression(nameof(actual))] string what = "")
    {
        if (expected != actual)
            Assert.Fail($"{what} of {a:x} {b:x} {c:x}: {actual:x}, expected {expected:x}");
    }

    private static IEnumerable<(ulong A, ulong B, ulong C)> Operands(FloatSize size)
    {
        var samples = new FloatSamples(size, 42);
        List<ulong> special = samples.Special();
        foreach (ulong a in special)
        {
            foreach (ulong b in special)
                yield return (a, b, special[(int)((a ^ (b * 31)) % (ulong)special.Count)]);
        }
        for (int i = 0; i < Count; i++)
        {
            ulong a = samples.Next();
            ulong b = i % 2 == 0 ? samples.Next() : samples.NextNear(a);
            yield return (a, b, samples.NextNear(b));
        }
    }

    [Fact]
    public void Binary64_arithmetic()
    {
        const FloatSize F = FloatSize.F64;
        FloatFlags f = 0;
        foreach ((ulong a, ulong b, ulong c) in Operands(F))
        {
            Equal(Bits(D(a) + D(b)), SoftFloat.Add(F, a, b, Near, ref f), a, b);
            Equal(Bits(D(a) - D(b)), SoftFloat.Sub(F, a, b, Near, ref f), a, b);
            Equal(Bits(D(a) * D(b)), SoftFloat.Mul(F, a, b, Near, ref f), a, b);
            Equal(Bits(D(a) / D(b)), SoftFloat.Div(F, a, b, Near, ref f), a, b);
            Equal(Bits(Math.Sqrt(D(a))), SoftFloat.Sqrt(F, a, Near, ref f), a, b);
            Equal(Bits(Math.FusedMultiplyAdd(D(a), D(b), D(c))), SoftFloat.MulAdd(F, a, b, c, false, false, Near, ref f), a, b, c);
            Equal(Bits(Math.FusedMultiplyAdd(-D(a), D(b), D(c))), SoftFloat.MulAdd(F, a, b, c, true, false, Near, ref f), a, b, c);
            Equal(Bits(Math.FusedMultiplyAdd(D(a), D(b), -D(c))), SoftFloat.MulAdd(F, a, b, c, false, true, Near, ref f), a, b, c);
            Equal(Bits((float)D(a)), SoftFloat.Convert(F, FloatSize.F32, a, Near, ref f), a, b);
            Equal(Bits((double)(long)a), SoftFloat.FromInt(F, IntFormat.S64, a, Near, ref f), a, b);
            Equal(Bits((double)a), SoftFloat.FromInt(F, IntFormat.U64, a, Near, ref f), a, b);
            Assert.Equal(D(a) == D(b), SoftFloat.Compare(F, FloatCompare.EqQuiet, a, b, ref f));
            Assert.Equal(D(a) < D(b), SoftFloat.Compare(F, FloatCompare.LtQuiet, a, b, ref f));
            Assert.Equal(D(a) <= D(b), SoftFloat.Compare(F, FloatCompare.LeSignalling, a, b, ref f));
            Equal(Bits(double.MinNumber(D(a), D(b))), SoftFloat.Min(F, a, b, ref f), a, b);
            Equal(Bits(double.MaxNumber(D(a), D(b))), SoftFloat.Max(F, a, b, ref f), a, b);
        }
    }

    [Fact]
    public void Binary32_arithmetic()
    {
        const FloatSize F = FloatSize.F32;
        FloatFlags f = 0;
        foreach ((ulong a, ulong b, ulong c) in Operands(F))
        {
            Equal(Bits(S(a) + S(b)), SoftFloat.Add(F, a, b, Near, ref f), a, b);
            Equal(Bits(S(a) - S(b)), SoftFloat.Sub(F, a, b, Near, ref f), a, b);
            Equal(Bits(S(a) * S(b)), SoftFloat.Mul(F, a, b, Near, ref f), a, b);
            Equal(Bits(S(a) / S(b)), SoftFloat.Div(F, a, b, Near, ref f), a, b);
            Equal(Bits(MathF.Sqrt(S(a))), SoftFloat.Sqrt(F, a, Near, ref f), a, b);
            Equal(Bits(MathF.FusedMultiplyAdd(S(a), S(b), S(c))), SoftFloat.MulAdd(F, a, b, c, false, false, Near, ref f), a, b, c);
            Equal(Bits(MathF.FusedMultiplyAdd(-S(a), S(b), -S(c))), SoftFloat.MulAdd(F, a, b, c, true, true, Near, ref f), a, b, c);
            Equal(Bits((double)S(a)), SoftFloat.Convert(F, FloatSize.F64, a, Near, ref f), a, b);
            Equal(Bits((float)(int)a), SoftFloat.FromInt(F, IntFormat.S32, a, Near, ref f), a, b);
            Equal(Bits((float)(uint)a), SoftFloat.FromInt(F, IntFormat.U32, a, Near, ref f), a, b);
            Assert.Equal(S(a) == S(b), SoftFloat.Compare(F, FloatCompare.EqQuiet, a, b, ref f));
            Assert.Equal(S(a) < S(b), SoftFloat.Compare(F, FloatCompare.LtSignalling, a, b, ref f));
            Assert.Equal(S(a) <= S(b), SoftFloat.Compare(F, FloatCompare.LeQuiet, a, b, ref f));
            Equal(Bits(float.MinNumber(S(a), S(b))), SoftFloat.Min(F, a, b, ref f), a, b);
            Equal(Bits(float.MaxNumber(S(a), S(b))), SoftFloat.Max(F, a, b, ref f), a, b);
        }
    }
}
