namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zbs: single-bit operations (unprivileged specification, chapter "B").</summary>
[Extension(Extension.Zbs)]
public static class SingleBit<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0100100 rs2 rs1 001 rd 0110011", "bclr {rd}, {rs1}, {rs2}")]
    public static void Bclr(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.X(f.Rs1), ops.Not(ops.Shl(ops.Const(1), ops.X(f.Rs2)))));

    [Instruction("010010 shamt[5:0] rs1 001 rd 0010011", "bclri {rd}, {rs1}, {hex}")]
    public static void Bclri(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.X(f.Rs1), ops.Not(ops.Shl(ops.Const(1), ops.Const(f.Immediate)))));

    [Instruction("0100100 rs2 rs1 101 rd 0110011", "bext {rd}, {rs1}, {rs2}")]
    public static void Bext(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.ShrU(ops.X(f.Rs1), ops.X(f.Rs2)), ops.Const(1)));

    [Instruction("010010 shamt[5:0] rs1 101 rd 0010011", "bexti {rd}, {rs1}, {hex}")]
    public static void Bexti(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.ShrU(ops.X(f.Rs1), ops.Const(f.Immediate)), ops.Const(1)));

    [Instruction("0110100 rs2 rs1 001 rd 0110011", "binv {rd}, {rs1}, {rs2}")]
    public static void Binv(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Xor(ops.X(f.Rs1), ops.Shl(ops.Const(1), ops.X(f.Rs2))));

    [Instruction("011010 shamt[5:0] rs1 001 rd 0010011", "binvi {rd}, {rs1}, {hex}")]
    public static void Binvi(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Xor(ops.X(f.Rs1), ops.Shl(ops.Const(1), ops.Const(f.Immediate))));

    [Instruction("0010100 rs2 rs1 001 rd 0110011", "bset {rd}, {rs1}, {rs2}")]
    public static void Bset(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Or(ops.X(f.Rs1), ops.Shl(ops.Const(1), ops.X(f.Rs2))));

    [Instruction("001010 shamt[5:0] rs1 001 rd 0010011", "bseti {rd}, {rs1}, {hex}")]
    public static void Bseti(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Or(ops.X(f.Rs1), ops.Shl(ops.Const(1), ops.Const(f.Immediate))));
}
