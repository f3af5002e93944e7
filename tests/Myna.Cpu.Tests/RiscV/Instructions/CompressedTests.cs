using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

/// <summary>Every 16-bit instruction does what its expansion in the manual's listing does.</summary>
public class CompressedTests
{
    // The expansion of a decoded instruction, written out from the tables of chapter "C".
    private static uint Expand(in Fields f)
    {
        uint raw = f.Raw;
        int rd = (int)(raw >> 7 & 31), rs2 = (int)(raw >> 2 & 31), high = (int)(raw >> 7 & 7) + 8, low = (int)(raw >> 2 & 7) + 8;
        return f.Op switch
        {
            Opcode.CAddi4spn => Rig.Encode(Opcode.Addi, low, 2, imm: f.Imm),
            Opcode.CLw => Rig.Encode(Opcode.Lw, low, high, imm: f.Imm),
            Opcode.CLd => Rig.Encode(Opcode.Ld, low, high, imm: f.Imm),
            Opcode.CFld => Rig.Encode(Opcode.Fld, low, high, imm: f.Imm),
            Opcode.CSw => Rig.Encode(Opcode.Sw, 0, high, low, imm: f.Imm),
            Opcode.CSd => Rig.Encode(Opcode.Sd, 0, high, low, imm: f.Imm),
            Opcode.CFsd => Rig.Encode(Opcode.Fsd, 0, high, low, imm: f.Imm),
            Opcode.CNop => Rig.Encode(Opcode.Addi, 0, 0, imm: f.Imm),
            Opcode.CAddi => Rig.Encode(Opcode.Addi, rd, rd, imm: f.Imm),
            Opcode.CAddiw => Rig.Encode(Opcode.Addiw, rd, rd, imm: f.Imm),
            Opcode.CLi => Rig.Encode(Opcode.Addi, rd, 0, imm: f.Imm),
            Opcode.CAddi16sp => Rig.Encode(Opcode.Addi, 2, 2, imm: f.Imm),
            Opcode.CLui => Rig.Encode(Opcode.Lui, rd, imm: f.Imm),
            Opcode.CSrli => Rig.Encode(Opcode.Srli, high, high, imm: f.Imm),
            Opcode.CSrai => Rig.Encode(Opcode.Srai, high, high, imm: f.Imm),
            Opcode.CAndi => Rig.Encode(Opcode.Andi, high, high, imm: f.Imm),
            Opcode.CSub => Rig.Encode(Opcode.Sub, high, high, low),
            Opcode.CXor => Rig.Encode(Opcode.Xor, high, high, low),
            Opcode.COr => Rig.Encode(Opcode.Or, high, high, low),
            Opcode.CAnd => Rig.Encode(Opcode.And, high, high, low),
            Opcode.CSubw => Rig.Encode(Opcode.Subw, high, high, low),
            Opcode.CAddw => Rig.Encode(Opcode.Addw, high, high, low),
            Opcode.CJ => Rig.Encode(Opcode.Jal, 0, imm: f.Imm),
            Opcode.CBeqz => Rig.Encode(Opcode.Beq, 0, high, 0, imm: f.Imm),
            Opcode.CBnez => Rig.Encode(Opcode.Bne, 0, high, 0, imm: f.Imm),
            Opcode.CSlli => Rig.Encode(Opcode.Slli, rd, rd, imm: f.Imm),
            Opcode.CLwsp => Rig.Encode(Opcode.Lw, rd, 2, imm: f.Imm),
            Opcode.CLdsp => Rig.Encode(Opcode.Ld, rd, 2, imm: f.Imm),
            Opcode.CFldsp => Rig.Encode(Opcode.Fld, rd, 2, imm: f.Imm),
            Opcode.CJr => Rig.Encode(Opcode.Jalr, 0, rd),
            Opcode.CMv => Rig.Encode(Opcode.Add, rd, 0, rs2),
            Opcode.CEbreak => Rig.Encode(Opcode.Ebreak),
            Opcode.CJalr => Rig.Encode(Opcode.Jalr, 1, rd),
            Opcode.CAdd => Rig.Encode(Opcode.Add, rd, rd, rs2),
            Opcode.CSwsp => Rig.Encode(Opcode.Sw, 0, 2, rs2, imm: f.Imm),
            Opcode.CSdsp => Rig.Encode(Opcode.Sd, 0, 2, rs2, imm: f.Imm),
            Opcode.CFsdsp => Rig.Encode(Opcode.Fsd, 0, 2, rs2, imm: f.Imm),
            _ => throw new InvalidOperationException($"{f.Op} has no expansion here"),
        };
    }

    public static TheoryData<Opcode> Compressed()
    {
        TheoryData<Opcode> data = [];
        foreach (InstructionRow row in InstructionTable.Rows)
        {
            if (row.Extension is Extension.Zca or Extension.Zcd)
                data.Add(row.Op);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Compressed))]
    public void Does_what_its_expansion_does(Opcode op)
    {
        InstructionRow row = InstructionTable.Rows[(int)op];
        Random random = new(4);
        using Rig a = new(), b = new();
        for (int i = 0; i < 300; i++)
        {
            Fields f = InstructionTable.Decode(((uint)random.Next(0x10000) & ~row.Mask) | row.Match);
            // Left out: what expands to another hint, and a branch to what would be the next instruction there.
            if (f.Op != op || (op == Opcode.CMv && f.Rd == 0) || (op is Opcode.CBeqz or Opcode.CBnez or Opcode.CJ && f.Imm == 4))
                continue;
            for (int r = 1; r < 32; r++)
            {
                a.X[r] = b.X[r] = Rig.Data + (ulong)random.Next(0x7000);
                a.F[r] = b.F[r] = (ulong)random.NextInt64();
            }
            uint expansion = Expand(in f);
            a.Execute(f.Raw);
            b.Execute(expansion);
            // What names the instruction's length differs by two: the link register, and the next pc.
            if (op == Opcode.CJalr)
                b.X[1] -= 2;
            if (b.Pc == Rig.Base + 4)
                b.Pc -= 2;
            Assert.Equal(b.Pc, a.Pc);
            for (int r = 0; r < 32; r++)
                Assert.True(a.X[r] == b.X[r] && a.F[r] == b.F[r], $"{Disassembler.Format(in f, 0)}: register {r}");
            Assert.True(a.Ram.Get(8, 0xFFF8).SequenceEqual(b.Ram.Get(8, 0xFFF8)), Disassembler.Format(in f, 0));
        }
    }
}
