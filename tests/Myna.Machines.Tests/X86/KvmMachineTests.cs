using Myna.Cpu;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Diagnostics;
using Myna.Host.Kvm;
using Myna.Machines.Tests.Support;
using Myna.Machines.X86;

namespace Myna.Machines.Tests.X86;

/// <summary>Whole PCs whose CPUs the host's processor executes, and what the user is told when it cannot.</summary>
public sealed class KvmMachineTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);
    private readonly Scratch _scratch = new();
    private readonly Recorder _console = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>A multiboot kernel at 2 MiB, entered in 32-bit protected mode.</summary>
    private MachineOptions Program(string board, params byte[] code)
    {
        const uint Load = 0x200000, Flags = 1 << 16;
        byte[] image = new byte[0x40 + code.Length];
        uint[] header = [0x1badb002, Flags, unchecked(0u - 0x1badb002 - Flags), Load, Load, 0, 0, Load + 0x40];
        Buffer.BlockCopy(header, 0, image, 0, 32);
        code.CopyTo(image, 0x40);
        return new MachineOptions { Arch = "x86_64", Board = board, Kernel = _scratch.Write("kernel", image), Memory = 16 << 20, Accel = Accel.Kvm, Console = _console };
    }

    private static MachineExit Run(MachineOptions options)
    {
        using Machine machine = Machine.Create(options);
        machine.Start();
        using var patience = new CancellationTokenSource(s_patience);
        return machine.WaitForExit(patience.Token);
    }

    private static byte[] Out(ushort port, byte value) => [0x66, 0xba, (byte)port, (byte)(port >> 8), 0xb0, value, 0xee];

    private static readonly byte[] s_halt = [0xf4, 0xeb, 0xfd];

    // The 8259s' interrupts off; the local APIC's timer, one shot of 2,000,000 ns, vector 40h; STI; HLT until it has come.
    private static byte[] Timer =>
    [
        0xb0, 0xff, 0xe6, 0x21, 0xe6, 0xa1,                                                       // mov al, FFh; out 21h, al; out A1h, al
        0xbc, 0x00, 0x00, 0x08, 0x00,                                                             // mov esp, 80000h
        0xc7, 0x05, 0x00, 0x72, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00,                               // mov dword [7200h], CS 10h : offset low, see below
        0xb8, 0x00, 0x80, 0x00, 0x00,                                                             // mov eax, 8000h (handler)
        0x66, 0xa3, 0x00, 0x72, 0x00, 0x00,                                                       // mov [7200h], ax
        0xc7, 0x05, 0x04, 0x72, 0x00, 0x00, 0x00, 0x8e, 0x00, 0x00,                               // mov dword [7204h], 8E00h: interrupt gate
        0xc6, 0x05, 0x00, 0x80, 0x00, 0x00, 0x43,                                                 // handler: inc ebx
        0xc6, 0x05, 0x01, 0x80, 0x00, 0x00, 0xcf,                                                 // iretd
        0x66, 0xc7, 0x05, 0x00, 0x71, 0x00, 0x00, 0xff, 0x07,                                     // IDTR's limit 7FFh
        0xc7, 0x05, 0x02, 0x71, 0x00, 0x00, 0x00, 0x70, 0x00, 0x00,                               // and base 7000h
        0x0f, 0x01, 0x1d, 0x00, 0x71, 0x00, 0x00,                                                 // lidt [7100h]
        0x31, 0xdb,                                                                               // xor ebx, ebx
        0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00,                               // SVR: enabled, spurious vector FFh
        0xc7, 0x05, 0xe0, 0x03, 0xe0, 0xfe, 0x0b, 0x00, 0x00, 0x00,                               // divide by 1
        0xc7, 0x05, 0x20, 0x03, 0xe0, 0xfe, 0x40, 0x00, 0x00, 0x00,                               // LVT timer: one shot, vector 40h
        0xc7, 0x05, 0x80, 0x03, 0xe0, 0xfe, 0x80, 0x84, 0x1e, 0x00,                               // initial count
        0xfb, 0xf4,                                                                               // sti; hlt
        0xfa, 0x83, 0xfb, 0x01, 0x75, 0xf8,                                                       // cli; cmp ebx, 1; jne back to sti
    ];

    [TheoryIfKvm]
    [InlineData("q35")]
    [InlineData("microvm")]
    public void A_test_program_prints_and_ends_with_its_status(string board)
    {
        Assert.Equal(new MachineExit(ExitReason.PowerOff, 5 * 2 + 1), Run(Program(board, [.. Out(0x3f8, (byte)'h'), .. Out(0x3f8, (byte)'i'), .. Out(0xf4, 5), .. s_halt])));
        Assert.Equal("hi", _console.Text);
    }

    [TheoryIfKvm]
    [InlineData("q35", Irqchip.Off)]
    [InlineData("q35", Irqchip.Split)]
    [InlineData("microvm", Irqchip.Off)]
    [InlineData("q35", Irqchip.Full)]
    [InlineData("microvm", Irqchip.Split)]
    [InlineData("microvm", Irqchip.Full)]
    public void A_timer_interrupt_ends_HLT(string board, Irqchip irqchip)
        => Assert.Equal(7, Run(Program(board, [.. Timer, .. Out(0xf4, 3), .. s_halt]) with { Irqchip = irqchip }).Status);

    [FactIfKvm]
    public void A_machine_is_paused_saved_and_goes_on_translated()
    {
        // Counts in memory until a byte there is not zero.
        byte[] code = [0xff, 0x05, 0x00, 0x70, 0x00, 0x00, 0x80, 0x3d, 0x08, 0x70, 0x00, 0x00, 0x00, 0x74, 0xf1, .. Out(0xf4, 9), .. s_halt];
        MachineOptions options = Program("q35", code);
        using Machine first = Machine.Create(options);
        first.Start();
        byte[] count = new byte[4];
        using var patience = new CancellationTokenSource(s_patience);
        while (BitConverter.ToUInt32(count) == 0 && !patience.IsCancellationRequested)
        {
            first.Pause();
            Assert.True(first.Memory.Read(0x7000, count));
            first.Resume();
        }
        first.Pause();
        Assert.True(first.Memory.Read(0x7000, count));
        Assert.NotEqual(0u, BitConverter.ToUInt32(count));
        using Machine second = Machine.Create(options with { Accel = Accel.Interp, Cpu = null });
        byte[] memory = new byte[options.Memory - (1 << 20)];
        Assert.True(first.Memory.Read(0x7000, memory.AsSpan(0, 0x1000)) && second.Memory.Write(0x7000, memory.AsSpan(0, 0x1000)));
        second.LoadState(first.SaveState());
        Assert.Equal(first.Cpus[0].Pc, second.Cpus[0].Pc);
        Assert.True(second.Memory.Write(0x7008, [1]));
        second.Start();
        Assert.Equal(19, second.WaitForExit(patience.Token).Status);
        byte[] later = new byte[4];
        Assert.True(second.Memory.Read(0x7000, later));
        Assert.InRange(BitConverter.ToUInt32(later) - BitConverter.ToUInt32(count), 0u, 1u);
    }

    // The 8254 at 1 kHz through the 8259s and LINT0 (vector 20h), or, with the second byte, through the I/O APIC's pin 2 (vector 30h); the local
    // APIC's timer at 1 kHz (vector 40h); each counts in memory; HLT until the byte at 7010h is not zero.
    private static byte[] Ticks(bool ioApic) =>
    [
        0xbc, 0x00, 0x00, 0x08, 0x00,                                                             // mov esp, 80000h
        0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, // ICW1 to ICW4 of the master
        0xb0, ioApic ? (byte)0xff : (byte)0xfe, 0xe6, 0x21, 0xb0, 0xff, 0xe6, 0xa1,               // masks
        .. Gate(0x20, 0x8000, 0x7000, pic: true), .. Gate(0x30, 0x8020, 0x7000, pic: false), .. Gate(0x40, 0x8040, 0x7004, pic: false),
        0x66, 0xc7, 0x05, 0x00, 0x71, 0x00, 0x00, 0xff, 0x07,                                     // IDTR's limit 7FFh
        0xc7, 0x05, 0x02, 0x71, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00,                               // and base 9000h
        0x0f, 0x01, 0x1d, 0x00, 0x71, 0x00, 0x00,                                                 // lidt [7100h]
        0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0x00, 0x00,                               // SVR: enabled, spurious vector FFh
        0xc7, 0x05, 0xe0, 0x03, 0xe0, 0xfe, 0x0b, 0x00, 0x00, 0x00,                               // divide by 1
        0xc7, 0x05, 0x20, 0x03, 0xe0, 0xfe, 0x40, 0x00, 0x02, 0x00,                               // LVT timer: periodic, vector 40h
        0xc7, 0x05, 0x80, 0x03, 0xe0, 0xfe, 0x40, 0x42, 0x0f, 0x00,                               // initial count: 1,000,000
        .. !ioApic ? [] : new byte[]
        {
            0xc7, 0x05, 0x00, 0x00, 0xc0, 0xfe, 0x14, 0x00, 0x00, 0x00,                           // IOREDTBL2: vector 30h, CPU 0
            0xc7, 0x05, 0x10, 0x00, 0xc0, 0xfe, 0x30, 0x00, 0x00, 0x00,
        },
        0xb0, 0x34, 0xe6, 0x43, 0xb0, 0xa9, 0xe6, 0x40, 0xb0, 0x04, 0xe6, 0x40,                   // counter 0: mode 2, 1193
        0xfb, 0xf4,                                                                               // sti; hlt
        0x80, 0x3d, 0x10, 0x70, 0x00, 0x00, 0x00, 0x74, 0xf5,                                     // cmp byte [7010h], 0; je back to sti
        0xfa, .. Out(0xf4, 9), .. s_halt,
    ];

    // A gate at 9000h for a handler that counts in memory and acknowledges.
    private static byte[] Gate(int vector, int handler, int counter, bool pic)
    {
        byte[] code =
        [
            0xff, 0x05, (byte)counter, (byte)(counter >> 8), 0, 0, 0x50,                          // inc dword [counter]; push eax
            .. pic ? new byte[] { 0xb0, 0x20, 0xe6, 0x20 } : [0x31, 0xc0, 0xa3, 0xb0, 0x00, 0xe0, 0xfe], // EOI
            0x58, 0xcf,                                                                           // pop eax; iretd
        ];
        List<byte> program = [];
        for (int i = 0; i < code.Length; i++)
            program.AddRange([0xc6, 0x05, .. BitConverter.GetBytes(handler + i), code[i]]);
        int at = 0x9000 + 8 * vector;
        program.AddRange([0xc7, 0x05, .. BitConverter.GetBytes(at), .. BitConverter.GetBytes(0x10_0000 | handler)]);
        program.AddRange([0xc7, 0x05, .. BitConverter.GetBytes(at + 4), 0x00, 0x8e, 0x00, 0x00]);
        return [.. program];
    }

    /// <summary>Each stay in the kernel, and each engine, goes on where another left the controllers.</summary>
    [TheoryIfKvm]
    [InlineData(false)]
    [InlineData(true)]
    public void Timers_and_controllers_move_between_kernel_and_models(bool ioApic)
    {
        using var patience = new CancellationTokenSource(s_patience);
        MachineOptions options = Program("q35", Ticks(ioApic));
        MachineOptions[] places =
        [
            options with { Irqchip = Irqchip.Split }, options with { Irqchip = Irqchip.Full }, options with { Accel = Accel.Interp }, options with { Irqchip = Irqchip.Full }, options with { Irqchip = Irqchip.Split },
            options with { Irqchip = Irqchip.Off }, options with { Irqchip = Irqchip.Full },
        ];
        byte[]? state = null;
        byte[] memory = new byte[0x4000];
        // CPU models must be equal: no TSC deadline with controllers here.
        for (int i = 0; i < places.Length; i++)
        {
            using Machine machine = Machine.Create(places[i]);
            if (state is not null)
            {
                Assert.True(machine.Memory.Write(0x7000, memory));
                machine.LoadState(state);
            }
            (uint first, uint second) = Counts(machine);
            machine.Start();
            (uint first, uint second) now = (first, second);
            bool stopped = false;
            // With stops in between, each of which moves the state.
            while ((now.first < first + 20 || now.second < second + 20) && !patience.IsCancellationRequested)
            {
                machine.Pause();
                now = Counts(machine);
                stopped = true;
                machine.Resume();
                Thread.Yield();
            }
            Assert.True(stopped && !patience.IsCancellationRequested, $"{places[i].Accel} {places[i].Irqchip}: {now.first - first} and {now.second - second} ticks");
            machine.Pause();
            state = machine.SaveState();
            Assert.True(machine.Memory.Read(0x7000, memory));
            if (i == places.Length - 1)
            {
                Assert.True(machine.Memory.Write(0x7010, [1]));
                machine.Resume();
                Assert.Equal(19, machine.WaitForExit(patience.Token).Status);
            }
        }

        static (uint First, uint Second) Counts(Machine machine)
        {
            byte[] counts = new byte[8];
            Assert.True(machine.Memory.Read(0x7000, counts));
            return (BitConverter.ToUInt32(counts), BitConverter.ToUInt32(counts, 4));
        }
    }

    [FactIfKvm]
    public void Auto_takes_it_or_says_why_not()
    {
        using Machine machine = Machine.Create(Program("microvm", s_halt) with { Accel = Accel.Auto });
        bool kvm = machine.Cpus[0].Counters.Any(c => c.Name.StartsWith("kvm", StringComparison.Ordinal));
        Assert.Equal(kvm, machine.EngineNote.Length == 0);
        Assert.DoesNotContain('\n', machine.EngineNote);
    }

    [TheoryIfKvm]
    [InlineData("x86-64-v3")]
    [InlineData("x86-64-v2")]
    [InlineData("qemu64")]
    public void A_named_model_that_cannot_be_had_is_refused_with_what_is_missing(string name)
    {
        using KvmHost host = KvmHost.TryOpen(out _)!;
        var cpuid = new KvmCpuid(host);
        // One feature more than this host's guests can have, if there is one.
        CpuFeature[] lacking = [.. Enum.GetValues<CpuFeature>().Where(Known).Where(f => cpuid.Missing(CpuModel.Parse("qemu64").With([f])).Contains(f))];
        string[] words = [.. lacking.Take(2).Select(CpuModel.NameOf)];
        string model = name + string.Concat(words.Select(w => $",+{w}"));
        MachineOptions options = Program("microvm", [.. Out(0xf4, 3), .. s_halt]) with { Cpu = model };
        IReadOnlyList<CpuFeature> missing = cpuid.Missing(CpuModel.Parse(model));
        if (missing.Count == 0)
        {
            Assert.Equal(7, Run(options).Status);
            return;
        }
        string message = Assert.Throws<MachineException>(() => Machine.Create(options).Dispose()).Message;
        Assert.Equal($"--cpu {model}: KVM on this host lacks {string.Join(", ", missing.Select(CpuModel.NameOf))}; take --cpu host, or leave them out with {string.Concat(missing.Select(f => $",-{CpuModel.NameOf(f)}"))}", message);
        // And that is enough.
        Assert.Equal(7, Run(options with { Cpu = model + string.Concat(missing.Select(f => $",-{CpuModel.NameOf(f)}")) }).Status);

        static bool Known(CpuFeature feature)
        {
            try
            {
                return CpuModel.Parse($"qemu64,+{CpuModel.NameOf(feature)}").Has(feature);
            }
            catch (FormatException)
            {
                return false;
            }
        }
    }

    [TheoryIfKvm]
    [InlineData(KvmCapability.SPLIT_IRQCHIP)]
    [InlineData(KvmCapability.SIGNAL_MSI)]
    [InlineData(KvmCapability.MP_STATE)]
    public void Interrupt_controllers_that_the_kernel_does_not_have(KvmCapability capability)
    {
        using KvmHost host = KvmHost.TryOpen(KvmHost.Path, new KvmWithheld([capability], []), out _)!;
        CpuModel model = CpuModel.Parse("max");
        foreach (Irqchip irqchip in new[] { Irqchip.Split, Irqchip.Full })
        {
            string message = Assert.Throws<MachineException>(() => Virtualization.Use(host, irqchip, ref model, null, LogChannel.None)).Message;
            Assert.StartsWith($"--accel kvm,irqchip={irqchip.ToString().ToLowerInvariant()}: this kernel lacks ", message, StringComparison.Ordinal);
        }
        Assert.Equal(KvmIrqchipMode.Off, Virtualization.Use(host, Irqchip.Auto, ref model, null, LogChannel.None).Irqchip);
    }

    [FactIfKvm]
    public void Without_the_deadline_timer_it_is_not_offered()
    {
        CpuModel model = CpuModel.Parse("max");
        using KvmHost host = KvmHost.TryOpen(KvmHost.Path, new KvmWithheld([KvmCapability.TSC_DEADLINE_TIMER], []), out _)!;
        _ = Virtualization.Use(host, Irqchip.Split, ref model, null, LogChannel.None);
        Assert.False(model.Has(CpuFeature.TscDeadlineTimer));
    }

    [Fact]
    public void It_is_refused_for_other_instruction_sets()
        => Assert.Contains("--accel", Assert.Throws<MachineException>(() => Machine.Create(new MachineOptions { Arch = "riscv64", Accel = Accel.Kvm, Memory = 64 << 20, Kernel = _scratch.Write("k", new byte[4096]) }).Dispose()).Message, StringComparison.Ordinal);
}

/// <summary>A test that needs /dev/kvm, skipped with the reason where it cannot be had.</summary>
public sealed class FactIfKvmAttribute : FactAttribute
{
    public FactIfKvmAttribute() => Skip = Problem!;

    internal static string? Problem { get; } = Open();

    private static string? Open()
    {
        using KvmHost? host = KvmHost.TryOpen(out string reason);
        return host is null ? reason : null;
    }
}

/// <inheritdoc cref="FactIfKvmAttribute"/>
public sealed class TheoryIfKvmAttribute : TheoryAttribute
{
    public TheoryIfKvmAttribute() => Skip = FactIfKvmAttribute.Problem!;
}

/// <summary>A test that takes minutes where KVM interprets most of its guests.</summary>
public sealed class TheoryIfHardwareKvmAttribute : TheoryAttribute
{
    public TheoryIfHardwareKvmAttribute() => Skip = (FactIfKvmAttribute.Problem ?? (KvmProbe.HasHardware ? null : "KVM here is software, and slow"))!;
}
