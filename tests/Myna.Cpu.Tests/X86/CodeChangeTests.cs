using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>Code that changes itself (Intel SDM volume 3, section 10.1.3): what is stored takes effect with the next instruction.</summary>
public abstract class CodeChangeTests(string engine) : SystemTests(engine)
{
    private const int Place = 0x9000;

    [Fact]
    public void A_store_changes_the_next_instruction()
    {
        using var f = Create();
        f.Run(a =>
        {
            Label next = a.CreateLabel();
            a.xor(ecx, ecx);
            a.lea(rbx, __[next]);
            a.mov(__dword_ptr[rbx + 1], 7);
            a.Label(ref next);
            a.mov(ecx, 1);
        });
        Assert.Equal(7UL, f.R(1));
    }

    [Fact]
    public void A_loop_changes_its_own_body()
    {
        using var f = Create();
        f.Run(a =>
        {
            Label loop = a.CreateLabel();
            a.xor(ecx, ecx);
            a.xor(esi, esi);
            a.lea(rbx, __[loop]);
            a.Label(ref loop);
            a.add(ecx, 0x100);
            a.inc(__dword_ptr[rbx + 2]);
            a.inc(esi);
            a.cmp(esi, 100);
            a.jne(loop);
        });
        Assert.Equal((ulong)((0x100 * 100) + (99 * 100 / 2)), f.R(1));
    }

    [Fact]
    public void Stores_of_all_kinds_are_seen()
    {
        using var f = Create();
        Action<Assembler>[] stores =
        [
            a => a.mov(__qword_ptr[rbx], rdx),
            a => a.xchg(__qword_ptr[rbx], rdx),
            a => a.@lock.xadd(__qword_ptr[rbx], rsi),
            a =>
            {
                a.mov(rax, __qword_ptr[rbx]);
                a.@lock.cmpxchg(__qword_ptr[rbx], rdx);
            },
            a =>
            {
                a.mov(rdi, rbx);
                a.mov(rax, rdx);
                a.mov(ecx, 1);
                a.rep.stosq();
            },
            a =>
            {
                a.mov(rdi, rbx);
                a.mov(esi, (int)SystemFixture.Data);
                a.mov(ecx, 8);
                a.rep.movsb();
            },
            a =>
            {
                a.movq(xmm0, rdx);
                a.movq(__qword_ptr[rbx], xmm0);
            },
            a =>
            {
                a.movdqu(xmm0, __xmmword_ptr[(int)SystemFixture.Data]);
                a.movups(__xmmword_ptr[rbx], xmm0);
            },
            a =>
            {
                a.fild(__qword_ptr[(int)SystemFixture.Data]);
                a.fistp(__qword_ptr[rbx]);
            },
            a =>
            {
                a.lea(rsp, __[rbx + 8]);
                a.push(rdx);
                a.mov(esp, (int)SystemFixture.Stack);
            },
            // Only one byte, and from another address of the same page.
            a => a.mov(__byte_ptr[0x20_0001], 9),
            a => a.rol(__qword_ptr[rbx], 0),
        ];
        for (int i = 0; i < stores.Length; i++)
        {
            // MOV ECX, n; RET; NOP; NOP.
            ulong old = 0x9090_C300_0000_01B9, next = 0x9090_C300_0000_09B9;
            f.Poke(Place, old);
            f.Poke(Place + 8, 0x9090_9090_9090_9090);
            f.Poke(SystemFixture.Data, next);
            f.Poke(SystemFixture.Data + 8, 0x9090_9090_9090_9090);
            // 20_0000 is the page of the code once more.
            f.Poke(SystemFixture.Tables + 0x2008, (SystemFixture.Tables + 0x4000) | 7);
            f.Poke(SystemFixture.Tables + 0x4000, Place | 7);
            Action<Assembler> store = stores[i];
            f.Run(a =>
            {
                EnableVectors(a);
                a.mov(ebx, Place);
                a.mov(rdx, next);
                a.mov(rsi, next - old);
                a.call(rbx);
                a.call(rbx);
                a.mov(r8d, ecx);
                store(a);
                a.mov(ebx, Place);
                a.call(rbx);
            });
            Assert.Equal(-1, f.Vector);
            Assert.Equal(1UL, f.R(8));
            Assert.True(f.R(1) == (i == stores.Length - 1 ? 1UL : 9UL), $"store {i}");
        }
    }

    private static void EnableVectors(Assembler a)
    {
        a.mov(rax, cr0);
        a.and(eax, ~0xC);
        a.or(eax, 2);
        a.mov(cr0, rax);
        a.mov(rax, cr4);
        a.or(eax, 0x600);
        a.mov(cr4, rax);
        a.fninit();
    }

    [Fact]
    public void A_repeated_store_overwrites_itself()
    {
        using var f = Create();
        // REP STOSB from far below to behind itself: NOPs, up to a HLT. The instruction goes on though it has been overwritten (as it was fetched).
        f.Assemble(Place + 0x20, 64, a =>
        {
            a.rep.stosb();
            a.mov(edx, 5);
            a.hlt();
        });
        f.Poke(Place + 0x2B, 0x90F4);
        f.Run(a =>
        {
            a.xor(edx, edx);
            a.mov(edi, Place);
            a.mov(eax, 0x90);
            a.mov(ecx, 0x29);
            a.mov(ebx, Place + 0x20);
            a.jmp(rbx);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(0UL, f.R(2));
    }

    [Fact]
    public void Code_that_lies_across_pages_changes_in_either()
    {
        using var f = Create();
        foreach (ulong at in (ulong[])[Place + 0xFFE, Place + 0x1001])
        {
            f.Assemble(Place + 0xFFD, 64, a =>
            {
                a.mov(ecx, 0x0101_0101);
                a.ret();
            });
            f.Run(a =>
            {
                a.mov(ebx, Place + 0xFFD);
                a.call(rbx);
                a.call(rbx);
                a.mov(__byte_ptr[(int)at], 2);
                a.call(rbx);
            });
            Assert.Equal(0x0101_0101UL + (1UL << (8 * (int)(at - Place - 0xFFE))), f.R(1));
        }
    }

    [Fact]
    public void Flags_of_before_are_good_behind_an_interpreted_instruction()
    {
        using var f = Create();
        f.Poke(SystemFixture.Data + 64, ulong.MaxValue);
        // Constants and flags that the translator knows outlive REP STOS, which the interpreter executes; host registers do not.
        f.Run(a =>
        {
            a.mov(r8d, __dword_ptr[(int)SystemFixture.Data + 64]);
            a.mov(edi, (int)SystemFixture.Data);
            a.mov(eax, 0x55);
            a.sbb(r8d, unchecked((int)0xE6E6_07BC));
            a.mov(ecx, 2);
            a.rep.stosw();
            a.mov(edx, 0x1234);
            a.mov(esi, 0);
            a.cmovl(esi, edx);
            a.setl(dl);
        });
        Assert.Equal(0UL, f.R(6));
        Assert.Equal(0x1200UL, f.R(2));
    }
}

public sealed class CodeChangeTestsInterpreted() : CodeChangeTests(SystemTests.Interpreted);

public sealed class CodeChangeTestsTranslated() : CodeChangeTests(SystemTests.Translated);
