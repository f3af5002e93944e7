namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zicsr: control and status registers (unprivileged specification, chapter "Zicsr").</summary>
[Extension(Extension.Zicsr)]
public static class ControlStatus<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("csr rs1 001 rd 1110011", "csrrw {rd}, {csr}, {rs1}")]
    public static void Csrrw(ref TOps ops, in Fields f)
        => Access(ref ops, in f, CsrOp.Write, ops.X(f.Rs1), true);

    [Instruction("csr rs1 010 rd 1110011", "csrrs {rd}, {csr}, {rs1}")]
    public static void Csrrs(ref TOps ops, in Fields f)
        => Access(ref ops, in f, CsrOp.Set, ops.X(f.Rs1), f.Rs1 != 0);

    [Instruction("csr rs1 011 rd 1110011", "csrrc {rd}, {csr}, {rs1}")]
    public static void Csrrc(ref TOps ops, in Fields f)
        => Access(ref ops, in f, CsrOp.Clear, ops.X(f.Rs1), f.Rs1 != 0);

    [Instruction("csr zimm 101 rd 1110011", "csrrwi {rd}, {csr}, {zimm}")]
    public static void Csrrwi(ref TOps ops, in Fields f)
        => Access(ref ops, in f, CsrOp.Write, ops.Const(f.Rs1), true);

    [Instruction("csr zimm 110 rd 1110011", "csrrsi {rd}, {csr}, {zimm}")]
    public static void Csrrsi(ref TOps ops, in Fields f)
        => Access(ref ops, in f, CsrOp.Set, ops.Const(f.Rs1), f.Rs1 != 0);

    [Instruction("csr zimm 111 rd 1110011", "csrrci {rd}, {csr}, {zimm}")]
    public static void Csrrci(ref TOps ops, in Fields f)
        => Access(ref ops, in f, CsrOp.Clear, ops.Const(f.Rs1), f.Rs1 != 0);

    private static void Access(ref TOps ops, in Fields f, CsrOp op, T operand, bool writes)
    {
        if (ops.Csr(f.Imm, op, operand, writes, out T old))
            ops.SetX(f.Rd, old);
    }
}
