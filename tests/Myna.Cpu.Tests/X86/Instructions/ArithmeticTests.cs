using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86.Instructions;

/// <summary>Results and flags of integer instructions, worked out from the manual's definitions (Intel SDM volume 2).</summary>
public sealed class ArithmeticTests
{
    private const ulong C = LazyFlags.CF, P = LazyFlags.PF, A = LazyFlags.AF, Z = LazyFlags.ZF, S = LazyFlags.SF, O = LazyFlags.OF;

    // Operation, RAX, RCX, flags before; RAX and flags after. Rows of one width go by name: the register's upper part shows what is written.
    public static TheoryData<string, ulong, ulong, ulong, ulong, ulong> Rows => new()
    {
        { "add al,cl", 0x1122_33FF, 0x01, 0, 0x1122_3300, C | P | A | Z },
        { "add al,cl", 0x7F, 0x01, 0, 0x80, A | S | O },
        { "add ax,cx", 0xFFFF_8000, 0x8000, 0, 0xFFFF_0000, C | P | Z | O },
        { "add eax,ecx", 0xFFFF_FFFF_FFFF_FFFF, 1, 0, 0, C | P | A | Z },
        { "add rax,rcx", 0x7FFF_FFFF_FFFF_FFFF, 1, 0, 0x8000_0000_0000_0000, P | A | S | O },
        { "adc eax,ecx", 0xFFFF_FFFF, 0, C, 0, C | P | A | Z },
        { "adc al,cl", 0x7F, 0x7F, C, 0xFF, P | A | S | O },
        { "adc al,cl", 0xFF, 0xFF, C, 0xFF, C | P | A | S },
        { "sub al,cl", 0x00, 0x01, 0, 0xFF, C | P | A | S },
        { "sub eax,ecx", 0x8000_0000, 1, 0, 0x7FFF_FFFF, P | A | O },
        { "sbb rax,rcx", 0, ulong.MaxValue, C, 0, C | P | A | Z },
        { "sbb al,cl", 0x80, 0x00, C, 0x7F, A | O },
        { "cmp rax,rcx", 5, 5, C | S | O, 5, P | Z },
        { "cmp al,cl", 0x105, 0x205, 0, 0x105, P | Z },
        { "inc al", 0x1FF, 0, C, 0x100, C | P | A | Z },
        { "inc eax", 0x7FFF_FFFF, 0, 0, 0x8000_0000, P | A | S | O },
        { "dec ax", 0x8000, 0, C, 0x7FFF, C | P | A | O },
        { "dec rax", 0, 0, 0, ulong.MaxValue, P | A | S },
        { "neg eax", 0x8000_0000, 0, 0, 0x8000_0000, C | P | S | O },
        { "neg al", 0, 0, C, 0, P | Z },
        { "neg rax", 1, 0, 0, ulong.MaxValue, C | P | A | S },
        { "and eax,ecx", 0xFFFF_FFFF_F0F0_F0F0, 0x0FF0_00F0, C | O, 0x00F0_00F0, P },
        { "or al,cl", 0x12_0080, 0x01, C | O, 0x12_0081, P | S },
        { "xor rax,rcx", 0xFF, 0xFF, C, 0, P | Z },
        { "test al,cl", 0xF0, 0x0F, C, 0xF0, P | Z },
        { "not eax", 0, 0, C | Z, 0xFFFF_FFFF, C | Z },
        { "mul cl", 0x1234_0010, 0x10, 0, 0x1234_0100, C | O | P | Z },
        { "imul eax,ecx", 0xFFFF_FFFF, 0xFFFF_FFFF, C | O, 1, 0 },
        { "imul ax,cx", 0x4000, 2, 0, 0x8000, C | O | P | S },
        { "shl eax,1", 0x8000_0001, 0, 0, 2, C | A | O },
        { "shl al,cl", 0x01, 8, 0, 0x00, C | P | A | Z | O },
        { "shl rax,cl", 1, 64, C | S, 1, C | S },
        { "shl eax,cl", 0x1_0000_0001, 32, C, 1, C },
        { "shr al,1", 0x81, 0, 0, 0x40, C | A | O },
        { "shr eax,cl", 0x8000_0000, 31, 0, 1, A },
        { "sar al,1", 0x81, 0, 0, 0xC0, C | P | A | S },
        { "sar rax,cl", 0x8000_0000_0000_0000, 63, 0, ulong.MaxValue, P | A | S },
        { "sar ax,cl", 0x8000, 20, 0, 0xFFFF, C | P | A | S },
        { "rol al,1", 0x80, 0, Z, 0x01, C | Z | O },
        { "rol ax,cl", 0x1234, 16, 0, 0x1234, 0 },
        { "ror eax,cl", 0x1, 4, P, 0x1000_0000, P },
        { "rcl al,1", 0x80, 0, 0, 0x00, C | O },
        { "rcl al,cl", 0x55, 9, C, 0x55, C | O },
        { "rcr eax,1", 0, 0, C, 0x8000_0000, O },
        { "rcr rax,cl", 0x3, 2, C, 0xC000_0000_0000_0000, C },
        { "bswap eax", 0xFFFF_FFFF_1122_3344, 0, 0, 0x4433_2211, 0 },
        { "bswap rax", 0x1122_3344_5566_7788, 0, 0, 0x8877_6655_4433_2211, 0 },
        { "bt eax,ecx", 0x10, 36, Z, 0x10, C | Z },
        { "bts rax,rcx", 0, 63, 0, 0x8000_0000_0000_0000, 0 },
        { "btr ax,cx", 0xFFFF, 17, 0, 0xFFFD, C },
        { "btc eax,ecx", 0, 31, C, 0x8000_0000, 0 },
        { "bsf eax,ecx", 0x1234, 0, 0, 0x1234, P | Z },
        { "bsr rax,rcx", 0, 0x1_0000_0000, 0, 32, P },
        { "lzcnt eax,ecx", 99, 0, 0, 32, C },
        { "lzcnt ax,cx", 99, 0x8000, C, 0, Z },
        { "tzcnt rax,rcx", 99, 0, 0, 64, C },
        { "tzcnt eax,ecx", 99, 1, C, 0, Z },
        { "popcnt eax,ecx", 0, 0xF0F0_F0F0, C | S, 16, 0 },
        { "cbw", 0x80, 0, 0, 0xFF80, 0 },
        { "cwde", 0x8000, 0, 0, 0xFFFF_8000, 0 },
        { "cdqe", 0x8000_0000, 0, 0, 0xFFFF_FFFF_8000_0000, 0 },
        { "movzx eax,cl", ulong.MaxValue, 0x80, 0, 0x80, 0 },
        { "movsx rax,cl", 0, 0x80, 0, 0xFFFF_FFFF_FFFF_FF80, 0 },
        { "movsxd rax,ecx", 0, 0x8000_0000, 0, 0xFFFF_FFFF_8000_0000, 0 },
        { "mov al,ch", 0, 0x1200, 0, 0x12, 0 },
        { "mov ah,cl", 0x1111_1111, 0x22, 0, 0x1111_2211, 0 },
        { "xchg eax,ecx", 0xFFFF_FFFF_0000_0001, 2, 0, 2, 0 },
        { "xadd eax,ecx", 1, 0xFFFF_FFFF, 0, 0, C | P | A | Z },
        { "cmove eax,ecx", 0xFFFF_FFFF_0000_0001, 2, 0, 1, 0 },
        { "cmove rax,rcx", 1, 2, Z, 2, Z },
        { "lahf", 0, 0, C | Z, 0x4300, C | Z },
        { "sahf", 0xFF00, 0, O, 0xFF00, C | P | A | Z | S | O },
        { "andn eax,ecx,eax", 0xFF, 0x0F, C, 0xF0, P },
        { "blsr eax,ecx", 0, 0x18, 0, 0x10, 0 },
        { "pdep rax,rcx,rax", 0xF0F0, 0xFF, 0, 0xF0F0, 0 },
        { "pext rax,rcx,rax", 0xFF00, 0xAB00, 0, 0xAB, 0 },
        { "rorx eax,ecx", 0, 1, C, 0x8000_0000, C },
        { "adcx eax,ecx", 0xFFFF_FFFF, 1, O, 0, C | O },
        { "adox eax,ecx", 0xFFFF_FFFF, 1, C, 0, C | O },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void Results_and_flags(string operation, ulong rax, ulong rcx, ulong flags, ulong expected, ulong expectedFlags)
    {
        using var f = new X86Fixture();
        f.R(0) = rax;
        f.R(1) = rcx;
        f.SetFlags(flags);
        f.Run(a => Assemble(a, operation));
        Assert.Equal(expected, f.Rax);
        // BSF and BSR define ZF alone; multiplication CF and OF alone.
        ulong defined = operation.StartsWith("bs", StringComparison.Ordinal) && !operation.StartsWith("bswap", StringComparison.Ordinal) ? Z
            : operation.Contains("mul", StringComparison.Ordinal) ? C | O : LazyFlags.All;
        Assert.Equal(expectedFlags & defined, f.Flags & defined);
    }

    private static void Assemble(Assembler a, string operation)
    {
        switch (operation)
        {
            case "add al,cl": a.add(al, cl); break;
            case "add ax,cx": a.add(ax, cx); break;
            case "add eax,ecx": a.add(eax, ecx); break;
            case "add rax,rcx": a.add(rax, rcx); break;
            case "adc eax,ecx": a.adc(eax, ecx); break;
            case "adc al,cl": a.adc(al, cl); break;
            case "sub al,cl": a.sub(al, cl); break;
            case "sub eax,ecx": a.sub(eax, ecx); break;
            case "sbb rax,rcx": a.sbb(rax, rcx); break;
            case "sbb al,cl": a.sbb(al, cl); break;
            case "cmp rax,rcx": a.cmp(rax, rcx); break;
            case "cmp al,cl": a.cmp(al, cl); break;
            case "inc al": a.inc(al); break;
            case "inc eax": a.inc(eax); break;
            case "dec ax": a.dec(ax); break;
            case "dec rax": a.dec(rax); break;
            case "neg eax": a.neg(eax); break;
            case "neg al": a.neg(al); break;
            case "neg rax": a.neg(rax); break;
            case "and eax,ecx": a.and(eax, ecx); break;
            case "or al,cl": a.or(al, cl); break;
            case "xor rax,rcx": a.xor(rax, rcx); break;
            case "test al,cl": a.test(al, cl); break;
            case "not eax": a.not(eax); break;
            case "mul cl": a.mul(cl); break;
            case "imul eax,ecx": a.imul(eax, ecx); break;
            case "imul ax,cx": a.imul(ax, cx); break;
            case "shl eax,1": a.shl(eax, 1); break;
            case "shl al,cl": a.shl(al, cl); break;
            case "shl rax,cl": a.shl(rax, cl); break;
            case "shl eax,cl": a.shl(eax, cl); break;
            case "shr al,1": a.shr(al, 1); break;
            case "shr eax,cl": a.shr(eax, cl); break;
            case "sar al,1": a.sar(al, 1); break;
            case "sar rax,cl": a.sar(rax, cl); break;
            case "sar ax,cl": a.sar(ax, cl); break;
            case "rol al,1": a.rol(al, 1); break;
            case "rol ax,cl": a.rol(ax, cl); break;
            case "ror eax,cl": a.ror(eax, cl); break;
            case "rcl al,1": a.rcl(al, 1); break;
            case "rcl al,cl": a.rcl(al, cl); break;
            case "rcr eax,1": a.rcr(eax, 1); break;
            case "rcr rax,cl": a.rcr(rax, cl); break;
            case "bswap eax": a.bswap(eax); break;
            case "bswap rax": a.bswap(rax); break;
            case "bt eax,ecx": a.bt(eax, ecx); break;
            case "bts rax,rcx": a.bts(rax, rcx); break;
            case "btr ax,cx": a.btr(ax, cx); break;
            case "btc eax,ecx": a.btc(eax, ecx); break;
            case "bsf eax,ecx": a.bsf(eax, ecx); break;
            case "bsr rax,rcx": a.bsr(rax, rcx); break;
            case "lzcnt eax,ecx": a.lzcnt(eax, ecx); break;
            case "lzcnt ax,cx": a.lzcnt(ax, cx); break;
            case "tzcnt rax,rcx": a.tzcnt(rax, rcx); break;
            case "tzcnt eax,ecx": a.tzcnt(eax, ecx); break;
            case "popcnt eax,ecx": a.popcnt(eax, ecx); break;
            case "cbw": a.cbw(); break;
            case "cwde": a.cwde(); break;
            case "cdqe": a.cdqe(); break;
            case "movzx eax,cl": a.movzx(eax, cl); break;
            case "movsx rax,cl": a.movsx(rax, cl); break;
            case "movsxd rax,ecx": a.movsxd(rax, ecx); break;
            case "mov al,ch": a.mov(al, ch); break;
            case "mov ah,cl": a.mov(ah, cl); break;
            case "xchg eax,ecx": a.xchg(eax, ecx); break;
            case "xadd eax,ecx": a.xadd(eax, ecx); break;
            case "cmove eax,ecx": a.cmove(eax, ecx); break;
            case "cmove rax,rcx": a.cmove(rax, rcx); break;
            case "lahf": a.lahf(); break;
            case "sahf": a.sahf(); break;
            case "andn eax,ecx,eax": a.andn(eax, ecx, eax); break;
            case "blsr eax,ecx": a.blsr(eax, ecx); break;
            case "pdep rax,rcx,rax": a.pdep(rax, rcx, rax); break;
            case "pext rax,rcx,rax": a.pext(rax, rcx, rax); break;
            case "rorx eax,ecx": a.rorx(eax, ecx, 1); break;
            case "adcx eax,ecx": a.adcx(eax, ecx); break;
            case "adox eax,ecx": a.adox(eax, ecx); break;
            default: throw new ArgumentException(operation);
        }
    }

    [Theory]
    [InlineData(0x0000_0001UL, 0UL, 0x10UL, 0x1000_0000UL, 0UL)]
    [InlineData(0x0000_0000UL, 7UL, 2UL, 3UL, 1UL)]
    [InlineData(0x0000_0002UL, 5UL, 3UL, 0xAAAA_AAACUL, 1UL)]
    public void Division_of_64_by_32_bits(ulong edx, ulong eax, ulong ecx, ulong quotient, ulong remainder)
    {
        using var f = new X86Fixture();
        f.R(0) = eax | 0xFFFF_FFFF_0000_0000;
        f.R(1) = ecx;
        f.R(2) = edx;
        f.Run(a => a.div(AssemblerRegisters.ecx));
        Assert.Equal(quotient, f.Rax);
        Assert.Equal(remainder, f.R(2));
    }

    [Fact]
    public void Signed_division_rounds_toward_zero_at_every_width()
    {
        using var f = new X86Fixture();
        f.Run(a =>
        {
            a.mov(rax, -7L);
            a.cqo();
            a.mov(ecx, 2);
            a.idiv(rcx);
            a.mov(r8, rax);
            a.mov(r9, rdx);
            // 128 bits: 2^64 / -3.
            a.mov(edx, 1);
            a.xor(eax, eax);
            a.mov(rcx, -3L);
            a.idiv(rcx);
            a.mov(r10, rax);
            a.mov(r11, rdx);
            a.mov(eax, 0xFF80);
            a.mov(cl, 2);
            a.idiv(cl);
        });
        Assert.Equal(-3L, (long)f.R(8));
        Assert.Equal(-1L, (long)f.R(9));
        Assert.Equal(-6148914691236517205L, (long)f.R(10));
        Assert.Equal(1UL, f.R(11));
        Assert.Equal(0x00C0UL, f.Rax);
    }

    [Fact]
    public void Wide_products()
    {
        using var f = new X86Fixture();
        f.Run(a =>
        {
            a.mov(rax, ulong.MaxValue);
            a.mov(rcx, ulong.MaxValue);
            a.mul(rcx);
            a.mov(r8, rax);
            a.mov(r9, rdx);
            a.mov(rax, -2L);
            a.mov(ecx, 3);
            a.imul(rcx);
        });
        Assert.Equal(1UL, f.R(8));
        Assert.Equal(ulong.MaxValue - 1, f.R(9));
        Assert.Equal(-6L, (long)f.Rax);
        Assert.Equal(-1L, (long)f.R(2));
        Assert.Equal(0UL, f.Flags & (C | O));
    }

    [Fact]
    public void Compare_and_exchange_of_8_and_16_bytes()
    {
        using var f = new X86Fixture();
        f.Poke(X86Fixture.Data, 0x1111_1111_2222_2222);
        f.Poke(X86Fixture.Data + 16, 1);
        f.Poke(X86Fixture.Data + 24, 2);
        f.Run(a =>
        {
            a.mov(rdi, X86Fixture.Data);
            a.mov(edx, 0x1111_1111);
            a.mov(eax, 0x2222_2222);
            a.mov(ebx, 3);
            a.mov(ecx, 4);
            a.@lock.cmpxchg8b(__[rdi]);
            a.setz(r8b);
            // Not equal: RDX:RAX becomes what memory holds.
            a.mov(edx, 0);
            a.mov(eax, 0);
            a.@lock.cmpxchg16b(__[rdi + 16]);
            a.setz(r9b);
            a.mov(r10, rax);
            a.mov(r11, rdx);
            a.@lock.cmpxchg16b(__[rdi + 16]);
            a.setz(r12b);
        });
        Assert.Equal(0x0000_0004_0000_0003UL, f.Peek(X86Fixture.Data));
        Assert.Equal(1UL, f.R(8) & 0xFF);
        Assert.Equal(0UL, f.R(9) & 0xFF);
        Assert.Equal(1UL, f.R(10));
        Assert.Equal(2UL, f.R(11));
        Assert.Equal(1UL, f.R(12) & 0xFF);
        Assert.Equal(3UL, f.Peek(X86Fixture.Data + 16));
        Assert.Equal(4UL, f.Peek(X86Fixture.Data + 24));
    }

    [Fact]
    public void Bit_strings_reach_in_both_directions()
    {
        using var f = new X86Fixture();
        f.Poke(X86Fixture.Data - 8, 0);
        f.Run(a =>
        {
            a.mov(rdi, X86Fixture.Data);
            a.mov(rax, -1L);
            a.bts(__qword_ptr[rdi], rax);
            a.mov(rax, 200L);
            a.bts(__qword_ptr[rdi], rax);
        });
        Assert.Equal(0x8000_0000_0000_0000UL, f.Peek(X86Fixture.Data - 8));
        Assert.Equal(1UL << 8, f.Peek(X86Fixture.Data + 24));
    }

    // CRC-32C of "123456789" is 0xE3069283 (RFC 3720, appendix B.4 uses the same polynomial; check value of the CRC catalogue).
    [Fact]
    public void Crc32_is_castagnoli()
    {
        using var f = new X86Fixture();
        f.Write(X86Fixture.Data, "123456789"u8);
        f.Run(a =>
        {
            a.mov(rdi, X86Fixture.Data);
            a.mov(eax, -1);
            a.crc32(rax, __qword_ptr[rdi]);
            a.crc32(eax, __byte_ptr[rdi + 8]);
            a.not(eax);
        });
        Assert.Equal(0xE306_9283UL, f.Rax);
    }

    [Fact]
    public void Random_numbers_come_from_the_machine()
    {
        using var f = new X86Fixture();
        f.Run(a =>
        {
            a.rdrand(rax);
            a.setc(cl);
            a.rdseed(dx);
        });
        Assert.Equal(0x1234_5678_9ABC_DEF0UL, f.Rax);
        Assert.Equal(1UL, f.R(1) & 1);
        Assert.Equal(0xDEF0UL, f.R(2) & 0xFFFF);
    }

    // Intel SDM volume 2: the examples of DAA and AAA, in 32-bit code.
    [Fact]
    public void Decimal_adjustment()
    {
        using var f = new X86Fixture(X86BootMode.Protected32);
        f.Run(a =>
        {
            a.mov(al, 0x79);
            a.mov(bl, 0x35);
            a.add(al, bl);
            a.daa();
            a.mov(ecx, eax);
            a.mov(eax, 0x09);
            a.add(al, 4);
            a.aaa();
            a.mov(edx, eax);
            a.mov(eax, 0x0205);
            a.aad(10);
            a.aam(10);
        });
        Assert.Equal(0x14UL, f.R(1) & 0xFF);
        Assert.Equal(0x0103UL, f.R(2) & 0xFFFF);
        Assert.Equal(0x0205UL, f.Rax & 0xFFFF);
    }
}
