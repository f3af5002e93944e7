using System.Buffers.Binary;
using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.Memory;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>
/// A CPU with an interpreter and 16 MiB of RAM that programs are assembled into. In 64-bit mode the first GiB of linear addresses is identical to
/// physical ones, by pages of 2 MiB. A program ends with HLT.
/// </summary>
internal sealed class X86Fixture : IDisposable
{
    public const ulong Code = 0x10_0000, Stack = 0x20_0000, Data = 0x30_0000, Tables = 0x40_0000;

    public X86Fixture(X86BootMode mode = X86BootMode.Long64, string model = "max")
    {
        Memory.Map(0, Ram);
        Pages.Add(Ram);
        Cpu = new X86Cpu(new X86CpuOptions { Model = CpuModel.Parse(model), Memory = Memory, Ports = Ports, Clock = new ManualClock(), Random = () => 0x1234_5678_9ABC_DEF0 })
        {
            BlocksWhileWaiting = false,
        };
        Pages.Add(Cpu.Block.Tlb);
        Interpreter = new Interpreter(Cpu, Pages);
        Cpu.Engine = Cpu.Stepper = Interpreter;
        Mode = mode;
        Poke(Tables, Tables + 0x1000 + 7);
        Poke(Tables + 0x1000, Tables + 0x2000 + 7);
        for (int i = 0; i < 512; i++)
            Poke(Tables + 0x2000 + (ulong)(8 * i), ((ulong)i << 21) | 0x87);
        Apply();
    }

    public X86BootMode Mode { get; }
    public Ram Ram { get; } = new("ram", 16 << 20);
    public AddressSpace Memory { get; } = new();
    public AddressSpace Ports { get; } = new();
    public CodePages Pages { get; } = new();
    public X86Cpu Cpu { get; }
    public Interpreter Interpreter { get; }

    public ulong Entry => Mode == X86BootMode.Real ? 0x1000 : Code;

    public void Apply()
    {
        Cpu.Reset();
        Cpu.Apply(new X86BootState(Mode, Entry) { Rsp = Mode == X86BootMode.Real ? 0x8000 : Stack, Cr3 = Tables, CodeSelector = (ushort)(Mode == X86BootMode.Real ? 0 : 8), DataSelector = (ushort)(Mode == X86BootMode.Real ? 0 : 16) });
    }

    public ref ulong R(int register) => ref Cpu.State.General[register];
    public ulong Rax => R(0);
    public ulong Flags => Cpu.RFlags & LazyFlags.All;

    public void SetFlags(ulong flags) => Cpu.RFlags = (Cpu.RFlags & ~LazyFlags.All) | flags;

    public void Poke(ulong address, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Assert.True(Memory.Write(address, bytes));
    }

    public ulong Peek(ulong address)
    {
        Span<byte> bytes = stackalloc byte[8];
        Assert.True(Memory.Read(address, bytes));
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes) => Assert.True(Memory.Write(address, bytes));

    /// <summary>Puts a program and a HLT behind it at the entry point.</summary>
    public void Load(Action<Assembler> program)
    {
        var assembler = new Assembler(Mode switch { X86BootMode.Real => 16, X86BootMode.Protected32 => 32, _ => 64 });
        program(assembler);
        assembler.hlt();
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Entry);
        Write(Entry, stream.ToArray());
    }

    /// <summary>Begins anew at an address, the entry point if there is none, with the registers as they are.</summary>
    public void Restart(ulong pc = 0)
    {
        GprFile registers = Cpu.State.General;
        ulong flags = Flags;
        Apply();
        Cpu.State.General = registers;
        R(4) = Mode == X86BootMode.Real ? 0x8000 : Stack;
        SetFlags(flags);
        Cpu.Pc = pc == 0 ? Entry : pc;
    }

    /// <summary>Loads the program, runs it from its start to the HLT.</summary>
    public X86Fixture Run(Action<Assembler> program)
    {
        Load(program);
        Restart();
        Assert.Equal(StopReason.Waiting, Cpu.Run(10_000_000));
        return this;
    }

    public void Dispose()
    {
        Cpu.Dispose();
        Ram.Dispose();
    }
}
