using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Myna.Jit.Engine;
using Myna.Jit.Operations;

namespace Myna.Jit.Tests.Engine;

/// <summary>Operands, results, rounding and flags of the stubs, against the intrinsics and by hand.</summary>
public class HostVectorTests
{
    private const uint Masked = 0x1F80;

    private static VectorFrame Run(VectorOp op, byte imm, VectorFrame frame)
    {
        HostVector.Execute(op, imm, ref frame);
        return frame;
    }

    private static readonly Vector128<byte>[] Samples = MakeSamples();

    private static Vector128<byte>[] MakeSamples()
    {
        Random random = new(1);
        Vector128<byte>[] samples = new Vector128<byte>[64];
        byte[] bytes = new byte[16];
        for (int i = 0; i < samples.Length; i++)
        {
            random.NextBytes(bytes);
            samples[i] = Vector128.Create(bytes);
        }
        samples[0] = Vector128<byte>.Zero;
        samples[1] = Vector128.Create(double.NaN, double.PositiveInfinity).AsByte();
        samples[2] = Vector128.Create(1.5, -2.25).AsByte();
        samples[3] = Vector128.Create(float.NaN, 1e-40f, float.NegativeInfinity, 3f).AsByte();
        return samples;
    }

    private static void Binary(VectorOp op, byte imm, Func<Vector128<byte>, Vector128<byte>, Vector128<byte>> expected)
    {
        foreach (Vector128<byte> a in Samples)
        {
            foreach (Vector128<byte> b in Samples)
                Assert.Equal(expected(a, b), Run(op, imm, new VectorFrame { A = a, B = b, Mxcsr = Masked }).Result);
        }
    }

    [Fact]
    public void Binary_operations_have_their_operands_in_order()
    {
        if (!HostVector.IsSupported)
            return;
        Binary(VectorOp.Psubb, 0, (a, b) => Sse2.Subtract(a, b));
        Binary(VectorOp.Pandn, 0, (a, b) => Sse2.AndNot(a, b));
        Binary(VectorOp.Subpd, 0, (a, b) => Sse2.Subtract(a.AsDouble(), b.AsDouble()).AsByte());
        Binary(VectorOp.Divss, 0, (a, b) => Sse.DivideScalar(a.AsSingle(), b.AsSingle()).AsByte());
        Binary(VectorOp.Shufps, 0x39, (a, b) => Sse.Shuffle(a.AsSingle(), b.AsSingle(), 0x39).AsByte());
        Binary(VectorOp.Palignr, 5, (a, b) => Ssse3.AlignRight(a, b, 5));
        Binary(VectorOp.Psllw, 0, (a, b) => Sse2.ShiftLeftLogical(a.AsInt16(), b.AsInt16()).AsByte());
        Binary(VectorOp.Aesenc, 0, (a, b) => Aes.Encrypt(a, b));
        Binary(VectorOp.Pclmulqdq, 0x10, (a, b) => Pclmulqdq.CarrylessMultiply(a.AsInt64(), b.AsInt64(), 0x10).AsByte());
    }

    [Fact]
    public void Unary_operations()
    {
        if (!HostVector.IsSupported)
            return;
        foreach (Vector128<byte> a in Samples)
        {
            Assert.Equal(Sse2.Shuffle(a.AsInt32(), 0x1B).AsByte(), Run(VectorOp.Pshufd, 0x1B, new VectorFrame { A = a }).Result);
            Assert.Equal(Sse2.ShiftRightArithmetic(a.AsInt16(), 3).AsByte(), Run(VectorOp.PsrawImm, 3, new VectorFrame { A = a }).Result);
            Assert.Equal(Sse2.ShiftLeftLogical128BitLane(a, 3), Run(VectorOp.Pslldq, 3, new VectorFrame { A = a }).Result);
            Assert.Equal(Sse2.ConvertToVector128Int32WithTruncation(a.AsSingle()).AsByte(), Run(VectorOp.Cvttps2dq, 0, new VectorFrame { A = a, Mxcsr = Masked }).Result);
        }
    }

    [Fact]
    public void Ternary_operations_have_their_operands_in_order()
    {
        if (!HostVector.IsSupported || !Fma.IsSupported)
            return;
        VectorFrame f = new() { A = Vector128.Create(2.0).AsByte(), B = Vector128.Create(3.0).AsByte(), C = Vector128.Create(10.0).AsByte(), Mxcsr = Masked };
        Assert.Equal(Vector128.Create(23.0).AsByte(), Run(VectorOp.Fmadd132pd, 0, f).Result);
        Assert.Equal(Vector128.Create(16.0).AsByte(), Run(VectorOp.Fmadd213pd, 0, f).Result);
        Assert.Equal(Vector128.Create(32.0).AsByte(), Run(VectorOp.Fmadd231pd, 0, f).Result);
        f.C = Vector128.Create(0, 0x80, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0).AsByte();
        Assert.Equal(Sse41.BlendVariable(f.A, f.B, f.C), Run(VectorOp.Pblendvb, 0, f).Result);
    }

    [Fact]
    public void Integers_go_in_and_out()
    {
        if (!HostVector.IsSupported)
            return;
        Vector128<byte> a = Samples[10];
        Assert.Equal((ulong)Sse2.MoveMask(a), Run(VectorOp.Pmovmskb, 0, new VectorFrame { A = a }).Integer);
        Assert.Equal(a.AsUInt64()[1], Run(VectorOp.Pextrq, 1, new VectorFrame { A = a }).Integer);
        Assert.Equal(a.AsUInt32()[2], Run(VectorOp.Pextrd, 2, new VectorFrame { A = a, Integer = ulong.MaxValue }).Integer);
        Assert.Equal(a.WithElement(3, (byte)0x5A), Run(VectorOp.Pinsrb, 3, new VectorFrame { A = a, Integer = 0xFF5A }).Result);
        Assert.Equal(Vector128.CreateScalar(0x1_2345_6789UL).AsByte(), Run(VectorOp.MovqFrom, 0, new VectorFrame { A = a, Integer = 0x1_2345_6789 }).Result);
        Assert.Equal(a.AsDouble().WithElement(0, -7.0).AsByte(), Run(VectorOp.Cvtsi2sdq, 0, new VectorFrame { A = a, Integer = unchecked((ulong)-7L), Mxcsr = Masked }).Result);
        Assert.Equal(0xFFFF_FFFDUL, Run(VectorOp.Cvttsd2si, 0, new VectorFrame { A = Vector128.Create(-3.75).AsByte(), Mxcsr = Masked }).Integer);
    }

    [Fact]
    public void Rounding_and_flags_are_those_of_the_given_MXCSR()
    {
        if (!HostVector.IsSupported)
            return;
        VectorFrame f = new() { A = Vector128.Create(1.0).AsByte(), B = Vector128.Create(3.0).AsByte(), Mxcsr = Masked };
        VectorFrame nearest = Run(VectorOp.Divpd, 0, f);
        Assert.Equal(Masked | 0x20, nearest.Mxcsr);
        f.Mxcsr = Masked | 0x4000;
        VectorFrame up = Run(VectorOp.Divpd, 0, f);
        Assert.Equal(BitConverter.DoubleToUInt64Bits(1.0 / 3) + 1, up.Result.AsUInt64()[0]);
        Assert.Equal(Masked | 0x4020, up.Mxcsr);
        // Afterwards C# rounds as before.
        Assert.Equal(BitConverter.DoubleToUInt64Bits(1.0 / 3), nearest.Result.AsUInt64()[0]);
        Assert.Equal(Masked | 1, Run(VectorOp.Comisd, 0, new VectorFrame { A = Vector128.Create(double.NaN).AsByte(), Mxcsr = Masked }).Mxcsr);
        // Integer operations leave MXCSR alone.
        Assert.Equal(0xDEADu, Run(VectorOp.Paddb, 0, new VectorFrame { Mxcsr = 0xDEAD }).Mxcsr);
    }

    [Fact]
    public void Comparisons_give_flags()
    {
        if (!HostVector.IsSupported)
            return;
        ulong compare(double a, double b) => Run(VectorOp.Ucomisd, 0, new VectorFrame { A = Vector128.CreateScalar(a).AsByte(), B = Vector128.CreateScalar(b).AsByte(), Mxcsr = Masked }).Flags;
        Assert.Equal(0UL, compare(2, 1));
        Assert.Equal(1UL, compare(1, 2));
        Assert.Equal(0x40UL, compare(1, 1));
        Assert.Equal(0x45UL, compare(double.NaN, 1));
    }

    [Fact]
    public void Strings_compare()
    {
        if (!HostVector.IsSupported)
            return;
        Vector128<byte> text = Vector128.Create("hello, world\0\0\0\0"u8), set = Vector128.Create("xyzw\0\0\0\0\0\0\0\0\0\0\0\0"u8);
        // Equal any, unsigned bytes: the first byte of the second operand that is in the first.
        Assert.Equal(7UL, Run(VectorOp.Pcmpistri, 0, new VectorFrame { A = set, B = text }).Integer);
        VectorFrame f = Run(VectorOp.Pcmpestri, 0, new VectorFrame { A = set, B = text, Integer = 4, Length = 7 });
        Assert.Equal(16UL, f.Integer);
        // ZF and SF: both lengths are below 16. No match: CF is 0.
        Assert.Equal(0xC0UL, f.Flags);
        Assert.Equal(Vector128.CreateScalar(1UL << 7).AsByte(), Run(VectorOp.Pcmpistrm, 0, new VectorFrame { A = set, B = text }).Result);
    }

    [Fact]
    public void Sha_rounds_take_their_keys_from_XMM0()
    {
        if (!HostVector.IsSupported || !(X86Base.CpuId(7, 0).Ebx >> 29 != 0 && (X86Base.CpuId(7, 0).Ebx >> 29 & 1) != 0))
            return;
        // Two rounds of SHA-256 computed by FIPS 180-4, section 6.2.2.
        uint[] h = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
        uint[] wk = [0x12345678, 0x9ABCDEF0];
        uint a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], hh = h[7];
        foreach (uint k in wk)
        {
            uint s1 = uint.RotateRight(e, 6) ^ uint.RotateRight(e, 11) ^ uint.RotateRight(e, 25);
            uint t1 = hh + s1 + ((e & f) ^ (~e & g)) + k;
            uint s0 = uint.RotateRight(a, 2) ^ uint.RotateRight(a, 13) ^ uint.RotateRight(a, 22);
            uint t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            (hh, g, f, e, d, c, b, a) = (g, f, e, d + t1, c, b, a, t1 + t2);
        }
        VectorFrame frame = Run(VectorOp.Sha256rnds2, 0, new VectorFrame
        {
            A = Vector128.Create(h[7], h[6], h[3], h[2]).AsByte(),
            B = Vector128.Create(h[5], h[4], h[1], h[0]).AsByte(),
            C = Vector128.Create(wk[0], wk[1], 0, 0).AsByte(),
        });
        Assert.Equal(Vector128.Create(f, e, b, a).AsByte(), frame.Result);
    }
}
