using Myna.Cpu.Engines;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;
using Myna.Jit.Engine;
using Myna.Jit.Operations;
using Myna.Jit.User;

namespace Myna.Cpu.Tests.User;

/// <summary>As <see cref="UserHartTests"/>.</summary>
[Collection("user memory")]
public sealed class UserX86Tests
{
    private static void Run(bool translate, byte[] code, Action<X86Cpu, UserSpace> check)
        => Run(translate, code, (cpu, space, _) => check(cpu, space));

    private static void Run(bool translate, byte[] code, Action<X86Cpu, UserSpace, JitCounters?> check)
        => Prepare(translate, code, (cpu, space, counters) =>
        {
            Assert.Equal(StopReason.Trap, cpu.Run());
            check(cpu, space, counters);
        });

    private static void Prepare(bool translate, byte[] code, Action<X86Cpu, UserSpace, JitCounters?> check)
    {
        if (translate && !CpuTranslator.IsSupported)
            return;
        using var space = new UserSpace();
        space.Put(0, code);
        var memory = new DirectMemory(space);
        AddressSpace none = new();
        using var cpu = new X86Cpu(new X86CpuOptions { Model = CpuModel.Parse(CpuModel.Default), Memory = none, Ports = none, Clock = new ManualClock(), User = memory });
        using X86Translator? translator = translate ? new X86Translator(memory.Pages, user: memory) : null;
        var interpreter = new Interpreter(cpu, memory.Pages);
        ICpuEngine engine = translator?.CreateEngine(cpu, interpreter) ?? interpreter;
        cpu.Stepper = interpreter;
        cpu.Engine = engine;
        cpu.Pc = space.Code;
        cpu.State.General[7] = space.Data;
        check(cpu, space, translator?.Counters);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_instruction_that_straddles_two_pages_is_translated(bool translate)
    {
        byte[] code = new byte[0x1008];
        // mov ecx, 1000; jmp 0xFFD
        ReadOnlySpan<byte> first = [0xB9, 0xE8, 3, 0, 0, 0xE9, 0xF3, 0x0F, 0, 0];
        // At 0xFFD: add eax, 3; dec ecx; jnz 0xFFD; syscall
        ReadOnlySpan<byte> second = [5, 3, 0, 0, 0, 0xFF, 0xC9, 0x75, 0xF7, 0x0F, 5];
        first.CopyTo(code);
        second.CopyTo(code.AsSpan(0xFFD));
        Run(translate, code, (cpu, space, counters) =>
        {
            Assert.Equal(space.Code + 0x1008, cpu.Pc);
            Assert.Equal(3000u, cpu.State.General[0]);
            if (counters is not null)
                Assert.InRange(counters.Lookups + counters.Interpreted, 1, 100);
        });
    }


    // Translated, the flags come from the host's own operation; interpreted, from arithmetic.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Flags_that_an_earlier_block_left_are_those_of_its_operation(bool translate)
    {
        var random = new Random(20261123);
        ulong Value() => random.Next(4) switch
        {
            0 => (ulong)random.Next(3) - 1,
            1 => 1UL << random.Next(64),
            2 => (1UL << random.Next(64)) - 1,
            _ => (ulong)random.NextInt64(),
        };
        // lahf; seto bl; syscall
        Prepare(translate, [0x9F, 0x0F, 0x90, 0xC3, 0x0F, 0x05], (cpu, space, counters) =>
        {
            foreach (FlagKind kind in Enum.GetValues<FlagKind>())
            {
                for (int i = 0; i < 400; i++)
                {
                    int width = i & 3;
                    ulong a = Value(), b = Value(), carry = (ulong)random.Next(2), r = Value();
                    (b, r) = kind switch
                    {
                        FlagKind.Explicit => (b, r & LazyFlags.All),
                        FlagKind.Adc => (b, a + b + carry),
                        FlagKind.Sbb => (b, a - b - carry),
                        FlagKind.Inc or FlagKind.Dec => (carry, r),
                        FlagKind.Shl or FlagKind.Shr or FlagKind.Sar => ((b & 31) + 1, r),
                        _ => (b, r),
                    };
                    ulong expected = LazyFlags.Compute(LazyFlags.Op(kind, (MemSize)width), a, b, r);
                    (cpu.State.LazyOp, cpu.State.LazyA, cpu.State.LazyB, cpu.State.LazyResult) = (LazyFlags.Op(kind, (MemSize)width), a, b, r);
                    cpu.Pc = space.Code;
                    cpu.State.General[0] = cpu.State.General[3] = 0;
                    Assert.Equal(StopReason.Trap, cpu.Run());
                    ulong flags = (cpu.State.General[0] >> 8 & 0xD5) | cpu.State.General[3] << 11;
                    Assert.Equal((kind, width, a, b, r, expected), (kind, width, a, b, r, flags));
                }
            }
            // Shifts and signed products alone ask C#.
            if (counters is not null)
                Assert.InRange(counters.FlagComputations, 4 * 400, 4 * 400 * 2);
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Syscall_stops_behind_the_instruction(bool translate)
        // mov eax, 7; mov [rdi+8], rax; lock xadd [rdi+8], rax; syscall
        => Run(translate, [0xB8, 7, 0, 0, 0, 0x48, 0x89, 0x47, 8, 0xF0, 0x48, 0x0F, 0xC1, 0x47, 8, 0x0F, 0x05], (cpu, space) =>
        {
            Assert.Equal(-1, cpu.TrapVector);
            Assert.Equal(space.Code + 17, cpu.Pc);
            Assert.Equal(cpu.Pc, cpu.State.General[1]);
            Assert.Equal(14u, space.Word(8));
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_page_fault_has_address_and_registers(bool translate)
        // mov eax, 7; inc eax; mov ecx, [0x10]
        => Run(translate, [0xB8, 7, 0, 0, 0, 0xFF, 0xC0, 0x8B, 0x0C, 0x25, 0x10, 0, 0, 0], (cpu, space) =>
        {
            Assert.Equal(14, cpu.TrapVector);
            Assert.Equal(0x10u, cpu.TrapAddress);
            Assert.Equal(8u, cpu.State.General[0]);
            Assert.Equal(space.Code + 7, cpu.Pc);
        });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_division_by_zero_is_a_fault_and_a_breakpoint_is_a_trap(bool translate)
    {
        // xor ecx, ecx; div ecx
        Run(translate, [0x31, 0xC9, 0xF7, 0xF1], (cpu, space) =>
        {
            Assert.Equal(0, cpu.TrapVector);
            Assert.Equal(space.Code + 2, cpu.Pc);
        });
        // int3
        Run(translate, [0xCC], (cpu, space) =>
        {
            Assert.Equal(3, cpu.TrapVector);
            Assert.Equal(space.Code + 1, cpu.Pc);
        });
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_aligned_move_of_a_misaligned_address_is_a_protection_fault(bool translate)
        // movaps xmm0, [rdi+8]
        => Run(translate, [0x0F, 0x28, 0x47, 8], (cpu, _) => Assert.Equal(13, cpu.TrapVector));
}
