using Iced.Intel;
using Myna.Cpu.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

public sealed class InterpreterTests
{
    [Fact]
    public void A_loop_runs_and_ends()
    {
        using var f = new X86Fixture();
        f.Run(a =>
        {
            Label loop = a.CreateLabel();
            a.xor(eax, eax);
            a.mov(ecx, 1000);
            a.Label(ref loop);
            a.add(rax, rcx);
            a.dec(ecx);
            a.jnz(loop);
        });
        Assert.Equal(500_500UL, f.Rax);
    }

    [Fact]
    public void Calls_and_the_stack()
    {
        using var f = new X86Fixture();
        f.Run(a =>
        {
            Label function = a.CreateLabel(), end = a.CreateLabel();
            a.mov(edi, 20);
            a.call(function);
            a.jmp(end);
            a.Label(ref function);
            // Fibonacci, recursive.
            Label small = a.CreateLabel();
            a.cmp(edi, 2);
            a.jb(small);
            a.push(rdi);
            a.sub(edi, 1);
            a.call(function);
            a.pop(rdi);
            a.push(rax);
            a.sub(edi, 2);
            a.call(function);
            a.pop(rcx);
            a.add(rax, rcx);
            a.ret();
            a.Label(ref small);
            a.mov(eax, edi);
            a.ret();
            a.Label(ref end);
        });
        Assert.Equal(6765UL, f.Rax);
        Assert.Equal(X86Fixture.Stack, f.R(4));
    }

    [Fact]
    public void A_store_takes_effect_for_the_next_instruction()
    {
        using var f = new X86Fixture();
        // Executed once as NOPs before, so that it is decoded.
        f.Run(a =>
        {
            Label again = a.CreateLabel(), patch = a.CreateLabel();
            a.xor(ebx, ebx);
            a.Label(ref again);
            a.lea(rdi, __qword_ptr[patch]);
            a.test(ebx, ebx);
            Label first = a.CreateLabel();
            a.jz(first);
            // mov al, 0x2A over two NOPs.
            a.mov(__word_ptr[rdi], 0x2AB0);
            a.Label(ref first);
            a.clc();
            a.Label(ref patch);
            a.nop();
            a.nop();
            a.inc(ebx);
            a.cmp(ebx, 2);
            a.jne(again);
        });
        Assert.Equal(0x2AUL, f.Rax & 0xFF);
    }

    [Fact]
    public void A_device_that_writes_code_is_seen()
    {
        using var f = new X86Fixture();
        f.Run(a => a.mov(eax, 1));
        Assert.Equal(1UL, f.Rax);
        f.Run(a => a.mov(eax, 2));
        Assert.Equal(2UL, f.Rax);
    }

    [Fact]
    public void Instructions_straddle_pages()
    {
        using var f = new X86Fixture();
        var assembler = new Assembler(64);
        assembler.mov(rax, 0x1122_3344_5566_7788);
        assembler.hlt();
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), X86Fixture.Code + 0xFFA);
        f.Write(X86Fixture.Code + 0xFFA, stream.ToArray());
        for (int i = 0; i < 2; i++)
        {
            f.R(0) = 0;
            f.Restart(X86Fixture.Code + 0xFFA);
            Assert.Equal(StopReason.Waiting, f.Cpu.Run(100));
            Assert.Equal(0x1122_3344_5566_7788UL, f.Rax);
        }
        // The half in the second page changes.
        f.Write(X86Fixture.Code + 0x1000, [0]);
        f.Restart(X86Fixture.Code + 0xFFA);
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(100));
        Assert.Equal(0x1122_3300_5566_7788UL, f.Rax);
    }

    [Fact]
    public void The_limit_is_exact()
    {
        using var f = new X86Fixture();
        f.Load(a =>
        {
            Label loop = a.CreateLabel();
            a.Label(ref loop);
            a.inc(rax);
            a.jmp(loop);
        });
        f.Restart();
        ulong start = f.Cpu.Block.Context.InstructionCount;
        Assert.Equal(StopReason.InstructionLimit, f.Cpu.Run(1001));
        Assert.Equal(1001UL, f.Cpu.Block.Context.InstructionCount - start);
        Assert.Equal(501UL, f.Rax);
    }

    [Fact]
    public void Sixteen_bit_addresses_wrap_and_use_segments()
    {
        using var f = new X86Fixture(X86BootMode.Real);
        f.Poke(0x12_3450 - 0x2_0000 + 0x10, 0xBEEF);
        f.Run(a =>
        {
            a.mov(ax, 0x1000);
            a.mov(ds, ax);
            a.mov(bx, 0xFFF0);
            a.mov(si, 0x20);
            // FFF0 + 20 wraps to 10.
            a.mov(__word_ptr[bx + si], 0x1234);
            a.mov(cx, __word_ptr[0x10]);
        });
        Assert.Equal(0x1234UL, f.R(1) & 0xFFFF);
        Assert.Equal(0x1234UL, f.Peek(0x1_0010) & 0xFFFF);
    }
}
