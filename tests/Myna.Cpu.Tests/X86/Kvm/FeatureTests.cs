using System.Runtime.InteropServices;
using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Memory;
using Myna.Host.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86.Kvm;

/// <summary>What the kernel can do beyond running guests: logs of written pages, events for interrupts, filters, debugging, paravirtual features.</summary>
public sealed class FeatureTests
{
    private static ulong Counter(SystemFixture f, string name) => f.Cpu.Counters.Single(c => c.Name == name).Value;

    // Log of written pages.

    [TheoryIfKvm]
    [InlineData(0)]
    [InlineData(1024)]
    public void Pages_written_by_CPUs_and_from_here_are_logged_once(uint ring)
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized, dirtyRing: ring);
        static void Program(Assembler a)
        {
            a.mov(__byte_ptr[(int)SystemFixture.Data], 1);
            a.mov(__byte_ptr[(int)SystemFixture.Data + 0x3FFF], 1);
            a.mov(rax, __qword_ptr[(int)SystemFixture.Data + 0x8000]);
            // The kernel's emulator may leave these to the interpreter.
            a.fninit();
            a.fld1();
            a.fstp(__qword_ptr[(int)SystemFixture.Data + 0x5000]);
        }

        f.Run(Program);
        using IDirtyLog log = f.Kvm!.StartDirtyLog();
        Assert.Throws<InvalidOperationException>(f.Kvm.StartDirtyLog);
        Assert.Equal(-1, f.Run(Program).Vector);
        f.Write(SystemFixture.Data + 0x9_0000, [1]);
        ulong[] bitmap = new ulong[f.Ram.Size >> 18];
        log.Collect(f.Ram, bitmap);
        Assert.Equal([0, 0x3000, 0x5000, 0x9_0000], ((ulong[])[0, 0x3000, 0x5000, 0x9_0000]).Where(at => Has(bitmap, SystemFixture.Data + at)));
        Assert.False(Has(bitmap, SystemFixture.Data + 0x1000) || Has(bitmap, SystemFixture.Data + 0x8000) || Has(bitmap, SystemFixture.Data + 0x10_0000));
        Array.Clear(bitmap);
        log.Collect(f.Ram, bitmap);
        Assert.DoesNotContain(bitmap, b => b != 0);
        // And pages that were collected are seen again.
        f.Run(Program);
        log.Collect(f.Ram, bitmap);
        Assert.True(Has(bitmap, SystemFixture.Data));
    }

    private sealed class Exit : IMmio
    {
        public bool Read(ulong offset, int size, out ulong value) => (value = 0) == 0;
        public bool Write(ulong offset, int size, ulong value) => true;
    }

    private static bool Has(ulong[] bitmap, ulong address) => (bitmap[address >> 18] >> (int)(address >> 12 & 63) & 1) != 0;

    [TheoryIfKvm]
    [InlineData(0, true)]
    [InlineData(1024, true)]
    [InlineData(0, false)]
    [InlineData(1024, false)]
    public void More_pages_than_a_ring_has_room_for(uint ring, bool exits)
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized, dirtyRing: ring);
        using IDirtyLog log = f.Kvm!.StartDirtyLog();
        f.Ports.Map(0x500, 1, "exit", new Exit());
        const int First = 0x20_0000, Pages = 2000;
        f.Run(a =>
        {
            Label loop = a.CreateLabel();
            a.mov(edi, First);
            a.mov(edx, 0x500);
            a.mov(ecx, Pages);
            a.Label(ref loop);
            a.mov(__byte_ptr[rdi], 1);
            if (exits)
                a.@out(dx, al);
            a.add(edi, 0x1000);
            a.dec(ecx);
            a.jnz(loop);
        });
        ulong[] bitmap = new ulong[f.Ram.Size >> 18];
        log.Collect(f.Ram, bitmap);
        int[] missing = [.. Enumerable.Range(0, Pages).Where(i => !Has(bitmap, First + ((ulong)i * 0x1000)))];
        // With exits there is always time to empty it.
        Assert.Equal(0UL, exits || ring == 0 ? Counter(f, "kvm written pages overflows") : 0);
        Assert.True(missing.Length == 0, $"{missing.Length} pages from {missing.FirstOrDefault()} to {missing.LastOrDefault()} (ring {ring}), {string.Join(' ', f.Cpu.Counters.Where(c => c.Value != 0).Select(c => $"{c.Name} {c.Value}"))}");
    }

    // Interrupts.

    [FactIfKvm]
    public void An_event_sends_a_message()
    {
        const int Vector = 0x41;
        using KvmHost host = KvmHost.TryOpen(out _)!;
        using KvmVm vm = host.CreateVm();
        vm.CreateSplitIrqchip(24);
        using KvmVcpu cpu = vm.CreateVcpu(0);
        var route = new KvmRoute { Gsi = 24, Type = KvmRoute.ToMsi, ChipOrAddressLow = 0xfee0_0000, Data = Vector };
        vm.SetRouting([route]);
        cpu.Get(out KvmLapicState apic);
        // SVR: enabled by software.
        MemoryMarshal.Write(((Span<byte>)apic)[0xf0..], 0x1ffu);
        cpu.Set(ref apic);
        using var line = new KvmEvent();
        vm.SetIrqfd(line, 24, on: true);
        line.Set();
        var patience = System.Diagnostics.Stopwatch.StartNew();
        do
            cpu.Get(out apic);
        while (!Requested(apic) && patience.Elapsed < TimeSpan.FromSeconds(30));
        Assert.True(Requested(apic));
        vm.SetIrqfd(line, 24, on: false);
        Assert.True(vm.SignalMsi(0xfee0_0000, Vector + 1));
        cpu.Get(out apic);
        Assert.NotEqual(0u, MemoryMarshal.Read<uint>(((ReadOnlySpan<byte>)apic)[0x220..]) & 4);

        static bool Requested(KvmLapicState state) => (MemoryMarshal.Read<uint>(((ReadOnlySpan<byte>)state)[0x220..]) & 2) != 0;
    }

    /// <summary>A level line by events: high until the guest ends the interrupt, which tells whose it is.</summary>
    [FactIfKvm]
    public void An_event_holds_a_line_until_the_interrupt_ends()
    {
        const uint Line = 5;
        const ushort Ready = 0x11, Handled = 0x10;
        using KvmHost host = KvmHost.TryOpen(out _)!;
        if (host.Check(KvmCapability.IRQFD_RESAMPLE) == 0)
            return;
        using var ram = new Ram("ram", 64 << 12);
        using KvmVm vm = host.CreateVm();
        vm.CreateIrqchip();
        vm.SetMemory(0, 0, ram.Size, ram.HostAddress, readOnly: false);
        using KvmVcpu cpu = vm.CreateVcpu(0);
        // The master 8259 with vectors from 20h on, all lines but the fifth masked, which is level-triggered (ELCR); STI; HLT.
        ((ReadOnlySpan<byte>)[
            0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, 0xb0, 0xdf, 0xe6, 0x21, 0xba, 0xd0, 0x04, 0xb0, 0x20, 0xee,
            0xbc, 0x00, 0x20, 0xe6, (byte)Ready, 0xfb, 0xf4, 0xeb, 0xfd]).CopyTo(ram.GetForWrite(0x1000, 0x40));
        // The handler: EOI; a word to us; IRET.
        ((ReadOnlySpan<byte>)[0xb0, 0x20, 0xe6, 0x20, 0xe6, (byte)Handled, 0xcf]).CopyTo(ram.GetForWrite(0x1100, 0x40));
        MemoryMarshal.Write(ram.GetForWrite(4 * 0x25, 4), 0x1100u);
        cpu.Get(out KvmSregs sregs, second: false);
        (sregs.Cs.Base, sregs.Cs.Selector) = (0, 0);
        cpu.Set(ref sregs, second: false);
        var regs = new KvmRegs { Rip = 0x1000, Rflags = 2 };
        cpu.Set(ref regs);
        using KvmEvent source = new(), ended = new();
        vm.SetIrqfd(source, Line, on: true, resample: ended);
        int stop = 0;
        using var patience = new Timer(_ =>
        {
            Volatile.Write(ref stop, 1);
            cpu.Kick();
        }, null, 30_000, Timeout.Infinite);
        Assert.Equal(Ready, Next());
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(0UL, ended.Take());
            source.Set();
            Assert.Equal(Handled, Next());
            Assert.Equal(1UL, ended.Take());
        }
        // It is low, so that nothing comes but the kick.
        Volatile.Write(ref stop, 1);
        Assert.Equal(0, Next());
        vm.SetIrqfd(source, Line, on: false);

        int Next() => cpu.Enter(ref stop) == KvmEntry.Exited && cpu.Run.ExitReason == KvmExitReason.IO ? cpu.Run.IoPort : 0;
    }

    // Exits.

    [FactIfKvm]
    public void MSRs_can_be_denied()
    {
        const uint SysenterCs = 0x174;
        const ulong Filter = 4;
        using KvmHost host = KvmHost.TryOpen(out _)!;
        using var ram = new Ram("ram", 64 << 12);
        using KvmVm vm = host.CreateVm();
        Assert.True(vm.TryEnable(KvmCapability.X86_USER_SPACE_MSR, Filter));
        Assert.True(vm.TryDenyMsrs(SysenterCs, 3));
        vm.SetMemory(0, 0, ram.Size, ram.HostAddress, readOnly: false);
        using KvmVcpu cpu = vm.CreateVcpu(0);
        // mov ecx, 174h; rdmsr; mov ecx, 174h; wrmsr; hlt
        ((ReadOnlySpan<byte>)[0x66, 0xb9, 0x74, 0x01, 0, 0, 0x0f, 0x32, 0x66, 0xb9, 0x74, 0x01, 0, 0, 0x0f, 0x30, 0xf4]).CopyTo(ram.GetForWrite(0x1000, 17));
        cpu.Get(out KvmSregs sregs, second: false);
        (sregs.Cs.Base, sregs.Cs.Selector) = (0, 0);
        cpu.Set(ref sregs, second: false);
        var regs = new KvmRegs { Rip = 0x1000, Rflags = 2 };
        cpu.Set(ref regs);
        int never = 0;
        Assert.Equal(KvmEntry.Exited, cpu.Enter(ref never));
        Assert.Equal((KvmExitReason.X86_RDMSR, SysenterCs, (uint)Filter), (cpu.Run.ExitReason, cpu.Run.MsrIndex, cpu.Run.MsrReason));
        cpu.Run.MsrData = 0x1_0000_1234;
        cpu.Run.MsrError = 0;
        Assert.Equal(KvmEntry.Exited, cpu.Enter(ref never));
        Assert.Equal((KvmExitReason.X86_WRMSR, SysenterCs, 0x1_0000_1234UL), (cpu.Run.ExitReason, cpu.Run.MsrIndex, cpu.Run.MsrData));
        cpu.Run.MsrError = 0;
        Assert.Equal(KvmEntry.Exited, cpu.Enter(ref never));
        Assert.Equal(KvmExitReason.HLT, cpu.Run.ExitReason);
    }

    [Fact]
    public void Every_exit_has_a_description()
    {
        foreach (KvmExitReason reason in Enum.GetValues<KvmExitReason>())
            Assert.NotEmpty(new KvmRun { ExitReason = reason }.Describe());
        Assert.Equal("write to port 0x3f8, 2 × 1 bytes", new KvmRun { ExitReason = KvmExitReason.IO, IoOut = 1, IoSize = 1, IoPort = 0x3f8, IoCount = 2 }.Describe());
        Assert.Equal("read from address 0xfec00010, 4 bytes", new KvmRun { ExitReason = KvmExitReason.MMIO, MmioAddress = 0xfec0_0010, MmioLength = 4 }.Describe());
        Assert.Equal("WRMSR of 0x174, reason 4, value 0x5", new KvmRun { ExitReason = KvmExitReason.X86_WRMSR, MsrIndex = 0x174, MsrReason = 4, MsrData = 5 }.Describe());
        Assert.Equal("end of interrupt 0x31", new KvmRun { ExitReason = KvmExitReason.IOAPIC_EOI, EoiVector = 0x31 }.Describe());
        Assert.Equal("hypercall 12", new KvmRun { ExitReason = KvmExitReason.HYPERCALL, HypercallNumber = 12 }.Describe());
        Assert.Equal("the processor refused the guest's state, reason 0x21 on host CPU 3", new KvmRun { ExitReason = KvmExitReason.FAIL_ENTRY, HardwareReason = 0x21, FailedCpu = 3 }.Describe());
        Assert.Equal("memory fault at 0x5000, 4096 bytes", new KvmRun { ExitReason = KvmExitReason.MEMORY_FAULT, FaultAddress = 0x5000, FaultSize = 4096 }.Describe());
        Assert.Equal("memory fault at 0x5000, 4096 bytes, private", new KvmRun { ExitReason = KvmExitReason.MEMORY_FAULT, FaultFlags = 8, FaultAddress = 0x5000, FaultSize = 4096 }.Describe());
        Assert.Equal("system event CRASH, 0x12", new KvmRun { ExitReason = KvmExitReason.SYSTEM_EVENT, SystemEvent = KvmSystemEvent.CRASH, SystemEventCount = 1, SystemEventData = 0x12 }.Describe());
        Assert.Equal("write to the task priority at 0x1000", new KvmRun { ExitReason = KvmExitReason.TPR_ACCESS, TprPc = 0x1000, TprIsWrite = 1 }.Describe());
        Assert.True(new KvmRun { ExitReason = KvmExitReason.NOTIFY, NotifyFlags = 1 }.IsContextLost);
        KvmRun failed = new() { ExitReason = KvmExitReason.INTERNAL_ERROR, InternalError = KvmInternalError.EMULATION, InternalCount = 3 };
        failed.InternalData[0] = 1;
        failed.InternalData[1] = 0xe8d9_02;
        Assert.Equal("internal error EMULATION, instruction D9E8", failed.Describe());
    }

    /// <summary>Against the host's own header, whichever version it has.</summary>
    [Fact]
    public void Exits_have_the_names_and_numbers_of_the_header()
    {
        const string Header = "/usr/include/linux/kvm.h";
        if (!File.Exists(Header))
            return;
        int count = 0;
        foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(File.ReadAllText(Header), @"^#define KVM_EXIT_(\w+)\s+(\d+)\s*$", System.Text.RegularExpressions.RegexOptions.Multiline))
        {
            string name = match.Groups[1].Value;
            // Directions and kinds of some of them.
            if (name is "IO_IN" or "IO_OUT" || name.StartsWith("HYPERV_", StringComparison.Ordinal) || name.StartsWith("XEN_", StringComparison.Ordinal))
                continue;
            Assert.Equal(name, Enum.GetName((KvmExitReason)uint.Parse(match.Groups[2].Value, System.Globalization.CultureInfo.InvariantCulture)));
            count++;
        }
        Assert.True(count >= 30);
    }

    // Debugging.

    [FactIfKvm]
    public void Breakpoints_in_the_processors_registers()
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized);
        f.Kvm!.UsesGuestDebug = true;
        f.Run(static a => a.nop());
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Write(SystemFixture.Code, [0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0x48, 0xFF, 0xC0, 0xF4]); // inc rax three times; hlt
        f.Cpu.SetBreakpoint(SystemFixture.Code + 3, true);
        f.Cpu.SetBreakpoint(SystemFixture.Code + 6, true);
        foreach (ulong at in (ulong[])[3, 6])
        {
            Assert.Equal(StopReason.Breakpoint, f.Cpu.Run());
            Assert.Equal((at / 3, SystemFixture.Code + at), (f.R(0), f.Cpu.Pc));
        }
        Assert.True(Counter(f, "kvm debug exits") >= 1);
        f.Cpu.SetBreakpoint(SystemFixture.Code + 3, false);
        f.Cpu.SetBreakpoint(SystemFixture.Code + 6, false);
        Assert.Equal(StopReason.Waiting, f.Cpu.Run());
        Assert.Equal(3UL, f.R(0));
    }

    [FactIfKvm]
    public void A_watched_address_stops_a_guest_in_the_kernel_too()
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized);
        f.Run(static a => a.nop());
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Assemble(SystemFixture.Code, 64, a =>
        {
            a.nop();
            a.mov(__byte_ptr[(int)SystemFixture.Data + 5], 1);
            a.hlt();
        });
        f.Cpu.SetWatchpoint(SystemFixture.Data + 4, 4, WatchKind.Write, true);
        Assert.Equal(StopReason.Watchpoint, f.Cpu.Run());
        // A processor tells which range was met.
        Assert.InRange(f.Cpu.WatchedAddress, SystemFixture.Data + 4, SystemFixture.Data + 5);
    }

    /// <summary>Registers as the manual has them; processors alone can say more.</summary>
    [Fact]
    public void Watched_data_in_the_debug_registers()
    {
        Assert.True(KvmDebugLayout.TryLayOut([0x1234], [(0x2000, 8, WatchKind.Write), (0x3003, 1, WatchKind.Access), (0x4004, 4, WatchKind.Write)], out KvmDebugLayout all));
        Assert.Equal((0x1234UL, 0x2000UL, 0x3003UL, 0x4004UL, 0xD39000AAUL), (all.Db0, all.Db1, all.Db2, all.Db3, all.Dr7));
        Assert.Null(all.HitData(0xFFFF_0FF1));
        Assert.Equal(0x3003UL, all.HitData(0xFFFF_0FF5));
        // 6 bytes at 2002h: two, then four.
        Assert.True(KvmDebugLayout.TryLayOut([], [(0x2002, 6, WatchKind.Write)], out KvmDebugLayout pieces));
        Assert.Equal((2, 0x2002UL, 0x2004UL, 0x00D5_000AUL), (pieces.Used, pieces.Db0, pieces.Db1, pieces.Dr7));
        // Five of them, an odd range of too many pieces, a long range, and loads alone.
        Assert.False(KvmDebugLayout.TryLayOut([1, 2, 3, 4, 5], [], out _));
        Assert.False(KvmDebugLayout.TryLayOut([1, 2], [(0x1001, 7, WatchKind.Write)], out _));
        Assert.False(KvmDebugLayout.TryLayOut([], [(0x1000, 0x1000, WatchKind.Write)], out _));
        Assert.False(KvmDebugLayout.TryLayOut([], [(0x1000, 4, WatchKind.Read)], out _));
    }

    [TheoryIfHardwareKvm]
    [InlineData(WatchKind.Write)]
    [InlineData(WatchKind.Access)]
    public void Watched_data_stops_a_guest_at_full_speed(WatchKind kind) => Watch(kind, inKernel: true);

    [FactIfKvm]
    public void Loads_alone_are_watched_by_the_interpreter() => Watch(WatchKind.Read, inKernel: false);

    private static void Watch(WatchKind kind, bool inKernel)
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized);
        f.Kvm!.UsesGuestDebug = true;
        f.Run(static a => a.nop());
        f.Cpu.Reset();
        f.Cpu.Apply(new X86BootState(X86BootMode.Long64, SystemFixture.Code) { Rsp = SystemFixture.Stack, Cr3 = SystemFixture.Tables, CodeSelector = 8, DataSelector = 16 });
        f.Assemble(SystemFixture.Code, 64, a =>
        {
            a.nop();
            a.mov(al, __byte_ptr[(int)SystemFixture.Data + 5]);
            a.mov(__byte_ptr[(int)SystemFixture.Data + 5], 1);
            a.mov(r8d, 7);
            a.hlt();
        });
        f.Cpu.SetWatchpoint(SystemFixture.Data + 4, 4, kind, true);
        if (kind != WatchKind.Write)
        {
            Assert.Equal(StopReason.Watchpoint, f.Cpu.Run());
            Assert.Equal(0UL, f.Peek(SystemFixture.Data + 5, 1));
        }
        if (kind != WatchKind.Read)
        {
            Assert.Equal(StopReason.Watchpoint, f.Cpu.Run());
            // The store is over.
            Assert.Equal((1UL, 0UL), (f.Peek(SystemFixture.Data + 5, 1), f.R(8)));
        }
        Assert.InRange(f.Cpu.WatchedAddress, SystemFixture.Data + 4, SystemFixture.Data + 7);
        Assert.Equal(inKernel, Counter(f, "kvm debug exits") != 0);
        f.Cpu.SetWatchpoint(SystemFixture.Data + 4, 4, kind, false);
        Assert.Equal(StopReason.Waiting, f.Cpu.Run());
        Assert.Equal(7UL, f.R(8));
    }

    // Time stamp counters.

    [FactIfKvm]
    public void A_counter_is_an_offset_from_the_hosts()
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        using KvmVm vm = host.CreateVm();
        using KvmVcpu cpu = vm.CreateVcpu(0);
        ulong Read()
        {
            var msr = new KvmMsr { Index = 0x10 };
            Assert.Equal(1, cpu.ReadMsrs(new Span<KvmMsr>(ref msr)));
            return msr.Value;
        }
        const ulong Far = 1UL << 50, Near = 1UL << 40;
        ulong before = Read();
        // The software back end has none, and nothing must have happened then.
        if (cpu.TryGetTscOffset(out ulong offset) && cpu.TrySetTscOffset(offset + Far))
            Assert.InRange(Read() - before, Far, Far + Near);
        else
            Assert.InRange(Read() - before, 0UL, Near);
        Assert.NotEqual(0u, cpu.TscKilohertz);
        // The rate that it has can be asked for anywhere.
        Assert.True(cpu.TrySetTscKilohertz(cpu.TscKilohertz));
    }

    [FactIfKvm]
    public void A_rate_that_a_CPU_cannot_have_is_named()
    {
        uint there;
        using (KvmHost host = KvmHost.TryOpen(out _)!)
            there = new KvmCpuid(host).TscKilohertz;
        using (SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized, tscHertz: there * 1000UL))
            f.Run(a => a.mov(ebx, 5));
        // Below the host's rate, only hardware that scales can do.
        IOException? refused = Record.Exception(() => new SystemFixture(X86BootMode.Long64, "max", SystemTests.Virtualized, tscHertz: 123_456_000).Dispose()) as IOException;
        using KvmHost second = KvmHost.TryOpen(out _)!;
        Assert.Equal(second.Check(KvmCapability.TSC_CONTROL) == 0, refused is not null);
        if (refused is not null)
            Assert.Equal($"KVM: the kernel refuses a time stamp counter of 123456 kHz; it has {there} kHz", refused.Message);
    }

    [Fact]
    public void Counters_stay_as_far_apart_as_the_guest_has_them()
    {
        var tsc = new KvmTsc();
        Assert.Equal(100UL, tsc.Map(5000, 100, 1_000_000));
        // Another CPU, whose reading came late.
        Assert.Equal(100UL, tsc.Map(5000, 137, 1_000_500));
        Assert.Equal(60UL, tsc.Map(4960, 99, 1_000_500));
        Assert.Equal(103UL, tsc.Map(5000, 103, 1_000_001 + KvmTsc.Fresh));
        tsc.Forget();
        Assert.Equal(900UL, tsc.Map(5000, 900, 1_000_002 + KvmTsc.Fresh));
    }

    // Paravirtual features.

    private const uint KvmClockBit = 1 << 3, SystemTime = 0x4b56_4d01;

    private static void EnableClock(Assembler a)
    {
        a.mov(ecx, unchecked((int)SystemTime));
        a.mov(eax, (int)SystemFixture.Data | 1);
        a.xor(edx, edx);
        a.wrmsr();
        a.nop();
    }

    [FactIfKvm]
    public void Kvmclock_is_the_kernels_and_its_registers_are_state()
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        uint offered = new KvmCpuid(host).Paravirtual(kernelApic: true);
        Assert.Equal(0u, offered & ~0x0100_407au);
        if ((offered & KvmClockBit) == 0)
            return;
        using SystemFixture f = new(X86BootMode.Long64, "max", SystemTests.Virtualized, paravirtual: KvmClockBit);
        f.Run(EnableClock);
        Assert.Equal(-1, f.Vector);
        // Version, TSC, nanoseconds, multiplier.
        Assert.Equal(0UL, f.Peek(SystemFixture.Data, 4) & 1);
        Assert.NotEqual(0UL, f.Peek(SystemFixture.Data, 4));
        Assert.NotEqual(0UL, f.Peek(SystemFixture.Data + 16));
        Assert.NotEqual(0UL, f.Peek(SystemFixture.Data + 24, 4));
    }

    [Theory]
    [InlineData(SystemTests.Interpreted)]
    [InlineData(SystemTests.Translated)]
    public void Kvmclock_goes_on_without_KVM(string engine)
    {
        using SystemFixture f = new(X86BootMode.Long64, "max", engine, paravirtual: KvmClockBit);
        f.PvClock.Set(5_000_000, f.Clock.Now);
        f.Run(EnableClock);
        Assert.Equal(-1, f.Vector);
        Assert.Equal((2UL, 5_000_000UL, 0x8000_0000UL, 0x0101UL), (f.Peek(SystemFixture.Data, 4), f.Peek(SystemFixture.Data + 16), f.Peek(SystemFixture.Data + 24, 4), f.Peek(SystemFixture.Data + 28, 2)));
        Assert.Equal(f.Clock.Now + f.Cpu.TscOffset, f.Peek(SystemFixture.Data + 8));
        // A guest of another hypervisor has no such register.
        using SystemFixture other = new(X86BootMode.Long64, "max", engine);
        other.Run(EnableClock).Expect(Cpu.X86.Instructions.Vector.GP, 0);
    }
}
