using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>What can go wrong in a task switch (Intel SDM volume 3, section 8.3 and table 8-1), and switches of other kinds.</summary>
public abstract class TaskErrorTests(string engine) : SystemTests(engine)
{
    private const ushort Free = SystemFixture.Free, Monitor = 0x48, Odd = 0x50;
    private const ulong Other = 0xB000, MonitorTss = 0xB800, Entry = 0x9000, MonitorEntry = 0x9800;

    // Offsets in a TSS of 32 bits.
    private const int Cs = 76, Ss = 80, Ds = 84, Es = 72, Fs = 88, Ldt = 96, Eip = 32, Flags = 36;

    // A task at privilege level 3 under the selector Free.
    private static void Task(SystemFixture f)
    {
        f.Descriptor(Free, 0x0000_8900_0000_0067 | (Other << 16));
        f.Poke(Other, 0);
        f.Poke(Other + 4, SystemFixture.KernelStack | (ulong)SystemFixture.Data0 << 32);
        f.Poke(Other + 28, 0);
        f.Poke(Other + Eip, Entry | 2UL << 32);
        for (int i = 40; i < 72; i += 8)
            f.Poke(Other + (ulong)i, 0x1000 + (ulong)i);
        f.Poke(Other + 56, SystemFixture.UserStack);
        foreach (int segment in new[] { Es, Ss, Ds, Fs, Fs + 4 })
            Poke(f, segment, SystemFixture.Data3);
        Poke(f, Cs, SystemFixture.Code3);
        Poke(f, Ldt, 0);
        f.Poke(Other + 100, 0x68_0000);
        f.Assemble(Entry, 32, a => a.int3());
        f.Gate(3, SystemFixture.Code0, SystemFixture.Handlers + 0x30, 0xEE);
    }

    // 89h is a free TSS, 8Bh a busy one.
    private static ulong Type(SystemFixture f, ushort selector) => f.Peek(SystemFixture.Gdt + selector + 5, 1);

    private static void Poke(SystemFixture f, int offset, uint value) => f.Write(Other + (ulong)offset, BitConverter.GetBytes(value));

    // A task of its own for an exception: whatever state the faulting one is in.
    private static void Watch(SystemFixture f, Vector vector)
    {
        f.Descriptor(Monitor, 0x0000_8900_0000_0067 | (MonitorTss << 16));
        f.Poke(MonitorTss + 28, 0);
        f.Poke(MonitorTss + Eip, MonitorEntry | 2UL << 32);
        f.Poke(MonitorTss + 56, SystemFixture.IstStack);
        f.Poke(MonitorTss + Es, SystemFixture.Data0 | (ulong)SystemFixture.Code0 << 32);
        f.Poke(MonitorTss + Ss, SystemFixture.Data0 | (ulong)SystemFixture.Data0 << 32);
        f.Poke(MonitorTss + 100, 0x68_0000);
        f.Assemble(MonitorEntry, 32, a => a.hlt());
        f.Gate((int)vector, Monitor, 0, 0x85);
    }

    [Theory]
    [InlineData(0x66, 0x8900, Vector.TS, Free)]
    [InlineData(0x67, 0x0900, Vector.NP, Free)]
    [InlineData(0x67, 0x8B00, Vector.GP, Free)]
    [InlineData(0x67, 0x8200, Vector.GP, Free)]
    [InlineData(0x67, 0x9300, Vector.GP, Free)]
    [InlineData(0x2A, 0x8100, Vector.TS, Free)]
    public void A_switch_that_cannot_begin_leaves_the_task(uint limit, uint type, Vector vector, ulong error)
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        f.Descriptor(Free, (ulong)type << 32 | (Other << 16) | limit);
        foreach (bool jump in new[] { false, true })
        {
            f.Run(a =>
            {
                a.mov(ebx, 0x77);
                if (jump)
                    a.jmp(Free, 0);
                else
                    a.call(Free, 0);
            });
            f.Expect(vector, error);
            Assert.Equal(0x8BUL, Type(f, SystemFixture.TssSelector));
            Assert.Equal(0x77UL, f.R(3));
            Assert.Equal(SystemFixture.Code0, f.Frame(1));
        }
    }

    [Fact]
    public void Tasks_need_privilege_and_the_GDT()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        f.Run(a => a.call(Free, 0), user: true).Expect(Vector.GP, Free);
        f.Run(a => a.jmp(Free | 3, 0), user: true).Expect(Vector.GP, Free);
        f.Run(a => a.call(Free | 4, 0)).Expect(Vector.GP, Free | 4);
        // A task gate of DPL 3 lets anyone in, to a TSS of DPL 0.
        f.Descriptor(Odd, 0x0000_E500_0000_0000 | (ulong)Free << 16);
        f.Run(a => a.call(Odd | 3, 0), user: true).Expect(Vector.BP);
        Assert.Equal(0x8BUL, Type(f, Free));
        // One that names no TSS, and a busy one.
        f.Descriptor(Odd, 0x0000_E500_0000_0000 | (ulong)SystemFixture.Code0 << 16);
        f.Run(a => a.call(Odd | 3, 0), user: true).Expect(Vector.GP, SystemFixture.Code0);
        f.Descriptor(Odd, 0x0000_E500_0000_0000 | (ulong)SystemFixture.TssSelector << 16);
        f.Run(a => a.call(Odd, 0)).Expect(Vector.GP, SystemFixture.TssSelector);
        f.Descriptor(Odd, 0x0000_6500_0000_0000 | (ulong)Free << 16);
        f.Run(a => a.call(Odd, 0)).Expect(Vector.NP, Odd);
    }

    [Theory]
    [InlineData(Cs, 0u, Vector.TS, 0ul)]
    [InlineData(Cs, SystemFixture.Data3, Vector.TS, SystemFixture.Data3 & ~3ul)]
    [InlineData(Cs, SystemFixture.Code0 | 3u, Vector.TS, SystemFixture.Code0)]
    [InlineData(Cs, SystemFixture.Code3 & ~3u, Vector.TS, SystemFixture.Code3 & ~3ul)]
    [InlineData(Cs, 0x103u, Vector.TS, 0x100ul)]
    [InlineData(Cs, 0x5Bu, Vector.NP, 0x58ul)]
    [InlineData(Ss, 0u, Vector.TS, 0ul)]
    [InlineData(Ss, SystemFixture.Data0 | 3u, Vector.TS, SystemFixture.Data0)]
    [InlineData(Ss, SystemFixture.Code3, Vector.TS, SystemFixture.Code3 & ~3ul)]
    [InlineData(Ss, SystemFixture.Data3 & ~3u, Vector.TS, SystemFixture.Data3 & ~3ul)]
    [InlineData(Ss, 0x63u, Vector.SS, 0x60ul)]
    [InlineData(Ds, SystemFixture.Data0 | 3u, Vector.TS, SystemFixture.Data0)]
    [InlineData(Es, SystemFixture.TssSelector, Vector.TS, SystemFixture.TssSelector)]
    [InlineData(Fs, 0x63u, Vector.NP, 0x60ul)]
    [InlineData(Ds, 0x100u, Vector.TS, 0x100ul)]
    [InlineData(Ldt, SystemFixture.Data0, Vector.TS, SystemFixture.Data0)]
    [InlineData(Ldt, 4u, Vector.TS, 4ul)]
    public void Faults_behind_the_switch_belong_to_the_new_task(int offset, uint selector, Vector vector, ulong error)
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        Poke(f, offset, selector);
        // Not present: code, data, both for level 3.
        f.Descriptor(0x58, 0x00CF_7B00_0000_FFFF);
        f.Descriptor(0x60, 0x00CF_7300_0000_FFFF);
        Watch(f, vector);
        f.Run(a =>
        {
            a.mov(ebx, 0x77);
            a.call(Free, 0);
        });
        Assert.Equal(MonitorEntry + 1, f.Cpu.Pc);
        Assert.Equal(error, f.Peek(f.R(4), 4));
        // The monitor was called by the new task, this one by the old one; everyone's registers are saved.
        Assert.Equal(Free, f.Peek(MonitorTss, 2));
        Assert.Equal(SystemFixture.TssSelector, f.Peek(Other, 2));
        Assert.Equal(Entry, f.Peek(Other + Eip, 4));
        Assert.Equal(0x77UL, f.Peek(SystemFixture.Tss + 52, 4));
        Assert.Equal(0x8BUL, Type(f, Free));
        Assert.Equal(0x8BUL, Type(f, Monitor));
    }

    [Fact]
    public void An_instruction_pointer_beyond_the_limit_is_the_new_tasks_fault()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        f.Descriptor(0x58, 0x0040_FB00_0000_0FFF);
        Poke(f, Cs, 0x5B);
        f.Run(a => a.call(Free, 0)).Expect(Vector.GP, 0);
        Assert.Equal(Entry, f.Frame(0));
        Assert.Equal(0x5BUL, f.Frame(1));
        Assert.Equal(0x8BUL, Type(f, Free));
    }

    [Fact]
    public void IRET_from_a_task_needs_a_busy_one_to_return_to()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        void Return(Assembler a)
        {
            a.pushfd();
            a.or(__word_ptr[esp], 1 << 14);
            a.popfd();
            a.iretd();
        }
        f.Poke(SystemFixture.Tss, 0);
        f.Run(Return).Expect(Vector.TS, 0);
        f.Write(SystemFixture.Tss, [(byte)Free, 0]);
        f.Run(Return).Expect(Vector.TS, Free);
        f.Write(SystemFixture.Tss, [(byte)SystemFixture.Data0, 0]);
        f.Run(Return).Expect(Vector.TS, SystemFixture.Data0);
        f.Write(SystemFixture.Tss, [(byte)Free, 0]);
        f.Descriptor(Free, 0x0000_8B00_0000_0067 | (Other << 16));
        f.Run(Return).Expect(Vector.BP);
        // The task that was left is free again, and NT was not saved in it.
        Assert.Equal(0x89UL, Type(f, SystemFixture.TssSelector));
        Assert.Equal(0UL, f.Peek(SystemFixture.Tss + Flags, 4) & 0x4000);
    }

    [Fact]
    public void A_jump_frees_the_old_task_and_links_nothing()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        Poke(f, 0, 0x1234);
        f.Run(a => a.jmp(Free, 0)).Expect(Vector.BP);
        Assert.Equal(0x1234UL, f.Peek(Other, 2));
        Assert.Equal(0x89UL, Type(f, SystemFixture.TssSelector));
        Assert.Equal(0x8BUL, Type(f, Free));
        Assert.Equal(0UL, f.Frame(2) & 0x4000);
        Assert.Equal(0x1000UL + 40, f.R(0));
        Assert.Equal(0x1000UL + 64, f.R(6));
        Assert.Equal(SystemFixture.UserStack, f.Frame(3));
    }

    [Fact]
    public void The_T_bit_is_a_debug_trap_in_front_of_the_new_task()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        Poke(f, 100, 0x68_0001);
        f.Assemble(SystemFixture.Handlers + 16, 32, a =>
        {
            a.mov(eax, dr6);
            a.hlt();
        });
        f.Run(a => a.call(Free, 0)).Expect(Vector.DB);
        Assert.Equal(Entry, f.Frame(0));
        Assert.Equal(0x8000UL, f.R(0) & 0xE00F);
    }

    [Fact]
    public void A_task_of_16_bits()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        f.Descriptor(Free, 0x0000_8100_0000_002B | (Other << 16));
        byte[] tss = new byte[44];
        // IP, FLAGS, AX to DI, ES CS SS DS, LDT, from offset 14 on.
        ushort[] words = [(ushort)Entry, 2, 0xA0, 0xC1, 0xD2, 0xB3, 0x8000, 0xB5, 0x56, 0xD7, SystemFixture.Data0, SystemFixture.Code0, SystemFixture.Data0, SystemFixture.Data0, 0];
        for (int i = 0; i < words.Length; i++)
            BitConverter.TryWriteBytes(tss.AsSpan(14 + (2 * i)), words[i]);
        f.Write(Other, tss);
        f.Assemble(Entry, 32, a =>
        {
            a.mov(__dword_ptr[(int)SystemFixture.Data], esp);
            a.iretd();
        });
        f.Run(a =>
        {
            a.mov(ebx, 0x5_0077);
            a.call(Free, 0);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(0x5_0077UL, f.R(3));
        Assert.Equal(0x8000UL, f.Peek(SystemFixture.Data, 2));
        Assert.Equal(0xB3UL, f.Peek(Other + 24, 2));
        Assert.Equal(SystemFixture.TssSelector, f.Peek(Other, 2));
    }

    [Fact]
    public void An_interrupt_through_a_task_gate_and_back()
    {
        using var f = Create(X86BootMode.Protected32);
        Task(f);
        f.Gate(0x50, Free, 0, 0x85);
        Poke(f, Cs, SystemFixture.Code0);
        foreach (int segment in new[] { Es, Ss, Ds, Fs, Fs + 4 })
            Poke(f, segment, SystemFixture.Data0);
        f.Assemble(Entry, 32, a =>
        {
            Label loop = a.CreateLabel();
            a.Label(ref loop);
            a.inc(__dword_ptr[(int)SystemFixture.Data]);
            a.iretd();
            // The task goes on here the next time.
            a.jmp(loop);
        });
        f.Run(a =>
        {
            a.mov(ecx, 3);
            a.@int(0x50);
            a.@int(0x50);
            a.@int(0x50);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(3UL, f.Peek(SystemFixture.Data, 4));
        Assert.Equal(3UL, f.R(1));
    }
}

public sealed class TaskErrorTestsInterpreted() : TaskErrorTests(Interpreted);

public sealed class TaskErrorTestsTranslated() : TaskErrorTests(Translated);
