using Myna.Linux.Calls.Narrow;
using Myna.Linux.Loading;

namespace Myna.Linux.Tests.Calls.Narrow;

public sealed class FieldsTests
{
    /// <summary>struct { int; long long; short; int; }: i386 does not pad before the second field.</summary>
    [Fact]
    public void Wide_numbers_are_aligned_to_four_bytes_on_i386()
    {
        Span<byte> b = stackalloc byte[32];
        var w = new FieldWriter(b, AbiKind.I386);
        w.Word(1);
        w.Wide(0x1_0000_0002);
        w.Half(3);
        w.Word(4);
        Assert.Equal(20, w.At);
        Assert.Equal(2u, HostField.Word(b, 4));
        Assert.Equal(1u, HostField.Word(b, 8));
        Assert.Equal(4u, HostField.Word(b, 16));
        var r = new FieldReader(b, AbiKind.I386);
        Assert.Equal(1u, r.Word());
        Assert.Equal(0x1_0000_0002ul, r.Wide());
        Assert.Equal((ushort)3, r.Half());
        Assert.Equal(4ul, r.Signed());
    }

    [Fact]
    public void Signed_words_are_extended()
    {
        var r = new FieldReader([0xFF, 0xFF, 0xFF, 0xFF], AbiKind.I386);
        Assert.Equal(ulong.MaxValue, r.Signed());
    }
}
