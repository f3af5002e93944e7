using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>x87, SSE and AVX state in memory (Intel SDM volume 1, 8.1.10, 10.5, chapter 13), and the exceptions of the instructions that use it.</summary>
public sealed class X87StateTests
{
    private const ulong Area = X86Fixture.Data + 0x1000;

    private static byte[] Read(X86Fixture f, ulong address, int length)
    {
        var bytes = new byte[length];
        Assert.True(f.Memory.Read(address, bytes));
        return bytes;
    }

    private static ushort Word(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(offset));
    private static uint Dword(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(offset));
    private static ulong Qword(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offset));

    /// <summary>Machine code, so that the formats are those that the bytes name.</summary>
    private static X86Fixture RunBytes(X86BootMode mode, params byte[] code)
    {
        var f = new X86Fixture(mode);
        f.Poke(0x3000, BitConverter.SingleToUInt32Bits(1.5f));
        f.Write(f.Entry, [.. code, 0xF4]);
        f.Restart();
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(1000));
        return f;
    }

    [Fact]
    public void Environment_in_protected_mode()
    {
        // fninit; fld dword [3000h]; fldz; fnstenv [3100h]; 16 bits: fldz; fnstenv [3200h]
        using X86Fixture f = RunBytes(X86BootMode.Protected32,
            0xDB, 0xE3, 0xD9, 0x05, 0x00, 0x30, 0, 0, 0xD9, 0xEE, 0xD9, 0x35, 0x00, 0x31, 0, 0, 0x66, 0xD9, 0x35, 0x00, 0x32, 0, 0);
        byte[] e = Read(f, 0x3100, 28);
        Assert.Equal(0xFFFF_037Fu, Dword(e, 0));
        Assert.Equal(0xFFFF_3000u, Dword(e, 4));
        // ST(0), physical 6, is zero, physical 7 valid.
        Assert.Equal(0xFFFF_1FFFu, Dword(e, 8));
        Assert.Equal((uint)X86Fixture.Code + 8, Dword(e, 12));
        Assert.Equal(0x01EE_0008u, Dword(e, 16));
        Assert.Equal(0x3000u, Dword(e, 20));
        Assert.Equal(0xFFFF_0010u, Dword(e, 24));
        byte[] n = Read(f, 0x3200, 16);
        Assert.Equal([0x7F, 0x03, 0x00, 0x30, 0xFF, 0x1F, 0x08, 0x00, 0x08, 0x00, 0x00, 0x30, 0x10, 0x00, 0, 0], n);
    }

    [Fact]
    public void Environment_in_real_mode_has_linear_addresses_and_the_opcode()
    {
        // mov ax, 2345h; mov ds, ax; fninit; fld dword [1234h]; push 0; pop ds; fnstenv [3100h]; 32 bits: fnstenv [3200h]
        using X86Fixture f = RunBytes(X86BootMode.Real,
            0xB8, 0x45, 0x23, 0x8E, 0xD8, 0xDB, 0xE3, 0xD9, 0x06, 0x34, 0x12, 0x6A, 0x00, 0x1F, 0xD9, 0x36, 0x00, 0x31, 0x66, 0xD9, 0x36, 0x00, 0x32);
        const uint Instruction = 0x1007, Operand = 0x23450 + 0x1234;
        byte[] e = Read(f, 0x3100, 16);
        Assert.Equal(0x037F, Word(e, 0));
        Assert.Equal(0x3800, Word(e, 2));
        Assert.Equal(unchecked((ushort)Instruction), Word(e, 6));
        Assert.Equal(0x106, Word(e, 8));
        Assert.Equal(unchecked((ushort)Operand), Word(e, 10));
        Assert.Equal(Operand >> 16 << 12, Word(e, 12));
        Assert.Equal(0, Word(e, 14));
        byte[] w = Read(f, 0x3200, 28);
        Assert.Equal(0xFFFF_0000 | Instruction, Dword(w, 12));
        Assert.Equal(0x106u, Dword(w, 16));
        Assert.Equal(0xFFFF_0000 | (Operand & 0xFFFF), Dword(w, 20));
        Assert.Equal(Operand >> 16 << 12, Dword(w, 24));
    }

    [Fact]
    public void FNSAVE_initialises_and_FRSTOR_brings_everything_back()
    {
        using var f = new X86Fixture();
        f.Poke(X86Fixture.Data, 0x0C3F);
        f.Run(a =>
        {
            a.mov(rdi, Area);
            a.mov(rsi, X86Fixture.Data);
            a.fninit();
            a.fldcw(__word_ptr[rsi]);
            a.fldpi();
            a.fld1();
            a.fnsave(__[rdi]);
            a.fnstcw(__word_ptr[rsi + 8]);
            a.fnstsw(__word_ptr[rsi + 16]);
            a.frstor(__[rdi]);
            a.fnsave(__[rdi + 128]);
        });
        Assert.Equal(0x37FUL, f.Peek(X86Fixture.Data + 8) & 0xFFFF);
        Assert.Equal(0UL, f.Peek(X86Fixture.Data + 16) & 0xFFFF);
        byte[] first = Read(f, Area, 108), second = Read(f, Area + 128, 108);
        Assert.Equal(first, second);
        Assert.Equal(0xC7F, Word(first, 0));
        Assert.Equal(0x3000, Word(first, 4));
        Assert.Equal(0x0FFF, Word(first, 8));
        Assert.Equal(0x8000_0000_0000_0000, Qword(first, 28));
        Assert.Equal(0x3FFF, Word(first, 36));
        // Pi toward zero, as RC says.
        Assert.Equal(0xC90F_DAA2_2168_C234, Qword(first, 38));
        Assert.Equal(0x4000, Word(first, 46));
    }

    [Fact]
    public void FXSAVE64_and_FXSAVE_have_their_layout()
    {
        using var f = new X86Fixture();
        for (ulong i = 0; i < 128; i++)
            f.Poke(Area + (i * 8), 0xEEEE_EEEE_EEEE_EEEE);
        f.Poke(X86Fixture.Data, BitConverter.DoubleToUInt64Bits(-2.0));
        f.Poke(X86Fixture.Data + 8, 0x3F80);
        ulong load = 0;
        f.Run(a =>
        {
            EnableSse(a);
            a.mov(rdi, Area);
            a.mov(rsi, X86Fixture.Data);
            a.ldmxcsr(__dword_ptr[rsi + 8]);
            a.fninit();
            a.mov(rax, 0x1122_3344_5566_7788);
            a.movq(xmm0, rax);
            a.movq(xmm15, rax);
            a.fld(__qword_ptr[rsi]);
            a.fxsave64(__[rdi]);
            a.fxsave(__[rdi + 512]);
        });
        load = f.Cpu.State.X87InstructionPointer;
        byte[] wide = Read(f, Area, 512), narrow = Read(f, Area + 512, 512);
        Assert.Equal(0x37F, Word(wide, 0));
        Assert.Equal(0x3800, Word(wide, 2));
        Assert.Equal(0x0080, Word(wide, 4));
        Assert.Equal(0x0506, Word(wide, 6));
        Assert.Equal(load, Qword(wide, 8));
        Assert.Equal(X86Fixture.Data, Qword(wide, 16));
        Assert.Equal(0x3F80u, Dword(wide, 24));
        Assert.Equal(0xFFFFu, Dword(wide, 28));
        Assert.Equal(0x8000_0000_0000_0000, Qword(wide, 32));
        Assert.Equal(0xC000UL, Qword(wide, 40));
        Assert.Equal(0x1122_3344_5566_7788UL, Qword(wide, 160));
        Assert.Equal(0x1122_3344_5566_7788UL, Qword(wide, 400));
        Assert.All(wide[416..], b => Assert.Equal(0xEE, b));
        Assert.Equal((uint)load, Dword(narrow, 8));
        Assert.Equal(8u, Dword(narrow, 12));
        Assert.Equal((uint)X86Fixture.Data, Dword(narrow, 16));
        Assert.Equal(16u, Dword(narrow, 20));
        Assert.Equal(wide[24..], narrow[24..]);
    }

    [Fact]
    public void Translations_take_over_no_exception_but_the_guests()
    {
        if (!X86Translator.IsSupported)
            return;
        using var f = new X86Fixture();
        using var translator = new X86Translator(f.Pages);
        f.Cpu.Engine = translator.CreateEngine(f.Cpu, f.Interpreter);
        f.Run(a =>
        {
            a.fninit();
            // Inexact, and cleared again.
            a.fld1();
            a.fldpi();
            a.fdivp(st1, st0);
            a.fnclex();
            a.fld1();
            a.fadd(st0, st0);
            a.fnstsw(ax);
            a.movzx(r8d, ax);
            // Functions that are the interpreter's, and pop or push.
            a.fpatan();
            a.fsincos();
            a.fxtract();
            a.fnclex();
            a.fld1();
            a.fadd(st0, st0);
            a.fnstsw(ax);
            a.movzx(r9d, ax);
            a.fpatan();
            a.fadd(st0, st0);
            a.fnstsw(ax);
            a.movzx(r10d, ax);
        });
        Assert.Equal(0UL, f.R(8) & 0x7F);
        Assert.Equal(0UL, f.R(9) & 0x7F);
        // FPATAN's result is inexact.
        Assert.Equal(0x20UL, f.R(10) & 0x7F);
    }

    private static void EnableSse(Assembler a)
    {
        a.mov(rax, cr4);
        a.or(eax, 0x600);
        a.mov(cr4, rax);
    }

    /// <summary>SSE, and in XCR0 x87, SSE and AVX.</summary>
    private static void EnableAvx(Assembler a)
    {
        a.mov(rax, cr4);
        a.or(eax, 0x40600);
        a.mov(cr4, rax);
        a.xor(ecx, ecx);
        a.xor(edx, edx);
        a.mov(eax, 7);
        a.xsetbv();
    }

    private static void LoadVectors(Assembler a)
    {
        a.mov(rax, 0x0123_4567_89AB_CDEF);
        a.vmovq(xmm3, rax);
        a.vpbroadcastq(ymm3, xmm3);
        a.fninit();
        a.fld1();
    }

    private static void Mask(Assembler a, uint mask)
    {
        a.mov(eax, mask);
        a.xor(edx, edx);
    }

    [Fact]
    public void XSAVE_writes_what_is_asked_for_and_says_what_is_in_use()
    {
        using var f = new X86Fixture();
        for (ulong i = 0; i < 256; i++)
            f.Poke(Area + (i * 8), i == 64 ? 5UL : 0xEEEE_EEEE_EEEE_EEEE);
        f.Run(a =>
        {
            EnableAvx(a);
            LoadVectors(a);
            a.mov(rdi, Area);
            Mask(a, 6);
            a.xsave64(__[rdi]);
            Mask(a, 7);
            a.xsave64(__[rdi + 1024]);
        });
        byte[] some = Read(f, Area, 832), all = Read(f, Area + 1024, 832);
        // x87 was not asked for: its bit stays.
        Assert.Equal(7UL, Qword(some, 512));
        Assert.Equal(0xEEEE_EEEE_EEEE_EEEE, Qword(some, 520));
        Assert.All(some[..24], b => Assert.Equal(0xEE, b));
        Assert.All(some[32..160], b => Assert.Equal(0xEE, b));
        Assert.Equal(0x1F80u, Dword(some, 24));
        Assert.Equal(0x0123_4567_89AB_CDEFUL, Qword(some, 160 + 48));
        Assert.Equal(0x0123_4567_89AB_CDEFUL, Qword(some, 576 + 48));
        Assert.Equal(0UL, Qword(some, 576));
        Assert.All(some[416..512], b => Assert.Equal(0xEE, b));
        Assert.Equal(0x37F, Word(all, 0));
        Assert.Equal(0x8000_0000_0000_0000, Qword(all, 32));
        // Only XSAVE_BV of the header is written; the pattern had all bits of which only those asked for change.
        Assert.Equal((0xEEEE_EEEE_EEEE_EEEE & ~7UL) | 7, Qword(all, 512));
    }

    [Fact]
    public void XSAVEC_compacts_and_XRSTOR_brings_back_and_initialises()
    {
        using var f = new X86Fixture();
        for (ulong i = 0; i < 256; i++)
            f.Poke(Area + (i * 8), 0);
        f.Run(a =>
        {
            EnableAvx(a);
            LoadVectors(a);
            a.mov(rdi, Area);
            Mask(a, 5);
            a.xsavec64(__[rdi]);
            a.vzeroall();
            a.mov(rax, -1L);
            a.vmovq(xmm9, rax);
            a.fninit();
            Mask(a, 7);
            a.xrstor64(__[rdi]);
        });
        byte[] area = Read(f, Area, 832);
        Assert.Equal(5UL, Qword(area, 512));
        Assert.Equal(1UL << 63 | 5, Qword(area, 520));
        Assert.Equal(0UL, Qword(area, 160 + 48));
        Assert.Equal(0x0123_4567_89AB_CDEFUL, Qword(area, 576 + 48));
        ref X86Registers r = ref f.Cpu.State;
        // SSE was not in the image: initial values.
        Assert.Equal(Vector128<byte>.Zero, r.Vector[3]);
        Assert.Equal(Vector128<byte>.Zero, r.Vector[9]);
        Assert.Equal(Vector128.Create(0x0123_4567_89AB_CDEFUL).AsByte(), r.Vector[16 + 3]);
        Assert.Equal(0x3800, r.X87Status);
        Assert.Equal(0x8000_0000_0000_0000, r.X87[7][0]);
        Assert.Equal(0x7F, r.X87Empty);
    }

    [Fact]
    public void XSAVEOPT_leaves_out_initial_state()
    {
        using var f = new X86Fixture();
        for (ulong i = 0; i < 256; i++)
            f.Poke(Area + (i * 8), i is >= 64 and < 72 ? 0 : 0xEEEE_EEEE_EEEE_EEEE);
        f.Run(a =>
        {
            EnableAvx(a);
            a.fninit();
            a.fldz();
            a.vzeroall();
            a.mov(rdi, Area);
            Mask(a, 7);
            a.xsaveopt64(__[rdi]);
        });
        byte[] area = Read(f, Area, 832);
        Assert.Equal(1UL, Qword(area, 512));
        Assert.Equal(0x37F, Word(area, 0));
        Assert.All(area[160..512], b => Assert.Equal(0xEE, b));
        Assert.All(area[576..], b => Assert.Equal(0xEE, b));
    }

    /// <summary>The vector that ends a program; every exception handler puts it into R15 and halts.</summary>
    private static Vector? Exception(Action<Assembler> program, bool sse = true)
    {
        const ulong Idt = X86Fixture.Data + 0x8000, Handlers = X86Fixture.Data + 0xA000, Gdt = X86Fixture.Data + 0xC000;
        using var f = new X86Fixture();
        f.Poke(Gdt, 0);
        f.Poke(Gdt + 8, 0x00AF_9B00_0000_FFFF);
        f.Poke(Gdt + 16, 0x00CF_9300_0000_FFFF);
        for (ulong v = 0; v < 32; v++)
        {
            ulong handler = Handlers + (v * 16);
            f.Poke(Idt + (v * 16), (handler & 0xFFFF) | 8UL << 16 | 0x8E00UL << 32 | (handler >> 16 & 0xFFFF) << 48);
            f.Poke(Idt + (v * 16) + 8, handler >> 32);
            // mov r15d, imm32; hlt
            f.Write(handler, [0x41, 0xBF, (byte)v, 0, 0, 0, 0xF4]);
        }
        f.Poke(X86Fixture.Data + 0xD000, 0xFFF | Idt << 16);
        f.Poke(X86Fixture.Data + 0xD008, Idt >> 48);
        f.Poke(X86Fixture.Data + 0xD010, 23 | Gdt << 16);
        f.Poke(X86Fixture.Data + 0xD018, Gdt >> 48);
        f.Run(a =>
        {
            a.lidt(__[X86Fixture.Data + 0xD000]);
            a.lgdt(__[X86Fixture.Data + 0xD010]);
            a.mov(r15, -1L);
            if (sse)
                EnableSse(a);
            a.mov(rdi, Area);
            a.fninit();
            program(a);
        });
        return f.R(15) == ulong.MaxValue ? null : (Vector)f.R(15);
    }

    private static void SetCr0(Assembler a, int bits)
    {
        a.mov(rax, cr0);
        a.or(eax, bits);
        a.mov(cr0, rax);
    }

    private static void DivideByZeroUnmasked(Assembler a)
    {
        a.mov(__dword_ptr[rdi], 0x37B);
        a.fldcw(__word_ptr[rdi]);
        a.fld1();
        a.fldz();
        a.fdivp(st1, st0);
    }

    [Fact]
    public void An_unmasked_exception_is_raised_by_the_next_waiting_instruction()
    {
        Assert.Null(Exception(DivideByZeroUnmasked));
        Assert.Null(Exception(a => { DivideByZeroUnmasked(a); a.fnstsw(ax); a.fnstcw(__word_ptr[rdi]); a.fnclex(); a.fld1(); }));
        Assert.Null(Exception(a => { DivideByZeroUnmasked(a); a.fninit(); a.wait(); }));
        Assert.Equal(Vector.MF, Exception(a => { DivideByZeroUnmasked(a); a.wait(); }));
        Assert.Equal(Vector.MF, Exception(a => { DivideByZeroUnmasked(a); a.fnop(); }));
        Assert.Equal(Vector.MF, Exception(a => { DivideByZeroUnmasked(a); a.fld1(); }));
        Assert.Equal(Vector.MF, Exception(a => { DivideByZeroUnmasked(a); a.movq(mm0, rax); }));
        Assert.Equal(Vector.MF, Exception(a => { DivideByZeroUnmasked(a); a.emms(); }));
    }

    [Fact]
    public void Device_not_available()
    {
        const int Mp = 2, Em = 4, Ts = 8;
        Assert.Equal(Vector.NM, Exception(a => { SetCr0(a, Ts); a.fninit(); }));
        Assert.Equal(Vector.NM, Exception(a => { SetCr0(a, Em); a.fld1(); }));
        Assert.Null(Exception(a => { SetCr0(a, Ts); a.wait(); }));
        Assert.Null(Exception(a => { SetCr0(a, Em | Mp); a.wait(); }));
        Assert.Equal(Vector.NM, Exception(a => { SetCr0(a, Ts | Mp); a.wait(); }));
        Assert.Equal(Vector.NM, Exception(a => { SetCr0(a, Ts); a.pxor(mm0, mm0); }));
        Assert.Equal(Vector.UD, Exception(a => { SetCr0(a, Em); a.pxor(mm0, mm0); }));
        Assert.Equal(Vector.UD, Exception(a => { SetCr0(a, Em); a.emms(); }));
        Assert.Equal(Vector.NM, Exception(a => { SetCr0(a, Ts); a.fxsave(__[rdi]); }));
        Assert.Equal(Vector.NM, Exception(a => { SetCr0(a, Em); a.fxrstor(__[rdi]); }));
        Assert.Equal(Vector.UD, Exception(a => a.xsave(__[rdi])));
        Assert.Equal(Vector.NM, Exception(a => { EnableAvx(a); SetCr0(a, Ts); a.xsave(__[rdi]); }));
        Assert.Equal(Vector.UD, Exception(a => a.cvtpi2ps(xmm0, mm0), sse: false));
    }

    [Fact]
    public void Images_that_are_not_valid()
    {
        Assert.Equal(Vector.GP, Exception(a => a.fxsave(__[rdi + 8])));
        Assert.Equal(Vector.GP, Exception(a => { a.fxsave(__[rdi]); a.mov(__dword_ptr[rdi + 24], 0x10000); a.fxrstor(__[rdi]); }));
        Assert.Null(Exception(a => { a.fxsave(__[rdi]); a.mov(__dword_ptr[rdi + 24], 0xFFFF); a.fxrstor(__[rdi]); }));
        Assert.Equal(Vector.GP, Exception(a => { EnableAvx(a); a.xsave(__[rdi + 16]); }));
        Assert.Null(Exception(a => { EnableAvx(a); Mask(a, 7); a.xsave(__[rdi]); a.xrstor(__[rdi]); }));
        // XSTATE_BV with a component that XCR0 lacks; XCOMP_BV that is not zero in the standard format; compacted: a reserved byte; a component outside the format.
        Assert.Equal(Vector.GP, Exception(a => { EnableAvx(a); Mask(a, 7); a.xsave(__[rdi]); a.or(__dword_ptr[rdi + 512], 8); a.xrstor(__[rdi]); }));
        Assert.Equal(Vector.GP, Exception(a => { EnableAvx(a); Mask(a, 7); a.xsave(__[rdi]); a.mov(__byte_ptr[rdi + 520], 1); a.xrstor(__[rdi]); }));
        Assert.Equal(Vector.GP, Exception(a => { EnableAvx(a); Mask(a, 7); a.xsavec(__[rdi]); a.mov(__byte_ptr[rdi + 575], 1); a.xrstor(__[rdi]); }));
        Assert.Equal(Vector.GP, Exception(a => { EnableAvx(a); Mask(a, 1); a.xsavec(__[rdi]); a.or(__dword_ptr[rdi + 512], 4); a.xrstor(__[rdi]); }));
        // XRSTORS knows the compacted format only.
        Assert.Equal(Vector.GP, Exception(a => { EnableAvx(a); Mask(a, 7); a.xsave(__[rdi]); a.xrstors(__[rdi]); }));
        Assert.Null(Exception(a => { EnableAvx(a); Mask(a, 7); a.xsaves(__[rdi]); a.xrstors(__[rdi]); }));
    }
}
