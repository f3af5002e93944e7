namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zbc: carry-less multiplication (unprivileged specification, chapter "B").</summary>
[Extension(Extension.Zbc)]
public static class CarryLess<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0000101 rs2 rs1 001 rd 0110011", "clmul {rd}, {rs1}, {rs2}")]
    public static void Clmul(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ClMul(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000101 rs2 rs1 011 rd 0110011", "clmulh {rd}, {rs1}, {rs2}")]
    public static void Clmulh(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ClMulHigh(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000101 rs2 rs1 010 rd 0110011", "clmulr {rd}, {rs1}, {rs2}")]
    public static void Clmulr(ref TOps ops, in Fields f)
    {
        T a = ops.X(f.Rs1), b = ops.X(f.Rs2);
        ops.SetX(f.Rd, ops.Or(ops.Shl(ops.ClMulHigh(a, b), ops.Const(1)), ops.ShrU(ops.ClMul(a, b), ops.Const(63))));
    }
}
