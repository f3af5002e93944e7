using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>M: integer multiplication and division (unprivileged specification, chapter "M").</summary>
[Extension(Extension.M)]
public static class Multiply<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0000001 rs2 rs1 000 rd 0110011", "mul {rd}, {rs1}, {rs2}")]
    public static void Mul(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Mul(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 001 rd 0110011", "mulh {rd}, {rs1}, {rs2}")]
    public static void Mulh(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.MulHighS(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 010 rd 0110011", "mulhsu {rd}, {rs1}, {rs2}")]
    public static void Mulhsu(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.MulHighSU(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 011 rd 0110011", "mulhu {rd}, {rs1}, {rs2}")]
    public static void Mulhu(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.MulHighU(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 100 rd 0110011", "div {rd}, {rs1}, {rs2}")]
    public static void Div(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.DivS(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 101 rd 0110011", "divu {rd}, {rs1}, {rs2}")]
    public static void Divu(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.DivU(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 110 rd 0110011", "rem {rd}, {rs1}, {rs2}")]
    public static void Rem(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.RemS(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 111 rd 0110011", "remu {rd}, {rs1}, {rs2}")]
    public static void Remu(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.RemU(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000001 rs2 rs1 000 rd 0111011", "mulw {rd}, {rs1}, {rs2}")]
    public static void Mulw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.Mul(ops.X(f.Rs1), ops.X(f.Rs2)), MemSize.B4));

    [Instruction("0000001 rs2 rs1 100 rd 0111011", "divw {rd}, {rs1}, {rs2}")]
    public static void Divw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.DivS(ops.SignExtend(ops.X(f.Rs1), MemSize.B4), ops.SignExtend(ops.X(f.Rs2), MemSize.B4)), MemSize.B4));

    [Instruction("0000001 rs2 rs1 101 rd 0111011", "divuw {rd}, {rs1}, {rs2}")]
    public static void Divuw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.DivU(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.ZeroExtend(ops.X(f.Rs2), MemSize.B4)), MemSize.B4));

    [Instruction("0000001 rs2 rs1 110 rd 0111011", "remw {rd}, {rs1}, {rs2}")]
    public static void Remw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.RemS(ops.SignExtend(ops.X(f.Rs1), MemSize.B4), ops.SignExtend(ops.X(f.Rs2), MemSize.B4)), MemSize.B4));

    [Instruction("0000001 rs2 rs1 111 rd 0111011", "remuw {rd}, {rs1}, {rs2}")]
    public static void Remuw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.RemU(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.ZeroExtend(ops.X(f.Rs2), MemSize.B4)), MemSize.B4));
}
