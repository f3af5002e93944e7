using System.Buffers.Binary;
using Myna.Linux.Abis;

namespace Myna.Linux.Tests.Abis;

public sealed class I386StructuresTests
{
    /// <summary>siginfo of SIGCHLD: pid, uid, status at 12, 16, 20, times at 24 and 28 (asm-generic/siginfo.h).</summary>
    [Fact]
    public void Siginfo_of_a_child_is_packed()
    {
        Span<byte> host = stackalloc byte[128], narrow = stackalloc byte[128], back = stackalloc byte[128];
        Put(host, 0, 17);
        Put(host, 8, 1);
        Put(host, 16, 1234);
        Put(host, 20, 1000);
        Put(host, 24, 7);
        Put(host, 32, 55);
        Put(host, 40, 66);
        SignalInfo32.FromHost(host, narrow);
        Assert.Equal([17u, 0, 1, 1234, 1000, 7, 55, 66], Words(narrow, 8));
        SignalInfo32.ToHost(narrow, back);
        Assert.True(host.SequenceEqual(back));
    }

    [Theory]
    [InlineData(11, 1, 16, 12)]     // si_addr of a fault
    [InlineData(10, -1, 24, 20)]    // si_value of sigqueue
    [InlineData(29, 1, 24, 16)]     // si_fd of SIGPOLL
    [InlineData(14, -2, 24, 20)]    // si_value of a timer
    public void Fields_of_siginfo_lie_where_the_kind_says(int signal, int code, int hostAt, int narrowAt)
    {
        Span<byte> host = stackalloc byte[128], narrow = stackalloc byte[128];
        Put(host, 0, (uint)signal);
        Put(host, 8, (uint)code);
        Put(host, hostAt, 0xDEAD_BEEF);
        SignalInfo32.FromHost(host, narrow);
        Assert.Equal(0xDEAD_BEEFu, BinaryPrimitives.ReadUInt32LittleEndian(narrow[narrowAt..]));
    }

    /// <summary>What glibc asks for: base, limit FFFFFh in pages, 32-bit data. The descriptor is SDM's figure 3-8.</summary>
    [Fact]
    public void A_user_desc_becomes_a_descriptor()
    {
        var d = new UserDescriptor(12, 0xF7D1_2340, 0xF_FFFF, 0b101_0001);
        Assert.True(d.IsData);
        Assert.Equal(0xF7DF_F3D1_2340_FFFFul, d.ToDescriptor());
        Assert.Equal(d, UserDescriptor.FromDescriptor(12, d.ToDescriptor()));
        Assert.True(new UserDescriptor(12, 0, 0, 0b10_1000).IsEmpty);
    }

    /// <summary>Two registers in use, with 1.0 and 0: top is 6, and the tag word says empty for the others.</summary>
    [Fact]
    public void Fsave_s_format_is_made_of_fxsave_s_and_back()
    {
        Span<byte> fx = stackalloc byte[512], legacy = stackalloc byte[112], back = stackalloc byte[512];
        fx.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(fx, 0x37F);
        BinaryPrimitives.WriteUInt16LittleEndian(fx[2..], 6 << 11);
        fx[4] = 0b1100_0000;
        BinaryPrimitives.WriteUInt64LittleEndian(fx[32..], 1UL << 63);
        BinaryPrimitives.WriteUInt16LittleEndian(fx[40..], 0x3FFF);
        LegacyImage.FromExtended(fx, legacy);
        // ST0 is register 6: valid; ST1 is register 7: zero; all others are empty.
        Assert.Equal(0xFFFF_4FFFu, BinaryPrimitives.ReadUInt32LittleEndian(legacy[8..]));
        Assert.Equal(0xFFFF_037Fu, BinaryPrimitives.ReadUInt32LittleEndian(legacy));
        back.Clear();
        LegacyImage.ToExtended(legacy, back);
        Assert.True(fx.SequenceEqual(back));
    }

    private static void Put(Span<byte> b, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(b[at..], value);

    private static uint[] Words(ReadOnlySpan<byte> b, int count)
    {
        uint[] words = new uint[count];
        for (int i = 0; i < count; i++)
            words[i] = BinaryPrimitives.ReadUInt32LittleEndian(b[(4 * i)..]);
        return words;
    }
}
