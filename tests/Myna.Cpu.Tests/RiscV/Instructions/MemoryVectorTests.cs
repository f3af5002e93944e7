using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

public class MemoryVectorTests
{
    private const ulong Pattern = 0x8182838485868788;

    [Theory]
    [InlineData(Opcode.Lb, 0xFFFFFFFFFFFFFF88)]
    [InlineData(Opcode.Lbu, 0x88)]
    [InlineData(Opcode.Lh, 0xFFFFFFFFFFFF8788)]
    [InlineData(Opcode.Lhu, 0x8788)]
    [InlineData(Opcode.Lw, 0xFFFFFFFF85868788)]
    [InlineData(Opcode.Lwu, 0x85868788)]
    [InlineData(Opcode.Ld, Pattern)]
    public void Loads_extend(Opcode op, ulong expected)
    {
        // At the first page end the access is split; everywhere else it is inside a page.
        foreach (ulong address in new[] { Rig.Data, Rig.Data + 1, Rig.Data + 0xFFF, Rig.Data + 0xFFC })
        {
            using Rig rig = new();
            rig.SetMemory(address, Pattern);
            rig.X[Rig.A1] = address + 2048;
            for (int i = 0; i < 2; i++)
            {
                rig.X[Rig.A0] = 0;
                Assert.True(rig.Execute(op, Rig.A0, Rig.A1, imm: -2048));
                Assert.Equal(expected, rig.X[Rig.A0]);
            }
        }
    }

    [Theory]
    [InlineData(Opcode.Sb, 0x1111111111111188)]
    [InlineData(Opcode.Sh, 0x1111111111118788)]
    [InlineData(Opcode.Sw, 0x1111111185868788)]
    [InlineData(Opcode.Sd, Pattern)]
    public void Stores_touch_their_bytes_alone(Opcode op, ulong expected)
    {
        foreach (ulong address in new[] { Rig.Data, Rig.Data + 1, Rig.Data + 0xFFF, Rig.Data + 0xFFC })
        {
            using Rig rig = new();
            for (int i = 0; i < 2; i++)
            {
                rig.SetMemory(address, 0x1111111111111111);
                rig.X[Rig.A1] = address - 2047;
                rig.X[Rig.A2] = Pattern;
                Assert.True(rig.Execute(op, rs1: Rig.A1, rs2: Rig.A2, imm: 2047));
                Assert.Equal(expected, rig.Memory(address));
            }
        }
    }

    [Theory]
    [InlineData(Opcode.Ld, Cause.LoadAccessFault)]
    [InlineData(Opcode.Sd, Cause.StoreAccessFault)]
    [InlineData(Opcode.Fld, Cause.LoadAccessFault)]
    [InlineData(Opcode.Fsd, Cause.StoreAccessFault)]
    [InlineData(Opcode.LrD, Cause.LoadAccessFault)]
    [InlineData(Opcode.AmoaddD, Cause.StoreAccessFault)]
    public void Faults_change_nothing(Opcode op, Cause cause)
    {
        using Rig rig = new();
        rig.X[Rig.A0] = 77;
        rig.F[Rig.A0] = 78;
        rig.X[Rig.A1] = 0x1000;
        ulong count = rig.Hart.Block.Context.InstructionCount;
        Assert.False(rig.Execute(op, op is Opcode.Sd or Opcode.Fsd ? 0 : Rig.A0, Rig.A1));
        rig.AssertTrapped(cause, 0x1000);
        Assert.Equal(Rig.Base, rig.Csr(CsrNumber.Mepc));
        Assert.Equal((77UL, 78UL, count), (rig.X[Rig.A0], rig.F[Rig.A0], rig.Hart.Block.Context.InstructionCount));
    }

    // old, operand, new; the 4-byte forms with other bits above.
    [Theory]
    [InlineData(Opcode.AmoswapW, 0x11111111_80000000, 0x55555555_00000005, 0x11111111_00000005)]
    [InlineData(Opcode.AmoaddW, 0x11111111_FFFFFFFF, 0x55555555_00000002, 0x11111111_00000001)]
    [InlineData(Opcode.AmoxorW, 0x11111111_FFFF0000, 0x55555555_0FF0000F, 0x11111111_F00F000F)]
    [InlineData(Opcode.AmoandW, 0x11111111_FFFF0000, 0x55555555_0FF0000F, 0x11111111_0FF00000)]
    [InlineData(Opcode.AmoorW, 0x11111111_FFFF0000, 0x55555555_0FF0000F, 0x11111111_FFFF000F)]
    [InlineData(Opcode.AmominW, 0x11111111_80000000, 0x55555555_00000001, 0x11111111_80000000)]
    [InlineData(Opcode.AmomaxW, 0x11111111_80000000, 0x55555555_00000001, 0x11111111_00000001)]
    [InlineData(Opcode.AmominuW, 0x11111111_80000000, 0x55555555_00000001, 0x11111111_00000001)]
    [InlineData(Opcode.AmomaxuW, 0x11111111_80000000, 0x55555555_00000001, 0x11111111_80000000)]
    [InlineData(Opcode.AmoswapD, 0x8000000000000000, 5, 5)]
    [InlineData(Opcode.AmoaddD, 0xFFFFFFFFFFFFFFFF, 2, 1)]
    [InlineData(Opcode.AmoxorD, 0xFF00, 0x0FF0, 0xF0F0)]
    [InlineData(Opcode.AmoandD, 0xFF00, 0x0FF0, 0x0F00)]
    [InlineData(Opcode.AmoorD, 0xFF00, 0x0FF0, 0xFFF0)]
    [InlineData(Opcode.AmominD, 0x8000000000000000, 1, 0x8000000000000000)]
    [InlineData(Opcode.AmomaxD, 0x8000000000000000, 1, 1)]
    [InlineData(Opcode.AmominuD, 0x8000000000000000, 1, 1)]
    [InlineData(Opcode.AmomaxuD, 0x8000000000000000, 1, 0x8000000000000000)]
    public void Atomic_operations(Opcode op, ulong old, ulong operand, ulong expected)
    {
        using Rig rig = new();
        rig.SetMemory(Rig.Data, old);
        rig.X[Rig.A1] = Rig.Data;
        rig.X[Rig.A2] = operand;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1, Rig.A2));
        Assert.Equal(expected, rig.Memory(Rig.Data));
        Assert.Equal(op.ToString().EndsWith('W') ? (ulong)(int)old : old, rig.X[Rig.A0]);

        // Misaligned atomics trap, with nothing done.
        rig.X[Rig.A1] = Rig.Data + 1;
        Assert.False(rig.Execute(op, Rig.A0, Rig.A1, Rig.A2));
        rig.AssertTrapped(Cause.StoreAddressMisaligned, Rig.Data + 1);
        Assert.Equal(expected, rig.Memory(Rig.Data));
    }

    [Theory]
    [InlineData(Opcode.LrW, Opcode.ScW, 0x11111111_80000000, 0xFFFFFFFF_80000000, 0x11111111_00000007)]
    [InlineData(Opcode.LrD, Opcode.ScD, 0x8000000000000000, 0x8000000000000000, 7)]
    public void Load_reserved_and_store_conditional(Opcode lr, Opcode sc, ulong memory, ulong loaded, ulong stored)
    {
        using Rig rig = new();
        rig.SetMemory(Rig.Data, memory);
        rig.X[Rig.A1] = Rig.Data;
        rig.X[Rig.A2] = 7;

        // Without a reservation it fails and stores nothing.
        rig.Execute(sc, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal((1UL, memory), (rig.X[Rig.A0], rig.Memory(Rig.Data)));

        rig.Execute(lr, Rig.A0, Rig.A1);
        Assert.Equal(loaded, rig.X[Rig.A0]);
        rig.Execute(sc, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal((0UL, stored), (rig.X[Rig.A0], rig.Memory(Rig.Data)));

        // Once only.
        rig.Execute(sc, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal(1UL, rig.X[Rig.A0]);

        // Another address, and a changed value.
        rig.Execute(lr, Rig.A0, Rig.A1);
        rig.X[Rig.A1] += 8;
        rig.Execute(sc, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal(1UL, rig.X[Rig.A0]);
        rig.Execute(lr, Rig.A0, Rig.A1);
        rig.SetMemory(Rig.Data + 8, 99);
        rig.Execute(sc, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal((1UL, 99UL), (rig.X[Rig.A0], rig.Memory(Rig.Data + 8)));

        rig.X[Rig.A1] = Rig.Data + 2;
        rig.Execute(lr, Rig.A0, Rig.A1);
        rig.AssertTrapped(Cause.LoadAddressMisaligned, Rig.Data + 2);
        rig.Execute(sc, Rig.A0, Rig.A1, Rig.A2);
        rig.AssertTrapped(Cause.StoreAddressMisaligned, Rig.Data + 2);
    }

    [Fact]
    public void Cache_block_zero_clears_its_aligned_block()
    {
        using Rig rig = new();
        for (ulong i = 0; i < 24; i++)
            rig.SetMemory(Rig.Data + (8 * i), Pattern);
        rig.X[Rig.A1] = Rig.Data + 64 + 13;
        Assert.True(rig.Execute(Opcode.CboZero, rs1: Rig.A1));
        for (ulong i = 0; i < 24; i++)
            Assert.Equal(i is >= 8 and < 16 ? 0 : Pattern, rig.Memory(Rig.Data + (8 * i)));
    }

    [Theory]
    [InlineData(Opcode.CboClean)]
    [InlineData(Opcode.CboFlush)]
    [InlineData(Opcode.CboInval)]
    [InlineData(Opcode.PrefetchI)]
    [InlineData(Opcode.PrefetchR)]
    [InlineData(Opcode.PrefetchW)]
    public void Cache_management_keeps_memory(Opcode op)
    {
        using Rig rig = new();
        rig.SetMemory(Rig.Data, Pattern);
        rig.X[Rig.A1] = Rig.Data;
        Assert.True(rig.Execute(op, rs1: Rig.A1));
        Assert.Equal(Pattern, rig.Memory(Rig.Data));
        // Prefetches never fault.
        rig.X[Rig.A1] = 0;
        Assert.Equal(InstructionTable.Rows[(int)op].Extension == Extension.Zicbop, rig.Execute(op, rs1: Rig.A1));
    }
}
