using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zbb: basic bit manipulation (unprivileged specification, chapter "B").</summary>
[Extension(Extension.Zbb)]
public static class BasicBits<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0100000 rs2 rs1 111 rd 0110011", "andn {rd}, {rs1}, {rs2}")]
    public static void Andn(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.X(f.Rs1), ops.Not(ops.X(f.Rs2))));

    [Instruction("0100000 rs2 rs1 110 rd 0110011", "orn {rd}, {rs1}, {rs2}")]
    public static void Orn(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Or(ops.X(f.Rs1), ops.Not(ops.X(f.Rs2))));

    [Instruction("0100000 rs2 rs1 100 rd 0110011", "xnor {rd}, {rs1}, {rs2}")]
    public static void Xnor(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Not(ops.Xor(ops.X(f.Rs1), ops.X(f.Rs2))));

    [Instruction("011000000000 rs1 001 rd 0010011", "clz {rd}, {rs1}")]
    public static void Clz(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.CountLeadingZeros(ops.X(f.Rs1)));

    [Instruction("011000000001 rs1 001 rd 0010011", "ctz {rd}, {rs1}")]
    public static void Ctz(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.CountTrailingZeros(ops.X(f.Rs1)));

    [Instruction("011000000010 rs1 001 rd 0010011", "cpop {rd}, {rs1}")]
    public static void Cpop(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.PopCount(ops.X(f.Rs1)));

    [Instruction("011000000000 rs1 001 rd 0011011", "clzw {rd}, {rs1}")]
    public static void Clzw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Sub(ops.CountLeadingZeros(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4)), ops.Const(32)));

    [Instruction("011000000001 rs1 001 rd 0011011", "ctzw {rd}, {rs1}")]
    public static void Ctzw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.CountTrailingZeros(ops.Or(ops.X(f.Rs1), ops.Const(1UL << 32))));

    [Instruction("011000000010 rs1 001 rd 0011011", "cpopw {rd}, {rs1}")]
    public static void Cpopw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.PopCount(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4)));

    [Instruction("011000000100 rs1 001 rd 0010011", "sext.b {rd}, {rs1}")]
    public static void SextB(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.X(f.Rs1), MemSize.B1));

    [Instruction("011000000101 rs1 001 rd 0010011", "sext.h {rd}, {rs1}")]
    public static void SextH(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.X(f.Rs1), MemSize.B2));

    [Instruction("000010000000 rs1 100 rd 0111011", "zext.h {rd}, {rs1}")]
    public static void ZextH(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ZeroExtend(ops.X(f.Rs1), MemSize.B2));

    [Instruction("0000101 rs2 rs1 110 rd 0110011", "max {rd}, {rs1}, {rs2}")]
    public static void Max(ref TOps ops, in Fields f)
    {
        T a = ops.X(f.Rs1), b = ops.X(f.Rs2);
        ops.SetX(f.Rd, ops.Select(Cond.LtS, a, b, b, a));
    }

    [Instruction("0000101 rs2 rs1 111 rd 0110011", "maxu {rd}, {rs1}, {rs2}")]
    public static void Maxu(ref TOps ops, in Fields f)
    {
        T a = ops.X(f.Rs1), b = ops.X(f.Rs2);
        ops.SetX(f.Rd, ops.Select(Cond.LtU, a, b, b, a));
    }

    [Instruction("0000101 rs2 rs1 100 rd 0110011", "min {rd}, {rs1}, {rs2}")]
    public static void Min(ref TOps ops, in Fields f)
    {
        T a = ops.X(f.Rs1), b = ops.X(f.Rs2);
        ops.SetX(f.Rd, ops.Select(Cond.LtS, a, b, a, b));
    }

    [Instruction("0000101 rs2 rs1 101 rd 0110011", "minu {rd}, {rs1}, {rs2}")]
    public static void Minu(ref TOps ops, in Fields f)
    {
        T a = ops.X(f.Rs1), b = ops.X(f.Rs2);
        ops.SetX(f.Rd, ops.Select(Cond.LtU, a, b, a, b));
    }

    [Instruction("0110000 rs2 rs1 001 rd 0110011", "rol {rd}, {rs1}, {rs2}")]
    public static void Rol(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.RotateRight(ops.X(f.Rs1), ops.Sub(ops.Const(0), ops.X(f.Rs2))));

    [Instruction("0110000 rs2 rs1 101 rd 0110011", "ror {rd}, {rs1}, {rs2}")]
    public static void Ror(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.RotateRight(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("011000 shamt[5:0] rs1 101 rd 0010011", "rori {rd}, {rs1}, {hex}")]
    public static void Rori(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.RotateRight(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("0110000 rs2 rs1 001 rd 0111011", "rolw {rd}, {rs1}, {rs2}")]
    public static void Rolw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.RotateRight32(ops.X(f.Rs1), ops.Sub(ops.Const(0), ops.X(f.Rs2))), MemSize.B4));

    [Instruction("0110000 rs2 rs1 101 rd 0111011", "rorw {rd}, {rs1}, {rs2}")]
    public static void Rorw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.RotateRight32(ops.X(f.Rs1), ops.X(f.Rs2)), MemSize.B4));

    [Instruction("0110000 shamt[4:0] rs1 101 rd 0011011", "roriw {rd}, {rs1}, {hex}")]
    public static void Roriw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.RotateRight32(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B4));

    [Instruction("001010000111 rs1 101 rd 0010011", "orc.b {rd}, {rs1}")]
    public static void OrcB(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.OrCombineBytes(ops.X(f.Rs1)));

    [Instruction("011010111000 rs1 101 rd 0010011", "rev8 {rd}, {rs1}")]
    public static void Rev8(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ByteSwap(ops.X(f.Rs1)));
}
