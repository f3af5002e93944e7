using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86.Instructions;

/// <summary>16-bit code: sizes by prefixes, the 16-bit stack, interrupts through the vector table, limits.</summary>
public sealed class RealModeTests
{
    [Fact]
    public void Operands_and_addresses_of_32_bits_by_prefix()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Run(a =>
        {
            a.mov(eax, 0x1234_5678);
            a.mov(ebx, 0x2000);
            a.mov(__dword_ptr[ebx + ebx * 2 + 4], eax);
            a.mov(cx, __word_ptr[0x6006]);
        });
        Assert.Equal(0x1234UL, f.R(1) & 0xFFFF);
        Assert.Equal(0x1234_5678UL, f.Peek(0x6004) & 0xFFFF_FFFF);
    }

    [Fact]
    public void The_stack_pointer_has_16_bits()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Load(a =>
        {
            a.mov(esp, 0x1234_0002);
            a.push(ax);
            a.push(bx);
            a.pop(cx);
            a.pushad();
            a.popad();
        });
        f.R(0) = 0xAAAA;
        f.R(3) = 0xBBBB;
        f.Restart();
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(1000));
        Assert.Equal(0x1234_0000UL, f.R(4));
        Assert.Equal(0xBBBBUL, f.R(1) & 0xFFFF);
        // The second push wrapped to the top of the segment; PUSHAD wrote EAX over it.
        Assert.Equal(0xAAAAUL, f.Peek(0) & 0xFFFF);
        Assert.Equal(0x0000_AAAAUL, f.Peek(0xFFFC) & 0xFFFF_FFFF);
    }

    [Fact]
    public void Near_and_far_calls_and_interrupts()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        // INT 40h goes to 0050:0000, which adds 1 to AX and returns; 0060:0000 adds 0x10 and returns far.
        f.Poke(0x40 * 4, 0x0050_0000);
        f.Write(0x500, [0x40, 0xCF]);
        f.Write(0x600, [0x83, 0xC0, 0x10, 0xCB]);
        f.Run(a =>
        {
            Label near = a.CreateLabel(), end = a.CreateLabel();
            a.xor(ax, ax);
            a.@int(0x40);
            a.db(0x9A, 0x00, 0x00, 0x60, 0x00);
            a.call(near);
            a.jmp(end);
            a.Label(ref near);
            a.add(ax, 0x100);
            a.ret();
            a.Label(ref end);
        });
        Assert.Equal(0x111UL, f.Rax & 0xFFFF);
        Assert.Equal(0x8000UL, f.R(4) & 0xFFFF);
    }

    [Fact]
    public void Division_by_zero_goes_through_the_vector_table()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        // The handler leaves the faulting instruction's address in BX and halts.
        f.Poke(0, 0x0050_0000);
        f.Write(0x500, [0x5B, 0xF4]);
        f.Load(a =>
        {
            a.xor(dx, dx);
            a.mov(cx, 0);
            a.div(cx);
        });
        f.Restart();
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(1000));
        Assert.Equal(0x1005UL, f.R(3) & 0xFFFF);
    }

    [Fact]
    public void An_access_across_the_limit_is_a_general_protection_fault()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Poke(13 * 4, 0x0050_0000);
        f.Write(0x500, [0x5B, 0xF4]);
        f.Load(a =>
        {
            a.mov(si, 0xFFFF);
            a.mov(ax, __word_ptr[si]);
        });
        f.Restart();
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(1000));
        Assert.Equal(0x1003UL, f.R(3) & 0xFFFF);
    }

    [Fact]
    public void Frames_of_nested_procedures()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Poke(0x7FF8, 0x1111_2222_3333_4444);
        f.Run(a =>
        {
            a.mov(bp, 0x8000);
            a.enter(0x10, 3);
            a.mov(ax, bp);
            a.mov(bx, sp);
            a.leave();
        });
        Assert.Equal(0x7FFEUL, f.Rax & 0xFFFF);
        // Saved BP, two display entries, this frame's pointer, 16 bytes.
        Assert.Equal(0x8000UL - 8 - 0x10, f.R(3) & 0xFFFF);
        Assert.Equal(0x8000UL, f.R(5) & 0xFFFF);
        Assert.Equal(0x7FFEUL, f.Peek(0x7FF8) & 0xFFFF);
    }

    [Fact]
    public void Loops_count_in_CX_or_ECX()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Run(a =>
        {
            Label loop = a.CreateLabel(), skip = a.CreateLabel();
            a.xor(ax, ax);
            a.mov(ecx, 0x0001_0003);
            a.Label(ref loop);
            a.inc(ax);
            a.loop(loop);
            a.jcxz(skip);
            a.mov(ax, 0xFFFF);
            a.Label(ref skip);
            a.nop();
        });
        Assert.Equal(3UL, f.Rax & 0xFFFF);
        Assert.Equal(0x1_0000UL, f.R(1));
    }
}
