using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zicond: conditional zero (unprivileged specification, chapter "Zicond").</summary>
[Extension(Extension.Zicond)]
public static class Conditional<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("0000111 rs2 rs1 101 rd 0110011", "czero.eqz {rd}, {rs1}, {rs2}")]
    public static void CzeroEqz(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Select(Cond.Eq, ops.X(f.Rs2), ops.Const(0), ops.Const(0), ops.X(f.Rs1)));

    [Instruction("0000111 rs2 rs1 111 rd 0110011", "czero.nez {rd}, {rs1}, {rs2}")]
    public static void CzeroNez(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Select(Cond.Ne, ops.X(f.Rs2), ops.Const(0), ops.Const(0), ops.X(f.Rs1)));
}
