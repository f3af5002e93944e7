using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static Myna.Machines.Tests.X86.Smp.SmpGuest;

namespace Myna.Machines.Tests.X86.Smp;

/// <summary>Several CPUs at the same memory: locked instructions, code and translations that others change (Intel SDM volume 3, sections 10.1, 10.1.3 and 5.10.5).</summary>
public sealed class MemoryTests
{
    [Theory]
    [InlineData(Accel.Interp, 2)]
    [InlineData(Accel.Interp, 4)]
    [InlineData(Accel.Jit, 2)]
    [InlineData(Accel.Jit, 4)]
    public void Locked_instructions_lose_nothing(Accel accel, int cpus)
    {
        const int Times = 4000, SplitTimes = 300;
        const int Inc = Data, Xadd = Data + 64, Byte = Data + 128, Word = Data + 192, CmpXchg = Data + 256, Pair = Data + 320, Guarded = Data + 384, Lock = Data + 448, Bits = Data + 512, Neg = Data + 576;
        // Across cache lines, and across pages.
        const int SplitLine = Data + 0x1000 + 62, SplitPage = Data + 0x3000 - 3, SplitXadd = Data + 0x4000 + 61;
        using var g = new SmpGuest(accel, cpus);
        Assert.Equal(0, g.Run(a =>
        {
            Only(a, 0, a =>
            {
                a.mov(__dword_ptr[Neg], 3);
                a.mov(__dword_ptr[Neg + 8], 5);
            });
            a.xor(r13d, r13d);
            g.Barrier(a);
            Repeat(a, r12d, Times, a =>
            {
                a.@lock.inc(__qword_ptr[Inc]);
                a.mov(eax, 3);
                a.@lock.xadd(__dword_ptr[Xadd], eax);
                a.@lock.add(__byte_ptr[Byte + 1], 1);
                a.@lock.sub(__word_ptr[Word + 2], 1);
                Label again = a.CreateLabel();
                a.Label(ref again);
                a.mov(eax, __dword_ptr[CmpXchg]);
                a.lea(edx, __[rax + 5]);
                a.@lock.cmpxchg(__dword_ptr[CmpXchg], edx);
                a.jne(again);
                Label pair = a.CreateLabel();
                a.mov(rax, __qword_ptr[Pair]);
                a.mov(rdx, __qword_ptr[Pair + 8]);
                a.Label(ref pair);
                a.lea(rbx, __[rax + 1]);
                a.lea(rcx, __[rdx + 2]);
                a.@lock.cmpxchg16b(__xmmword_ptr[Pair]);
                a.jne(pair);
                // A lock of XCHG.
                Label spin = a.CreateLabel(), taken = a.CreateLabel();
                a.jmp(taken);
                a.Label(ref spin);
                a.pause();
                a.Label(ref taken);
                a.mov(eax, 1);
                a.xchg(__dword_ptr[Lock], eax);
                a.test(eax, eax);
                a.jnz(spin);
                a.add(__qword_ptr[Guarded], 7);
                a.mov(__dword_ptr[Lock], 0);
                // Every CPU turns its own bit of one byte.
                a.@lock.btc(__dword_ptr[Bits], edi);
                a.adc(r13d, 0);
                a.@lock.neg(__dword_ptr[Neg]);
                a.@lock.not(__dword_ptr[Neg + 8]);
            });
            Repeat(a, r12d, SplitTimes, a =>
            {
                a.@lock.inc(__dword_ptr[SplitLine]);
                a.@lock.add(__qword_ptr[SplitPage], 3);
                a.mov(eax, 1);
                a.@lock.xadd(__qword_ptr[SplitXadd], rax);
            });
            g.Barrier(a);
            a.mov(__dword_ptr[rdi * 4 + Data + 0x800], r13d);
        }));
        ulong n = (ulong)(cpus * Times), splits = (ulong)(cpus * SplitTimes);
        Assert.Equal(n, g[Inc]);
        Assert.Equal(3 * n, g[Xadd]);
        Assert.Equal((n & 0xff) << 8, g[Byte]);
        Assert.Equal((0 - n & 0xffff) << 16, g[Word]);
        Assert.Equal(5 * n, g[CmpXchg]);
        Assert.Equal((n, 2 * n), (g[Pair], g[Pair + 8]));
        Assert.Equal(7 * n, g[Guarded]);
        Assert.Equal(0ul, g[Bits]);
        Assert.Equal((3ul, 5ul), (g[Neg, 4], g[Neg + 8, 4]));
        Assert.Equal(splits, g[SplitLine, 4]);
        Assert.Equal(3 * splits, g[SplitPage]);
        Assert.Equal(splits, g[SplitXadd]);
        // Half of the times the bit was one before.
        Assert.Equal((ulong)Times / 2, g[Data + 0x800, 4]);
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void Code_that_another_CPU_wrote_runs_after_a_serializing_instruction(Accel accel)
    {
        const int Place = 0x50_0000, Turn = Data, Done = Data + 64, Wrong = Data + 128, Times = 150;
        using var g = new SmpGuest(accel, 2);
        Assert.Equal(0, g.Run(a =>
        {
            Only(a, 0, a =>
            {
                // In turn: MOV EAX, n; RET. And: NOP; XOR EAX, EAX; MOV AX, n; RET.
                Repeat(a, r12d, Times, a =>
                {
                    Label odd = a.CreateLabel(), written = a.CreateLabel();
                    a.test(r12d, 1);
                    a.jnz(odd);
                    a.mov(__byte_ptr[Place], 0xb8);
                    a.mov(__dword_ptr[Place + 1], r12d);
                    a.mov(__byte_ptr[Place + 5], 0xc3);
                    a.jmp(written);
                    a.Label(ref odd);
                    a.mov(__dword_ptr[Place], 0x66c0_3190);
                    a.mov(__byte_ptr[Place + 4], 0xb8);
                    a.mov(__word_ptr[Place + 5], r12w);
                    a.mov(__byte_ptr[Place + 7], 0xc3);
                    a.Label(ref written);
                    a.mov(__dword_ptr[Turn], r12d);
                    Label wait = a.CreateLabel();
                    a.Label(ref wait);
                    a.pause();
                    a.cmp(__dword_ptr[Done], r12d);
                    a.jne(wait);
                });
            });
            Only(a, 1, a =>
            {
                Repeat(a, r12d, Times, a =>
                {
                    Label wait = a.CreateLabel(), good = a.CreateLabel();
                    a.Label(ref wait);
                    a.pause();
                    a.cmp(__dword_ptr[Turn], r12d);
                    a.jne(wait);
                    a.xor(eax, eax);
                    a.cpuid();
                    a.mov(ecx, Place);
                    a.call(rcx);
                    a.cmp(eax, r12d);
                    a.je(good);
                    a.inc(__dword_ptr[Wrong]);
                    a.Label(ref good);
                    a.mov(__dword_ptr[Done], r12d);
                });
            });
        }));
        Assert.Equal(0ul, g[Wrong, 4]);
    }

    /// <summary>A branch is replaced under a CPU that executes it: a breakpoint, the rest, the first byte, with all CPUs synchronised between the steps.</summary>
    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void Code_is_replaced_while_another_CPU_executes_it(Accel accel)
    {
        const int Place = 0x50_0040, Synced = Data, Stop = Data + 64, Wrong = Data + 128, Calls = Data + 192, Want = Data + 256, Times = 60, Sync = 0x41;
        using var g = new SmpGuest(accel, 2);
        g.On(Sync, a =>
        {
            a.push(rax);
            a.push(rbx);
            a.push(rcx);
            a.push(rdx);
            a.xor(eax, eax);
            a.cpuid();
            a.pop(rdx);
            a.pop(rcx);
            a.pop(rbx);
            a.pop(rax);
            a.@lock.inc(__dword_ptr[Synced]);
            EndInterrupt(a);
        });
        // Who meets the breakpoint skips the five bytes.
        g.On(3, a => a.add(__qword_ptr[rsp], 4));
        void Synchronise(Assembler a)
        {
            Label wait = a.CreateLabel();
            a.inc(r13d);
            Ipi(a, Sync, 1);
            a.Label(ref wait);
            a.pause();
            a.cmp(__dword_ptr[Synced], r13d);
            a.jne(wait);
        }
        Assert.Equal(0, g.Run(a =>
        {
            Only(a, 0, a =>
            {
                // MOV EAX, n (B8) or MOV EBX, n (BB); RET.
                a.mov(__byte_ptr[Place], 0xb8);
                a.mov(__dword_ptr[Place + 1], 1);
                a.mov(__byte_ptr[Place + 5], 0xc3);
            });
            g.Barrier(a);
            Only(a, 0, a =>
            {
                a.xor(r13d, r13d);
                Await(a, Calls, 1);
                Repeat(a, r12d, Times, a =>
                {
                    a.mov(__byte_ptr[Place], 0xcc);
                    Synchronise(a);
                    a.mov(__dword_ptr[Place + 1], r12d);
                    Synchronise(a);
                    a.mov(eax, r12d);
                    a.and(eax, 1);
                    a.lea(eax, __[rax + rax * 2 + 0xb8]);
                    a.mov(__byte_ptr[Place], al);
                    Synchronise(a);
                    // Now only the new code is met.
                    a.mov(__dword_ptr[Want], r12d);
                    a.mov(eax, __dword_ptr[Calls]);
                    a.add(eax, 3);
                    Label wait = a.CreateLabel();
                    a.Label(ref wait);
                    a.pause();
                    a.cmp(__dword_ptr[Calls], eax);
                    a.jl(wait);
                    a.mov(__dword_ptr[Want], 0);
                    // The reader may have seen the wish before; it has gone on when the next interrupt was taken.
                    Synchronise(a);
                });
                a.mov(__dword_ptr[Stop], 1);
            });
            Only(a, 1, a =>
            {
                Label loop = a.CreateLabel(), good = a.CreateLabel(), odd = a.CreateLabel();
                a.Label(ref loop);
                a.cli();
                a.mov(r14d, __dword_ptr[Want]);
                a.mov(eax, -1);
                a.mov(ebx, -1);
                a.mov(ecx, Place);
                a.call(rcx);
                a.test(r14d, r14d);
                a.jz(good);
                a.test(r14d, 1);
                a.jnz(odd);
                a.cmp(eax, r14d);
                a.je(good);
                a.inc(__dword_ptr[Wrong]);
                a.jmp(good);
                a.Label(ref odd);
                a.cmp(ebx, r14d);
                a.je(good);
                a.inc(__dword_ptr[Wrong]);
                a.Label(ref good);
                a.@lock.inc(__dword_ptr[Calls]);
                a.sti();
                a.nop();
                a.cmp(__dword_ptr[Stop], 0);
                a.je(loop);
                a.cli();
            });
            g.Barrier(a);
        }));
        Assert.Equal(0ul, g[Wrong, 4]);
    }

    public static TheoryData<Accel, string> Shootdowns()
    {
        var rows = new TheoryData<Accel, string>();
        foreach (Accel accel in new[] { Accel.Interp, Accel.Jit })
        {
            foreach (string how in new[] { "invlpg", "cr3", "global", "invpcid address", "invpcid context", "invpcid all" })
                rows.Add(accel, how);
        }
        return rows;
    }

    /// <summary>One CPU remaps a page that the others read all the time, and tells them by an interrupt.</summary>
    [Theory]
    [MemberData(nameof(Shootdowns))]
    public void A_page_moves_under_other_CPUs(Accel accel, string how)
    {
        const int Sync = 0x42, Times = 100, Entry = 0x60_0000, Virtual = 0x80_0000, PageA = 0x60_1000, PageB = 0x60_2000, Acks = Data, Wrong = Data + 64, Stop = Data + 128, Turn = Data + 192,
            Operand = Data + 0x1000, Directory = 0x20_3000 + 8 * 4;
        bool pcid = how.StartsWith("invpcid", StringComparison.Ordinal);
        int global = how == "global" ? 0x100 : 0;
        using var g = new SmpGuest(accel, 3);
        g.On(Sync, a =>
        {
            a.push(rax);
            a.push(rbx);
            a.push(rdx);
            a.mov(ebx, Virtual);
            switch (how)
            {
                case "invlpg":
                    a.invlpg(__[rbx]);
                    break;
                case "cr3":
                    a.mov(rax, cr3);
                    a.mov(cr3, rax);
                    break;
                case "global":
                    a.mov(rax, cr4);
                    a.xor(eax, 0x80);
                    a.mov(cr4, rax);
                    a.xor(eax, 0x80);
                    a.mov(cr4, rax);
                    break;
                default:
                    a.mov(eax, how switch { "invpcid address" => 0, "invpcid context" => 1, _ => 2 });
                    a.invpcid(rax, __xmmword_ptr[Operand]);
                    break;
            }
            Label good = a.CreateLabel();
            a.mov(edx, __dword_ptr[Turn]);
            a.cmp(__dword_ptr[rbx], edx);
            a.je(good);
            a.@lock.inc(__dword_ptr[Wrong]);
            a.Label(ref good);
            EndInterrupt(a);
            a.@lock.inc(__dword_ptr[Acks]);
            a.pop(rdx);
            a.pop(rbx);
            a.pop(rax);
        });
        Assert.Equal(0, g.Run(a =>
        {
            Only(a, 0, a =>
            {
                a.mov(eax, Entry + 7);
                a.mov(__qword_ptr[Directory], rax);
                a.mov(eax, PageA + 7 + global);
                a.mov(__qword_ptr[Entry], rax);
                a.mov(__qword_ptr[Operand], 5);
                a.mov(__qword_ptr[Operand + 8], Virtual);
            });
            g.Barrier(a);
            // 4 KiB pages below 8 MiB are new to all; global pages and process contexts as wanted.
            a.mov(rax, cr3);
            a.mov(cr3, rax);
            a.mov(rax, cr4);
            a.or(eax, 0x80 | (pcid ? 1 << 17 : 0));
            a.mov(cr4, rax);
            a.mov(rax, cr3);
            if (pcid)
                a.or(eax, 5);
            a.mov(cr3, rax);
            g.Barrier(a);
            Label others = a.CreateLabel(), end = a.CreateLabel();
            a.test(edi, edi);
            a.jnz(others);
            a.xor(r13d, r13d);
            a.mov(ebx, PageB);
            Repeat(a, r12d, Times, a =>
            {
                // Counts up, in the other page each time.
                a.mov(r14d, Times + 1);
                a.sub(r14d, r12d);
                a.mov(__dword_ptr[rbx], r14d);
                a.mov(__dword_ptr[Turn], r14d);
                a.lea(eax, __[rbx + 7 + global]);
                a.mov(__qword_ptr[Entry], rax);
                a.xor(ebx, PageA ^ PageB);
                a.add(r13d, 2);
                Ipi(a, 3 << 18 | Sync);
                Label wait = a.CreateLabel();
                a.Label(ref wait);
                a.pause();
                a.cmp(__dword_ptr[Acks], r13d);
                a.jne(wait);
            });
            a.mov(__dword_ptr[Stop], 1);
            a.jmp(end);
            a.Label(ref others);
            Label loop = a.CreateLabel(), good = a.CreateLabel();
            a.mov(ebx, Virtual);
            a.xor(ecx, ecx);
            a.sti();
            a.Label(ref loop);
            a.mov(eax, __dword_ptr[rbx]);
            a.cmp(eax, ecx);
            a.jge(good);
            a.@lock.inc(__dword_ptr[Wrong]);
            a.Label(ref good);
            a.mov(ecx, eax);
            a.cmp(__dword_ptr[Stop], 0);
            a.je(loop);
            a.cli();
            a.Label(ref end);
            g.Barrier(a);
        }));
        Assert.Equal(0ul, g[Wrong, 4]);
    }
}
