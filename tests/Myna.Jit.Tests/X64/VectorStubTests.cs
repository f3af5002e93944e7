using System.Runtime.InteropServices;
using Iced.Intel;
using Myna.Jit.Operations;
using Myna.Jit.X64;
using Assembler = Myna.Jit.X64.Assembler;

namespace Myna.Jit.Tests.X64;

/// <summary>Every vector operation's encoding, read by Iced: the instruction is the one that the operation is named after.</summary>
public sealed unsafe class VectorStubTests : IDisposable
{
    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(4096, 64);
    private readonly Assembler _a = new();

    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    public static TheoryData<VectorOp> Operations => [.. Enum.GetValues<VectorOp>()];

    private static string Mnemonic(VectorOp op)
    {
        string name = op.ToString().ToLowerInvariant();
        if (op.Form() is VectorForm.Legacy or VectorForm.LegacyXmm0)
            return name;
        foreach (string suffix in (string[])["imm", "store", "from", "to"])
        {
            if (name.EndsWith(suffix, StringComparison.Ordinal))
                name = name[..^suffix.Length];
        }
        if (name.StartsWith("cvt", StringComparison.Ordinal) && name.EndsWith('q') && (name.Contains("si2s") || name.Contains("2siq")))
            name = name[..^1];
        return "v" + name;
    }

    private Instruction Decode(Action<Assembler> emit)
    {
        _a.Reset(_buffer, _buffer + 4096);
        emit(_a);
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(new ReadOnlySpan<byte>(_buffer, _a.Offset).ToArray()));
        Instruction i = decoder.Decode();
        Assert.False(i.IsInvalid, Convert.ToHexString(new ReadOnlySpan<byte>(_buffer, _a.Offset)));
        Assert.Equal(_a.Offset, i.Length);
        return i;
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public void The_encoding_is_the_instruction_of_that_name(VectorOp op)
    {
        VectorForm form = op.Form();
        bool destructive = form is VectorForm.Ternary or VectorForm.Legacy or VectorForm.LegacyXmm0;
        foreach (int dst in (int[])[0, 1, 7, 8, 15])
        {
            foreach (int source in (int[])[0, 3, 9, 15])
            {
                int x = destructive ? dst : source, y = 15 - source, z = (dst + 5) & 15;
                Instruction i = Decode(a => VectorStub.Emit(a, op, dst, x, y, z, 0x35));
                Assert.Equal(Mnemonic(op), i.Mnemonic.ToString().ToLowerInvariant());
                int[] expected = form switch
                {
                    VectorForm.Unary or VectorForm.ShiftImmediate or VectorForm.UnaryStore or VectorForm.ToInteger or VectorForm.ToIntegerStore => [dst, x],
                    VectorForm.Binary or VectorForm.Insert => [dst, x, y],
                    VectorForm.Ternary => [dst, y, z],
                    VectorForm.Blend => [dst, x, y, z],
                    VectorForm.FromInteger or VectorForm.Legacy or VectorForm.LegacyXmm0 => [dst, y],
                    _ => [x, y],
                };
                Assert.Equal(op.HasImmediate() ? expected.Length + 1 : expected.Length, i.OpCount);
                for (int o = 0; o < expected.Length; o++)
                {
                    Register r = i.GetOpRegister(o);
                    Assert.False(r.IsYMM());
                    Assert.Equal(expected[o], r.GetNumber());
                }
                if (op.HasImmediate())
                    Assert.Equal(0x35, i.Immediate8);
                // 64-bit registers where the operation is wide.
                bool wide = i.OpCount > 0 && Enumerable.Range(0, expected.Length).Any(o => i.GetOpRegister(o).IsGPR64());
                bool integer = form is VectorForm.ToInteger or VectorForm.ToIntegerStore or VectorForm.FromInteger or VectorForm.Insert;
                if (integer)
                    Assert.Equal(op.IsWide(), wide);
            }
        }
    }

    [Fact]
    public void Operations_have_numbers_of_their_own()
        => Assert.Equal(Enum.GetValues<VectorOp>().Length, Enum.GetValues<VectorOp>().Select(o => o.Index()).Distinct().Count());

    [Theory]
    [MemberData(nameof(Operations))]
    public void Stubs_fit_their_room(VectorOp op)
    {
        _a.Reset(_buffer, _buffer + 4096);
        VectorStub.Write(_a, op, 0xFF);
        Assert.InRange(_a.Offset, 1, 96);
    }
}
