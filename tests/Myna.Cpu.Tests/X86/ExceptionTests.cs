using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>Exceptions, interrupts and their delivery (Intel SDM volume 3, chapter 7).</summary>
public abstract class ExceptionTests(string engine) : SystemTests(engine)
{
    [Fact]
    public void An_undefined_opcode_is_reported_at_its_address_with_RF()
    {
        using var f = Create();
        f.Run(a => a.ud2()).Expect(Vector.UD);
        Assert.Equal(0x0F, (int)f.Peek(f.Frame(0), 1));
        Assert.Equal(SystemFixture.Code0, f.Frame(1));
        Assert.Equal(0x1_0002UL, f.Frame(2) & 0x1_0002);
        Assert.Equal(SystemFixture.Stack, f.Frame(3));
        Assert.Equal(SystemFixture.Data0, f.Frame(4));
    }

    [Theory]
    [InlineData(false, false, 0x0UL, 0UL)]
    [InlineData(true, false, 0x0UL, 2UL)]
    [InlineData(true, false, 0x1UL, 3UL)]
    [InlineData(false, true, 0x3UL, 5UL)]
    [InlineData(true, true, 0x5UL, 7UL)]
    [InlineData(false, true, 0x6UL, 4UL)]
    [InlineData(false, false, 0x1000_0000_0000_0007UL | 1UL << 45, 9UL)]
    public void Page_faults_say_why(bool write, bool user, ulong entry, ulong error)
    {
        using var f = Create();
        // Without CR0.WP supervisors write where they like.
        f.Poke(SystemFixture.Tables + 0x3000 + 8 * 0x60, entry | 0x6_0000);
        f.Run(a =>
        {
            if (!user)
            {
                a.mov(rax, cr0);
                a.or(eax, 0x1_0000);
                a.mov(cr0, rax);
            }
            a.mov(ebx, 0x6_0123);
            if (write)
                a.mov(__byte_ptr[rbx], 1);
            else
                a.mov(al, __byte_ptr[rbx]);
        }, user).Expect(Vector.PF, error);
        Assert.Equal(0x6_0123UL, f.Register("cr2"));
        if (user)
            Assert.Equal(SystemFixture.KernelStack - 48, f.R(4));
    }

    [Fact]
    public void A_fetch_from_a_page_without_execution_says_so()
    {
        using var f = Create();
        f.Poke(SystemFixture.Tables + 0x3000 + 8 * 0x60, 0x6_0007 | 1UL << 63);
        f.Run(a =>
        {
            a.mov(ecx, 0xC000_0080);
            a.rdmsr();
            a.bts(eax, 11);
            a.wrmsr();
            a.mov(ebx, 0x6_0000);
            a.jmp(rbx);
        }).Expect(Vector.PF, 0x11);
        Assert.Equal(0x6_0000UL, f.Frame(0));
    }

    [Fact]
    public void Smep_and_smap()
    {
        using var f = Create();
        void Enable(Assembler a, int bit)
        {
            // The program itself must not lie on a user page then.
            a.mov(rax, cr4);
            a.bts(rax, (byte)bit);
            a.mov(cr4, rax);
        }
        for (int i = 0; i < 512; i++)
            f.Poke(SystemFixture.Tables + 0x3000 + (ulong)(8 * i), ((ulong)i << 12) | (i == 0x60 ? 7UL : 3UL));
        f.Poke(SystemFixture.Data, 0xF4);
        f.Run(a =>
        {
            Enable(a, 20);
            a.mov(ebx, (int)SystemFixture.Data);
            a.jmp(rbx);
        }).Expect(Vector.PF, 0x11);
        f.Run(a =>
        {
            Enable(a, 21);
            a.mov(ebx, (int)SystemFixture.Data);
            a.stac();
            a.mov(al, __byte_ptr[rbx]);
            a.clac();
            a.mov(cl, __byte_ptr[rbx]);
        }).Expect(Vector.PF, 1);
        Assert.Equal(0xF4UL, f.R(0) & 0xFF);
    }

    [Fact]
    public void Accessed_and_dirty_bits_are_set()
    {
        using var f = Create();
        ulong entry = SystemFixture.Tables + 0x3000 + 8 * 0x60;
        f.Run(a => a.mov(al, __byte_ptr[(int)SystemFixture.Data]));
        Assert.Equal(0x27UL, f.Peek(entry) & 0xFF);
        f.Run(a => a.mov(__byte_ptr[(int)SystemFixture.Data], al));
        Assert.Equal(0x67UL, f.Peek(entry) & 0xFF);
        Assert.Equal(0x27UL, f.Peek(SystemFixture.Tables) & 0xFF);
    }

    [Fact]
    public void Addresses_that_are_not_canonical()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.mov(rbx, 0x8000_0000_0000_0000);
            a.mov(al, __byte_ptr[rbx]);
        }).Expect(Vector.GP, 0);
        f.Run(a =>
        {
            a.mov(rbp, 0x8000_0000_0000_0000);
            a.mov(al, __byte_ptr[rbp]);
        }).Expect(Vector.SS, 0);
        f.Run(a =>
        {
            a.mov(rbx, 0x7FFF_FFFF_FFFF);
            a.mov(eax, __dword_ptr[rbx]);
        }).Expect(Vector.GP, 0);
    }

    [Fact]
    public void Software_interrupts_need_the_gates_privilege()
    {
        using var f = Create();
        f.Run(a => a.@int(0x80), user: true).Expect(Vector.GP, 0x80 * 8 + 2);
        f.Gate(0x80, SystemFixture.Code0, SystemFixture.Handlers + 0x800, 0xEE);
        f.Run(a => a.@int(0x80), user: true);
        Assert.Equal(0x80, f.Vector);
        // The frame returns behind the instruction.
        Assert.Equal(0x80, (int)f.Peek(f.Frame(0) - 1, 1));
        Assert.Equal(SystemFixture.Code64User, f.Frame(1));
        Assert.Equal(SystemFixture.UserStack, f.Frame(3));
        Assert.Equal(SystemFixture.Data3, f.Frame(4));
        Assert.Equal(0UL, f.Register("ss"));
    }

    [Fact]
    public void Missing_gates_make_double_faults_and_those_a_shutdown()
    {
        using var f = Create();
        f.Poke(SystemFixture.Tables + 0x3000 + 8 * 0x60, 0);
        // #PF's gate is not present: #NP in the delivery of a page fault.
        f.Gate(14, SystemFixture.Code0, 0, 0x0E);
        f.Run(a => a.mov(al, __byte_ptr[(int)SystemFixture.Data])).Expect(Vector.DF, 0);
        f.Gate(8, SystemFixture.Code0, 0, 0x0E);
        Assert.Equal(0, f.ShutDowns);
        f.Run(a => a.mov(al, __byte_ptr[(int)SystemFixture.Data]));
        Assert.Equal(1, f.ShutDowns);
    }

    [Fact]
    public void A_missing_gate_of_a_benign_exception_is_reported_with_EXT()
    {
        using var f = Create();
        f.Gate(6, SystemFixture.Code0, 0, 0x0E);
        f.Run(a => a.ud2()).Expect(Vector.NP, 6 * 8 + 3);
        f.Gate(3, SystemFixture.Code0, 0, 0x0E);
        f.Run(a => a.int3()).Expect(Vector.NP, 3 * 8 + 2);
    }

    [Fact]
    public void The_interrupt_stack_table_gives_a_stack()
    {
        using var f = Create();
        f.Gate(6, SystemFixture.Code0, SystemFixture.Handlers + 0x60, 0x8E, ist: 1);
        f.Run(a => a.ud2()).Expect(Vector.UD);
        Assert.Equal(SystemFixture.IstStack - 40, f.R(4));
    }

    [Theory]
    [InlineData(0x58, 0x58UL)]
    [InlineData(0x1000, 0x1000UL)]
    [InlineData(SystemFixture.TssSelector, (ulong)SystemFixture.TssSelector)]
    public void Bad_selectors_are_named(int selector, ulong error)
    {
        using var f = Create();
        f.Run(a =>
        {
            a.mov(eax, selector);
            a.mov(ds, eax);
        }).Expect(Vector.GP, error);
    }

    [Fact]
    public void A_segment_that_is_not_present()
    {
        using var f = Create();
        f.Descriptor(SystemFixture.Free, 0x00CF_1300_0000_FFFF);
        f.Run(a =>
        {
            a.mov(eax, SystemFixture.Free);
            a.mov(es, eax);
        }).Expect(Vector.NP, SystemFixture.Free);
        f.Run(a =>
        {
            a.mov(eax, SystemFixture.Free);
            a.mov(ss, eax);
        }).Expect(Vector.SS, SystemFixture.Free);
    }

    [Fact]
    public void Interrupts_wait_for_the_instruction_behind_STI()
    {
        using var f = Create();
        f.Interrupt(0x40);
        f.Run(a =>
        {
            a.xor(ecx, ecx);
            a.sti();
            a.inc(ecx);
            a.inc(ecx);
        });
        Assert.Equal(0x40, f.Vector);
        Assert.Equal(1UL, f.R(1));
        // An interrupt gate clears IF.
        Assert.Equal(0UL, f.Register("eflags") & 0x200);
        Assert.Equal(0x200UL, f.Frame(2) & 0x200);
    }

    [Fact]
    public void Interrupts_end_HLT()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.sti();
            a.hlt();
        });
        Assert.Equal(-1, f.Vector);
        f.Interrupt(0x41);
        Assert.Equal(StopReason.Waiting, f.Cpu.Run());
        Assert.Equal(0x41, f.Vector);
    }

    [Fact]
    public void NMIs_are_blocked_until_IRET()
    {
        using var f = Create();
        f.Run(a => a.nop());
        f.Cpu.Nmi();
        Assert.Equal(StopReason.Waiting, f.Cpu.Run());
        Assert.Equal(2, f.Vector);
        f.Cpu.Nmi();
        Assert.Equal(StopReason.Waiting, f.Cpu.Run());
        Assert.Equal(SystemFixture.Handlers + 0x21, f.Cpu.Pc);
    }

    [Fact]
    public void The_trap_flag_steps()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.xor(ecx, ecx);
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.inc(ecx);
            a.inc(ecx);
        }).Expect(Vector.DB);
        Assert.Equal(1UL, f.R(1));
        Assert.Equal(0UL, f.Register("eflags") & 0x100);
    }

    [Fact]
    public void Debug_registers_stop_at_code_and_data()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.mov(eax, (int)SystemFixture.Data);
            a.mov(dr0, rax);
            // Enabled, 4 bytes, write.
            a.mov(eax, 0x000D_0001);
            a.mov(dr7, rax);
            a.mov(eax, __dword_ptr[(int)SystemFixture.Data]);
            a.mov(__byte_ptr[(int)SystemFixture.Data + 3], 1);
            a.mov(ecx, 7);
        }).Expect(Vector.DB);
        Assert.Equal(0UL, f.R(1));
        Assert.Equal(1UL, f.Peek(SystemFixture.Data + 3, 1));
        f.Assemble(0x9000, 64, a =>
        {
            a.mov(ecx, 5);
            a.hlt();
        });
        f.Run(a =>
        {
            a.mov(eax, 0x9000);
            a.mov(dr1, rax);
            a.mov(eax, 4);
            a.mov(dr7, rax);
            a.mov(ebx, 0x9000);
            a.jmp(rbx);
        }).Expect(Vector.DB);
        Assert.Equal(0x9000UL, f.Frame(0));
    }

    [Fact]
    public void Privileged_instructions_fault_in_user_mode()
    {
        using var f = Create();
        foreach (Action<Assembler> program in new Action<Assembler>[] { a => a.hlt(), a => a.cli(), a => a.mov(rax, cr0), a => a.rdmsr(), a => a.invlpg(__byte_ptr[rax]), a => a.lgdt(__[0x4000]), a => a.@in(al, 0x60), a => a.wbinvd() })
            f.Run(program, user: true).Expect(Vector.GP, 0);
        f.Run(a => a.swapgs(), user: true).Expect(Vector.GP, 0);
    }

    [Fact]
    public void Unknown_registers_fault()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.mov(ecx, 0x1234_5678);
            a.rdmsr();
        }).Expect(Vector.GP, 0);
        f.Run(a => a.mov(rax, cr5)).Expect(Vector.UD);
        f.Run(a =>
        {
            a.mov(rax, cr4);
            a.bts(rax, 15);
            a.mov(cr4, rax);
        }).Expect(Vector.GP, 0);
    }

    [Fact]
    public void Syscall_and_sysret()
    {
        using var f = Create();
        f.Assemble(0x9000, 64, a =>
        {
            a.mov(rbx, rsp);
            a.mov(r8, r11);
            a.sysretq();
        });
        f.Gate(3, SystemFixture.Code0, SystemFixture.Handlers + 0x30, 0xEE);
        // The user program runs after the kernel has prepared the MSRs in a first run.
        f.Run(a =>
        {
            a.mov(ecx, 0xC000_0081);
            a.xor(eax, eax);
            a.mov(edx, 0x0018_0008);
            a.wrmsr();
            a.mov(ecx, 0xC000_0082);
            a.mov(eax, 0x9000);
            a.xor(edx, edx);
            a.wrmsr();
            a.mov(ecx, 0xC000_0084);
            a.mov(eax, 0x400);
            a.wrmsr();
            a.mov(ecx, 0xC000_0080);
            a.rdmsr();
            a.bts(eax, 0);
            a.wrmsr();
            f.EnterUser(a, SystemFixture.Code64User, 0xA000, SystemFixture.UserStack, 0x402);
            f.Assemble(0xA000, 64, u =>
            {
                u.syscall();
                u.int3();
            });
        }).Expect(Vector.BP);
        Assert.Equal(SystemFixture.UserStack, f.R(3));
        Assert.Equal(0xA002UL, f.R(1));
        Assert.Equal(0x402UL, f.R(8) & 0x402);
        Assert.Equal(SystemFixture.Code64User, f.Frame(1));
        Assert.Equal(SystemFixture.Data3, f.Frame(4));
        Assert.Equal(0x402UL, f.Frame(2) & 0x402);
    }

    [Fact]
    public void Loads_beyond_everything_give_ones_and_the_local_apic_answers()
    {
        using var f = Create();
        f.Poke(SystemFixture.Tables + 0x1000 + 8, 0x83 | 3UL << 30);
        f.Run(a =>
        {
            a.mov(ebx, 0x4000_0000);
            a.mov(rcx, __qword_ptr[rbx + 0x1001]);
            a.mov(__qword_ptr[rbx + 0x1001], rcx);
            a.mov(edx, __dword_ptr[rbx + 0x3EE0_0020]);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(ulong.MaxValue, f.R(1));
        Assert.Equal(0xA5A5_0020UL, f.R(2));
    }
}

public sealed class ExceptionTestsInterpreted() : ExceptionTests(Interpreted);

public sealed class ExceptionTestsTranslated() : ExceptionTests(Translated);
