namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zcd: 16-bit loads and stores of double-precision registers (unprivileged specification, chapter "C").</summary>
[Extension(Extension.Zcd)]
public static class CompressedDouble<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("001 uimm[5:3] rs1' uimm[7:6] rd' 00", "c.fld {frd}, {imm}({rs1})")]
    public static void CFld(ref TOps ops, in Fields f)
        => Double<TOps, T>.Fld(ref ops, in f);

    [Instruction("101 uimm[5:3] rs1' uimm[7:6] rs2' 00", "c.fsd {frs2}, {imm}({rs1})")]
    public static void CFsd(ref TOps ops, in Fields f)
        => Double<TOps, T>.Fsd(ref ops, in f);

    [Instruction("001 uimm[5] rd uimm[4:3|8:6] 10", "c.fldsp {frd}, {imm}({rs1})", Implied = "rs1=2")]
    public static void CFldsp(ref TOps ops, in Fields f)
        => Double<TOps, T>.Fld(ref ops, in f);

    [Instruction("101 uimm[5:3|8:6] rs2 10", "c.fsdsp {frs2}, {imm}({rs1})", Implied = "rs1=2")]
    public static void CFsdsp(ref TOps ops, in Fields f)
        => Double<TOps, T>.Fsd(ref ops, in f);
}
