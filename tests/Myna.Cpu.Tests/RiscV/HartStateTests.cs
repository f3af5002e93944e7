using Myna.Cpu.RiscV;
using Myna.Hardware.State;
using Myna.Jit.Operations;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Saved state, and what debuggers read and write.</summary>
public sealed class HartStateTests
{
    private const int Csr0 = 65;

    private static byte[] Save(Hart hart)
    {
        var writer = new StateWriter();
        writer.WriteSection(hart);
        return writer.ToArray();
    }

    // Every register that can be written gets a value of its own.
    private static void Scramble(HartFixture f, int seed)
    {
        var random = new Random(seed);
        foreach (CpuRegister register in f.Hart.Registers)
        {
            if (register.Name is not ("priv" or "pmpcfg0" or "pmpcfg2" or "satp"))
                f.Hart.TryWriteRegister(register.Number, (ulong)random.NextInt64());
        }
        f.Hart.TryWriteRegister(Csr0 + (int)CsrNumber.Pmpcfg0, 0x1F0F_1B00_1900_0017);
        f.Hart.TryWriteRegister(Csr0 + (int)CsrNumber.Satp, 9UL << 60 | 5UL << 44 | 0x80001);
        f.Hart.LoadReserved(HartFixture.Base, MemSize.B8, out _);
        f.Hart.Block.Context.InstructionCount = (ulong)random.NextInt64();
        f.Hart.Wfi();
        f.Hart.TryWriteRegister(Csr0 + 4096, (ulong)(seed & 1));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Save_and_load_bring_back_every_register(int seed)
    {
        using var a = new HartFixture();
        using var b = new HartFixture();
        Scramble(a, seed);
        Scramble(b, seed + 100);
        byte[] saved = Save(a.Hart);
        Assert.NotEqual(saved, Save(b.Hart));
        new StateReader(saved).ReadSection(b.Hart);
        foreach (CpuRegister register in a.Hart.Registers)
        {
            Assert.True(a.Hart.TryReadRegister(register.Number, out ulong expected));
            Assert.True(b.Hart.TryReadRegister(register.Number, out ulong actual));
            Assert.True(expected == actual, $"{register.Name}: {actual:x} instead of {expected:x}");
        }
        Assert.Equal(a.Hart.BlockFlags, b.Hart.BlockFlags);
        Assert.Equal(saved, Save(b.Hart));
        Assert.Equal(a.Hart.Run(0), b.Hart.Run(0));
    }

    [Fact]
    public void Reset_gives_the_same_state_whatever_was_before()
    {
        using var a = new HartFixture();
        using var b = new HartFixture();
        Scramble(a, 5);
        a.Hart.Reset();
        Assert.Equal(Save(b.Hart), Save(a.Hart));
        Assert.Equal((HartFixture.Base, PrivilegeLevel.Machine), (a.Hart.Pc, a.Hart.Privilege));
    }

    [Fact]
    public void A_loaded_timer_fires()
    {
        using var a = new HartFixture();
        using var b = new HartFixture();
        a.Write(CsrNumber.Menvcfg, 1UL << 63);
        a.Write(CsrNumber.Stimecmp, 1000);
        new StateReader(Save(a.Hart)).ReadSection(b.Hart);
        b.Clock.Advance(99_999);
        Assert.Equal(0UL, b.Read(CsrNumber.Mip));
        b.Clock.Advance(1);
        Assert.Equal(1UL << 5, b.Read(CsrNumber.Mip));
    }

    [Fact]
    public void A_damaged_state_is_refused_and_harms_nothing()
    {
        using var f = new HartFixture();
        byte[] saved = Save(f.Hart);
        for (int length = 0; length < saved.Length; length += 7)
            Assert.Throws<StateException>(() => new StateReader(saved.AsMemory(0, length)).ReadSection(f.Hart));
    }

    [Fact]
    public void Registers_have_gdbs_numbers_and_the_description_names_them_all()
    {
        using var f = new HartFixture();
        Assert.Equal(["zero", "ra", "sp"], f.Hart.Registers.Take(3).Select(r => r.Name));
        Assert.Equal("pc", f.Hart.Registers.Single(r => r.Number == 32).Name);
        Assert.Equal("ft0", f.Hart.Registers.Single(r => r.Number == 33).Name);
        Assert.Equal("mstatus", f.Hart.Registers.Single(r => r.Number == 65 + 0x300).Name);
        Assert.Equal("priv", f.Hart.Registers.Single(r => r.Number == 4161).Name);
        var description = System.Xml.Linq.XDocument.Parse(f.Hart.TargetDescription.Replace("<!DOCTYPE target SYSTEM \"gdb-target.dtd\">", "", StringComparison.Ordinal));
        Assert.Equal(
            f.Hart.Registers.Select(r => (r.Name, r.Number.ToString(System.Globalization.CultureInfo.InvariantCulture))).Order(),
            description.Descendants("reg").Select(r => (r.Attribute("name")!.Value, r.Attribute("regnum")!.Value)).Order());
    }

    [Fact]
    public void Debuggers_see_virtual_memory_of_the_present_mode_and_write_through_protection()
    {
        using var f = new HartFixture();
        f.OpenPmp();
        ulong root = HartFixture.Base + 0x10000;
        f.Poke(root, (root + 0x1000) >> 12 << 10 | 1);
        f.Poke(root + 0x1000, (root + 0x2000) >> 12 << 10 | 1);
        f.Poke(root + 0x2008, (HartFixture.Base + 0x5000) >> 12 << 10 | 0x0B); // V, R, X; not accessed
        f.Write(CsrNumber.Satp, 8UL << 60 | root >> 12);
        f.Enter(PrivilegeLevel.Supervisor);
        Assert.True(f.Hart.WriteMemory(0x1FFC, [1, 2, 3, 4]));
        byte[] bytes = new byte[4];
        Assert.True(f.Hart.ReadMemory(0x1FFC, bytes));
        Assert.Equal([1, 2, 3, 4], bytes);
        Assert.False(f.Hart.ReadMemory(0x1FFE, bytes));
        Assert.Equal(0x0BUL, f.Peek(root + 0x2008) & 0xFF);
        Assert.Equal(PrivilegeLevel.Supervisor, f.Hart.Privilege);
    }

    [Fact]
    public void Watchpoints_and_breakpoints_stop_before_the_instruction()
    {
        using var f = new HartFixture();
        var interpreter = new Interpreter(f.Hart);
        f.Hart.Engine = f.Hart.Stepper = interpreter;
        ulong data = HartFixture.Base + 0x1000;
        uint[] code = [0x0005_3583, 0x00B5_3423, 0x0015_8593, 0x0000_006F]; // ld a1, 0(a0); sd a1, 8(a0); addi a1, a1, 1; j .
        for (int i = 0; i < code.Length; i++)
            Assert.True(f.Memory.Store(HartFixture.Base + (4 * (ulong)i), 4, code[i]));
        f.X(10) = data;
        f.Hart.SetWatchpoint(data + 12, 1, WatchKind.Write, true);
        f.Hart.SetBreakpoint(HartFixture.Base + 12, true);
        Assert.Equal(StopReason.Watchpoint, f.Hart.Run(100));
        Assert.Equal((HartFixture.Base + 4, data + 12), (f.Hart.Pc, f.Hart.WatchedAddress));
        f.Hart.SetWatchpoint(data + 12, 1, WatchKind.Write, false);
        Assert.Equal(StopReason.Breakpoint, f.Hart.Run(100));
        Assert.Equal((HartFixture.Base + 12, 1UL), (f.Hart.Pc, f.X(11)));
        // Going on from a breakpoint executes its instruction.
        Assert.Equal(StopReason.InstructionLimit, f.Hart.Run(1));
        f.Hart.SetBreakpoint(HartFixture.Base + 12, false);
        f.Hart.Pc = HartFixture.Base;
        Assert.Equal(StopReason.InstructionLimit, f.Hart.Run(50));
    }
}
