using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>Paging (Intel SDM volume 3, chapter 5), and what the CPU may remember of it.</summary>
public abstract class PagingTests(string engine) : SystemTests(engine)
{
    private const ulong Pdpt = SystemFixture.Tables + 0x1000, Directory = SystemFixture.Tables + 0x2000, Table = SystemFixture.Tables + 0x3000;
    private const ulong DataEntry = Table + (8 * (SystemFixture.Data >> 12)), NextEntry = DataEntry + 8;
    private const int Data = (int)SystemFixture.Data;

    [Fact]
    public void A_page_of_1_GiB()
    {
        using var f = Create();
        f.Poke(Pdpt + 8, 0x87);
        f.Poke(SystemFixture.Data, 0x1234);
        f.Run(a =>
        {
            a.mov(ebx, 0x4000_0000 + Data);
            a.mov(rcx, __qword_ptr[rbx]);
            a.mov(__qword_ptr[rbx + 8], rcx);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(0x1234UL, f.Peek(SystemFixture.Data + 8));
        Assert.Equal(0xE7UL, f.Peek(Pdpt + 8));
        // Bits 29:13 of such an entry are reserved; without the feature bit 7 is.
        f.Poke(Pdpt + 8, 0x2087);
        f.Run(a => a.mov(rcx, __qword_ptr[0x4000_0000])).Expect(Vector.PF, 9);
        using var without = Create(model: "max,-pdpe1gb");
        without.Poke(Pdpt + 8, 0x87);
        without.Run(a => a.mov(rcx, __qword_ptr[0x4000_0000])).Expect(Vector.PF, 9);
    }

    [Fact]
    public void A_walk_that_faults_marks_nothing_as_accessed()
    {
        using var f = Create();
        f.Poke(Directory + 8, (Table + 0x1000) | 7);
        f.Poke(Table + 0x1000, 0);
        f.Run(a => a.mov(al, __byte_ptr[0x20_0000])).Expect(Vector.PF, 0);
        Assert.Equal((Table + 0x1000) | 7, f.Peek(Directory + 8));
        f.Poke(Table + 0x1000, SystemFixture.Data | 7);
        f.Run(a => a.mov(al, __byte_ptr[0x20_0000]));
        Assert.Equal((Table + 0x1000) | 0x27, f.Peek(Directory + 8));
        Assert.Equal(SystemFixture.Data | 0x27, f.Peek(Table + 0x1000));
    }

    [Fact]
    public void Rights_of_all_levels_count()
    {
        using var f = Create();
        f.Poke(Directory + 8, (Table + 0x1000) | 3);
        f.Poke(Table + 0x1000, SystemFixture.Data | 7);
        f.Run(a => a.mov(al, __byte_ptr[0x20_0000]), user: true).Expect(Vector.PF, 5);
        f.Poke(Directory + 8, (Table + 0x1000) | 5);
        f.Run(a => a.mov(__byte_ptr[0x20_0000], al), user: true).Expect(Vector.PF, 7);
        f.Poke(Directory + 8, (Table + 0x1000) | 7 | 1UL << 63);
        f.Run(a =>
        {
            EnableNoExecute(a);
            a.mov(eax, 0x20_0000);
            a.call(rax);
        }).Expect(Vector.PF, 0x11);
        // Without EFER.NXE the bit is reserved.
        f.Run(a => a.mov(al, __byte_ptr[0x20_0000])).Expect(Vector.PF, 9);
    }

    private static void EnableNoExecute(Assembler a)
    {
        a.mov(ecx, 0xC000_0080);
        a.rdmsr();
        a.bts(eax, 11);
        a.wrmsr();
    }

    [Fact]
    public void An_operand_across_pages_is_written_whole_or_not_at_all()
    {
        using var f = Create();
        f.Poke(SystemFixture.Data + 0xFF8, 0);
        f.Poke(NextEntry, (SystemFixture.Data + 0x1000) | 6);
        f.Run(a =>
        {
            a.mov(rcx, ulong.MaxValue);
            a.mov(__qword_ptr[Data + 8], rcx);
            a.mov(__qword_ptr[Data + 0xFFD], rcx);
        }).Expect(Vector.PF, 2);
        Assert.Equal(0UL, f.Peek(SystemFixture.Data + 0xFF8));
        Assert.Equal(SystemFixture.Data + 0x1000, f.Register("cr2"));
        // A locked one as well.
        f.Run(a => a.@lock.add(__qword_ptr[Data + 0xFFD], 1)).Expect(Vector.PF, 2);
        Assert.Equal(0UL, f.Peek(SystemFixture.Data + 0xFF8));
        f.Poke(NextEntry, (SystemFixture.Data + 0x1000) | 7);
        f.Poke(SystemFixture.Data + 0x1000, 0);
        f.Run(a =>
        {
            a.mov(rcx, ulong.MaxValue);
            a.@lock.xadd(__qword_ptr[Data + 0xFFD], rcx);
        });
        Assert.Equal(0xFFFF_FF00_0000_0000, f.Peek(SystemFixture.Data + 0xFF8));
        Assert.Equal(0xFF_FFFF_FFFFUL, f.Peek(SystemFixture.Data + 0x1000));
    }

    [Fact]
    public void An_instruction_across_pages_faults_at_the_second()
    {
        using var f = Create();
        f.Assemble(SystemFixture.Data + 0xFFE, 64, a =>
        {
            a.mov(ecx, 5);
            a.hlt();
        });
        f.Poke(NextEntry, (SystemFixture.Data + 0x1000) | 6);
        Action<Assembler> jump = a =>
        {
            EnableNoExecute(a);
            a.mov(eax, Data + 0xFFE);
            a.jmp(rax);
        };
        f.Run(jump).Expect(Vector.PF, 0x10);
        Assert.Equal(SystemFixture.Data + 0x1000, f.Register("cr2"));
        Assert.Equal(SystemFixture.Data + 0xFFE, f.Frame(0));
        f.Poke(NextEntry, (SystemFixture.Data + 0x1000) | 7);
        f.Run(jump);
        Assert.Equal(5UL, f.R(1));
    }

    [Fact]
    public void Changes_of_a_page_are_seen_behind_INVLPG_and_a_load_of_CR3()
    {
        using var f = Create();
        f.Poke(SystemFixture.Data, 1);
        f.Poke(SystemFixture.Data + 0x1000, 2);
        foreach (bool all in (bool[])[false, true])
        {
            f.Poke(DataEntry, SystemFixture.Data | 7);
            f.Run(a =>
            {
                a.mov(ecx, __dword_ptr[Data]);
                a.mov(__dword_ptr[Data + 8], ecx);
                a.mov(__qword_ptr[(int)DataEntry], Data + 0x1005);
                if (all)
                {
                    a.mov(rax, cr3);
                    a.mov(cr3, rax);
                }
                else
                {
                    a.invlpg(__byte_ptr[Data + 0x123]);
                }
                a.mov(edx, __dword_ptr[Data]);
                // Read-only now, which concerns supervisors with CR0.WP.
                a.mov(__dword_ptr[Data + 4], 3);
                a.mov(rax, cr0);
                a.bts(eax, 16);
                a.mov(cr0, rax);
                a.mov(__dword_ptr[Data + 4], 4);
            }).Expect(Vector.PF, 3);
            Assert.Equal(1UL, f.R(1));
            Assert.Equal(2UL, f.R(2));
            Assert.Equal(3UL, f.Peek(SystemFixture.Data + 0x1004, 4));
        }
    }

    [Fact]
    public void Code_moves_with_its_page()
    {
        using var f = Create();
        for (ulong page = 0; page < 2; page++)
        {
            f.Assemble(SystemFixture.Data + (page << 12), 64, a =>
            {
                a.mov(eax, (int)page + 1);
                a.ret();
            });
        }
        f.Run(a =>
        {
            a.mov(ebx, Data);
            for (int i = 0; i < 3; i++)
                a.call(rbx);
            a.mov(ecx, eax);
            a.mov(__qword_ptr[(int)DataEntry], Data + 0x1007);
            a.invlpg(__byte_ptr[rbx]);
            a.call(rbx);
        });
        Assert.Equal(1UL, f.R(1));
        Assert.Equal(2UL, f.R(0));
    }

    [Fact]
    public void Process_context_identifiers()
    {
        using var f = Create();
        // A second address space: the same but for the data page.
        const ulong Second = 0x20_0000;
        f.Poke(Second, (Second + 0x1000) | 7);
        f.Poke(Second + 0x1000, (Second + 0x2000) | 7);
        f.Poke(Second + 0x2000, (Second + 0x3000) | 7);
        for (ulong i = 0; i < 512; i++)
            f.Poke(Second + 0x3000 + (8 * i), i << 12 | 7);
        f.Poke(Second + 0x3000 + (8 * (SystemFixture.Data >> 12)), (SystemFixture.Data + 0x1000) | 7);
        f.Poke(SystemFixture.Data, 1);
        f.Poke(SystemFixture.Data + 0x1000, 2);
        f.Run(a =>
        {
            a.mov(rax, cr4);
            a.bts(eax, 17);
            a.mov(cr4, rax);
            a.mov(rbx, Second | 5 | 1UL << 63);
            a.mov(rsi, SystemFixture.Tables | 1UL << 63);
            for (int i = 0; i < 3; i++)
            {
                a.mov(cr3, rbx);
                a.mov(ecx, __dword_ptr[Data]);
                a.mov(r8, cr3);
                a.mov(cr3, rsi);
                a.mov(edx, __dword_ptr[Data]);
            }
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(2UL, f.R(1));
        Assert.Equal(1UL, f.R(2));
        Assert.Equal(Second | 5, f.R(8));
        // PCIDE with a PCID in CR3; a type of INVPCID that does not exist; a PCID of more than 12 bits.
        f.Run(a =>
        {
            a.mov(eax, (int)SystemFixture.Tables + 8);
            a.mov(cr3, rax);
            a.mov(rax, cr4);
            a.bts(eax, 17);
            a.mov(cr4, rax);
        }).Expect(Vector.GP, 0);
        foreach ((ulong descriptor, int type) in ((ulong, int)[])[(0, 4), (0x1000, 1), (0, -1)])
        {
            f.Poke(SystemFixture.Data + 0x100, descriptor);
            f.Poke(SystemFixture.Data + 0x108, 0);
            f.Run(a =>
            {
                a.mov(rax, (long)type);
                a.invpcid(rax, __xmmword_ptr[Data + 0x100]);
            }).Expect(Vector.GP, 0);
        }
    }

    [Fact]
    public void Registers_hold_the_directory_pointers_of_PAE()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Poke(0x21_0000, 0x21_1001);
        f.Poke(0x21_0008, 0x21_1001);
        f.Poke(0x21_1000, 0x83);
        f.Poke(SystemFixture.Data, 0x77);
        // Gone in memory, there until CR3 is loaded.
        f.Poke(0x21_1008, 0x20_0083);
        f.Run(a =>
        {
            Pae(a);
            a.mov(__dword_ptr[0x21_0008], 0);
            a.mov(ecx, __dword_ptr[0x4000_0000 + Data]);
            a.mov(eax, cr3);
            a.mov(cr3, eax);
            a.mov(ecx, __dword_ptr[0x4000_0000 + Data]);
        }).Expect(Vector.PF, 0);
        Assert.Equal(0x77UL, f.R(1));
        // Reserved bits are looked at when they are loaded.
        f.Poke(0x21_0000, 0x21_1003);
        f.Run(Pae).Expect(Vector.GP, 0);
    }

    private static void Pae(Assembler a)
    {
        a.mov(eax, 0x20);
        a.mov(cr4, eax);
        a.mov(eax, 0x21_0000);
        a.mov(cr3, eax);
        a.mov(eax, cr0);
        a.or(eax, int.MinValue);
        a.mov(cr0, eax);
    }

    [Fact]
    public void Five_levels()
    {
        using var f = Create();
        // Not while long mode is active.
        f.Run(a =>
        {
            a.mov(rax, cr4);
            a.bts(eax, 12);
            a.mov(cr4, rax);
        }).Expect(Vector.GP, 0);
        const ulong Root = 0x20_0000;
        f.Poke(Root, SystemFixture.Tables | 7);
        f.Poke(Root + (8 * 0xFF), SystemFixture.Tables | 7);
        f.Poke(SystemFixture.Data, 0x99);
        f.Poke(0x4000, 0x0FFF | (SystemFixture.Idt << 16));
        f.Descriptor(SystemFixture.Free, 0x00CF_9B00_0000_FFFF);
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Protected32, 0xA000)
        {
            CodeSelector = SystemFixture.Free, DataSelector = SystemFixture.Data0, GdtBase = SystemFixture.Gdt, GdtLimit = 0x7F,
        });
        f.Assemble(0xA000, 32, a =>
        {
            a.mov(eax, 0x1020);
            a.mov(cr4, eax);
            a.mov(eax, (int)Root);
            a.mov(cr3, eax);
            a.mov(ecx, 0xC000_0080);
            a.rdmsr();
            a.or(eax, 0x100);
            a.wrmsr();
            a.mov(eax, cr0);
            a.or(eax, int.MinValue);
            a.mov(cr0, eax);
            a.jmp(SystemFixture.Code0, 0xB000);
        });
        f.Assemble(0xB000, 64, a =>
        {
            a.mov(rsp, SystemFixture.Stack);
            a.lidt(__[0x4000]);
            a.mov(rbx, 0x00FF_0000_0000_0000 | SystemFixture.Data);
            a.mov(rcx, __qword_ptr[rbx]);
            a.mov(rbx, 0x0100_0000_0000_0000);
            a.mov(rdx, __qword_ptr[rbx]);
        });
        Assert.Equal(StopReason.Waiting, f.Cpu.Run(100_000));
        f.Expect(Vector.GP, 0);
        Assert.Equal(0x99UL, f.R(1));
        Assert.Equal(SystemFixture.Tables | 0x27, f.Peek(Root + (8 * 0xFF)));
    }
}

public sealed class PagingTestsInterpreted() : PagingTests(SystemTests.Interpreted);

public sealed class PagingTestsTranslated() : PagingTests(SystemTests.Translated);
