using System.Runtime.InteropServices;
using Iced.Intel;
using Myna.Jit.X64;
using Assembler = Myna.Jit.X64.Assembler;

namespace Myna.Jit.Tests.X64;

/// <summary>Every form of encoding, over all registers, decoded by Iced as an independent reader.</summary>
public sealed unsafe class AssemblerTests : IDisposable
{
    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(4096, 64);
    private readonly Assembler _a = new();

    private static readonly string[] Names64 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
    private static readonly string[] Names32 = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"];
    private static readonly string[] Names8 = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"];

    public void Dispose() => NativeMemory.AlignedFree(_buffer);

    private string Text(Action<Assembler> emit)
    {
        _a.Reset(_buffer, _buffer + 4096);
        emit(_a);
        int length = _a.Offset;
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(new ReadOnlySpan<byte>(_buffer, length).ToArray()));
        decoder.IP = 0x1000;
        Instruction i = decoder.Decode();
        Assert.False(i.IsInvalid, $"{Convert.ToHexString(new ReadOnlySpan<byte>(_buffer, length))} is no instruction");
        Assert.Equal(length, i.Length);
        var formatter = new IntelFormatter(new FormatterOptions { HexPrefix = "0x", HexSuffix = "", SpaceAfterOperandSeparator = false, UppercaseHex = false, MemorySizeOptions = MemorySizeOptions.Never, SignedMemoryDisplacements = true, SignedImmediateOperands = true });
        var output = new StringOutput();
        formatter.Format(i, output);
        return output.ToString();
    }

    private static IEnumerable<int> Regs => Enumerable.Range(0, 16);
    private static IEnumerable<int> Indexes => Regs.Where(r => r != Reg.Rsp);

    private static string Name(Mem m)
    {
        string s = Names64[m.Base];
        if (m.Index >= 0)
            s += "+" + Names64[m.Index] + (m.Scale != 0 ? "*" + (1 << m.Scale) : "");
        if (m.Disp != 0)
            s += (m.Disp < 0 ? "-" : "+") + (Math.Abs((long)m.Disp) < 10 ? Math.Abs((long)m.Disp).ToString() : "0x" + Math.Abs((long)m.Disp).ToString("x"));
        return "[" + s + "]";
    }

    private static IEnumerable<Mem> Operands()
    {
        foreach (int disp in (int[])[0, 1, -128, 127, 128, -129, 0x1234567, int.MinValue])
        {
            foreach (int b in Regs)
                yield return new Mem(b, disp);
            foreach (int index in Indexes)
            {
                yield return new Mem(Reg.Rbp, disp, index);
                yield return new Mem(Reg.R13, disp, index, 3);
                yield return new Mem(Reg.Rax, disp, index, 1);
            }
        }
    }

    [Fact]
    public void Memory_operands()
    {
        foreach (Mem m in Operands())
        {
            foreach (int r in Regs)
            {
                // A base of none of our forms lacks its register; scale 1 prints as nothing.
                Assert.Equal($"lea {Names64[r]},{Name(m)}", Text(a => a.Lea(r, m)).Replace("*1", ""));
            }
        }
    }

    [Fact]
    public void Moves_between_registers_and_memory()
    {
        Mem m = new(Reg.Rbp, -1152);
        foreach (int r in Regs)
        {
            Assert.Equal($"mov {Names64[r]},[rbp-0x480]", Text(a => a.Load(r, m)));
            Assert.Equal($"mov {Names32[r]},[rbp-0x480]", Text(a => a.Load32(r, m)));
            Assert.Equal($"mov [rbp-0x480],{Names64[r]}", Text(a => a.Store(m, r)));
            Assert.Equal($"mov [rbp-0x480],{Names32[r]}", Text(a => a.Store32(m, r)));
            Assert.Equal($"mov [rbp-0x480],{Names8[r]}", Text(a => a.RM(0x88, r, m, w: false, force: r >= 4)));
            foreach (int s in Regs.Where(s => s != r))
            {
                Assert.Equal($"mov {Names64[r]},{Names64[s]}", Text(a => a.Mov(r, s)));
                Assert.Equal($"mov {Names32[r]},{Names32[s]}", Text(a => a.Mov32(r, s)));
            }
        }
    }

    [Theory]
    [InlineData(0x7FUL)]
    [InlineData(0xFFFF_FFFFUL)]
    [InlineData(0xFFFF_FFFF_8000_0000UL)]
    [InlineData(0x1234_5678_9ABC_DEF0UL)]
    [InlineData(ulong.MaxValue)]
    public void Constants_keep_their_value(ulong value)
    {
        foreach (int r in Regs)
        {
            _a.Reset(_buffer, _buffer + 4096);
            _a.MovImm(r, value);
            var decoder = Decoder.Create(64, new ByteArrayCodeReader(new ReadOnlySpan<byte>(_buffer, _a.Offset).ToArray()));
            Instruction i = decoder.Decode();
            Assert.Equal(_a.Offset, i.Length);
            Assert.Equal(Mnemonic.Mov, i.Mnemonic);
            Assert.Equal(r, i.Op0Register.GetNumber());
            // A 32-bit destination zeroes the upper half.
            ulong made = i.Op0Register.GetSize() == 4 ? (uint)i.GetImmediate(1) : i.GetImmediate(1);
            Assert.Equal(value, made);
        }
    }

    [Fact]
    public void Arithmetic()
    {
        string[] names = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];
        Mem m = new(Reg.R12, 8, Reg.R9);
        for (int n = 0; n < 8; n++)
        {
            int op = n;
            foreach (int r in Regs)
            {
                foreach (int s in Regs)
                {
                    Assert.Equal($"{names[n]} {Names64[r]},{Names64[s]}", Text(a => a.Alu(op, r, s)));
                    Assert.Equal($"{names[n]} {Names32[r]},{Names32[s]}", Text(a => a.Alu(op, r, s, w: false)));
                }
                Assert.Equal($"{names[n]} {Names64[r]},[r12+r9+8]", Text(a => a.Alu(op, r, m)));
                Assert.Equal($"{names[n]} [r12+r9+8],{Names64[r]}", Text(a => a.AluTo(op, m, r)));
                Assert.Equal($"{names[n]} {Names64[r]},-0x80", Text(a => a.AluImm(op, r, -128)));
                Assert.Equal($"{names[n]} {Names64[r]},-0x1000", Text(a => a.AluImm(op, r, -4096)));
            }
        }
    }

    [Fact]
    public void Shifts_extensions_and_bit_counts()
    {
        foreach (int r in Regs)
        {
            Assert.Equal($"shl {Names64[r]},0x1a", Text(a => a.ShiftImm(4, r, 26)));
            Assert.Equal($"shr {Names32[r]},0x1a", Text(a => a.ShiftImm(5, r, 26, w: false)));
            Assert.Equal($"sar {Names64[r]},0x3f", Text(a => a.ShiftImm(7, r, 63)));
            foreach (int s in Regs)
            {
                Assert.Equal($"rorx {Names64[r]},{Names64[s]},7", Text(a => a.Rorx(r, s, 7)));
                Assert.Equal($"rorx {Names32[r]},{Names32[s]},7", Text(a => a.Rorx(r, s, 7, w: false)));
                Assert.Equal($"movsxd {Names64[r]},{Names32[s]}", Text(a => a.RR(0x63, r, s)));
                Assert.Equal($"movzx {Names32[r]},{Names8[s]}", Text(a => a.RR(Assembler.Esc | 0xB6, r, s, w: false, force: s >= 4)));
                Assert.Equal($"lzcnt {Names64[r]},{Names64[s]}", Text(a => a.RR(Assembler.Esc | Assembler.PF3 | 0xBD, r, s)));
                Assert.Equal($"tzcnt {Names64[r]},{Names64[s]}", Text(a => a.RR(Assembler.Esc | Assembler.PF3 | 0xBC, r, s)));
                Assert.Equal($"popcnt {Names64[r]},{Names64[s]}", Text(a => a.RR(Assembler.Esc | Assembler.PF3 | 0xB8, r, s)));
                foreach (int t in (int[])[0, 5, 9, 15])
                {
                    Assert.Equal($"shlx {Names64[r]},{Names64[s]},{Names64[t]}", Text(a => a.VexRR(2, 1, 0xF7, r, t, s, w: true)));
                    Assert.Equal($"shrx {Names32[r]},{Names32[s]},{Names32[t]}", Text(a => a.VexRR(2, 3, 0xF7, r, t, s)));
                }
            }
        }
    }

    [Fact]
    public void Conditions()
    {
        string[] names = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
        for (int n = 0; n < 16; n++)
        {
            CC cc = (CC)n;
            foreach (int r in Regs)
            {
                Assert.Equal($"set{names[n]} {Names8[r]}", Text(a => a.SetCC(cc, r)));
                foreach (int s in Regs)
                    Assert.Equal($"cmov{names[n]} {Names64[r]},{Names64[s]}", Text(a => a.CMov(cc, r, s)));
            }
            Assert.StartsWith($"j{names[n]} ", Text(a => a.Jcc(cc, 0x100)));
        }
    }

    [Fact]
    public void Vector_operations_over_all_registers()
    {
        Mem m = new(Reg.R14, 0x40, Reg.R11);
        for (int x = 0; x < 16; x++)
        {
            for (int y = 0; y < 16; y++)
            {
                int p = x, q = y;
                Assert.Equal($"vaddsd xmm{x},xmm{y},xmm9", Text(a => a.VexRR(1, 3, 0x58, p, q, 9)));
                Assert.Equal($"vaddss xmm{x},xmm{y},xmm1", Text(a => a.VexRR(1, 2, 0x58, p, q, 1)));
                Assert.Equal($"vmulsd xmm{x},xmm{y},[r14+r11+0x40]", Text(a => a.VexRM(1, 3, 0x59, p, q, m)));
                Assert.Equal($"vfnmadd213sd xmm{x},xmm{y},xmm12", Text(a => a.VexRR(2, 1, 0xAD, p, q, 12, w: true)));
                Assert.Equal($"vucomisd xmm{x},xmm{y}", Text(a => a.VexRR(1, 1, 0x2E, p, 0, q)));
                Assert.Equal($"vmovaps xmm{x},xmm{y}", Text(a => a.VexRR(1, 0, 0x28, p, 0, q)));
                Assert.Equal($"vmovq {Names64[y]},xmm{x}", Text(a => a.VexRR(1, 1, 0x7E, p, 0, q, w: true)));
                Assert.Equal($"vcvtsi2sd xmm{x},xmm{x},{Names64[y]}", Text(a => a.VexRR(1, 3, 0x2A, p, p, q, w: true)));
                Assert.Equal($"vcvttss2si {Names64[y]},xmm{x}", Text(a => a.VexRR(1, 2, 0x2C, q, 0, p, w: true)));
                Assert.Equal($"vroundsd xmm{x},xmm{y},xmm{y},1", Text(a => { a.VexRR(3, 1, 0x0B, p, q, q); a.Byte(1); }));
            }
            Assert.Equal($"vmovsd xmm{x},[r14+r11+0x40]", Text(a => a.VexRM(1, 3, 0x10, x, 0, m)));
            Assert.Equal($"vmovss [r14+r11+0x40],xmm{x}", Text(a => a.VexRM(1, 2, 0x11, x, 0, m)));
        }
    }

    [Fact]
    public void Padding_is_made_of_no_operations_and_reaches_the_boundary()
    {
        for (int start = 0; start < 64; start++)
        {
            _a.Reset(_buffer, _buffer + 4096);
            for (int i = 0; i < start; i++)
                _a.Byte(0x90);
            _a.Align(64, 2);
            Assert.Equal(62, _a.Offset % 64);
            var decoder = Decoder.Create(64, new ByteArrayCodeReader(new ReadOnlySpan<byte>(_buffer, _a.Offset).ToArray()));
            while (decoder.IP < (ulong)_a.Offset)
                Assert.Equal(Mnemonic.Nop, decoder.Decode().Mnemonic);
        }
    }
}
