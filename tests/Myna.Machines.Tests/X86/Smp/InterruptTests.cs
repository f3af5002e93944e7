using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;
using static Myna.Machines.Tests.X86.Smp.SmpGuest;

namespace Myna.Machines.Tests.X86.Smp;

/// <summary>Interprocessor interrupts of all kinds, and the start of CPUs (Intel SDM volume 3, sections 10.4 and 11.6), on whole machines.</summary>
public sealed class InterruptTests
{
    // Counters of a CPU's interrupts: 64 bytes each, in RDI's order.
    private const int Fixed = Data, Nmis = Data + 0x1000, Ready = Data + 0x2000, Stop = Data + 0x2040, Scratch = Data + 0x3000;
    private const int Vector = 0x40, Wake = 0x43;

    private static void Count(Assembler a, int counters)
    {
        a.push(rcx);
        a.mov(ecx, edi);
        a.shl(ecx, 6);
        a.@lock.inc(__dword_ptr[rcx + counters]);
        a.pop(rcx);
    }

    private static void CountInterrupts(SmpGuest guest)
    {
        guest.On(Vector, a =>
        {
            Count(a, Fixed);
            EndInterrupt(a);
        });
        guest.On(2, a => Count(a, Nmis));
        guest.On(Wake, EndInterrupt);
    }

    // All but the first CPU: halted, with interrupts, until the first says stop.
    private static void Halt(Assembler a)
    {
        Label loop = a.CreateLabel(), done = a.CreateLabel();
        a.@lock.inc(__dword_ptr[Ready]);
        a.Label(ref loop);
        a.cli();
        a.cmp(__dword_ptr[Stop], 0);
        a.jne(done);
        a.sti();
        a.hlt();
        a.jmp(loop);
        a.Label(ref done);
        a.nop();
    }

    private static void AwaitCount(Assembler a, int counters, int cpu, int value) => Await(a, counters + 64 * cpu, value);

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void Fixed_interrupts_reach_whom_they_are_for(Accel accel)
    {
        using var g = new SmpGuest(accel, 4);
        CountInterrupts(g);
        // Expected: one more for those whose bit is set.
        (int Command, int Destination, int Mask)[] sent =
        [
            (Vector, 1, 0b0010), (Vector, 3, 0b1000), (Vector, 0, 0b0001), (Vector, 0xff, 0b1111),
            (1 << 18 | Vector, 2, 0b0001), (2 << 18 | Vector, 0, 0b1111), (3 << 18 | Vector, 0, 0b1110),
            // Logical, flat: bits of the LDR.
            (1 << 11 | Vector, 0b0101, 0b0101), (1 << 11 | Vector, 0b1010, 0b1010), (1 << 11 | Vector, 0, 0), (1 << 11 | Vector, 0xff, 0b1111), (1 << 11 | Vector, 0xf0, 0),
            // A physical ID that nobody has.
            (Vector, 9, 0),
            // NMIs; the vector is ignored, IF too.
            (4 << 8 | 0x77, 1, 0b0010 << 8), (3 << 18 | 4 << 8, 0, 0b1110 << 8), (1 << 11 | 4 << 8, 0b1100, 0b1100 << 8),
        ];
        int[] expected = new int[8];
        Assert.Equal(0, g.Run(a =>
        {
            a.mov(eax, Apic);
            a.mov(ecx, edi);
            a.mov(edx, 1 << 24);
            a.shl(edx, cl);
            a.mov(__dword_ptr[rax + 0xd0], edx);
            g.Barrier(a);
            Label others = a.CreateLabel(), end = a.CreateLabel();
            a.test(edi, edi);
            a.jnz(others);
            Await(a, Ready, 3);
            a.sti();
            foreach ((int command, int destination, int mask) in sent)
            {
                Ipi(a, command, destination);
                for (int i = 0; i < 8; i++)
                    expected[i] += (mask >> (i < 4 ? i : i + 4)) & 1;
                for (int i = 0; i < 8; i++)
                    AwaitCount(a, i < 4 ? Fixed : Nmis, i & 3, expected[i]);
            }
            a.cli();
            a.mov(__dword_ptr[Stop], 1);
            Ipi(a, 3 << 18 | Wake);
            a.jmp(end);
            a.Label(ref others);
            Halt(a);
            a.Label(ref end);
            g.Barrier(a);
        }));
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal((ulong)expected[i], g[Fixed + 64 * i, 4]);
            Assert.Equal((ulong)expected[i + 4], g[Nmis + 64 * i, 4]);
        }
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void Clusters_and_the_lowest_priority(Accel accel)
    {
        using var g = new SmpGuest(accel, 4);
        CountInterrupts(g);
        Assert.Equal(0, g.Run(a =>
        {
            // Cluster model: CPUs 0 and 1 in cluster 0, CPUs 2 and 3 in cluster 1. The task priority of all but CPU 3 is higher.
            a.mov(eax, Apic);
            a.mov(__dword_ptr[rax + 0xe0], 0x0fff_ffff);
            a.mov(ecx, edi);
            a.and(ecx, 1);
            a.mov(edx, 1 << 24);
            a.shl(edx, cl);
            a.mov(ecx, edi);
            a.shr(ecx, 1);
            a.shl(ecx, 28);
            a.or(edx, ecx);
            a.mov(__dword_ptr[rax + 0xd0], edx);
            Label low = a.CreateLabel();
            a.cmp(edi, 3);
            a.je(low);
            a.mov(__dword_ptr[rax + 0x80], 0x30);
            a.Label(ref low);
            g.Barrier(a);
            Label others = a.CreateLabel(), end = a.CreateLabel();
            a.test(edi, edi);
            a.jnz(others);
            Await(a, Ready, 3);
            a.sti();
            Ipi(a, 1 << 11 | Vector, 0x12);
            AwaitCount(a, Fixed, 3, 1);
            Ipi(a, 1 << 11 | Vector, 0x13);
            AwaitCount(a, Fixed, 2, 1);
            AwaitCount(a, Fixed, 3, 2);
            Ipi(a, 1 << 11 | Vector, 0x01);
            AwaitCount(a, Fixed, 0, 1);
            // Nobody in clusters 2 and 14; everyone in 15.
            Ipi(a, 1 << 11 | Vector, 0x2f);
            Ipi(a, 1 << 11 | Vector, 0xef);
            Ipi(a, 1 << 11 | Vector, 0xff);
            AwaitCount(a, Fixed, 0, 2);
            AwaitCount(a, Fixed, 1, 1);
            AwaitCount(a, Fixed, 2, 2);
            AwaitCount(a, Fixed, 3, 3);
            Ipi(a, 1 << 11 | 1 << 8 | Vector, 0x13);
            AwaitCount(a, Fixed, 3, 4);
            a.mov(__dword_ptr[Stop], 1);
            Ipi(a, 3 << 18 | Wake);
            a.jmp(end);
            a.Label(ref others);
            Halt(a);
            a.Label(ref end);
            g.Barrier(a);
        }));
        Assert.Equal((2ul, 1ul, 2ul, 4ul), (g[Fixed, 4], g[Fixed + 64, 4], g[Fixed + 128, 4], g[Fixed + 192, 4]));
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void X2APIC_interrupts(Accel accel)
    {
        using var g = new SmpGuest(accel, 4);
        g.On(Vector, a =>
        {
            Count(a, Fixed);
            a.push(rax);
            a.push(rcx);
            a.push(rdx);
            a.xor(eax, eax);
            a.xor(edx, edx);
            a.mov(ecx, 0x80b);
            a.wrmsr();
            a.pop(rdx);
            a.pop(rcx);
            a.pop(rax);
        });
        g.On(2, a => Count(a, Nmis));
        (int Command, int Destination, int Mask)[] sent =
        [
            (Vector, 1, 0b0010), (Vector, -1, 0b1111), (Vector, 0xff, 0), (3 << 18 | Vector, 0, 0b1110), (2 << 18 | Vector, 0, 0b1111), (1 << 18 | Vector, 0, 0b0001),
            // Logical: cluster in the upper half.
            (1 << 11 | Vector, 0b0110, 0b0110), (1 << 11 | Vector, 0x1_000f, 0), (1 << 11 | Vector, -1, 0b1111),
            (4 << 8, 2, 0b0100 << 8),
        ];
        int[] expected = new int[8];
        Assert.Equal(0, g.Run(a =>
        {
            a.mov(ecx, 0x1b);
            a.rdmsr();
            a.or(eax, 1 << 10);
            a.wrmsr();
            // The ID and the logical ID that follows from it.
            a.mov(ecx, 0x802);
            a.rdmsr();
            a.mov(esi, eax);
            a.mov(ecx, 0x80d);
            a.rdmsr();
            a.mov(__dword_ptr[rsi * 8 + Scratch], esi);
            a.mov(__dword_ptr[rsi * 8 + Scratch + 4], eax);
            g.Barrier(a);
            Label others = a.CreateLabel(), end = a.CreateLabel();
            a.test(edi, edi);
            a.jnz(others);
            Await(a, Ready, 3);
            a.sti();
            foreach ((int command, int destination, int mask) in sent)
            {
                a.mov(ecx, 0x830);
                a.mov(eax, command);
                a.mov(edx, destination);
                a.wrmsr();
                for (int i = 0; i < 8; i++)
                    expected[i] += (mask >> (i < 4 ? i : i + 4)) & 1;
                for (int i = 0; i < 8; i++)
                    AwaitCount(a, i < 4 ? Fixed : Nmis, i & 3, expected[i]);
            }
            // Self IPI: the interrupt is taken before the instructions behind it end a loop.
            a.mov(ecx, 0x83f);
            a.mov(eax, Vector);
            a.xor(edx, edx);
            a.wrmsr();
            AwaitCount(a, Fixed, 0, ++expected[0]);
            a.mov(__dword_ptr[Stop], 1);
            a.mov(ecx, 0x830);
            a.mov(eax, 3 << 18 | 4 << 8);
            a.wrmsr();
            a.jmp(end);
            a.Label(ref others);
            Halt(a);
            a.Label(ref end);
            g.Barrier(a);
        }));
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(((ulong)i, 1ul << i), (g[Scratch + 8 * i, 4], g[Scratch + 8 * i + 4, 4]));
            Assert.Equal((ulong)expected[i], g[Fixed + 64 * i, 4]);
            // One NMI ended the wait.
            Assert.Equal((ulong)(expected[i + 4] + (i == 0 ? 0 : 1)), g[Nmis + 64 * i, 4]);
        }
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void A_startup_message_sets_CS_and_registers_are_those_of_INIT(Accel accel)
    {
        using var g = new SmpGuest(accel, 2, start: false);
        g.AssembleTrampoline(a =>
        {
            a.mov(__word_ptr[0x7000], cs);
            a.mov(__dword_ptr[0x7004], edx);
            a.mov(eax, cr0);
            a.mov(__dword_ptr[0x7008], eax);
            a.mov(eax, dr7);
            a.mov(__dword_ptr[0x700c], eax);
            a.pushf();
            a.pop(ax);
            a.mov(__word_ptr[0x7010], ax);
            a.inc(__dword_ptr[0x7014]);
        });
        Assert.Equal(0, g.Run(a =>
        {
            Only(a, 0, a =>
            {
                // Nothing happens to a CPU that waits for SIPI, but that: neither by an interrupt nor by the deassertion of INIT.
                Ipi(a, 0x4040, 1);
                Ipi(a, 0x8500, 1);
                Ipi(a, 0xc500, 1);
                Ipi(a, 0x8500, 1);
                Ipi(a, 0x4600 | Trampoline >> 12, 1);
                // Late ones are ignored.
                Ipi(a, 0x4600 | Trampoline >> 12, 1);
                Await(a, Ready, 1);
                Ipi(a, 0x4600 | Trampoline >> 12, 1);
                a.mov(__dword_ptr[Stop], 1);
                Await(a, Ready, 2);
                a.mov(eax, 1);
                a.cpuid();
                a.mov(__dword_ptr[Scratch], eax);
            });
            Only(a, 1, a =>
            {
                a.inc(__dword_ptr[Ready]);
                Await(a, Stop, 1);
                a.inc(__dword_ptr[Ready]);
            });
        }));
        Assert.Equal(Trampoline >> 4, (int)g[0x7000, 2]);
        Assert.Equal(g[Scratch, 4], g[0x7004, 4]);
        Assert.Equal(0x10ul, g[0x7008, 4] & 0x9fff_ffff);
        Assert.Equal(0x400ul, g[0x700c, 4]);
        Assert.Equal(2ul, g[0x7010, 2]);
        Assert.Equal(1ul, g[0x7014, 4]);
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void INIT_stops_a_CPU_that_runs_or_is_halted(Accel accel)
    {
        const int First = Scratch, Second = Scratch + 64, Third = Scratch + 128, Starts = Scratch + 192;
        using var g = new SmpGuest(accel, 2);
        CountInterrupts(g);
        Assert.Equal(0, g.Run(a =>
        {
            Only(a, 1, a =>
            {
                Label first = a.CreateLabel(), second = a.CreateLabel(), third = a.CreateLabel();
                a.mov(eax, 1);
                a.@lock.xadd(__dword_ptr[Starts], eax);
                a.cmp(eax, 1);
                a.je(second);
                a.ja(third);
                a.Label(ref first);
                a.inc(__dword_ptr[First]);
                a.jmp(first);
                a.Label(ref second);
                a.mov(__dword_ptr[Second], 1);
                a.cli();
                a.hlt();
                a.mov(__dword_ptr[Second], 2);
                a.Label(ref third);
                a.inc(__dword_ptr[Third]);
                a.jmp(third);
            });
            Await(a, First, 1000);
            Ipi(a, 0xc500, 1);
            Ipi(a, 0x4600 | Trampoline >> 12, 1);
            Await(a, Second, 1);
            a.mov(ebx, __dword_ptr[First]);
            Ipi(a, 0xc500, 1);
            Ipi(a, 0x4600 | Trampoline >> 12, 1);
            Await(a, Third, 1000);
            a.sub(ebx, __dword_ptr[First]);
            a.mov(__dword_ptr[Stop], ebx);
        }));
        Assert.Equal(0ul, g[Stop, 4]);
        Assert.Equal(1ul, g[Second, 4]);
        Assert.Equal(3ul, g[Starts, 4]);
    }

    [Theory]
    [InlineData(Accel.Interp)]
    [InlineData(Accel.Jit)]
    public void The_timers_of_all_CPUs_tick(Accel accel)
    {
        const int Once = 0x50, Again = 0x51, Deadline = 0x52;
        using var g = new SmpGuest(accel, 2);
        void Handle(int vector, int counters) => g.On(vector, a =>
        {
            a.push(rax);
            a.push(rdx);
            a.rdtsc();
            a.shl(rdx, 32);
            a.or(rax, rdx);
            a.mov(__qword_ptr[rdi * 8 + counters + 0x800], rax);
            a.pop(rdx);
            a.pop(rax);
            Count(a, counters);
            EndInterrupt(a);
        });
        Handle(Once, Data);
        Handle(Again, Data + 0x1000);
        Handle(Deadline, Data + 0x4000);
        void AwaitOwn(Assembler a, int counters, int value)
        {
            Label wait = a.CreateLabel();
            a.mov(ecx, edi);
            a.shl(ecx, 6);
            a.Label(ref wait);
            a.sti();
            a.pause();
            a.cmp(__dword_ptr[rcx + counters], value);
            a.jb(wait);
        }
        Assert.Equal(0, g.Run(a =>
        {
            a.mov(eax, Apic);
            a.mov(__dword_ptr[rax + 0x3e0], 0xb); // divide by 1
            a.mov(__dword_ptr[rax + 0x320], Once);
            a.mov(__dword_ptr[rax + 0x380], 1_000_000);
            a.mov(edx, __dword_ptr[rax + 0x390]);
            a.mov(__dword_ptr[rdi * 4 + Scratch], edx);
            AwaitOwn(a, Data, 1);
            a.mov(eax, Apic);
            a.mov(edx, __dword_ptr[rax + 0x390]);
            a.mov(__dword_ptr[rdi * 4 + Scratch + 0x40], edx);
            a.mov(__dword_ptr[rax + 0x320], 1 << 17 | Again);
            a.mov(__dword_ptr[rax + 0x380], 300_000);
            AwaitOwn(a, Data + 0x1000, 8);
            a.mov(eax, Apic);
            a.mov(__dword_ptr[rax + 0x380], 0);
            a.mov(__dword_ptr[rax + 0x320], 2 << 17 | Deadline);
            a.mfence();
            a.rdtsc();
            a.add(eax, 2_000_000);
            a.adc(edx, 0);
            a.mov(__dword_ptr[rdi * 8 + Scratch + 0x80], eax);
            a.mov(__dword_ptr[rdi * 8 + Scratch + 0x84], edx);
            a.mov(ecx, 0x6e0);
            a.wrmsr();
            AwaitOwn(a, Data + 0x4000, 1);
            a.mov(ecx, 0x6e0);
            a.rdmsr();
            a.or(eax, edx);
            a.mov(__dword_ptr[rdi * 4 + Scratch + 0xc0], eax);
            a.mov(r8, __qword_ptr[rdi * 8 + Data + 0x4800]);
            a.mov(__qword_ptr[rdi * 8 + Scratch + 0x100], r8);
            // One in the past comes at once.
            a.mov(eax, 1);
            a.xor(edx, edx);
            a.wrmsr();
            AwaitOwn(a, Data + 0x4000, 2);
            g.Barrier(a);
        }));
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(1ul, g[Data + 64 * i, 4]);
            Assert.InRange(g[Scratch + 4 * i, 4], 0ul, 1_000_000ul);
            Assert.Equal(0ul, g[Scratch + 0x40 + 4 * i, 4]);
            Assert.InRange(g[Data + 0x1000 + 64 * i, 4], 8ul, ulong.MaxValue);
            Assert.Equal(2ul, g[Data + 0x4000 + 64 * i, 4]);
            Assert.Equal(0ul, g[Scratch + 0xc0 + 4 * i, 4]);
            Assert.True(g[Scratch + 0x100 + 8 * i] >= g[Scratch + 0x80 + 8 * i]);
        }
    }
}
