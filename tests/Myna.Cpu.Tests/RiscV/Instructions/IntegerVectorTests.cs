using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

/// <summary>Results computed by hand from the manual's definitions: ordinary values and the edges.</summary>
public class IntegerVectorTests
{
    private const ulong Min = 0x8000000000000000, Max = 0x7FFFFFFFFFFFFFFF, Ones = ulong.MaxValue;
    private const ulong Min32 = 0xFFFFFFFF80000000;
    private const ulong P = 0x123456789ABCDEF0;

    /// <summary>rd = op(rs1, rs2).</summary>
    public static readonly TheoryData<Opcode, ulong, ulong, ulong> TwoRegisters = new()
    {
        { Opcode.Add, Max, 1, Min }, { Opcode.Add, Ones, 1, 0 },
        { Opcode.Sub, 0, 1, Ones }, { Opcode.Sub, Min, 1, Max },
        { Opcode.Sll, 1, 63, Min }, { Opcode.Sll, 3, 64, 3 },
        { Opcode.Srl, Min, 63, 1 }, { Opcode.Srl, P, 68, P >> 4 },
        { Opcode.Sra, Min, 63, Ones }, { Opcode.Sra, Min, 65, 0xC000000000000000 },
        { Opcode.Slt, Ones, 0, 1 }, { Opcode.Slt, 0, Ones, 0 },
        { Opcode.Sltu, 0, Ones, 1 }, { Opcode.Sltu, Ones, 0, 0 },
        { Opcode.Xor, 0xFF00, 0x0FF0, 0xF0F0 }, { Opcode.Or, 0xFF00, 0x0FF0, 0xFFF0 }, { Opcode.And, 0xFF00, 0x0FF0, 0x0F00 },
        { Opcode.Addw, 0x7FFFFFFF, 1, Min32 }, { Opcode.Addw, 0x1_00000001, 1, 2 },
        { Opcode.Subw, 0, 1, Ones }, { Opcode.Subw, 0x80000000, 1, 0x7FFFFFFF },
        { Opcode.Sllw, 1, 31, Min32 }, { Opcode.Sllw, 1, 32, 1 },
        { Opcode.Srlw, 0xFFFFFFFF_80000000, 31, 1 }, { Opcode.Srlw, 0x80000000, 32, Min32 },
        { Opcode.Sraw, 0x80000000, 31, Ones }, { Opcode.Sraw, 0x7FFFFFFF, 30, 1 },
        { Opcode.Mul, Ones, Ones, 1 }, { Opcode.Mul, 0x100000000, 0x100000000, 0 },
        { Opcode.Mulh, Ones, Ones, 0 }, { Opcode.Mulh, Min, Min, 0x4000000000000000 }, { Opcode.Mulh, Min, 2, Ones },
        { Opcode.Mulhu, Ones, Ones, 0xFFFFFFFFFFFFFFFE }, { Opcode.Mulhu, Min, 2, 1 },
        { Opcode.Mulhsu, Ones, Ones, Ones }, { Opcode.Mulhsu, Min, 2, Ones }, { Opcode.Mulhsu, 2, Ones, 1 },
        { Opcode.Div, 7, Ones - 1, 0xFFFFFFFFFFFFFFFD }, { Opcode.Div, 5, 0, Ones }, { Opcode.Div, Min, Ones, Min },
        { Opcode.Divu, Min, Ones, 0 }, { Opcode.Divu, 5, 0, Ones }, { Opcode.Divu, Ones, 2, Max },
        { Opcode.Rem, 0xFFFFFFFFFFFFFFF9, 2, Ones }, { Opcode.Rem, 5, 0, 5 }, { Opcode.Rem, Min, Ones, 0 },
        { Opcode.Remu, Ones, 10, 5 }, { Opcode.Remu, Ones, 0, Ones },
        { Opcode.Mulw, 0x10000, 0x8000, Min32 }, { Opcode.Mulw, 0xFFFFFFFF, 0xFFFFFFFF, 1 },
        { Opcode.Divw, Min32, Ones, Min32 }, { Opcode.Divw, 5, 0x1_00000000, Ones }, { Opcode.Divw, 0xFFFFFFF9, 2, 0xFFFFFFFFFFFFFFFD },
        { Opcode.Divuw, 0xFFFFFFFF, 1, Ones }, { Opcode.Divuw, 5, 0x1_00000000, Ones }, { Opcode.Divuw, 0xFFFFFFFF, 2, 0x7FFFFFFF },
        { Opcode.Remw, Min32, Ones, 0 }, { Opcode.Remw, 0x80000000, 0, Min32 }, { Opcode.Remw, 0xFFFFFFF9, 2, Ones },
        { Opcode.Remuw, 0xFFFFFFFF, 0, Ones }, { Opcode.Remuw, 0xFFFFFFFF, 16, 15 },
        { Opcode.AddUw, 0xFFFFFFFF_FFFFFFFF, 1, 0x1_00000000 },
        { Opcode.Sh1add, 3, 10, 16 }, { Opcode.Sh2add, 3, 10, 22 }, { Opcode.Sh3add, Min, 10, 10 },
        { Opcode.Sh1addUw, 0x1_80000000, 1, 0x1_00000001 }, { Opcode.Sh2addUw, 0x1_80000000, 1, 0x2_00000001 }, { Opcode.Sh3addUw, 0x1_80000000, 1, 0x4_00000001 },
        { Opcode.Andn, 0xFF, 0x0F, 0xF0 }, { Opcode.Orn, 0, 0xFF, ~0xFFUL }, { Opcode.Xnor, 0xFF, 0x0F, ~0xF0UL },
        { Opcode.Max, Ones, 1, 1 }, { Opcode.Max, 1, Ones, 1 }, { Opcode.Maxu, Ones, 1, Ones }, { Opcode.Maxu, 1, Ones, Ones },
        { Opcode.Min, Ones, 1, Ones }, { Opcode.Min, 1, Ones, Ones }, { Opcode.Minu, Ones, 1, 1 }, { Opcode.Minu, 1, Ones, 1 },
        { Opcode.Rol, Min | 1, 1, 3 }, { Opcode.Rol, P, 64, P }, { Opcode.Rol, P, 0, P },
        { Opcode.Ror, 3, 1, Min | 1 }, { Opcode.Ror, P, 64, P },
        { Opcode.Rolw, 0x80000001, 1, 3 }, { Opcode.Rolw, 0x40000000, 1, Min32 }, { Opcode.Rolw, 0xFFFFFFFF_00000001, 32, 1 },
        { Opcode.Rorw, 3, 1, 0xFFFFFFFF_80000001 }, { Opcode.Rorw, 1, 32, 1 },
        { Opcode.Bclr, Ones, 63, Max }, { Opcode.Bclr, Ones, 64, Ones - 1 },
        { Opcode.Bext, Min, 63, 1 }, { Opcode.Bext, Min, 62, 0 }, { Opcode.Bext, 1, 64, 1 },
        { Opcode.Binv, 0, 63, Min }, { Opcode.Binv, 1, 64, 0 }, { Opcode.Bset, 0, 63, Min }, { Opcode.Bset, 0, 65, 2 },
        // (x^63 + 1)(x + 1) = x^64 + x^63 + x + 1; all ones squared has the even bits set.
        { Opcode.Clmul, Min | 1, 3, Min | 3 }, { Opcode.Clmulh, Min | 1, 3, 1 }, { Opcode.Clmulr, Min | 1, 3, 3 },
        { Opcode.Clmul, Ones, Ones, 0x5555555555555555 }, { Opcode.Clmulh, Ones, Ones, 0x5555555555555555 }, { Opcode.Clmulr, Ones, Ones, 0xAAAAAAAAAAAAAAAA },
        { Opcode.CzeroEqz, 7, 0, 0 }, { Opcode.CzeroEqz, 7, 1, 7 }, { Opcode.CzeroNez, 7, 0, 7 }, { Opcode.CzeroNez, 7, 1, 0 },
    };

    /// <summary>rd = op(rs1, imm).</summary>
    public static readonly TheoryData<Opcode, ulong, int, ulong> Immediate = new()
    {
        { Opcode.Addi, 0, -1, Ones }, { Opcode.Addi, 1, -2048, 0xFFFFFFFFFFFFF801 },
        { Opcode.Slti, Ones, 0, 1 }, { Opcode.Slti, 0, -1, 0 }, { Opcode.Sltiu, 0, -1, 1 }, { Opcode.Sltiu, 0, 1, 1 },
        { Opcode.Xori, 0x0F, -1, ~0x0FUL }, { Opcode.Ori, 0x0F, -16, Ones }, { Opcode.Andi, P, -16, P & ~0xFUL },
        { Opcode.Slli, 1, 63, Min }, { Opcode.Srli, Min, 63, 1 }, { Opcode.Srai, Min, 63, Ones },
        { Opcode.Addiw, 0x7FFFFFFF, 1, Min32 }, { Opcode.Addiw, 0xFFFFFFFF_00000000, 0, 0 },
        { Opcode.Slliw, 1, 31, Min32 }, { Opcode.Srliw, 0xFFFFFFFF_80000000, 31, 1 }, { Opcode.Srliw, 0x80000000, 0, Min32 }, { Opcode.Sraiw, 0x80000000, 31, Ones },
        { Opcode.SlliUw, Ones, 4, 0xF_FFFFFFF0 },
        { Opcode.Rori, 1, 63, 2 }, { Opcode.Roriw, 0x1_00000001, 1, Min32 },
        { Opcode.Bclri, Ones, 63, Max }, { Opcode.Bexti, Min, 63, 1 }, { Opcode.Binvi, 0, 63, Min }, { Opcode.Bseti, 0, 63, Min },
        { Opcode.Clz, 0, 0, 64 }, { Opcode.Clz, 1, 0, 63 }, { Opcode.Ctz, 0, 0, 64 }, { Opcode.Ctz, Min, 0, 63 }, { Opcode.Cpop, Ones, 0, 64 },
        { Opcode.Clzw, 0xFFFFFFFF_00000000, 0, 32 }, { Opcode.Clzw, 1, 0, 31 }, { Opcode.Ctzw, 0x1_00000000, 0, 32 }, { Opcode.Ctzw, 0x80000000, 0, 31 }, { Opcode.Cpopw, Ones, 0, 32 },
        { Opcode.SextB, 0x1280, 0, 0xFFFFFFFFFFFFFF80 }, { Opcode.SextH, 0x18000, 0, 0xFFFFFFFFFFFF8000 }, { Opcode.ZextH, Ones, 0, 0xFFFF },
        { Opcode.OrcB, 0x0100_0080_0000_FF00, 0, 0xFF00_00FF_0000_FF00 }, { Opcode.Rev8, P, 0, 0xF0DEBC9A78563412 },
    };

    [Theory]
    [MemberData(nameof(TwoRegisters))]
    public void Two_registers(Opcode op, ulong a, ulong b, ulong expected)
    {
        using Rig rig = new();
        rig.X[Rig.A1] = a;
        rig.X[Rig.A2] = b;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1, Rig.A2));
        Assert.Equal(expected, rig.X[Rig.A0]);
        Assert.Equal(Rig.Base + 4, rig.Pc);

        // The destination may be a source, and x0 takes nothing.
        rig.Execute(op, Rig.A1, Rig.A1, Rig.A2);
        Assert.Equal(expected, rig.X[Rig.A1]);
        rig.Execute(op, 0, Rig.A1, Rig.A2);
        Assert.Equal(0UL, rig.X[0]);
    }

    [Theory]
    [MemberData(nameof(Immediate))]
    public void Register_and_immediate(Opcode op, ulong a, int imm, ulong expected)
    {
        using Rig rig = new();
        rig.X[Rig.A1] = a;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1, imm: imm));
        Assert.Equal(expected, rig.X[Rig.A0]);
    }

    [Fact]
    public void Upper_immediates()
    {
        using Rig rig = new();
        rig.Execute(Opcode.Lui, Rig.A0, imm: unchecked((int)0x80000000));
        Assert.Equal(Min32, rig.X[Rig.A0]);
        rig.Execute(Opcode.Auipc, Rig.A0, imm: -4096);
        Assert.Equal(Rig.Base - 4096, rig.X[Rig.A0]);
    }

    [Fact]
    public void Jumps()
    {
        using Rig rig = new();
        rig.Execute(Opcode.Jal, 1, imm: -1048576);
        Assert.Equal((Rig.Base - 1048576, Rig.Base + 4), (rig.Pc, rig.X[1]));
        // Bit 0 is cleared; the link register may be the base.
        rig.X[1] = Rig.Base + 0x101;
        rig.Execute(Opcode.Jalr, 1, 1, imm: 2047);
        Assert.Equal((Rig.Base + 0x900, Rig.Base + 4), (rig.Pc, rig.X[1]));
    }

    [Theory]
    [InlineData(Opcode.Beq, 1, 1, true)]
    [InlineData(Opcode.Beq, 1, 2, false)]
    [InlineData(Opcode.Bne, 1, 2, true)]
    [InlineData(Opcode.Bne, 1, 1, false)]
    [InlineData(Opcode.Blt, -1, 0, true)]
    [InlineData(Opcode.Blt, 0, -1, false)]
    [InlineData(Opcode.Blt, 0, 0, false)]
    [InlineData(Opcode.Bge, 0, 0, true)]
    [InlineData(Opcode.Bge, -1, 0, false)]
    [InlineData(Opcode.Bltu, 0, -1, true)]
    [InlineData(Opcode.Bltu, -1, 0, false)]
    [InlineData(Opcode.Bgeu, -1, 0, true)]
    [InlineData(Opcode.Bgeu, 0, -1, false)]
    public void Branches(Opcode op, long a, long b, bool taken)
    {
        using Rig rig = new();
        rig.X[Rig.A1] = (ulong)a;
        rig.X[Rig.A2] = (ulong)b;
        rig.Execute(op, rs1: Rig.A1, rs2: Rig.A2, imm: -4096);
        Assert.Equal(taken ? Rig.Base - 4096 : Rig.Base + 4, rig.Pc);
    }
}
