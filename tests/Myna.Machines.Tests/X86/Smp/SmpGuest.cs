using System.Buffers.Binary;
using Iced.Intel;
using Myna.Machines.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Machines.Tests.X86.Smp;

/// <summary>
/// A multiboot program for several CPUs of a q35 board: it enters 64-bit mode, starts the other CPUs by INIT and SIPI, has all of them execute
/// the test's code with EDI = APIC ID, and ends the machine when the first one's is done. The lowest 4 GiB are mapped to themselves;
/// interrupts are disabled until the test enables them, and local APICs are enabled. All vectors without a handler end the machine with
/// <see cref="Unexpected"/> + vector.
/// </summary>
internal sealed class SmpGuest : IDisposable
{
    /// <summary>Where the test's own variables lie: zero at the start, 12 MiB.</summary>
    public const int Data = 0x40_0000;

    /// <summary>A page of code below 1 MiB, for a SIPI.</summary>
    public const int Trampoline = 0x8000;

    /// <summary>64-bit code and data segments.</summary>
    public const int Code64 = 8, Data32 = 0x10;

    public const int Apic = unchecked((int)0xfee0_0000u), IcrLow = Apic + 0x300, IcrHigh = Apic + 0x310, Eoi = Apic + 0xb0, Svr = Apic + 0xf0;

    /// <summary>Statuses that the test's code gives are below this.</summary>
    public const int Unexpected = 0x1000;

    private const int Load = 0x20_0000, Tables = Load + 0x1000, Gdt = Load + 0x7000, Idt = Load + 0x8000, Entry = Load + 0x9000, Start32 = Load + 0xa000, Start64 = Load + 0xb000,
        StartOthers = Load + 0xc000, TrampolineSource = Load + 0xd000, Stubs = Load + 0xe000, Handlers = Load + 0x1_0000, Program = Load + 0x8_0000, End = Load + 0x10_0000,
        Stacks = 0x1a0_0000, Barriers = 0x1b0_0000, Online = 0x1b8_0000;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);
    private readonly byte[] _image = new byte[End - Load];
    private readonly Scratch _scratch = new();
    private readonly MachineOptions _options;
    private Machine? _machine;
    private int _handlers, _barriers;

    /// <summary>Where interrupt controllers are in guests that this thread makes for KVM.</summary>
    [ThreadStatic]
    internal static Irqchip UnderKvm;

    /// <param name="start">Whether the other CPUs execute the test's code; otherwise they wait for a SIPI as after power-on.</param>
    public SmpGuest(Accel accel, int cpus, string? model = null, bool start = true)
    {
        Cpus = cpus;
        _options = new MachineOptions { Arch = "x86_64", Board = "q35", Memory = 64 << 20, Accel = accel, Irqchip = UnderKvm, Cpus = cpus, Cpu = model };
        uint[] header = [0x1badb002, 1 << 16, unchecked(0u - 0x1badb002 - (1 << 16)), Load, Load, End, End, Entry];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(_image.AsSpan(i * 4), header[i]);
        Poke(Tables, Tables + 0x1000 + 7);
        for (int i = 0; i < 4; i++)
            Poke(Tables + 0x1000 + 8 * i, (ulong)(Tables + 0x2000 + 0x1000 * i + 7));
        for (int i = 0; i < 4 * 512; i++)
            Poke(Tables + 0x2000 + 8 * i, (ulong)i << 21 | 0x87);
        Poke(Gdt + Code64, 0x00af_9b00_0000_ffff);
        Poke(Gdt + Data32, 0x00cf_9300_0000_ffff);
        Poke(Gdt + 0x18, 0x00cf_9b00_0000_ffff);
        Poke(Gdt + 0x20, 0x1f | (ulong)Gdt << 16);
        Poke(Gdt + 0x28, 0xfff | (ulong)Idt << 16);
        Assemble(Stubs, 64, a =>
        {
            // Every vector's stub: 16 bytes.
            for (int i = 0; i < 256; i++)
            {
                a.mov(eax, Unexpected + i);
                a.mov(edx, 0xf4);
                a.@out(dx, eax);
                a.nop();
                a.nop();
                a.nop();
                a.nop();
                a.hlt();
            }
        });
        for (int i = 0; i < 256; i++)
            Gate(i, Stubs + 16 * i);
        Assemble(Entry, 32, a =>
        {
            a.cld();
            // The 8259s, which firmware left running.
            a.mov(al, 0xff);
            a.@out(0x21, al);
            a.@out(0xa1, al);
            a.lgdt(__[Gdt + 0x20]);
            a.mov(esi, TrampolineSource);
            a.mov(edi, Trampoline);
            a.mov(ecx, 0x100);
            a.rep.movsb();
            a.mov(ebx, Start64);
            a.jmp(Start32);
        });
        // To 64-bit mode, then to EBX.
        Assemble(Start32, 32, a =>
        {
            a.mov(eax, Data32);
            a.mov(ss, eax);
            a.mov(ds, eax);
            a.mov(es, eax);
            a.mov(eax, 0x620);
            a.mov(cr4, eax);
            a.mov(eax, Tables);
            a.mov(cr3, eax);
            a.mov(ecx, unchecked((int)0xc000_0080));
            a.rdmsr();
            a.or(eax, 0x100);
            a.wrmsr();
            a.mov(eax, unchecked((int)0x8001_0033));
            a.mov(cr0, eax);
            a.jmp(Code64, Start32 + 0x80);
        });
        Assemble(Start32 + 0x80, 64, a =>
        {
            a.lidt(__[Gdt + 0x28]);
            a.mov(esi, ebx);
            a.mov(eax, 1);
            a.cpuid();
            a.mov(edi, ebx);
            a.shr(edi, 24);
            a.mov(esp, edi);
            a.shl(esp, 14);
            a.add(esp, Stacks + 0x4000);
            a.mov(eax, Apic);
            a.mov(__dword_ptr[rax + 0xf0], 0x1ff);
            a.jmp(rsi);
        });
        Assemble(Start64, 64, a =>
        {
            if (start)
                StartAll(a, Trampoline >> 12);
            a.call(Program);
            Exit(a, 0);
        });
        Assemble(StartOthers, 64, a =>
        {
            a.@lock.inc(__dword_ptr[Online]);
            a.call(Program);
            Label stop = a.CreateLabel();
            a.Label(ref stop);
            a.cli();
            a.hlt();
            a.jmp(stop);
        });
        AssembleTrampoline(TrampolineSource, a => { });
    }

    public int Cpus { get; }

    /// <summary>16-bit code at the trampoline's page, in front of its way to 64-bit mode and the test's code.</summary>
    public void AssembleTrampoline(Action<Assembler> before) => AssembleTrampoline(TrampolineSource, before);

    private void AssembleTrampoline(int place, Action<Assembler> before) => Assemble(place, 16, a =>
    {
        before(a);
        // DS is zero; the GDT's pseudo-descriptor lies beyond 64 KiB, so that it is needed here once more.
        a.cli();
        a.mov(ax, Trampoline >> 4);
        a.mov(ds, ax);
        a.db(0x66, 0x0f, 0x01, 0x16, 0xf0, 0x00); // lgdt [00F0h]
        a.mov(eax, cr0);
        a.or(al, 1);
        a.mov(cr0, eax);
        a.mov(ebx, StartOthers);
        a.db(0x66, 0xea, Start32 & 0xff, Start32 >> 8 & 0xff, Start32 >> 16 & 0xff, Start32 >> 24, 0x18, 0);
    }, trailer: () => Poke(place + 0xf0, 0x1f | (ulong)Gdt << 16));

    /// <summary>Sends INIT and SIPI to all others, and waits for them to come.</summary>
    public void StartAll(Assembler a, int page)
    {
        Ipi(a, 0xc4500);
        Ipi(a, 0xc4600 | page);
        if (Cpus == 1)
            return;
        Label wait = a.CreateLabel();
        a.Label(ref wait);
        a.pause();
        a.cmp(__dword_ptr[Online], Cpus - 1);
        a.jb(wait);
    }

    /// <summary>Writes ICR, RAX is lost.</summary>
    public static void Ipi(Assembler a, int low, int destination = 0)
    {
        a.mov(eax, IcrHigh);
        a.mov(__dword_ptr[rax], destination << 24);
        a.mov(__dword_ptr[rax - 0x10], low);
    }

    public static void EndInterrupt(Assembler a)
    {
        a.push(rax);
        a.mov(eax, Eoi);
        a.mov(__dword_ptr[rax], 0);
        a.pop(rax);
    }

    /// <summary>Ends the machine with this status, which <see cref="Run"/> returns.</summary>
    public static void Exit(Assembler a, int status)
    {
        a.mov(eax, status);
        a.mov(edx, 0xf4);
        a.@out(dx, eax);
        a.hlt();
    }

    /// <summary>All CPUs wait for each other. RAX is lost.</summary>
    public void Barrier(Assembler a) => Meet(a, ++_barriers);

    /// <summary>A barrier that may lie in several places: CPUs that come with the same number wait for each other.</summary>
    public void Meet(Assembler a, int number)
    {
        int place = Barriers + 64 * number;
        Label wait = a.CreateLabel(), again = a.CreateLabel();
        // Arrivals are counted on and on, so that a barrier may lie in a loop: the round ends with the next multiple of the CPUs.
        a.mov(eax, 1);
        a.@lock.xadd(__dword_ptr[place], eax);
        a.push(rdx);
        a.push(rcx);
        a.xor(edx, edx);
        a.mov(ecx, Cpus);
        a.div(ecx);
        a.inc(eax);
        a.imul(eax, ecx);
        a.pop(rcx);
        a.pop(rdx);
        a.jmp(wait);
        a.Label(ref again);
        a.pause();
        a.Label(ref wait);
        a.cmp(__dword_ptr[place], eax);
        a.jb(again);
    }

    /// <summary>Only CPU <paramref name="index"/> executes this. EDI must hold the APIC ID.</summary>
    public static void Only(Assembler a, int index, Action<Assembler> program)
    {
        Label skip = a.CreateLabel();
        a.cmp(edi, index);
        a.jne(skip);
        program(a);
        a.Label(ref skip);
        a.nop();
    }

    /// <summary>Waits until a variable has at least this value.</summary>
    public static void Await(Assembler a, int place, int value)
    {
        Label wait = a.CreateLabel(), check = a.CreateLabel();
        a.jmp(check);
        a.Label(ref wait);
        a.pause();
        a.Label(ref check);
        a.cmp(__dword_ptr[place], value);
        a.jb(wait);
    }

    /// <summary>Executes something so many times; <paramref name="counter"/> counts down to 1 meanwhile.</summary>
    public static void Repeat(Assembler a, AssemblerRegister32 counter, int times, Action<Assembler> body)
    {
        Label loop = a.CreateLabel();
        a.mov(counter, times);
        a.Label(ref loop);
        a.nop();
        body(a);
        a.dec(counter);
        a.jnz(loop);
    }

    /// <summary>An interrupt's handler; the kit ends it by IRETQ. Registers are the handler's affair.</summary>
    public void On(int vector, Action<Assembler> handler)
    {
        int place = Handlers + 0x200 * _handlers++;
        Assemble(place, 64, a =>
        {
            handler(a);
            a.iretq();
        });
        Gate(vector, place);
    }

    /// <summary>Code at an address in the image, for jumps and changes.</summary>
    public void Assemble(int place, int bits, Action<Assembler> program, Action? trailer = null)
    {
        var assembler = new Assembler(bits);
        program(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), (ulong)(bits == 16 ? Trampoline : place));
        stream.ToArray().CopyTo(_image, place - Load);
        trailer?.Invoke();
    }

    /// <summary>Runs the machine.</summary>
    /// <returns>The status given to <see cref="Exit"/>, 0 at the end of the first CPU's code, -1 for any other end.</returns>
    public int Run(Action<Assembler> program)
    {
        Assemble(Program, 64, a =>
        {
            program(a);
            a.ret();
        });
        _machine = Machine.Create(_options with { Kernel = _scratch.Write("kernel", _image) });
        _machine.Start();
        using var patience = new CancellationTokenSource(s_patience);
        MachineExit exit = _machine.WaitForExit(patience.Token);
        return exit.Reason == ExitReason.PowerOff && (exit.Status & 1) != 0 ? exit.Status >> 1 : -1;
    }

    /// <summary>What the program left at an address of <see cref="Data"/>.</summary>
    public ulong this[int address, int size = 8] => _machine!.Memory.Load((ulong)address, size, out ulong value) ? value : throw new ArgumentOutOfRangeException(nameof(address));

    public void Dispose()
    {
        _machine?.Dispose();
        _scratch.Dispose();
    }

    private void Poke(int address, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(_image.AsSpan(address - Load), value);

    private void Gate(int vector, int handler)
    {
        Poke(Idt + 16 * vector, (ulong)(handler & 0xffff) | Code64 << 16 | 0x8eUL << 40 | (ulong)(handler >> 16) << 48);
        Poke(Idt + 16 * vector + 8, 0);
    }
}
