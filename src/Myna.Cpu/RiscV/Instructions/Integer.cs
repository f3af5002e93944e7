using System.Runtime.CompilerServices;
using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>RV64I: the base integer instructions (unprivileged specification, chapters "RV32I" and "RV64I").</summary>
[Extension(Extension.I)]
public static class Integer<TOps, T>
    where TOps : struct, IRiscVOps<T>, allows ref struct where T : struct
{
    [Instruction("imm[31:12] rd 0110111", "lui {rd}, {uimm20}")]
    public static void Lui(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Const(f.Immediate));

    [Instruction("imm[31:12] rd 0010111", "auipc {rd}, {uimm20}")]
    public static void Auipc(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Const(ops.Pc + f.Immediate));

    [Instruction("imm[20|10:1|11|19:12] rd 1101111", "jal {rd}, {target}")]
    public static void Jal(ref TOps ops, in Fields f)
    {
        ops.SetX(f.Rd, ops.Const(ops.Pc + f.Length));
        ops.Jump(ops.Pc + f.Immediate);
    }

    [Instruction("imm[11:0] rs1 000 rd 1100111", "jalr {rd}, {imm}({rs1})")]
    public static void Jalr(ref TOps ops, in Fields f)
    {
        T target = ops.And(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), ops.Const(~1UL));
        ops.SetX(f.Rd, ops.Const(ops.Pc + f.Length));
        ops.JumpIndirect(target);
    }

    [Instruction("imm[12|10:5] rs2 rs1 000 imm[4:1|11] 1100011", "beq {rs1}, {rs2}, {target}")]
    public static void Beq(ref TOps ops, in Fields f)
        => ops.Branch(Cond.Eq, ops.X(f.Rs1), ops.X(f.Rs2), ops.Pc + f.Immediate);

    [Instruction("imm[12|10:5] rs2 rs1 001 imm[4:1|11] 1100011", "bne {rs1}, {rs2}, {target}")]
    public static void Bne(ref TOps ops, in Fields f)
        => ops.Branch(Cond.Ne, ops.X(f.Rs1), ops.X(f.Rs2), ops.Pc + f.Immediate);

    [Instruction("imm[12|10:5] rs2 rs1 100 imm[4:1|11] 1100011", "blt {rs1}, {rs2}, {target}")]
    public static void Blt(ref TOps ops, in Fields f)
        => ops.Branch(Cond.LtS, ops.X(f.Rs1), ops.X(f.Rs2), ops.Pc + f.Immediate);

    [Instruction("imm[12|10:5] rs2 rs1 101 imm[4:1|11] 1100011", "bge {rs1}, {rs2}, {target}")]
    public static void Bge(ref TOps ops, in Fields f)
        => ops.Branch(Cond.GeS, ops.X(f.Rs1), ops.X(f.Rs2), ops.Pc + f.Immediate);

    [Instruction("imm[12|10:5] rs2 rs1 110 imm[4:1|11] 1100011", "bltu {rs1}, {rs2}, {target}")]
    public static void Bltu(ref TOps ops, in Fields f)
        => ops.Branch(Cond.LtU, ops.X(f.Rs1), ops.X(f.Rs2), ops.Pc + f.Immediate);

    [Instruction("imm[12|10:5] rs2 rs1 111 imm[4:1|11] 1100011", "bgeu {rs1}, {rs2}, {target}")]
    public static void Bgeu(ref TOps ops, in Fields f)
        => ops.Branch(Cond.GeU, ops.X(f.Rs1), ops.X(f.Rs2), ops.Pc + f.Immediate);

    [Instruction("imm[11:0] rs1 000 rd 0000011", "lb {rd}, {imm}({rs1})")]
    public static void Lb(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B1, signed: true);

    [Instruction("imm[11:0] rs1 001 rd 0000011", "lh {rd}, {imm}({rs1})")]
    public static void Lh(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B2, signed: true);

    [Instruction("imm[11:0] rs1 010 rd 0000011", "lw {rd}, {imm}({rs1})")]
    public static void Lw(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B4, signed: true);

    [Instruction("imm[11:0] rs1 011 rd 0000011", "ld {rd}, {imm}({rs1})")]
    public static void Ld(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B8, signed: true);

    [Instruction("imm[11:0] rs1 100 rd 0000011", "lbu {rd}, {imm}({rs1})")]
    public static void Lbu(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B1, signed: false);

    [Instruction("imm[11:0] rs1 101 rd 0000011", "lhu {rd}, {imm}({rs1})")]
    public static void Lhu(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B2, signed: false);

    [Instruction("imm[11:0] rs1 110 rd 0000011", "lwu {rd}, {imm}({rs1})")]
    public static void Lwu(ref TOps ops, in Fields f)
        => Load(ref ops, in f, MemSize.B4, signed: false);

    [Instruction("imm[11:5] rs2 rs1 000 imm[4:0] 0100011", "sb {rs2}, {imm}({rs1})")]
    public static void Sb(ref TOps ops, in Fields f)
        => ops.Store(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B1, ops.X(f.Rs2));

    [Instruction("imm[11:5] rs2 rs1 001 imm[4:0] 0100011", "sh {rs2}, {imm}({rs1})")]
    public static void Sh(ref TOps ops, in Fields f)
        => ops.Store(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B2, ops.X(f.Rs2));

    [Instruction("imm[11:5] rs2 rs1 010 imm[4:0] 0100011", "sw {rs2}, {imm}({rs1})")]
    public static void Sw(ref TOps ops, in Fields f)
        => ops.Store(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B4, ops.X(f.Rs2));

    [Instruction("imm[11:5] rs2 rs1 011 imm[4:0] 0100011", "sd {rs2}, {imm}({rs1})")]
    public static void Sd(ref TOps ops, in Fields f)
        => ops.Store(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B8, ops.X(f.Rs2));

    [Instruction("imm[11:0] rs1 000 rd 0010011", "addi {rd}, {rs1}, {imm}")]
    public static void Addi(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("imm[11:0] rs1 010 rd 0010011", "slti {rd}, {rs1}, {imm}")]
    public static void Slti(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Set(Cond.LtS, ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("imm[11:0] rs1 011 rd 0010011", "sltiu {rd}, {rs1}, {imm}")]
    public static void Sltiu(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Set(Cond.LtU, ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("imm[11:0] rs1 100 rd 0010011", "xori {rd}, {rs1}, {imm}")]
    public static void Xori(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Xor(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("imm[11:0] rs1 110 rd 0010011", "ori {rd}, {rs1}, {imm}")]
    public static void Ori(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Or(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("imm[11:0] rs1 111 rd 0010011", "andi {rd}, {rs1}, {imm}")]
    public static void Andi(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("000000 shamt[5:0] rs1 001 rd 0010011", "slli {rd}, {rs1}, {hex}")]
    public static void Slli(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Shl(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("000000 shamt[5:0] rs1 101 rd 0010011", "srli {rd}, {rs1}, {hex}")]
    public static void Srli(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ShrU(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("010000 shamt[5:0] rs1 101 rd 0010011", "srai {rd}, {rs1}, {hex}")]
    public static void Srai(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ShrS(ops.X(f.Rs1), ops.Const(f.Immediate)));

    [Instruction("0000000 rs2 rs1 000 rd 0110011", "add {rd}, {rs1}, {rs2}")]
    public static void Add(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Add(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0100000 rs2 rs1 000 rd 0110011", "sub {rd}, {rs1}, {rs2}")]
    public static void Sub(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Sub(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 001 rd 0110011", "sll {rd}, {rs1}, {rs2}")]
    public static void Sll(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Shl(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 010 rd 0110011", "slt {rd}, {rs1}, {rs2}")]
    public static void Slt(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Set(Cond.LtS, ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 011 rd 0110011", "sltu {rd}, {rs1}, {rs2}")]
    public static void Sltu(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Set(Cond.LtU, ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 100 rd 0110011", "xor {rd}, {rs1}, {rs2}")]
    public static void Xor(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Xor(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 101 rd 0110011", "srl {rd}, {rs1}, {rs2}")]
    public static void Srl(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ShrU(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0100000 rs2 rs1 101 rd 0110011", "sra {rd}, {rs1}, {rs2}")]
    public static void Sra(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ShrS(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 110 rd 0110011", "or {rd}, {rs1}, {rs2}")]
    public static void Or(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.Or(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("0000000 rs2 rs1 111 rd 0110011", "and {rd}, {rs1}, {rs2}")]
    public static void And(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.And(ops.X(f.Rs1), ops.X(f.Rs2)));

    [Instruction("imm[11:0] rs1 000 rd 0011011", "addiw {rd}, {rs1}, {imm}")]
    public static void Addiw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B4));

    [Instruction("0000000 shamt[4:0] rs1 001 rd 0011011", "slliw {rd}, {rs1}, {hex}")]
    public static void Slliw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.Shl(ops.X(f.Rs1), ops.Const(f.Immediate)), MemSize.B4));

    [Instruction("0000000 shamt[4:0] rs1 101 rd 0011011", "srliw {rd}, {rs1}, {hex}")]
    public static void Srliw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.ShrU(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.Const(f.Immediate)), MemSize.B4));

    [Instruction("0100000 shamt[4:0] rs1 101 rd 0011011", "sraiw {rd}, {rs1}, {hex}")]
    public static void Sraiw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ShrS(ops.SignExtend(ops.X(f.Rs1), MemSize.B4), ops.Const(f.Immediate)));

    [Instruction("0000000 rs2 rs1 000 rd 0111011", "addw {rd}, {rs1}, {rs2}")]
    public static void Addw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.Add(ops.X(f.Rs1), ops.X(f.Rs2)), MemSize.B4));

    [Instruction("0100000 rs2 rs1 000 rd 0111011", "subw {rd}, {rs1}, {rs2}")]
    public static void Subw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.Sub(ops.X(f.Rs1), ops.X(f.Rs2)), MemSize.B4));

    [Instruction("0000000 rs2 rs1 001 rd 0111011", "sllw {rd}, {rs1}, {rs2}")]
    public static void Sllw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.Shl(ops.X(f.Rs1), ops.And(ops.X(f.Rs2), ops.Const(31))), MemSize.B4));

    [Instruction("0000000 rs2 rs1 101 rd 0111011", "srlw {rd}, {rs1}, {rs2}")]
    public static void Srlw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.SignExtend(ops.ShrU(ops.ZeroExtend(ops.X(f.Rs1), MemSize.B4), ops.And(ops.X(f.Rs2), ops.Const(31))), MemSize.B4));

    [Instruction("0100000 rs2 rs1 101 rd 0111011", "sraw {rd}, {rs1}, {rs2}")]
    public static void Sraw(ref TOps ops, in Fields f)
        => ops.SetX(f.Rd, ops.ShrS(ops.SignExtend(ops.X(f.Rs1), MemSize.B4), ops.And(ops.X(f.Rs2), ops.Const(31))));

    // Reserved fm, rs1 and rd are ignored. Bits of pred and succ: I 8, O 4, R 2, W 1; device accesses are ordered anyway.
    [Instruction("fm pred succ rs1 000 rd 0001111", "fence {pred},{succ}")]
    public static void Fence(ref TOps ops, in Fields f)
        => ops.Fence(storeLoad: (f.Imm & 0x10) != 0 && (f.Imm & 0x2) != 0);

    [Instruction("1000 0011 0011 00000 000 00000 0001111", "fence.tso")]
    public static void FenceTso(ref TOps ops, in Fields f)
        => ops.Fence(storeLoad: false);

    [Instruction("000000000000 00000 000 00000 1110011", "ecall")]
    public static void Ecall(ref TOps ops, in Fields f)
        => ops.Ecall();

    [Instruction("000000000001 00000 000 00000 1110011", "ebreak")]
    public static void Ebreak(ref TOps ops, in Fields f)
        => ops.Ebreak();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load(ref TOps ops, in Fields f, MemSize size, bool signed)
    {
        if (ops.Load(ops.Add(ops.X(f.Rs1), ops.Const(f.Immediate)), size, signed, out T value))
            ops.SetX(f.Rd, value);
    }
}
