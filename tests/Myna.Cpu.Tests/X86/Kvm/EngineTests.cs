using Iced.Intel;
using Myna.Cpu.Engines;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Host.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86.Kvm;

/// <summary>What is KVM's own: state in and out, exits, requests from other threads, the map of memory.</summary>
public sealed class EngineTests
{
    private static SystemFixture Create(X86BootMode mode = X86BootMode.Long64) => new(mode, "max", SystemTests.Virtualized);

    private static ulong Counter(SystemFixture f, string name) => f.Cpu.Counters.Single(c => c.Name == name).Value;

    /// <summary>Remembers writes, answers reads with the offset.</summary>
    private sealed class Probe : IMmio
    {
        public List<(ulong Offset, int Size, ulong Value)> Writes { get; } = [];
        public Action? OnWrite { get; init; }

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = (0x8877_6655_4433_2211UL + offset) & (size == 8 ? ulong.MaxValue : (1UL << (8 * size)) - 1);
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            Writes.Add((offset, size, value));
            OnWrite?.Invoke();
            return true;
        }
    }

    [FactIfKvm]
    public void Devices_see_each_access_with_its_size()
    {
        using SystemFixture f = Create();
        Probe memory = new(), ports = new();
        f.Memory.Map(0x4000_0000, 0x1000, "probe", memory);
        f.Poke(SystemFixture.Tables + 0x1000 + 8, (SystemFixture.Tables + 0x4000) | 7);
        f.Poke(SystemFixture.Tables + 0x4000, 0x4000_0087);
        f.Ports.Map(0x500, 16, "probe", ports);
        f.Write(SystemFixture.Data, "abcdef"u8);
        f.Run(a =>
        {
            a.mov(ebx, 0x4000_0000);
            a.mov(__byte_ptr[rbx], 0x12);
            a.mov(__word_ptr[rbx + 2], 0x3456);
            a.mov(__dword_ptr[rbx + 4], 0x789A_BCDE);
            a.mov(rax, 0x1122_3344_5566_7788);
            a.mov(__qword_ptr[rbx + 8], rax);
            a.mov(r8, __qword_ptr[rbx + 16]);
            a.movzx(r9d, __word_ptr[rbx + 2]);
            a.mov(edx, 0x500);
            a.mov(eax, 0xAABB_CCDD);
            a.@out(dx, al);
            a.@out(dx, ax);
            a.@out(dx, eax);
            a.@in(eax, dx);
            a.mov(r10, rax);
            a.mov(esi, (int)SystemFixture.Data);
            a.mov(ecx, 6);
            a.cld();
            a.rep.outsb();
            a.mov(edi, (int)SystemFixture.Data + 0x100);
            a.mov(ecx, 3);
            a.rep.insw();
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal<(ulong, int, ulong)>([(0, 1, 0x12), (2, 2, 0x3456), (4, 4, 0x789A_BCDE), (8, 8, 0x1122_3344_5566_7788)], memory.Writes);
        Assert.Equal<(ulong, int, ulong)>([(0, 1, 0xDD), (0, 2, 0xCCDD), (0, 4, 0xAABB_CCDD), (0, 1, 'a'), (0, 1, 'b'), (0, 1, 'c'), (0, 1, 'd'), (0, 1, 'e'), (0, 1, 'f')], ports.Writes);
        Assert.Equal(0x8877_6655_4433_2221UL, f.R(8));
        Assert.Equal(0x2213UL, f.R(9));
        Assert.Equal(0x4433_2211UL, f.R(10));
        Assert.Equal(0x2211_2211_2211UL, f.Peek(SystemFixture.Data + 0x100, 6));
        Assert.True(Counter(f, "kvm port exits") >= 5);
        Assert.True(Counter(f, "kvm memory exits") >= 6);
    }

    [FactIfKvm]
    public void Rom_is_not_written_and_the_map_may_change_while_the_guest_runs()
    {
        using SystemFixture f = Create();
        using var rom = new Ram("rom", 0x1000, readOnly: true);
        using var other = new Ram("other", 0x1000);
        rom.GetForWrite(0, 1)[0] = 0x5A;
        other.GetForWrite(0, 1)[0] = 0xA5;
        Region region = f.Memory.Map(0x4000_0000, rom);
        f.Poke(SystemFixture.Tables + 0x1000 + 8, (SystemFixture.Tables + 0x4000) | 7);
        f.Poke(SystemFixture.Tables + 0x4000, 0x4000_0087);
        f.Ports.Map(0x500, 4, "switch", new Probe
        {
            OnWrite = () =>
            {
                f.Memory.Unmap(region);
                f.Memory.Map(0x4000_0000, other);
            },
        });
        f.Run(a =>
        {
            a.mov(ebx, 0x4000_0000);
            a.mov(__byte_ptr[rbx], 1);
            a.movzx(r8d, __byte_ptr[rbx]);
            a.mov(edx, 0x500);
            a.@out(dx, al);
            a.movzx(r9d, __byte_ptr[rbx]);
            a.mov(__byte_ptr[rbx], 2);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal((0x5AUL, 0xA5UL), (f.R(8), f.R(9)));
        Assert.Equal((0x5A, 2), (rom.Get(0, 1)[0], other.Get(0, 1)[0]));
    }

    [FactIfKvm]
    public void Instructions_that_the_kernels_emulator_may_lack_are_completed()
    {
        using SystemFixture f = Create();
        f.Run(a =>
        {
            // Floating point needs its switches.
            a.mov(rax, cr4);
            a.or(eax, 0x600);
            a.mov(cr4, rax);
            a.fninit();
            a.fldpi();
            a.fld1();
            a.faddp(st1, st0);
            a.fstp(__qword_ptr[(int)SystemFixture.Data]);
            a.mov(eax, 7);
            a.cvtsi2sd(xmm3, eax);
            a.addsd(xmm3, xmm3);
            a.mulsd(xmm3, __qword_ptr[(int)SystemFixture.Data]);
            a.movsd(__qword_ptr[(int)SystemFixture.Data + 8], xmm3);
            a.mov(ecx, 0x1234_5678);
            a.popcnt(r8d, ecx);
            a.mov(eax, 1);
            a.mov(edx, 2);
            a.mov(ebx, 3);
            a.mov(ecx, 4);
            a.@lock.cmpxchg16b(__xmmword_ptr[(int)SystemFixture.Data + 0x20]);
        });
        Assert.Equal(-1, f.Vector);
        Assert.Equal(BitConverter.DoubleToUInt64Bits(Math.PI + 1), f.Peek(SystemFixture.Data));
        Assert.Equal(BitConverter.DoubleToUInt64Bits(14 * (Math.PI + 1)), f.Peek(SystemFixture.Data + 8));
        Assert.Equal(13UL, f.R(8));
        // The comparison failed: what is in memory was loaded.
        Assert.Equal((0UL, 0UL, 0UL), (f.R(0), f.R(2), f.Cpu.RFlags & 0x40));
        if (KvmOfHost.IsSoftware)
            Assert.True(Counter(f, "kvm instructions completed") >= 5);
    }

    [TheoryIfKvm]
    [InlineData(SystemTests.Interpreted)]
    [InlineData(SystemTests.Translated)]
    public void A_program_goes_on_under_another_engine_again_and_again(string other)
    {
        ulong expected = Mixed(new SystemFixture(engine: SystemTests.Interpreted), null);
        using var f = Create();
        ICpuEngine kvm = f.Cpu.Engine!;
        ICpuEngine second = f.Cpu.Stepper!;
        using var translator = other == SystemTests.Translated && X86Translator.IsSupported ? new X86Translator(f.Pages) : null;
        var interpreter = new Interpreter(f.Cpu, f.Pages);
        second = translator?.CreateEngine(f.Cpu, interpreter) ?? interpreter;
        int switches = 0;
        Assert.Equal(expected, Mixed(f, () => f.Cpu.Engine = switches++ % 2 == 0 ? second : kvm));
        Assert.True(switches >= 8);
    }

    // Integer registers and flags, SSE, x87, memory, a segment base, CR2 and MSRs all go into the result.
    private static ulong Mixed(SystemFixture f, Action? change)
    {
        f.Ports.Map(0x500, 4, "kick", new Probe { OnWrite = () => f.Cpu.Kick() });
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = SystemFixture.Code0, DataSelector = SystemFixture.Data0, GdtBase = SystemFixture.Gdt, GdtLimit = 0x7F });
        f.Assemble(SystemFixture.Code, 64, a =>
        {
            Label loop = a.CreateLabel(), inner = a.CreateLabel();
            a.mov(rax, cr4);
            a.or(eax, 0x600);
            a.mov(cr4, rax);
            a.fninit();
            a.fldpi();
            a.mov(ecx, 0xC000_0100);
            a.mov(eax, (int)SystemFixture.Data);
            a.xor(edx, edx);
            a.wrmsr();
            a.mov(ecx, 0xC000_0102);
            a.mov(eax, 0x1234);
            a.wrmsr();
            a.mov(eax, 0x4321);
            a.mov(cr2, rax);
            a.mov(r12d, 10);
            a.mov(r8, 0x9E37_79B9_7F4A_7C15);
            a.cvtsi2sd(xmm1, r12d);
            a.Label(ref loop);
            a.mov(ecx, 50);
            a.Label(ref inner);
            a.rol(r8, 7);
            a.adc(r8, rcx);
            a.add(__qword_ptr.fs[rcx * 8], r8);
            a.imul(r9, r8, 77);
            a.xor(r10, r9);
            a.dec(ecx);
            a.jnz(inner);
            a.addsd(xmm1, xmm1);
            a.fadd(st0, st0);
            a.std();
            a.stc();
            a.mov(edx, 0x500);
            a.@out(dx, al);
            a.adc(r10, 5);
            a.pushfq();
            a.pop(r11);
            a.add(r10, r11);
            a.cld();
            a.dec(r12d);
            a.jnz(loop);
            a.fstp(__qword_ptr[(int)SystemFixture.Data]);
            a.movq(rax, xmm1);
            a.add(r10, rax);
            a.add(r10, __qword_ptr[(int)SystemFixture.Data]);
            a.add(r10, __qword_ptr[(int)SystemFixture.Data + 80]);
            a.mov(rax, cr2);
            a.add(r10, rax);
            a.mov(ecx, 0xC000_0102);
            a.rdmsr();
            a.add(r10, rax);
            a.hlt();
        });
        using var patience = new Timer(_ => throw new TimeoutException(), null, 60_000, Timeout.Infinite);
        StopReason reason;
        while ((reason = f.Cpu.Run()) == StopReason.Kicked)
            change?.Invoke();
        Assert.Equal(StopReason.Waiting, reason);
        ulong result = f.R(10);
        if (change is null)
            f.Dispose();
        return result;
    }

    [FactIfKvm]
    public void Saved_state_does_not_tell_the_engine()
    {
        using SystemFixture f = Create(), g = new(engine: SystemTests.Interpreted);
        void Program(Assembler a)
        {
            a.mov(rax, cr4);
            a.or(eax, 0x600);
            a.mov(cr4, rax);
            a.fninit();
            a.fld1();
            a.mov(rax, 0x1234_5678_9ABC_DEF0);
            a.movq(xmm5, rax);
            a.mov(r15, rax);
            a.push(3);
            a.popfq();
        }
        f.Run(Program);
        g.Run(Program);
        // What counts time or instructions differs.
        Assert.Equal(f.Cpu.Pc, g.Cpu.Pc);
        // x87's record of its last instruction may be lost when the host switches threads: newer processors do not keep its selectors,
        // and AMD's save FOP, FIP and FDP only while an exception is pending (APM vol. 5, FXSAVE).
        foreach (CpuRegister register in f.Cpu.Registers.Where(r => r.Name is not ("fiseg" or "fioff" or "foseg" or "fooff" or "fop")))
        {
            byte[] mine = new byte[register.Bits / 8], theirs = new byte[register.Bits / 8];
            if (f.Cpu.TryReadRegister(register.Number, mine) && g.Cpu.TryReadRegister(register.Number, theirs))
                Assert.True(mine.AsSpan().SequenceEqual(theirs), $"{register.Name}: {Convert.ToHexString(mine)} under KVM, {Convert.ToHexString(theirs)} interpreted");
        }
        var writer = new StateWriter();
        writer.WriteSection(f.Cpu);
        new StateReader(writer.ToArray()).ReadSection(g.Cpu);
        Assert.Equal(f.R(15), g.R(15));
    }

    [FactIfKvm]
    public void A_kick_from_another_thread_is_never_lost()
    {
        using SystemFixture f = Create();
        f.Run(static a => a.nop());
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Write(SystemFixture.Code, [0x48, 0xFF, 0xC0, 0xEB, 0xFB]); // inc rax; jmp
        for (int i = 0; i < 200; i++)
        {
            int spins = i * 37 % 1000;
            var kicker = new Thread(() =>
            {
                Thread.SpinWait(spins);
                f.Cpu.Kick();
            });
            kicker.Start();
            Assert.Equal(StopReason.Kicked, f.Cpu.Run());
            kicker.Join();
        }
        Assert.InRange(f.Cpu.Pc, SystemFixture.Code, SystemFixture.Code + 3);
    }

    [FactIfKvm]
    public void A_triple_fault_is_reported()
    {
        using SystemFixture f = Create();
        f.Run(a =>
        {
            a.lidt(__[0x4800]);
            a.ud2();
        });
        Assert.Equal(1, f.ShutDowns);
    }

    [FactIfKvm]
    public void Breakpoints_and_steps()
    {
        using SystemFixture f = Create();
        f.Run(static a => a.nop());
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Write(SystemFixture.Code, [0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0xF4]); // inc rax three times; hlt
        f.Cpu.SetBreakpoint(SystemFixture.Code + 6, true);
        Assert.Equal(StopReason.Breakpoint, f.Cpu.Run());
        Assert.Equal((2UL, SystemFixture.Code + 6), (f.R(0), f.Cpu.Pc));
        Assert.Equal(StopReason.InstructionLimit, f.Cpu.Step());
        Assert.Equal((3UL, SystemFixture.Code + 9), (f.R(0), f.Cpu.Pc));
        f.Cpu.SetBreakpoint(SystemFixture.Code + 6, false);
        Assert.Equal(StopReason.Waiting, f.Cpu.Run());
    }

    private sealed class Bell : IDoorbells
    {
        public IReadOnlyList<Doorbell> Doorbells { get; } = [new(0x50, 4, 1), new(0x80, 2, null)];
        public Queue<(ulong, ulong)> Rung { get; } = new();

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            lock (Rung)
                Rung.Enqueue((offset, value));
            return true;
        }
    }

    [FactIfKvm]
    public void Doorbells_ring_without_an_exit_and_have_rung_when_the_cpu_stands()
    {
        using SystemFixture f = Create();
        var bell = new Bell();
        f.Memory.Map(0x4000_0000, 0x1000, "bell", bell);
        f.Poke(SystemFixture.Tables + 0x1000 + 8, (SystemFixture.Tables + 0x4000) | 7);
        f.Poke(SystemFixture.Tables + 0x4000, 0x4000_0087);
        var kick = new Probe { OnWrite = () => f.Cpu.Kick() };
        f.Ports.Map(0x500, 4, "kick", kick);
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Assemble(SystemFixture.Code, 64, a =>
        {
            a.mov(ebx, 0x4000_0000);
            a.mov(__dword_ptr[rbx + 0x50], 1);
            a.mov(__dword_ptr[rbx + 0x50], 2);
            a.mov(__word_ptr[rbx + 0x80], 7);
            a.mov(edx, 0x500);
            a.@out(dx, al);
            a.hlt();
        });
        Assert.Equal(StopReason.Kicked, f.Cpu.Run());
        // The second has no doorbell for its value, and came the ordinary way.
        Assert.Equal<(ulong, ulong)>([(0x50, 1), (0x50, 2), (0x80, 0)], bell.Rung.Order());
        Assert.Equal(1UL, Counter(f, "kvm memory exits"));
        Assert.Equal(2UL, Counter(f, "kvm doorbells"));
    }

    /// <summary>Notes the order of what arrives, in a list that several share.</summary>
    private sealed class Lazy(List<(char, ulong, int, ulong)> arrived, char name, bool lazy = true) : ILazyWrites
    {
        public IReadOnlyList<LazyRange> LazyWrites { get; } = lazy ? [new(0, 0x10)] : [];
        public Action? Settle { get; set; }

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            arrived.Add((char.ToUpperInvariant(name), offset, size, 0));
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            arrived.Add((name, offset, size, value));
            return true;
        }
    }

    [TheoryIfKvm]
    [InlineData(true)]
    [InlineData(false)]
    public void Writes_that_may_wait_are_gathered_and_arrive_in_order_before_anything_else(bool gathered)
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized, withheld: new([.. gathered ? [] : new[] { KvmCapability.COALESCED_MMIO }], []));
        List<(char, ulong, int, ulong)> arrived = [];
        Lazy memory = new(arrived, 'm'), ports = new(arrived, 'p'), other = new(arrived, 'o', lazy: false);
        f.Ports.Map(0x500, 0x10, "ports", ports);
        f.Ports.Map(0x600, 0x10, "other", other);
        f.Memory.Map(0x4000_0000, 0x1000, "memory", memory);
        f.Poke(SystemFixture.Tables + 0x1000 + 8, (SystemFixture.Tables + 0x4000) | 7);
        f.Poke(SystemFixture.Tables + 0x4000, 0x4000_0087);
        f.Run(a =>
        {
            a.mov(ebx, 0x4000_0000);
            a.mov(edx, 0x500);
            a.mov(eax, 0x1234_5678);
            a.mov(__byte_ptr[rbx], 1);
            a.@out(dx, al);
            a.mov(__word_ptr[rbx + 2], 2);
            a.@out(dx, eax);
            a.mov(__dword_ptr[rbx + 4], 3);
            // Beyond the range.
            a.mov(__dword_ptr[rbx + 0x10], 4);
            a.mov(__byte_ptr[rbx + 8], 5);
            a.mov(edx, 0x600);
            a.@out(dx, ax);
            a.mov(__byte_ptr[rbx + 9], 6);
            a.@in(al, dx);
            a.mov(__byte_ptr[rbx + 10], 7);
        });
        Assert.Equal<(char, ulong, int, ulong)>(
        [
            ('m', 0, 1, 1), ('p', 0, 1, 0x78), ('m', 2, 2, 2), ('p', 0, 4, 0x1234_5678), ('m', 4, 4, 3), ('m', 0x10, 4, 4), ('m', 8, 1, 5), ('o', 0, 2, 0x5678), ('m', 9, 1, 6), ('O', 0, 1, 0), ('m', 10, 1, 7),
        ], arrived);
        Assert.Equal((gathered ? 1UL : 7UL, gathered ? 2UL : 4UL), (Counter(f, "kvm memory exits"), Counter(f, "kvm port exits")));
        Assert.Equal(gathered ? 8UL : 0UL, Counter(f, "kvm writes gathered"));
        Assert.Equal(gathered, memory.Settle is not null);
    }

    [FactIfKvm]
    public void A_full_ring_of_gathered_writes_loses_nothing_and_the_map_may_change()
    {
        using SystemFixture f = Create();
        List<(char, ulong, int, ulong)> arrived = [];
        var memory = new Lazy(arrived, 'm');
        Region region = f.Memory.Map(0x4000_0000, 0x1000, "memory", memory);
        f.Poke(SystemFixture.Tables + 0x1000 + 8, (SystemFixture.Tables + 0x4000) | 7);
        f.Poke(SystemFixture.Tables + 0x4000, 0x4000_0087);
        void Program(Assembler a)
        {
            Label loop = a.CreateLabel();
            a.mov(ebx, 0x4000_0000);
            a.mov(ecx, 1000);
            a.Label(ref loop);
            a.mov(__dword_ptr[rbx], ecx);
            a.dec(ecx);
            a.jnz(loop);
        }

        f.Run(Program);
        Assert.Equal(Enumerable.Range(1, 1000).Reverse().Select(i => ('m', 0UL, 4, (ulong)i)), arrived);
        // The ring has less than 200 places.
        Assert.InRange(Counter(f, "kvm memory exits"), 4UL, 10UL);
        f.Memory.Unmap(region);
        f.Memory.Map(0x4000_0000, 0x1000, "memory", new Lazy(arrived, 'n', lazy: false));
        ulong before = Counter(f, "kvm memory exits");
        f.Run(Program);
        Assert.Equal(1000UL, Counter(f, "kvm memory exits") - before);
        Assert.Equal(1000, arrived.Count(a => a.Item1 == 'n'));
    }

    [FactIfKvm]
    public void Whoever_looks_at_a_device_sees_what_a_running_guest_wrote()
    {
        using SystemFixture f = Create();
        List<(char, ulong, int, ulong)> arrived = [];
        var memory = new Lazy(arrived, 'm');
        f.Memory.Map(0x4000_0000, 0x1000, "memory", memory);
        f.Poke(SystemFixture.Tables + 0x1000 + 8, (SystemFixture.Tables + 0x4000) | 7);
        f.Poke(SystemFixture.Tables + 0x4000, 0x4000_0087);
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Assemble(SystemFixture.Code, 64, a =>
        {
            Label loop = a.CreateLabel();
            a.mov(ebx, 0x4000_0000);
            a.mov(__dword_ptr[rbx], 0x77);
            a.mov(__byte_ptr[(int)SystemFixture.Data], 1);
            a.Label(ref loop);
            a.jmp(loop);
        });
        f.Poke(SystemFixture.Data, 0);
        var runner = new Thread(() => f.Cpu.Run());
        runner.Start();
        var patience = System.Diagnostics.Stopwatch.StartNew();
        while (f.Peek(SystemFixture.Data, 1) == 0 && patience.Elapsed < TimeSpan.FromSeconds(30))
            Thread.Yield();
        memory.Settle!();
        int seen = arrived.Count;
        f.Cpu.Kick();
        runner.Join();
        Assert.Equal(1, seen);
    }

    // Counted, not timed: each call costs as much as an exit, on this and on any kernel.
    [FactIfKvm]
    public void Completed_instructions_take_few_calls_of_the_kernel()
    {
        using SystemFixture f = Create();
        const int Times = 200;
        ulong Calls(Action<Assembler> body)
        {
            f.Run(a =>
            {
                Label loop = a.CreateLabel();
                a.mov(rax, cr4);
                a.or(eax, 0x600);
                a.mov(cr4, rax);
                a.fninit();
                a.mov(ecx, Times);
                a.Label(ref loop);
                body(a);
                a.dec(ecx);
                a.jnz(loop);
            });
            return Counter(f, "kvm calls");
        }

        // The first run sets everything up.
        ulong start = Calls(a => a.nop()), nothing = Calls(a => a.nop()) - start;
        ulong at = Counter(f, "kvm calls"), integer = Calls(a => a.popcnt(r8d, ecx)) - at - nothing;
        at = Counter(f, "kvm calls");
        ulong vector = Calls(a => a.addps(xmm1, xmm1)) - at - nothing;
        if (!KvmOfHost.IsSoftware)
            return;
        // The entry itself; with floating point, its state out. (In again only when it changed.)
        Assert.InRange(integer, (ulong)Times, Times + 20UL);
        Assert.InRange(vector, 2UL * Times - 10, 2 * Times + 20UL);
    }

    [FactIfKvm]
    public void The_log_of_written_pages()
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        using var ram = new Ram("ram", 64 << 12);
        using KvmVm vm = host.CreateVm();
        vm.SetMemory(3, 0, ram.Size, ram.HostAddress, readOnly: false, logDirty: true);
        using KvmVcpu cpu = vm.CreateVcpu(0);
        // mov [4000h], al; mov [9fffh], al; hlt
        ((ReadOnlySpan<byte>)[0xA2, 0x00, 0x40, 0xA2, 0xFF, 0x9F, 0xF4]).CopyTo(ram.GetForWrite(0x1000, 7));
        cpu.Get(out KvmSregs sregs, second: false);
        (sregs.Cs.Base, sregs.Cs.Selector) = (0, 0);
        cpu.Set(ref sregs, second: false);
        var regs = new KvmRegs { Rip = 0x1000, Rflags = 2 };
        cpu.Set(ref regs);
        int never = 0;
        Assert.Equal(KvmEntry.Exited, cpu.Enter(ref never));
        Assert.Equal(KvmExitReason.HLT, cpu.Run.ExitReason);
        ulong[] log = new ulong[1];
        vm.GetDirtyLog(3, log);
        Assert.Equal(1UL << 4 | 1UL << 9, log[0] & (1UL << 4 | 1UL << 9 | 1UL << 20));
        vm.GetDirtyLog(3, log);
        Assert.Equal(0UL, log[0]);
    }

    [FactIfKvm]
    public void A_probe_finds_out_whether_the_processor_executes_guests()
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        // By what the processor says and by trying it: the two do not know of each other.
        Assert.Equal(KvmProbe.HasHardware, KvmProbe.TryGuest(host) is null);
        Assert.Equal(KvmProbe.HasHardware, KvmProbe.WhyNot(host) is null);
    }

    [FactIfKvm]
    public void Features_that_a_model_cannot_have_are_named()
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        var cpuid = new KvmCpuid(host);
        CpuModel model = CpuModel.Parse("max");
        IReadOnlyList<CpuFeature> missing = cpuid.Missing(model);
        Assert.DoesNotContain(CpuFeature.Fpu, missing);
        Assert.Empty(cpuid.Missing(model.Without(missing)));
        Assert.All(cpuid.Imposed(), f => Assert.DoesNotContain(f, missing));
    }
}
