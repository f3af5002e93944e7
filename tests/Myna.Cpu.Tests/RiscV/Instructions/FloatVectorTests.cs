using Myna.Cpu.Float;
using Myna.Cpu.RiscV;
using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

/// <summary>
/// That each instruction does the right operation on the right registers with the right rounding, boxing and flags; the
/// arithmetic itself is tested beside SoftFloat.
/// </summary>
public class FloatVectorTests
{
    private const ulong Box = 0xFFFFFFFF_00000000;
    private const uint One = 0x3F800000, Two = 0x40000000, Three = 0x40400000, Four = 0x40800000, Minus = 0x80000000;
    private const uint NaN = 0x7FC00000, SignallingNaN = 0x7F800001, Infinity = 0x7F800000, Tiny = 1;
    private const ulong One64 = 0x3FF0000000000000, Two64 = 0x4000000000000000, Three64 = 0x4008000000000000, Four64 = 0x4010000000000000, Six64 = 0x4018000000000000;
    private const ulong Minus64 = 0x8000000000000000, NaN64 = 0x7FF8000000000000, SignallingNaN64 = 0x7FF0000000000001;
    private const int Nx = 1, Uf = 2, Dz = 8, Nv = 16;

    // f10 = op(f11, f12, f13), single precision.
    [Theory]
    [InlineData(Opcode.FaddS, One, Two, 0, Three, 0)]
    [InlineData(Opcode.FsubS, Three, Two, 0, One, 0)]
    [InlineData(Opcode.FmulS, Two, Two, 0, Four, 0)]
    [InlineData(Opcode.FdivS, Four, Two, 0, Two, 0)]
    [InlineData(Opcode.FdivS, One, 0, 0, Infinity, Dz)]
    [InlineData(Opcode.FdivS, 0, 0, 0, NaN, Nv)]
    [InlineData(Opcode.FdivS, One, Three, 0, 0x3EAAAAAB, Nx)]
    [InlineData(Opcode.FmulS, Tiny, 0x3F000000, 0, 0, Uf | Nx)]
    [InlineData(Opcode.FsqrtS, Four, 0, 0, Two, 0)]
    [InlineData(Opcode.FsqrtS, Four | Minus, 0, 0, NaN, Nv)]
    [InlineData(Opcode.FmaddS, Two, Three, One, 0x40E00000, 0)]
    [InlineData(Opcode.FmsubS, Two, Three, One, 0x40A00000, 0)]
    [InlineData(Opcode.FnmsubS, Two, Three, One, 0xC0A00000, 0)]
    [InlineData(Opcode.FnmaddS, Two, Three, One, 0xC0E00000, 0)]
    [InlineData(Opcode.FsgnjS, One, Two | Minus, 0, One | Minus, 0)]
    [InlineData(Opcode.FsgnjnS, One, Two | Minus, 0, One, 0)]
    [InlineData(Opcode.FsgnjxS, One | Minus, Two | Minus, 0, One, 0)]
    [InlineData(Opcode.FsgnjS, SignallingNaN, Minus, 0, SignallingNaN | Minus, 0)]
    [InlineData(Opcode.FminS, One, Two, 0, One, 0)]
    [InlineData(Opcode.FmaxS, One, Two, 0, Two, 0)]
    [InlineData(Opcode.FminS, 0, Minus, 0, Minus, 0)]
    [InlineData(Opcode.FmaxS, One, SignallingNaN, 0, One, Nv)]
    public void Single(Opcode op, uint a, uint b, uint c, uint expected, int flags)
    {
        using Rig rig = new();
        rig.F[Rig.A1] = Box | a;
        rig.F[Rig.A2] = Box | b;
        rig.F[Rig.A3] = Box | c;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1, Rig.A2, Rig.A3));
        Assert.Equal(Box | expected, rig.F[Rig.A0]);
        Assert.Equal((ulong)flags, rig.Csr(CsrNumber.Fflags));
        Assert.Equal(3UL, rig.Csr(CsrNumber.Mstatus) >> 13 & 3);
    }

    [Theory]
    [InlineData(Opcode.FaddD, One64, Two64, 0, Three64, 0)]
    [InlineData(Opcode.FsubD, Three64, Two64, 0, One64, 0)]
    [InlineData(Opcode.FmulD, Two64, Two64, 0, Four64, 0)]
    [InlineData(Opcode.FdivD, Four64, Two64, 0, Two64, 0)]
    [InlineData(Opcode.FsqrtD, Four64, 0, 0, Two64, 0)]
    [InlineData(Opcode.FmaddD, Two64, Three64, One64, 0x401C000000000000, 0)]
    [InlineData(Opcode.FmsubD, Two64, Three64, One64, 0x4014000000000000, 0)]
    [InlineData(Opcode.FnmsubD, Two64, Three64, One64, 0xC014000000000000, 0)]
    [InlineData(Opcode.FnmaddD, Two64, Three64, One64, 0xC01C000000000000, 0)]
    [InlineData(Opcode.FsgnjD, One64, Minus64, 0, One64 | Minus64, 0)]
    [InlineData(Opcode.FsgnjnD, One64, Minus64, 0, One64, 0)]
    [InlineData(Opcode.FsgnjxD, One64 | Minus64, Minus64, 0, One64, 0)]
    [InlineData(Opcode.FminD, One64, NaN64, 0, One64, 0)]
    [InlineData(Opcode.FmaxD, NaN64, NaN64 | Minus64, 0, NaN64, 0)]
    public void Double(Opcode op, ulong a, ulong b, ulong c, ulong expected, int flags)
    {
        using Rig rig = new();
        rig.F[Rig.A1] = a;
        rig.F[Rig.A2] = b;
        rig.F[Rig.A3] = c;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1, Rig.A2, Rig.A3));
        Assert.Equal(expected, rig.F[Rig.A0]);
        Assert.Equal((ulong)flags, rig.Csr(CsrNumber.Fflags));
    }

    // x10 = op(f11, f12).
    [Theory]
    [InlineData(Opcode.FeqS, Box | One, Box | One, 1, 0)]
    [InlineData(Opcode.FeqS, Box | NaN, Box | One, 0, 0)]
    [InlineData(Opcode.FeqS, Box | SignallingNaN, Box | One, 0, Nv)]
    [InlineData(Opcode.FltS, Box | One, Box | Two, 1, 0)]
    [InlineData(Opcode.FltS, Box | NaN, Box | Two, 0, Nv)]
    [InlineData(Opcode.FleS, Box | One, Box | One, 1, 0)]
    [InlineData(Opcode.FleS, Box | Two, Box | One, 0, 0)]
    [InlineData(Opcode.FeqD, 0UL, Minus64, 1, 0)]
    [InlineData(Opcode.FltD, One64, Two64, 1, 0)]
    [InlineData(Opcode.FleD, One64, NaN64, 0, Nv)]
    [InlineData(Opcode.FclassS, Box | Infinity | Minus, 0UL, 1 << 0, 0)]
    [InlineData(Opcode.FclassS, Box | SignallingNaN, 0UL, 1 << 8, 0)]
    [InlineData(Opcode.FclassS, (ulong)One, 0UL, 1 << 9, 0)]
    [InlineData(Opcode.FclassD, SignallingNaN64, 0UL, 1 << 8, 0)]
    [InlineData(Opcode.FclassD, 0UL, 0UL, 1 << 4, 0)]
    [InlineData(Opcode.FcvtWS, Box | 0xC0200000, 0UL, -2, Nx)]
    [InlineData(Opcode.FcvtWuS, Box | 0x4F800000, 0UL, -1, Nv)]
    [InlineData(Opcode.FcvtLS, Box | NaN, 0UL, long.MaxValue, Nv)]
    [InlineData(Opcode.FcvtLuS, Box | One | Minus, 0UL, 0, Nv)]
    [InlineData(Opcode.FcvtWD, 0xC1E0000000000000, 0UL, int.MinValue, 0)]
    [InlineData(Opcode.FcvtWuD, 0x41EFFFFFFFE00000, 0UL, -1, 0)]
    [InlineData(Opcode.FcvtLD, 0xC3E0000000000000, 0UL, long.MinValue, 0)]
    [InlineData(Opcode.FcvtLuD, 0x43E0000000000000, 0UL, long.MinValue, 0)]
    [InlineData(Opcode.FmvXW, 0x12345678_80000000, 0UL, int.MinValue, 0)]
    [InlineData(Opcode.FmvXD, Minus64, 0UL, long.MinValue, 0)]
    public void To_integer_registers(Opcode op, ulong a, ulong b, long expected, int flags)
    {
        using Rig rig = new();
        rig.F[Rig.A1] = a;
        rig.F[Rig.A2] = b;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1, Rig.A2));
        Assert.Equal((ulong)expected, rig.X[Rig.A0]);
        Assert.Equal((ulong)flags, rig.Csr(CsrNumber.Fflags));
    }

    // f10 = op(x11).
    [Theory]
    [InlineData(Opcode.FcvtSW, 0x1_FFFFFFFFUL, Box | One | Minus, 0)]
    [InlineData(Opcode.FcvtSWu, 0x1_FFFFFFFFUL, Box | 0x4F800000, Nx)]
    [InlineData(Opcode.FcvtSL, ulong.MaxValue, Box | One | Minus, 0)]
    [InlineData(Opcode.FcvtSLu, ulong.MaxValue, Box | 0x5F800000, Nx)]
    [InlineData(Opcode.FcvtDW, 0x1_FFFFFFFFUL, One64 | Minus64, 0)]
    [InlineData(Opcode.FcvtDWu, 0x1_FFFFFFFFUL, 0x41EFFFFFFFE00000, 0)]
    [InlineData(Opcode.FcvtDL, ulong.MaxValue, One64 | Minus64, 0)]
    [InlineData(Opcode.FcvtDLu, ulong.MaxValue, 0x43F0000000000000, Nx)]
    [InlineData(Opcode.FmvWX, 0x12345678_80000000, Box | Minus, 0)]
    [InlineData(Opcode.FmvDX, SignallingNaN64, SignallingNaN64, 0)]
    public void From_integer_registers(Opcode op, ulong a, ulong expected, int flags)
    {
        using Rig rig = new();
        rig.X[Rig.A1] = a;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1));
        Assert.Equal(expected, rig.F[Rig.A0]);
        Assert.Equal((ulong)flags, rig.Csr(CsrNumber.Fflags));
    }

    [Theory]
    [InlineData(Opcode.FcvtSD, 0x3FF0000010000000, Box | One, Nx)]
    [InlineData(Opcode.FcvtSD, SignallingNaN64, Box | NaN, Nv)]
    [InlineData(Opcode.FcvtDS, Box | Three, Three64, 0)]
    [InlineData(Opcode.FcvtDS, (ulong)Three, NaN64, 0)]
    public void Between_formats(Opcode op, ulong a, ulong expected, int flags)
    {
        using Rig rig = new();
        rig.F[Rig.A1] = a;
        Assert.True(rig.Execute(op, Rig.A0, Rig.A1));
        Assert.Equal(expected, rig.F[Rig.A0]);
        Assert.Equal((ulong)flags, rig.Csr(CsrNumber.Fflags));
    }

    // "NaN Boxing of Narrower Values": anything else counts as the canonical NaN.
    [Fact]
    public void A_single_that_is_not_boxed_is_the_canonical_NaN()
    {
        using Rig rig = new();
        rig.F[Rig.A1] = 0xFFFFFFFE_00000000 | One;
        rig.F[Rig.A2] = Box | One;
        rig.Execute(Opcode.FaddS, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal(Box | NaN, rig.F[Rig.A0]);
        rig.Execute(Opcode.FsgnjnS, Rig.A0, Rig.A2, Rig.A1);
        Assert.Equal(Box | One | Minus, rig.F[Rig.A0]);
    }

    [Fact]
    public void Moves_and_stores_take_the_low_half_as_it_is()
    {
        using Rig rig = new();
        rig.F[Rig.A2] = 0x12345678_9ABCDEF0;
        rig.X[Rig.A1] = Rig.Data;
        rig.Execute(Opcode.Fsw, rs1: Rig.A1, rs2: Rig.A2);
        Assert.Equal(0x9ABCDEF0UL, rig.Memory(Rig.Data));
        rig.Execute(Opcode.Flw, Rig.A0, Rig.A1);
        Assert.Equal(Box | 0x9ABCDEF0, rig.F[Rig.A0]);
        rig.Execute(Opcode.Fsd, rs1: Rig.A1, rs2: Rig.A2, imm: 8);
        rig.Execute(Opcode.Fld, Rig.A0, Rig.A1, imm: 8);
        Assert.Equal(0x12345678_9ABCDEF0UL, rig.F[Rig.A0]);
    }

    // 1/3 and -1/3 in the five modes, by rm and by frm; and 2.5 to an integer, where the two nearest modes differ.
    [Theory]
    [InlineData(0, 0x3EAAAAAB, 0xBEAAAAAB, 2)]
    [InlineData(1, 0x3EAAAAAA, 0xBEAAAAAA, 2)]
    [InlineData(2, 0x3EAAAAAA, 0xBEAAAAAB, 2)]
    [InlineData(3, 0x3EAAAAAB, 0xBEAAAAAA, 3)]
    [InlineData(4, 0x3EAAAAAB, 0xBEAAAAAB, 3)]
    public void Rounding_modes(int mode, uint third, uint minusThird, ulong rounded)
    {
        using Rig rig = new();
        foreach (int rm in new[] { mode, 7 })
        {
            rig.SetCsr(CsrNumber.Frm, rm == 7 ? (ulong)mode : (ulong)(mode + 1) % 5);
            rig.F[Rig.A1] = Box | One;
            rig.F[Rig.A2] = Box | Three;
            rig.Execute(Opcode.FdivS, Rig.A0, Rig.A1, Rig.A2, rm: rm);
            Assert.Equal(Box | third, rig.F[Rig.A0]);
            rig.F[Rig.A1] |= Minus;
            rig.Execute(Opcode.FdivS, Rig.A0, Rig.A1, Rig.A2, rm: rm);
            Assert.Equal(Box | minusThird, rig.F[Rig.A0]);
            rig.F[Rig.A1] = 0x4004000000000000;
            rig.Execute(Opcode.FcvtLD, Rig.A0, Rig.A1, rm: rm);
            Assert.Equal(rounded, rig.X[Rig.A0]);
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    public void A_dynamic_mode_that_is_none_is_illegal(ulong frm)
    {
        using Rig rig = new();
        rig.SetCsr(CsrNumber.Frm, frm);
        uint raw = Rig.Encode(Opcode.FaddD, Rig.A0, Rig.A1, Rig.A2, rm: 7);
        Assert.False(rig.Execute(raw));
        rig.AssertTrapped(Cause.IllegalInstruction, raw);
        // Nothing rounds here.
        Assert.True(rig.Execute(Opcode.FmvXD, Rig.A0, Rig.A1));
    }

    [Fact]
    public void With_FS_off_every_floating_point_instruction_is_illegal()
    {
        using Rig rig = new();
        rig.SetCsr(CsrNumber.Mstatus, 0);
        rig.X[Rig.A1] = Rig.Data;
        foreach (InstructionRow row in InstructionTable.Rows[1..])
        {
            if (row.Extension is not (Extension.F or Extension.D or Extension.Zcd))
                continue;
            uint raw = row.Match | (row.Length == 4 && row.Pattern.Contains("rs1") ? 11u << 15 : 0);
            Assert.False(rig.Execute(raw));
            rig.AssertTrapped(Cause.IllegalInstruction, raw);
        }
    }

    [Fact]
    public void Only_instructions_that_change_state_make_it_dirty()
    {
        using Rig rig = new();
        rig.X[Rig.A1] = Rig.Data;
        rig.Execute(Opcode.FmvXD, Rig.A0, Rig.A1);
        rig.Execute(Opcode.Fsd, rs1: Rig.A1, rs2: Rig.A2);
        rig.Execute(Opcode.FclassD, Rig.A0, Rig.A1);
        Assert.Equal(1UL, rig.Csr(CsrNumber.Mstatus) >> 13 & 3);
        rig.Execute(Opcode.Fld, Rig.A0, Rig.A1);
        Assert.Equal(3UL, rig.Csr(CsrNumber.Mstatus) >> 13 & 3);
    }

    [Fact]
    public void Flags_accrue()
    {
        using Rig rig = new();
        rig.SetCsr(CsrNumber.Fflags, 4);
        rig.F[Rig.A1] = One64;
        rig.Execute(Opcode.FdivD, Rig.A0, Rig.A1, Rig.A2);
        Assert.Equal(FloatFlags.Overflow | FloatFlags.DivideByZero, rig.Hart.AccruedFlags);
        Assert.Equal(12UL, rig.Csr(CsrNumber.Fcsr));
    }
}
