namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Zca: 16-bit forms (unprivileged specification, chapter "C"). Each is the 32-bit instruction of its expansion; encodings marked HINT fall out of these as writes of x0.</summary>
[Extension(Extension.Zca)]
public static class Compressed<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("000 nzuimm[5:4|9:6|2|3] rd' 00", "c.addi4spn {rd}, {rs1}, {imm}", Implied = "rs1=2")]
    public static void CAddi4spn(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addi(ref ops, in f);

    [Instruction("010 uimm[5:3] rs1' uimm[2|6] rd' 00", "c.lw {rd}, {imm}({rs1})")]
    public static void CLw(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Lw(ref ops, in f);

    [Instruction("011 uimm[5:3] rs1' uimm[7:6] rd' 00", "c.ld {rd}, {imm}({rs1})")]
    public static void CLd(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Ld(ref ops, in f);

    [Instruction("110 uimm[5:3] rs1' uimm[2|6] rs2' 00", "c.sw {rs2}, {imm}({rs1})")]
    public static void CSw(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Sw(ref ops, in f);

    [Instruction("111 uimm[5:3] rs1' uimm[7:6] rs2' 00", "c.sd {rs2}, {imm}({rs1})")]
    public static void CSd(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Sd(ref ops, in f);

    [Instruction("000 imm[5] 00000 imm[4:0] 01", "c.nop")]
    public static void CNop(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addi(ref ops, in f);

    [Instruction("000 imm[5] rd/rs1 imm[4:0] 01", "c.addi {rd}, {imm}")]
    public static void CAddi(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addi(ref ops, in f);

    [Instruction("001 imm[5] rd/rs1!=0 imm[4:0] 01", "c.addiw {rd}, {imm}")]
    public static void CAddiw(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addiw(ref ops, in f);

    [Instruction("010 imm[5] rd imm[4:0] 01", "c.li {rd}, {imm}")]
    public static void CLi(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addi(ref ops, in f);

    [Instruction("011 nzimm[9] 00010 nzimm[4|6|8:7|5] 01", "c.addi16sp {rd}, {imm}", Implied = "rd=2 rs1=2")]
    public static void CAddi16sp(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addi(ref ops, in f);

    [Instruction("011 nzimm[17] rd!=2 nzimm[16:12] 01", "c.lui {rd}, {uimm20}")]
    public static void CLui(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Lui(ref ops, in f);

    [Instruction("100 shamt[5] 00 rd'/rs1' shamt[4:0] 01", "c.srli {rd}, {hex}")]
    public static void CSrli(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Srli(ref ops, in f);

    [Instruction("100 shamt[5] 01 rd'/rs1' shamt[4:0] 01", "c.srai {rd}, {hex}")]
    public static void CSrai(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Srai(ref ops, in f);

    [Instruction("100 imm[5] 10 rd'/rs1' imm[4:0] 01", "c.andi {rd}, {imm}")]
    public static void CAndi(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Andi(ref ops, in f);

    [Instruction("100 0 11 rd'/rs1' 00 rs2' 01", "c.sub {rd}, {rs2}")]
    public static void CSub(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Sub(ref ops, in f);

    [Instruction("100 0 11 rd'/rs1' 01 rs2' 01", "c.xor {rd}, {rs2}")]
    public static void CXor(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Xor(ref ops, in f);

    [Instruction("100 0 11 rd'/rs1' 10 rs2' 01", "c.or {rd}, {rs2}")]
    public static void COr(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Or(ref ops, in f);

    [Instruction("100 0 11 rd'/rs1' 11 rs2' 01", "c.and {rd}, {rs2}")]
    public static void CAnd(ref TOps ops, in Fields f)
        => Integer<TOps, T>.And(ref ops, in f);

    [Instruction("100 1 11 rd'/rs1' 00 rs2' 01", "c.subw {rd}, {rs2}")]
    public static void CSubw(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Subw(ref ops, in f);

    [Instruction("100 1 11 rd'/rs1' 01 rs2' 01", "c.addw {rd}, {rs2}")]
    public static void CAddw(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Addw(ref ops, in f);

    [Instruction("101 imm[11|4|9:8|10|6|7|3:1|5] 01", "c.j {target}")]
    public static void CJ(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Jal(ref ops, in f);

    [Instruction("110 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", "c.beqz {rs1}, {target}")]
    public static void CBeqz(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Beq(ref ops, in f);

    [Instruction("111 imm[8|4:3] rs1' imm[7:6|2:1|5] 01", "c.bnez {rs1}, {target}")]
    public static void CBnez(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Bne(ref ops, in f);

    [Instruction("000 shamt[5] rd/rs1 shamt[4:0] 10", "c.slli {rd}, {hex}")]
    public static void CSlli(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Slli(ref ops, in f);

    [Instruction("010 uimm[5] rd!=0 uimm[4:2|7:6] 10", "c.lwsp {rd}, {imm}({rs1})", Implied = "rs1=2")]
    public static void CLwsp(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Lw(ref ops, in f);

    [Instruction("011 uimm[5] rd!=0 uimm[4:3|8:6] 10", "c.ldsp {rd}, {imm}({rs1})", Implied = "rs1=2")]
    public static void CLdsp(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Ld(ref ops, in f);

    [Instruction("100 0 rs1!=0 00000 10", "c.jr {rs1}")]
    public static void CJr(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Jalr(ref ops, in f);

    [Instruction("100 0 rd rs2!=0 10", "c.mv {rd}, {rs2}")]
    public static void CMv(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Add(ref ops, in f);

    [Instruction("100 1 00000 00000 10", "c.ebreak")]
    public static void CEbreak(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Ebreak(ref ops, in f);

    [Instruction("100 1 rs1 00000 10", "c.jalr {rs1}", Implied = "rd=1")]
    public static void CJalr(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Jalr(ref ops, in f);

    [Instruction("100 1 rd/rs1 rs2 10", "c.add {rd}, {rs2}")]
    public static void CAdd(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Add(ref ops, in f);

    [Instruction("110 uimm[5:2|7:6] rs2 10", "c.swsp {rs2}, {imm}({rs1})", Implied = "rs1=2")]
    public static void CSwsp(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Sw(ref ops, in f);

    [Instruction("111 uimm[5:3|8:6] rs2 10", "c.sdsp {rs2}, {imm}({rs1})", Implied = "rs1=2")]
    public static void CSdsp(ref TOps ops, in Fields f)
        => Integer<TOps, T>.Sd(ref ops, in f);
}
