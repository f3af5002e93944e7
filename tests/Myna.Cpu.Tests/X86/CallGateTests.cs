using Iced.Intel;
using Myna.Cpu.X86;
using Myna.Cpu.X86.Instructions;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Cpu.Tests.X86;

/// <summary>Call gates and far returns, and what they refuse (Intel SDM volume 3, section 6.8; volume 2, CALL, JMP, RET).</summary>
public abstract class CallGateTests(string engine) : SystemTests(engine)
{
    private const ushort Free = SystemFixture.Free, Second = 0x48, Third = 0x50;
    private const ulong Target = 0x9000;

    private static void Gate(SystemFixture f, ushort selector, ulong offset = Target, int type = 0xEC, int parameters = 0)
        => f.Descriptor(Free, (offset & 0xFFFF) | (ulong)selector << 16 | (ulong)parameters << 32 | (ulong)type << 40 | (offset >> 16 & 0xFFFF) << 48);

    private static SystemFixture Prepare(SystemFixture f)
    {
        f.Assemble(Target, f.Is64 ? 64 : 32, a =>
        {
            a.mov(edi, cs);
            a.mov(esi, ss);
            a.hlt();
        });
        return f;
    }

    [Theory]
    // The gate itself: not for this privilege, not present, of no such type.
    [InlineData(SystemFixture.Code0, 0x8C, Vector.GP, Free)]
    [InlineData(SystemFixture.Code0, 0x6C, Vector.NP, Free)]
    [InlineData(SystemFixture.Code0, 0xEE, Vector.GP, Free)]
    [InlineData(SystemFixture.Code0, 0xE2, Vector.GP, Free)]
    // What it points to: nothing, data, code that is less privileged or not present, beyond the table.
    [InlineData(0, 0xEC, Vector.GP, 0)]
    [InlineData(SystemFixture.Data0, 0xEC, Vector.GP, SystemFixture.Data0)]
    [InlineData(Second, 0xEC, Vector.NP, Second)]
    [InlineData(0x100, 0xEC, Vector.GP, 0x100)]
    public void A_call_gate_refuses(int selector, int type, Vector vector, ulong error)
    {
        using var f = Prepare(Create(X86BootMode.Protected32));
        f.Descriptor(Second, 0x00CF_1B00_0000_FFFF);
        Gate(f, (ushort)selector, type: type);
        f.Run(a => a.call(Free | 3, 0), user: true).Expect(vector, error);
        Assert.Equal(SystemFixture.Code3, f.Frame(1));
        Assert.Equal(SystemFixture.Code + 0x1000, f.Frame(0));
        Assert.Equal(SystemFixture.UserStack, f.Frame(3));
    }

    [Fact]
    public void Code_of_outer_levels_is_out_of_reach()
    {
        using var f = Prepare(Create(X86BootMode.Protected32));
        Gate(f, SystemFixture.Code3);
        f.Run(a => a.call(Free, 0)).Expect(Vector.GP, SystemFixture.Code3 & ~3ul);
        Gate(f, SystemFixture.Code0);
        // JMP never changes the level.
        f.Run(a => a.jmp(Free | 3, 0), user: true).Expect(Vector.GP, SystemFixture.Code0);
        f.Run(a => a.jmp(Free, 0));
        Assert.Equal(SystemFixture.Code0, f.R(7));
        // Nor does either without a gate, save to conforming code.
        f.Run(a => a.call(SystemFixture.Code0, (uint)Target), user: true).Expect(Vector.GP, SystemFixture.Code0);
        f.Run(a => a.jmp(SystemFixture.Code3, (uint)Target)).Expect(Vector.GP, SystemFixture.Code3 & ~3ul);
    }

    [Fact]
    public void Conforming_code_runs_at_the_callers_level()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Descriptor(Second, 0x00CF_9F00_0000_FFFF);
        f.Assemble(Target, 32, a =>
        {
            a.mov(edi, cs);
            a.mov(esi, esp);
            a.retf();
        });
        f.Gate(3, SystemFixture.Code0, SystemFixture.Handlers + 0x30, 0xEE);
        foreach (bool gate in new[] { false, true })
        {
            Gate(f, Second);
            f.Run(a =>
            {
                if (gate)
                    a.call(Free | 3, 0);
                else
                    a.call(Second, (uint)Target);
                a.mov(ebx, cs);
            }, user: true).Expect(Vector.BP);
            Assert.Equal(Second | 3UL, f.R(7));
            Assert.Equal(SystemFixture.UserStack - 8, f.R(6));
            Assert.Equal(SystemFixture.Code3, f.R(3));
        }
    }

    [Fact]
    public void The_stack_of_the_inner_level_must_be_good()
    {
        using var f = Prepare(Create(X86BootMode.Protected32));
        Gate(f, SystemFixture.Code0);
        void Inner(ushort selector, Vector vector, ulong error)
        {
            // The exception's handler needs the same stack: a task of its own.
            const ulong MonitorTss = 0xB800;
            f.Write(SystemFixture.Tss + 8, [(byte)selector, (byte)(selector >> 8)]);
            f.Descriptor(Third, 0x0000_8900_0000_0067 | (MonitorTss << 16));
            f.Poke(MonitorTss + 28, 0);
            f.Poke(MonitorTss + 32, 0x9800 | 2UL << 32);
            f.Poke(MonitorTss + 56, SystemFixture.IstStack);
            f.Poke(MonitorTss + 72, SystemFixture.Data0 | (ulong)SystemFixture.Code0 << 32);
            f.Poke(MonitorTss + 80, SystemFixture.Data0 | (ulong)SystemFixture.Data0 << 32);
            f.Assemble(0x9800, 32, a => a.hlt());
            f.Gate((int)vector, Third, 0, 0x85);
            f.Run(a => a.call(Free | 3, 0), user: true);
            Assert.Equal(0x9801UL, f.Cpu.Pc);
            Assert.Equal(error, f.Peek(f.R(4), 4));
            Assert.Equal(SystemFixture.Code + 0x1000, f.Peek(SystemFixture.Tss + 32, 4));
            Assert.Equal(SystemFixture.UserStack, f.Peek(SystemFixture.Tss + 56, 4));
        }
        Inner(0, Vector.TS, 0);
        Inner(SystemFixture.Data3, Vector.TS, SystemFixture.Data3 & ~3ul);
        Inner(SystemFixture.Data0 | 3, Vector.TS, SystemFixture.Data0);
        Inner(SystemFixture.Code0, Vector.TS, SystemFixture.Code0);
        Inner(0x100, Vector.TS, 0x100);
        f.Descriptor(Second, 0x00CF_1300_0000_FFFF);
        Inner(Second, Vector.SS, Second);
    }

    [Fact]
    public void A_gate_of_16_bits_pushes_words()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Descriptor(Second, 0x00CF_9B00_0000_FFFF);
        f.Assemble(0x9000, 32, a =>
        {
            a.mov(ebx, __dword_ptr[esp]);
            a.mov(ecx, __dword_ptr[esp + 4]);
            a.mov(edx, __dword_ptr[esp + 8]);
            a.mov(esi, esp);
            a.hlt();
        });
        Gate(f, Second, 0xFFFF_9000, 0xE4, parameters: 2);
        f.Run(a =>
        {
            a.push(0x1111_2222);
            a.call(Free | 3, 0);
        }, user: true);
        Assert.Equal(-1, f.Vector);
        // IP and CS, the two words, SP and SS.
        Assert.Equal(SystemFixture.Code3, f.R(3) >> 16);
        Assert.Equal(0x1111_2222UL, f.R(1));
        Assert.Equal((ulong)SystemFixture.Data3 << 16 | (SystemFixture.UserStack - 4 & 0xFFFF), f.R(2));
        Assert.Equal(SystemFixture.KernelStack - 12, f.R(6));
    }

    [Fact]
    public void A_target_beyond_its_segments_limit()
    {
        using var f = Prepare(Create(X86BootMode.Protected32));
        f.Descriptor(Second, 0x0040_9B00_0000_0FFF);
        Gate(f, Second, 0x1000);
        f.Run(a => a.call(Free | 3, 0), user: true).Expect(Vector.GP, 0);
        f.Run(a => a.jmp(Second, 0x1000u)).Expect(Vector.GP, 0);
        f.Run(a => a.call(Second, 0x1000u)).Expect(Vector.GP, 0);
    }

    [Theory]
    // CS and SS of a return to level 3.
    [InlineData(0, SystemFixture.Data3, Vector.GP, 0)]
    [InlineData(SystemFixture.Data3, SystemFixture.Data3, Vector.GP, SystemFixture.Data3 & ~3)]
    [InlineData(SystemFixture.Code0 | 3, SystemFixture.Data3, Vector.GP, SystemFixture.Code0)]
    [InlineData(SystemFixture.Code3 & ~3, SystemFixture.Data3, Vector.GP, SystemFixture.Code3 & ~3)]
    [InlineData(SystemFixture.Code3, 0, Vector.GP, 0)]
    [InlineData(SystemFixture.Code3, SystemFixture.Data0, Vector.GP, SystemFixture.Data0)]
    [InlineData(SystemFixture.Code3, SystemFixture.Data3 & ~3, Vector.GP, SystemFixture.Data3 & ~3)]
    [InlineData(SystemFixture.Code3, Second | 3, Vector.SS, Second)]
    [InlineData(Third | 3, SystemFixture.Data3, Vector.NP, Third)]
    public void A_far_return_refuses(int code, int stack, Vector vector, ulong error)
    {
        using var f = Create(X86BootMode.Protected32);
        f.Descriptor(Second, 0x00CF_7300_0000_FFFF);
        f.Descriptor(Third, 0x00CF_7B00_0000_FFFF);
        foreach (bool interrupt in new[] { false, true })
        {
            f.Run(a =>
            {
                a.mov(ebx, esp);
                a.push(stack);
                a.push((int)SystemFixture.UserStack);
                if (interrupt)
                    a.push(2);
                a.push(code);
                a.push((int)Target);
                if (interrupt)
                    a.iretd();
                else
                    a.retf();
            }).Expect(vector, error);
            // Nothing was popped.
            Assert.Equal(SystemFixture.Code0, f.Frame(1));
            Assert.Equal(f.R(3) - (interrupt ? 20ul : 16) - 16, f.R(4));
        }
    }

    [Fact]
    public void A_return_to_an_inner_level_is_refused()
    {
        using var f = Create(X86BootMode.Protected32);
        f.Run(a =>
        {
            a.push(SystemFixture.Code0);
            a.push((int)Target);
            a.retf();
        }, user: true).Expect(Vector.GP, SystemFixture.Code0);
    }

    [Fact]
    public void In_64_bit_mode_a_call_gate_has_16_bytes_and_a_null_stack_segment()
    {
        using var f = Prepare(Create());
        Gate(f, SystemFixture.Code0);
        f.Descriptor(Second, 0);
        f.Poke(SystemFixture.Data, Target | (ulong)(Free | 3) << 32);
        void Call(Assembler a) => a.call(__fword_ptr[(int)SystemFixture.Data]);
        f.Run(Call, user: true);
        Assert.Equal(-1, f.Vector);
        Assert.Equal(SystemFixture.Code0, f.R(7));
        Assert.Equal(0UL, f.R(6));
        Assert.Equal(SystemFixture.KernelStack - 32, f.R(4));
        Assert.Equal(SystemFixture.Code64User, f.Peek(f.R(4) + 8));
        Assert.Equal(SystemFixture.UserStack, f.Peek(f.R(4) + 16));
        Assert.Equal(SystemFixture.Data3, f.Peek(f.R(4) + 24));
        // Its upper half has a type of its own, which must be 0; the target must be 64-bit code; 16-bit gates are gone.
        f.Descriptor(Second, 0x0000_0C00_0000_0000);
        f.Run(Call, user: true).Expect(Vector.GP, Free);
        f.Descriptor(Second, 0);
        Gate(f, Third);
        f.Descriptor(Third, 0x00CF_9B00_0000_FFFF);
        f.Run(Call, user: true).Expect(Vector.GP, Third);
        Gate(f, SystemFixture.Code0, type: 0xE4);
        f.Run(Call, user: true).Expect(Vector.GP, Free);
        // An offset that is not canonical.
        Gate(f, SystemFixture.Code0);
        f.Descriptor(Second, 0x8000);
        f.Run(Call, user: true).Expect(Vector.GP, 0);
    }
}

public sealed class CallGateTestsInterpreted() : CallGateTests(Interpreted);

public sealed class CallGateTestsTranslated() : CallGateTests(Translated);
