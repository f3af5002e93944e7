using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86.Instructions;

/// <summary>String instructions: results, pointers and counts, over pages and in both directions.</summary>
public sealed class StringTests
{
    private const ulong Source = X86Fixture.Data + 0xF00, Destination = X86Fixture.Data + 0x1_0F80;

    [Theory]
    [InlineData(0x2345)]
    [InlineData(1)]
    [InlineData(0)]
    public void Rep_movsb_copies(int count)
    {
        using var f = new X86Fixture();
        byte[] bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        f.Write(Source, bytes);
        f.Write(Destination + (ulong)count, [0xAA]);
        f.Run(a =>
        {
            a.mov(rsi, Source);
            a.mov(rdi, Destination);
            a.mov(ecx, count);
            a.rep.movsb();
        });
        byte[] copy = new byte[count + 1];
        Assert.True(f.Memory.Read(Destination, copy));
        Assert.Equal(bytes, copy[..count]);
        Assert.Equal(0xAA, copy[count]);
        Assert.Equal(0UL, f.R(1));
        Assert.Equal(Source + (ulong)count, f.R(6));
        Assert.Equal(Destination + (ulong)count, f.R(7));
    }

    // The destination begins inside the source: each byte that was stored is read again.
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(5, 4)]
    public void Overlapping_copies_repeat(int distance, int size)
    {
        using var f = new X86Fixture();
        byte[] bytes = [.. Enumerable.Range(0, 600).Select(i => (byte)(i * 7))];
        f.Write(Source, bytes);
        int count = 400 / size;
        f.Run(a =>
        {
            a.mov(rsi, Source);
            a.mov(rdi, Source + (ulong)distance);
            a.mov(ecx, count);
            if (size == 1)
                a.rep.movsb();
            else
                a.rep.movsd();
        });
        for (int i = 0; i < count; i++)
            Array.Copy(bytes, i * size, bytes, (i * size) + distance, size);
        byte[] result = new byte[600];
        Assert.True(f.Memory.Read(Source, result));
        Assert.Equal(bytes, result);
    }

    [Fact]
    public void Backward_copies()
    {
        using var f = new X86Fixture();
        byte[] bytes = [.. Enumerable.Range(0, 64).Select(i => (byte)i)];
        f.Write(Source, bytes);
        f.Run(a =>
        {
            a.mov(rsi, Source + 56);
            a.mov(rdi, Destination + 56);
            a.mov(ecx, 8);
            a.std();
            a.rep.movsq();
            a.cld();
        });
        byte[] result = new byte[64];
        Assert.True(f.Memory.Read(Destination, result));
        Assert.Equal(bytes, result);
        Assert.Equal(Source - 8, f.R(6));
    }

    [Fact]
    public void Rep_stos_fills_elements()
    {
        using var f = new X86Fixture();
        f.Run(a =>
        {
            a.mov(rdi, Destination);
            a.mov(ecx, 3000);
            a.mov(eax, 0x1234_5678);
            a.rep.stosd();
        });
        for (ulong i = 0; i < 12_000; i += 8)
            Assert.Equal(0x1234_5678_1234_5678UL, f.Peek(Destination + i));
        Assert.Equal(Destination + 12_000, f.R(7));
    }

    [Fact]
    public void Scans_and_comparisons_stop_where_they_should()
    {
        using var f = new X86Fixture();
        f.Write(Source, "a string of text\0"u8);
        f.Write(Destination, "a string of test\0"u8);
        f.Run(a =>
        {
            a.mov(rdi, Source);
            a.xor(eax, eax);
            a.mov(rcx, -1L);
            a.repne.scasb();
            a.not(rcx);
            a.mov(r8, rcx);
            a.mov(rsi, Source);
            a.mov(rdi, Destination);
            a.mov(ecx, 17);
            a.repe.cmpsb();
            a.mov(r9, rcx);
            a.seta(r10b);
        });
        Assert.Equal(17UL, f.R(8));
        // The 15th characters differ: x and s.
        Assert.Equal(2UL, f.R(9));
        Assert.Equal(1UL, f.R(10) & 0xFF);
    }

    // The fault finds the registers as the finished iterations left them, and the instruction can go on.
    [Fact]
    public void A_fault_in_the_middle_can_be_resumed()
    {
        using var f = new X86Fixture();
        // The page of 2 MiB at 0xA00000 is not there.
        f.Poke(X86Fixture.Tables + 0x2000 + (5 * 8), 0);
        f.Load(a =>
        {
            a.mov(rsi, Source);
            a.mov(rdi, 0xA0_0000 - 0x100);
            a.mov(ecx, 0x200);
            a.rep.movsb();
        });
        f.Restart();
        // No IDT: the fault shuts the CPU down; what it left shows in the registers.
        f.Cpu.Run(1000);
        Assert.Equal(0x100UL, f.R(1));
        Assert.Equal(0xA0_0000UL, f.R(7));
        Assert.Equal(Source + 0x100, f.R(6));
    }

    [Fact]
    public void Addresses_of_16_bits_wrap()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Write(0x2_FFFE, [1, 2]);
        f.Write(0x2_0000, [3, 4]);
        f.Run(a =>
        {
            a.mov(ax, 0x2000);
            a.mov(ds, ax);
            a.mov(ax, 0x3000);
            a.mov(es, ax);
            a.mov(si, 0xFFFE);
            a.mov(di, 0x10);
            a.mov(cx, 4);
            a.rep.movsb();
        });
        Assert.Equal(0x0403_0201UL, f.Peek(0x3_0010) & 0xFFFF_FFFF);
        Assert.Equal(2UL, f.R(6) & 0xFFFF);
        Assert.Equal(0x14UL, f.R(7) & 0xFFFF);
    }
}
