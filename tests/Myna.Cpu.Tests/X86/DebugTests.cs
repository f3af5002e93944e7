using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>Debug registers and single steps (Intel SDM volume 3, chapter 18).</summary>
public abstract class DebugTests(string engine) : SystemTests(engine)
{
    private const int Data = (int)SystemFixture.Data, Handler = 0xB000;

    // The handler of #DB leaves DR6 in R14 and DR7 in R15.
    private SystemFixture CreateWithHandler()
    {
        SystemFixture f = Create();
        f.Assemble(SystemFixture.Handlers + 16, 64, a =>
        {
            a.mov(r14, dr6);
            a.mov(r15, dr7);
            a.hlt();
        });
        return f;
    }

    private static void Watch(Assembler a, int register, ulong address, uint control)
    {
        a.mov(rax, address);
        switch (register)
        {
            case 0: a.mov(dr0, rax); break;
            case 1: a.mov(dr1, rax); break;
            case 2: a.mov(dr2, rax); break;
            default: a.mov(dr3, rax); break;
        }
        a.mov(eax, control);
        a.mov(dr7, rax);
    }

    [Theory]
    [InlineData(0x0001_0001u, 0, true, false, true)]   // write, 1 byte
    [InlineData(0x0001_0001u, 0, false, false, false)]
    [InlineData(0x0003_0001u, 0, false, false, true)]  // read or write
    [InlineData(0x0003_0001u, 1, false, false, false)]
    [InlineData(0x0007_0001u, 1, false, false, true)]  // 2 bytes
    [InlineData(0x000F_0001u, 3, false, false, true)]  // 4 bytes
    [InlineData(0x000F_0001u, 4, false, false, false)]
    [InlineData(0x000B_0001u, 7, true, false, true)]   // 8 bytes
    [InlineData(0x000B_0001u, 8, true, false, false)]
    [InlineData(0x000F_0000u, 0, true, false, false)]  // not enabled
    [InlineData(0x000F_0002u, 0, true, true, true)]    // globally enabled, locked access
    public void Data_breakpoints(uint control, int distance, bool write, bool locked, bool hit)
    {
        using var f = CreateWithHandler();
        f.Run(a =>
        {
            Watch(a, 0, SystemFixture.Data + 0x100, control);
            a.mov(ebx, Data + 0x100 + distance);
            if (locked)
                a.@lock.inc(__byte_ptr[rbx]);
            else if (write)
                a.mov(__byte_ptr[rbx], 1);
            else
                a.mov(cl, __byte_ptr[rbx]);
            a.mov(edx, 1);
            a.mov(edx, 2);
        });
        Assert.Equal(hit ? (int)Vector.DB : -1, f.Vector);
        if (hit)
            Assert.Equal(1UL, f.R(14) & 0xF);
    }

    [Fact]
    public void A_step_and_two_breakpoints_at_once()
    {
        using var f = CreateWithHandler();
        f.Run(a =>
        {
            Watch(a, 1, SystemFixture.Data, 0);
            Watch(a, 3, SystemFixture.Data + 4, 0xF0D0_0088);
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.mov(__qword_ptr[Data], 0);
            a.nop();
        }).Expect(Vector.DB);
        Assert.Equal(0xFFFF_4FFAUL, f.R(14));
    }

    [Fact]
    public void Accesses_of_debug_registers_can_be_reported()
    {
        using var f = CreateWithHandler();
        f.Run(a =>
        {
            a.mov(eax, 0x2000);
            a.mov(dr7, rax);
            a.mov(rcx, dr0);
        }).Expect(Vector.DB);
        Assert.Equal(0x2000UL, f.R(14) & 0x200F);
        Assert.Equal(0x400UL, f.R(15));
        Assert.Equal(0x0F, (int)f.Peek(f.Frame(0), 1));
    }

    [Fact]
    public void Registers_4_and_5_are_others_or_undefined()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.mov(rcx, dr7);
            a.db(0x0F, 0x21, 0xEA);
        });
        Assert.Equal(f.R(1), f.R(2));
        f.Run(a =>
        {
            a.mov(rax, cr4);
            a.or(eax, 8);
            a.mov(cr4, rax);
            a.db(0x0F, 0x21, 0xE2);
        }).Expect(Vector.UD);
        // The upper halves of DR6 and DR7 are zero.
        f.Run(a =>
        {
            a.mov(rax, 1L << 32);
            a.mov(dr7, rax);
        }).Expect(Vector.GP, 0);
    }

    [Fact]
    public void Port_breakpoints()
    {
        using var f = Create();
        f.Run(a =>
        {
            a.mov(rax, cr4);
            a.or(eax, 8);
            a.mov(cr4, rax);
            Watch(a, 0, 0x80, 0x0002_0001);
            a.@out(0x81, al);
            a.mov(ecx, 1);
            a.@out(0x80, al);
            a.mov(ecx, 2);
        }).Expect(Vector.DB);
        Assert.Equal(1UL, f.R(1));
    }

    [Fact]
    public void A_breakpoint_at_a_repeated_instruction_is_reported_once()
    {
        using var f = Create();
        f.Gate((int)Vector.DB, SystemFixture.Code0, Handler, 0x8E);
        f.Assemble(Handler, 64, a =>
        {
            a.inc(r15d);
            a.or(__dword_ptr[rsp + 16], 0x1_0000);
            a.iretq();
        });
        f.Assemble(0x9000, 64, a =>
        {
            a.rep.stosb();
            a.hlt();
        });
        f.Run(a =>
        {
            a.xor(r15d, r15d);
            a.mov(edi, Data);
            a.mov(ecx, 20);
            Watch(a, 2, 0x9000, 0x20);
            a.mov(ebx, 0x9000);
            a.jmp(rbx);
        });
        Assert.Equal(1UL, f.R(15));
        Assert.Equal(0UL, f.R(1));
        // Single steps, one for each iteration.
        f.Run(a =>
        {
            a.xor(r15d, r15d);
            a.mov(edi, Data);
            a.mov(ecx, 5);
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.rep.stosb();
            a.pushfq();
            a.and(__dword_ptr[rsp], ~0x100);
            a.popfq();
        });
        Assert.Equal(8UL, f.R(15));
    }

    [Fact]
    public void Steps_into_and_over_system_instructions()
    {
        using var f = Create();
        f.Gate((int)Vector.DB, SystemFixture.Code0, Handler, 0x8E);
        f.Assemble(Handler, 64, a =>
        {
            // The addresses of steps, one after the other.
            a.pop(r14);
            a.mov(__dword_ptr[r13], r14d);
            a.add(r13, 4);
            a.push(r14);
            a.iretq();
        });
        f.Gate(0x50, SystemFixture.Code0, 0xC000, 0x8E);
        f.Assemble(0xC000, 64, a =>
        {
            a.nop();
            a.iretq();
        });
        f.Run(a =>
        {
            a.mov(r13d, Data);
            a.mov(ecx, SystemFixture.Data0);
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.db(0x8E, 0xD1); // MOV SS, ECX: no step behind it, nor behind what follows
            a.nop();
            a.@int(0x50);
            a.db(0xF1);       // INT1
            a.pushfq();
            a.and(__dword_ptr[rsp], ~0x100);
            a.popfq();
        });
        Assert.Equal(-1, f.Vector);
        ulong[] steps = [.. Enumerable.Range(0, 8).Select(i => f.Peek(SystemFixture.Data + (ulong)(4 * i), 4))];
        // Behind NOP; none at IRET, which sets TF for what follows it; INT1's own; PUSHF, AND, and POPF, which clears TF too late for itself.
        ulong nop = steps[0];
        Assert.Equal([nop, nop + 3, nop + 4, nop + 11, nop + 12, 0, 0, 0], steps);
    }
}

public sealed class DebugTestsInterpreted() : DebugTests(SystemTests.Interpreted);

public sealed class DebugTestsTranslated() : DebugTests(SystemTests.Translated);
