using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using Myna.Cpu.X86.Kvm;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Processor;
using Myna.Hardware.Time;
using Myna.Host.Kvm;
using Myna.Jit.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>
/// A CPU with descriptor tables, a TSS, and an interrupt table all of whose handlers are a HLT: what a program ends with, and what lies on the
/// stack then, is the test's matter. The tables are for 32-bit or for 64-bit mode; paging is as <see cref="X86Fixture"/> has it, or off.
/// </summary>
internal sealed class SystemFixture : IDisposable, ILocalApic
{
    public const ulong Gdt = 0x5000, Tss = 0x6000, Idt = 0x7000, Handlers = 0x8000, Code = 0x1_0000, Stack = 0x2_0000, KernelStack = 0x3_0000, UserStack = 0x4_0000,
        IstStack = 0x5_0000, Data = 0x6_0000, Tables = 0x10_0000;

    // Selectors; user selectors with RPL 3.
    public const ushort Code0 = 8, Data0 = 0x10, Code3 = 0x18 | 3, Data3 = 0x20 | 3, Code64User = 0x28 | 3, TssSelector = 0x30, Free = 0x40;

    private readonly X86Translator? _translator;
    private readonly KvmMachine? _kvm;

    public SystemFixture(X86BootMode mode = X86BootMode.Long64, string model = "max", string engine = SystemTests.Interpreted, uint dirtyRing = 0, uint paravirtual = 0, KvmWithheld? withheld = null, ulong tscHertz = 0)
    {
        Is64 = mode == X86BootMode.Long64;
        Mode = mode;
        Memory.Map(0, Ram);
        Pages.Add(Ram);
        KvmHost? host = engine == SystemTests.Virtualized ? KvmHost.TryOpen(KvmHost.Path, withheld, out _)! : null;
        CpuModel features = CpuModel.Parse(model);
        if (host is not null)
        {
            var cpuid = new KvmCpuid(host);
            features = features.Without(cpuid.Missing(features)).With(cpuid.Imposed());
        }
        Cpu = new X86Cpu(new X86CpuOptions { Model = features, Memory = Memory, Ports = Ports, Clock = Clock, Paravirtual = paravirtual, PvClock = PvClock, Shutdown = () => ShutDowns++ })
        {
            BlocksWhileWaiting = false,
            LocalApic = this,
        };
        Pages.Add(Cpu.Block.Tlb);
        var interpreter = new Interpreter(Cpu, Pages);
        Cpu.Engine = Cpu.Stepper = interpreter;
        if (engine == SystemTests.Translated && X86Translator.IsSupported)
        {
            _translator = new X86Translator(Pages);
            Cpu.Engine = _translator.CreateEngine(Cpu, interpreter);
        }
        if (host is not null)
        {
            _kvm = new KvmMachine(host, Memory, LogChannel.None, dirtyRing: dirtyRing) { TscHertz = tscHertz };
            Cpu.Engine = _kvm.CreateEngine(Cpu, interpreter);
        }
        Poke(Tables, Tables + 0x1000 + 7);
        Poke(Tables + 0x1000, Tables + 0x2000 + 7);
        Poke(Tables + 0x2000, Tables + 0x3000 + 7);
        for (int i = 1; i < 512; i++)
            Poke(Tables + 0x2000 + (ulong)(8 * i), ((ulong)i << 21) | 0x87);
        for (int i = 0; i < 512; i++)
            Poke(Tables + 0x3000 + (ulong)(8 * i), ((ulong)i << 12) | 7);
        Descriptor(Code0, Is64 ? 0x00AF_9B00_0000_FFFFUL : 0x00CF_9B00_0000_FFFF);
        Descriptor(Data0, 0x00CF_9300_0000_FFFF);
        Descriptor(Code3, 0x00CF_FB00_0000_FFFF);
        Descriptor(Data3, 0x00CF_F300_0000_FFFF);
        Descriptor(Code64User, 0x00AF_FB00_0000_FFFF);
        Poke(Tss + 4, Is64 ? KernelStack : KernelStack | (ulong)Data0 << 32);
        Poke(Tss + 36, IstStack);
        // No I/O bitmap.
        Poke(Tss + 100, 0x0068_0000);
        for (int i = 0; i < 256; i++)
        {
            Write(Handlers + (ulong)(16 * i), [0xF4]);
            Gate(i, Code0, Handlers + (ulong)(16 * i), 0x8E);
        }
    }

    public KvmMachine? Kvm => _kvm;
    public PvClock PvClock { get; } = new();
    public bool Is64 { get; }
    public X86BootMode Mode { get; }
    public Ram Ram { get; } = new("ram", 16 << 20);
    public AddressSpace Memory { get; } = new();
    public AddressSpace Ports { get; } = new();
    public CodePages Pages { get; } = new();
    public ManualClock Clock { get; } = new();
    public X86Cpu Cpu { get; }
    public int ShutDowns { get; private set; }

    /// <summary>Limit of the TSS; 67h is the least of 32 and 64 bits.</summary>
    public uint TssLimit { get; set; } = 0x67;
    public Queue<int> Interrupts { get; } = new();

    public void Descriptor(int selector, ulong value) => Poke(Gdt + (ulong)(selector & ~7), value);

    public void Gate(int vector, ushort selector, ulong offset, int type, int ist = 0)
    {
        ulong low = (offset & 0xFFFF) | (ulong)selector << 16 | (ulong)ist << 32 | (ulong)type << 40 | (offset >> 16 & 0xFFFF) << 48;
        if (!Is64)
        {
            Poke(Idt + (ulong)(8 * vector), low);
            return;
        }
        Poke(Idt + (ulong)(16 * vector), low);
        Poke(Idt + (ulong)(16 * vector) + 8, offset >> 32);
    }

    public void Poke(ulong address, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Write(address, bytes);
    }

    public ulong Peek(ulong address, int size = 8)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        Assert.True(Memory.Read(address, bytes[..size]));
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes) => Assert.True(Memory.Write(address, bytes));

    public void Assemble(ulong address, int bits, Action<Assembler> program)
    {
        var assembler = new Assembler(bits);
        program(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        Write(address, stream.ToArray());
    }

    /// <summary>Loads the tables, then runs the program until a HLT, its own or a handler's.</summary>
    public SystemFixture Run(Action<Assembler> program, bool user = false)
    {
        Cpu.Reset();
        Cpu.Apply(new X86BootState(Mode, Code) { Rsp = Stack, Cr3 = Tables, CodeSelector = Code0, DataSelector = Data0, GdtBase = Gdt, GdtLimit = 0x7F });
        // LTR has made the TSS busy in a run before.
        Descriptor(TssSelector, 0x0000_8900_0000_0000 | (Tss << 16) | TssLimit);
        Poke(0x4000, 0x0FFF | (Idt << 16));
        Poke(0x4008, 0);
        Assemble(Code, Is64 ? 64 : 32, a =>
        {
            a.lidt(__[0x4000]);
            a.mov(eax, TssSelector);
            a.ltr(ax);
            a.mov(eax, 0);
            if (user)
                EnterUser(a, Is64 ? Code64User : Code3, Code + 0x1000, UserStack);
            else
                program(a);
            a.hlt();
        });
        if (user)
        {
            Assemble(Code + 0x1000, Is64 ? 64 : 32, a =>
            {
                program(a);
                a.int3();
            });
        }
        // KVM counts no instructions.
        using var patience = _kvm is null ? null : new Timer(_ => Cpu.Kick(), null, 60_000, Timeout.Infinite);
        Assert.Equal(StopReason.Waiting, Cpu.Run(1_000_000));
        return this;
    }

    public void EnterUser(Assembler a, ushort selector, ulong target, ulong stack, uint flags = 2)
    {
        a.push((int)Data3);
        a.push((int)stack);
        a.push((int)flags);
        a.push((int)selector);
        a.push((int)target);
        if (Is64)
            a.iretq();
        else
            a.iretd();
    }

    /// <summary>The vector whose handler the run ended in, or -1.</summary>
    public int Vector => Cpu.Pc - 1 is >= Handlers and < Handlers + 0x1000 and var pc ? (int)(pc - Handlers) / 16 : -1;

    private int Slot => Is64 ? 8 : 4;
    private static bool HasError(int vector) => vector is 8 or (>= 10 and <= 14) or 17;

    /// <summary>An entry of the frame on the handler's stack: 0 is RIP.</summary>
    public ulong Frame(int index) => Peek(Cpu.State.General[4] + (ulong)((index + (HasError(Vector) ? 1 : 0)) * Slot), Slot);

    public ulong Error => Peek(Cpu.State.General[4], Slot);
    public ulong R(int register) => Cpu.State.General[register];

    public ulong Register(string name)
    {
        Assert.True(Cpu.TryReadRegister(Cpu.Registers.Single(r => r.Name == name).Number, out ulong value));
        return value;
    }

    /// <summary>Checks which exception the run ended in.</summary>
    public SystemFixture Expect(Vector vector, ulong? error = null)
    {
        Assert.Equal((int)vector, Vector);
        if (error is { } value)
            Assert.Equal(value, Error);
        return this;
    }

    public void Interrupt(int vector)
    {
        Interrupts.Enqueue(vector);
        Cpu.SetIntr(true);
    }

    ulong ILocalApic.ApicBase => 0xFEE0_0900;
    bool ILocalApic.TrySetApicBase(ulong value) => false;

    int ILocalApic.Acknowledge()
    {
        int vector = Interrupts.TryDequeue(out int found) ? found : -1;
        if (Interrupts.Count == 0)
            Cpu.SetIntr(false);
        return vector;
    }

    int ILocalApic.TaskPriority { get; set; }

    bool ILocalApic.TryReadMsr(uint msr, out ulong value)
    {
        value = 0;
        return false;
    }

    bool ILocalApic.TryWriteMsr(uint msr, ulong value) => false;
    ulong ILocalApic.Read(int offset, int size) => 0xA5A5_0000 | (uint)offset;

    void ILocalApic.Write(int offset, int size, ulong value)
    {
    }

    void ILocalApic.TscOffsetChanged()
    {
    }

    public void Dispose()
    {
        Cpu.Dispose();
        _translator?.Dispose();
        _kvm?.Dispose();
        Ram.Dispose();
    }
}

/// <summary>Tests of the system that every engine passes: a class derived from theirs for each.</summary>
public abstract class SystemTests(string engine)
{
    public const string Interpreted = "interp", Translated = "jit", Virtualized = "kvm";

    internal SystemFixture Create(X86BootMode mode = X86BootMode.Long64, string model = "max") => new(mode, model, engine);
}
