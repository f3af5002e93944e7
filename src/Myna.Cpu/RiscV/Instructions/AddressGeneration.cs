using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zba: shifted and unsigned-word additions (unprivileged specification, chapter "B").</summary>
[Extension(Extension.Zba)]
public static class AddressGeneration<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0000100 rs2 rs1 000 rd 0111011", "add.uw {rd}, {rs1}, {rs2}")]
    public static void AddUw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.X(f.Rs2)));

    [Instruction("0010000 rs2 rs1 010 rd 0110011", "sh1add {rd}, {rs1}, {rs2}")]
    public static void Sh1add(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.Shl(ops.X(f.Rs1), ops.Const(1)), ops.X(f.Rs2)));

    [Instruction("0010000 rs2 rs1 010 rd 0111011", "sh1add.uw {rd}, {rs1}, {rs2}")]
    public static void Sh1addUw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.Shl(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.Const(1)), ops.X(f.Rs2)));

    [Instruction("0010000 rs2 rs1 100 rd 0110011", "sh2add {rd}, {rs1}, {rs2}")]
    public static void Sh2add(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.Shl(ops.X(f.Rs1), ops.Const(2)), ops.X(f.Rs2)));

    [Instruction("0010000 rs2 rs1 100 rd 0111011", "sh2add.uw {rd}, {rs1}, {rs2}")]
    public static void Sh2addUw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.Shl(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.Const(2)), ops.X(f.Rs2)));

    [Instruction("0010000 rs2 rs1 110 rd 0110011", "sh3add {rd}, {rs1}, {rs2}")]
    public static void Sh3add(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.Shl(ops.X(f.Rs1), ops.Const(3)), ops.X(f.Rs2)));

    [Instruction("0010000 rs2 rs1 110 rd 0111011", "sh3add.uw {rd}, {rs1}, {rs2}")]
    public static void Sh3addUw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.Shl(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.Const(3)), ops.X(f.Rs2)));

    [Instruction("000010 shamt[5:0] rs1 001 rd 0011011", "slli.uw {rd}, {rs1}, {hex}")]
    public static void SlliUw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Shl(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.Const(f.Immediate)));
}
