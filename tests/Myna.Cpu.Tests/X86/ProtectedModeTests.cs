using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>32-bit protected mode: gates, tasks, virtual-8086 mode, paging without long mode.</summary>
public abstract class ProtectedModeTests(string engine) : SystemTests(engine)
{
    private const ushort Free = SystemFixture.Free;

    [Fact]
    public void An_interrupt_from_user_mode_switches_the_stack()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Run(a => a.ud2(), user: true).Expect(Vector.UD);
        Assert.Equal(SystemFixture.KernelStack - 20, f.R(4));
        Assert.Equal(SystemFixture.Code3, f.Frame(1));
        Assert.Equal(SystemFixture.UserStack, f.Frame(3));
        Assert.Equal(SystemFixture.Data3, f.Frame(4));
        Assert.Equal(SystemFixture.Data0, f.Register("ss"));
    }

    [Fact]
    public void A_call_gate_copies_parameters_and_RETF_releases_them()
    {
        using var f = Create(X86BootMode.Protected32);
        // 32-bit call gate, DPL 3, two parameters.
        f.Descriptor(Free, 0x9000 | (ulong)SystemFixture.Code0 << 16 | 2UL << 32 | 0xECUL << 40);
        f.Assemble(0x9000, 32, a =>
        {
            a.mov(ebx, __dword_ptr[esp + 8]);
            a.mov(ecx, __dword_ptr[esp + 12]);
            a.mov(edi, cs);
            a.retf(8);
        });
        f.Gate(3, SystemFixture.Code0, SystemFixture.Handlers + 0x30, 0xEE);
        f.Run(a =>
        {
            a.push(0x11);
            a.push(0x22);
            a.call(Free | 3, 0);
            a.mov(esi, esp);
        }, user: true).Expect(Vector.BP);
        Assert.Equal(0x22UL, f.R(3));
        Assert.Equal(0x11UL, f.R(1));
        Assert.Equal(SystemFixture.Code0, f.R(7));
        Assert.Equal(SystemFixture.UserStack, f.R(6));
        Assert.Equal(SystemFixture.Code3, f.Frame(1));
        // The kernel's DS (DPL 0) is not the user's.
        Assert.Equal(0UL, f.Register("ds"));
    }

    [Fact]
    public void A_segment_ends_at_its_limit()
    {
        using var f = Create(X86BootMode.Protected32);
        // Base 6_0000, limit FFF, writable data; then the same expanding down.
        f.Descriptor(Free, 0x0040_9306_0000_0FFF);
        f.Run(a =>
        {
            a.mov(eax, Free);
            a.mov(es, eax);
            a.mov(__dword_ptr.es[0xFFC], 0x1234);
            a.mov(__dword_ptr.es[0xFFD], 1);
        }).Expect(Vector.GP, 0);
        Assert.Equal(0x1234UL, f.Peek(SystemFixture.Data + 0xFFC, 4));
        f.Descriptor(Free, 0x0040_9706_0000_0FFF);
        f.Run(a =>
        {
            a.mov(eax, Free);
            a.mov(es, eax);
            a.mov(__dword_ptr.es[0x1000], 0x77);
            a.mov(__dword_ptr.es[0xFFF], 1);
        }).Expect(Vector.GP, 0);
        Assert.Equal(0x77UL, f.Peek(SystemFixture.Data + 0x1000, 4));
    }

    [Fact]
    public void Null_and_read_only_segments()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Run(a =>
        {
            a.xor(eax, eax);
            a.mov(es, eax);
            a.mov(__byte_ptr.es[0x1000], 1);
        }).Expect(Vector.GP, 0);
        f.Descriptor(Free, 0x00CF_9100_0000_FFFF);
        f.Run(a =>
        {
            a.mov(eax, Free);
            a.mov(es, eax);
            a.mov(cl, __byte_ptr.es[0x1000]);
            a.mov(__byte_ptr.es[0x1000], 1);
        }).Expect(Vector.GP, 0);
        f.Run(a =>
        {
            a.xor(eax, eax);
            a.mov(ss, eax);
        }).Expect(Vector.GP, 0);
    }

    [Fact]
    public void A_task_is_called_and_returns()
    {
        using var f = Create(X86BootMode.Protected32);
        const ulong Other = 0xB000;
        f.Descriptor(Free, 0x0000_8900_0000_0067 | (Other << 16));
        f.Poke(Other + 28, 0);
        f.Write(Other + 32, [0x00, 0x90, 0, 0, 2, 0, 0, 0]);
        f.Poke(Other + 40, 0x1111 | 0x2222UL << 32);
        f.Poke(Other + 56, 0xC000);
        f.Poke(Other + 72, SystemFixture.Data0 | (ulong)SystemFixture.Code0 << 32);
        f.Poke(Other + 80, SystemFixture.Data0 | (ulong)SystemFixture.Data0 << 32);
        f.Poke(Other + 100, 0x68_0000);
        f.Assemble(0x9000, 32, a =>
        {
            a.mov(__dword_ptr[(int)SystemFixture.Data], eax);
            a.pushfd();
            a.pop(__dword_ptr[(int)SystemFixture.Data + 4]);
            a.str(ax);
            a.mov(__dword_ptr[(int)SystemFixture.Data + 8], eax);
            a.iretd();
        });
        f.Run(a =>
        {
            a.mov(ebx, 0x55);
            a.call(Free, 0);
            a.str(ecx);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(0x1111UL, f.Peek(SystemFixture.Data, 4));
        Assert.Equal(0x4000UL, f.Peek(SystemFixture.Data + 4, 4) & 0x4000);
        Assert.Equal(Free, f.Peek(SystemFixture.Data + 8, 2));
        Assert.Equal(0x55UL, f.R(3));
        Assert.Equal(SystemFixture.TssSelector, f.R(1) & 0xFFFF);
        // The link, the busy bits, TS.
        Assert.Equal(SystemFixture.TssSelector, f.Peek(Other, 2));
        Assert.Equal(0x89UL, f.Peek(SystemFixture.Gdt + Free + 5, 1));
        Assert.Equal(0x8BUL, f.Peek(SystemFixture.Gdt + SystemFixture.TssSelector + 5, 1));
        Assert.Equal(8UL, f.Register("cr0") & 8);
    }

    [Fact]
    public void A_jump_to_a_busy_task_is_refused()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Run(a => a.jmp(SystemFixture.TssSelector, 0)).Expect(Vector.GP, SystemFixture.TssSelector);
    }

    [Fact]
    public void Virtual_8086_mode_comes_and_goes()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Assemble(0x9000, 16, a =>
        {
            a.mov(ax, ds);
            a.mov(bx, 0x20);
            a.mov(cl, __byte_ptr[bx]);
            a.cli();
        });
        f.Poke(0x6_0020, 0x5A);
        f.Run(a =>
        {
            a.push(0);
            a.push(0);
            a.push(0x6000);
            a.push(0);
            a.push(0x4000);
            a.push(0x100);
            a.push(0x2_0002);
            a.push(0x900);
            a.push(0);
            a.iretd();
        }).Expect(Vector.GP, 0);
        Assert.Equal(0x6000UL, f.R(0) & 0xFFFF);
        Assert.Equal(0x5AUL, f.R(1) & 0xFF);
        Assert.Equal(0x2_0000UL, f.Frame(2) & 0x2_0000);
        Assert.Equal(0x900UL, f.Frame(1));
        Assert.Equal(0x100UL, f.Frame(3));
        Assert.Equal(0x4000UL, f.Frame(4));
        Assert.Equal(0x6000UL, f.Frame(6));
        Assert.Equal(0UL, f.Register("ds"));
    }

    [Fact]
    public void Pages_of_4_MiB_and_PAE()
    {
        using var f = Create(X86BootMode.Protected32);
        const ulong Directory = 0x20_0000;
        // 0 to 4 MiB identical, 4 MiB at 40_0000 again to 0.
        f.Poke(Directory, 0x83 | 0x83UL << 32);
        f.Poke(SystemFixture.Data, 0x1234_5678);
        f.Run(a =>
        {
            a.mov(eax, (int)Directory);
            a.mov(cr3, eax);
            a.mov(eax, 0x10);
            a.mov(cr4, eax);
            a.mov(eax, cr0);
            a.or(eax, int.MinValue);
            a.mov(cr0, eax);
            a.mov(ecx, __dword_ptr[0x40_0000 + (int)SystemFixture.Data]);
            a.mov(edx, __dword_ptr[0x80_0000]);
        }).Expect(Vector.PF, 0);
        Assert.Equal(0x1234_5678UL, f.R(1));
        // PAE: a PDPT in one register each, a page of 2 MiB.
        f.Poke(0x21_0000, 0x21_1001);
        f.Poke(0x21_1000, 0x83);
        f.Poke(0x21_1008, 0x83);
        f.Run(a =>
        {
            a.mov(eax, 0x21_0000);
            a.mov(cr3, eax);
            a.mov(eax, 0x20);
            a.mov(cr4, eax);
            a.mov(eax, cr0);
            a.or(eax, int.MinValue);
            a.mov(cr0, eax);
            a.mov(ecx, __dword_ptr[0x20_0000 + (int)SystemFixture.Data]);
            a.mov(__dword_ptr[0x4000_0000], eax);
        }).Expect(Vector.PF, 2);
        Assert.Equal(0x1234_5678UL, f.R(1));
    }

    [Fact]
    public void Questions_about_selectors()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Run(a =>
        {
            a.mov(esi, SystemFixture.Code3);
            a.lar(eax, esi);
            a.lsl(ebx, esi);
            a.mov(ecx, 0);
            a.verr(si);
            a.setz(cl);
            a.verw(si);
            a.setz(ch);
            a.mov(esi, 0x1000);
            a.lar(edx, esi);
            a.setz(dl);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(0x00CF_FB00UL & 0x00FF_FF00, f.R(0) & 0xF0_FF00 | 0x0F_0000 & f.R(0));
        Assert.Equal(0xFFFF_FFFFUL, f.R(3));
        Assert.Equal(1UL, f.R(1));
        Assert.Equal(0UL, f.R(2) & 0xFF);
    }

    [Fact]
    public void From_real_mode_to_64_bit_mode()
    {
        using var f = Create();
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Real, 0x9000) { Rsp = 0x8000 });
        f.Poke(0x4010, 0x7F | (SystemFixture.Gdt << 16));
        f.Descriptor(Free, 0x00CF_9B00_0000_FFFF);
        f.Assemble(0x9000, 16, a =>
        {
            a.lgdt(__[0x4010]);
            a.mov(eax, cr0);
            a.or(al, 1);
            a.mov(cr0, eax);
            a.db(0x66, 0xEA, 0x00, 0xA0, 0x00, 0x00, (byte)Free, 0);
        });
        f.Assemble(0xA000, 32, a =>
        {
            a.mov(eax, 0x20);
            a.mov(cr4, eax);
            a.mov(eax, (int)SystemFixture.Tables);
            a.mov(cr3, eax);
            a.mov(ecx, unchecked((int)0xC000_0080));
            a.rdmsr();
            a.or(eax, 0x100);
            a.wrmsr();
            a.mov(eax, cr0);
            a.or(eax, int.MinValue);
            a.mov(cr0, eax);
            a.db(0xEA, 0x00, 0xB0, 0x00, 0x00, SystemFixture.Code0 & 0xFF, 0);
        });
        f.Assemble(0xB000, 64, a =>
        {
            a.mov(rax, 0x1234_5678_9ABC_DEF0);
            a.hlt();
        });
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(100_000));
        Assert.Equal(0x1234_5678_9ABC_DEF0UL, f.R(0));
        Assert.True(f.Cpu.Flags.Is64);
        Assert.Equal(0x500UL, f.Register("efer"));
    }

    [Fact]
    public void Real_mode_interrupts()
    {
        using var f = Create();
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Real, 0x9000) { Rsp = 0x8000 });
        f.Poke(4 * 0x21, 0x0000 | 0x0A00UL << 16);
        f.Assemble(0x9000, 16, a =>
        {
            a.sti();
            a.mov(bx, 1);
            a.@int(0x21);
            a.mov(cx, 3);
            a.hlt();
        });
        f.Assemble(0xA000, 16, a =>
        {
            a.mov(bx, 2);
            a.pushf();
            a.pop(dx);
            a.iret();
        });
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(100_000));
        Assert.Equal(2UL, f.R(3));
        Assert.Equal(3UL, f.R(1));
        Assert.Equal(0UL, f.R(2) & 0x200);
        Assert.Equal(0x200UL, f.Register("eflags") & 0x200);
        Assert.Equal(0x8000UL, f.R(4));
    }
}

public sealed class ProtectedModeTestsInterpreted() : ProtectedModeTests(Interpreted);

public sealed class ProtectedModeTestsTranslated() : ProtectedModeTests(Translated);
