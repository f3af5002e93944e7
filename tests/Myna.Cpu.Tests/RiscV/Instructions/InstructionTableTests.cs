using Myna.Cpu.RiscV.Instructions;

namespace Myna.Cpu.Tests.RiscV.Instructions;

public class InstructionTableTests
{
    [Fact]
    public void Rows_stand_at_their_opcodes()
    {
        for (int i = 0; i < InstructionTable.Rows.Length; i++)
            Assert.Equal((Opcode)i, InstructionTable.Rows[i].Op);
        Assert.Equal(Enum.GetValues<Opcode>().Length, InstructionTable.Rows.Length);
    }

    // The decoder is a tree; the reference here is a search of all rows, most fixed bits first.
    [Fact]
    public void The_tree_agrees_with_a_linear_search()
    {
        InstructionRow[] rows = [.. InstructionTable.Rows.ToArray().Skip(1).OrderByDescending(r => uint.PopCount(r.Mask))];
        Random random = new(1);
        for (int i = 0; i < 200_000; i++)
        {
            uint raw = (uint)random.NextInt64(1L << 32);
            InstructionRow near = rows[i % rows.Length];
            if ((i & 1) == 0)
                raw = (raw & ~near.Mask) | near.Match;
            if ((raw & 3) != 3)
                raw &= 0xFFFF;
            Fields f = InstructionTable.Decode(raw);
            Opcode expected = Opcode.Invalid;
            foreach (InstructionRow row in rows)
            {
                if (row.Length == ((raw & 3) == 3 ? 4 : 2) && (raw & row.Mask) == row.Match && !Excluded(row, raw))
                {
                    expected = row.Op;
                    break;
                }
            }
            Assert.True(expected == f.Op, $"{raw:x8}: expected {expected}, decoded {f.Op}");
            Assert.Equal(raw, f.Raw);
            Assert.Equal((raw & 3) == 3 ? 4 : 2, f.Length);
        }
    }

    [Fact]
    public void Encoding_a_decoded_instruction_gives_it_back()
    {
        Random random = new(2);
        foreach (InstructionRow row in InstructionTable.Rows[1..])
        {
            for (int i = 0; i < 200; i++)
            {
                uint raw = ((uint)random.NextInt64(1L << 32) & ~row.Mask) | row.Match;
                if (row.Length == 2)
                    raw &= 0xFFFF;
                Fields f = InstructionTable.Decode(raw);
                if (f.Op != Opcode.Invalid)
                    Assert.Equal(raw & ~Ignored(f.Op), InstructionTable.Encode(in f) & ~Ignored(f.Op));
            }
        }
    }

    // Encodings the manual reserves (tables "RVC Instruction listing" and "rounding mode encoding").
    [Theory]
    [InlineData(0x0000u)] // defined illegal
    [InlineData(0x0004u)] // c.addi4spn, nzuimm = 0
    [InlineData(0x2001u)] // c.addiw, rd = 0
    [InlineData(0x6101u)] // c.addi16sp, nzimm = 0
    [InlineData(0x6081u)] // c.lui, nzimm = 0
    [InlineData(0x4002u)] // c.lwsp, rd = 0
    [InlineData(0x6002u)] // c.ldsp, rd = 0
    [InlineData(0x8002u)] // c.jr, rs1 = 0
    [InlineData(0x8000u)] // reserved in quadrant 0
    [InlineData(0x9C41u)] // reserved beside c.subw
    [InlineData(0x9C61u)]
    [InlineData(0xFFFFFFFFu)]
    [InlineData(0x00A5D553u)] // fadd.s with rm = 5
    [InlineData(0x00A5E553u)] // fadd.s with rm = 6
    [InlineData(0x0000705Bu)] // custom opcode
    [InlineData(0x2205151Bu)] // slliw with shamt[5] set
    [InlineData(0x00104073u)] // SYSTEM with funct3 = 4
    public void Reserved_encodings_are_invalid(uint raw) => Assert.Equal(Opcode.Invalid, InstructionTable.Decode(raw).Op);

    // Hand-assembled from the manual's tables, one per immediate format.
    [Theory]
    [InlineData(0xFFF10093u, Opcode.Addi, 1, 2, -1)]
    [InlineData(0x80000537u, Opcode.Lui, 10, 0, unchecked((int)0x80000000))]
    [InlineData(0xFE209EE3u, Opcode.Bne, 0, 1, -4)]
    [InlineData(0xFE112E23u, Opcode.Sw, 0, 2, -4)]
    [InlineData(0xFFDFF06Fu, Opcode.Jal, 0, 0, -4)]
    [InlineData(0x03F51513u, Opcode.Slli, 10, 10, 63)]
    [InlineData(0x1101u, Opcode.CAddi, 2, 2, -32)]
    [InlineData(0x7179u, Opcode.CAddi16sp, 2, 2, -48)]
    [InlineData(0x0808u, Opcode.CAddi4spn, 10, 2, 16)]
    [InlineData(0x757Du, Opcode.CLui, 10, 0, -4096)]
    [InlineData(0xBFFDu, Opcode.CJ, 0, 0, -2)]
    [InlineData(0xDD7Du, Opcode.CBeqz, 0, 10, -2)]
    [InlineData(0x60E2u, Opcode.CLdsp, 1, 2, 24)]
    [InlineData(0xEC06u, Opcode.CSdsp, 0, 2, 24)]
    [InlineData(0x9782u, Opcode.CJalr, 1, 15, 0)]
    [InlineData(0x8082u, Opcode.CJr, 0, 1, 0)]
    public void Known_encodings_decode(uint raw, Opcode op, int rd, int rs1, int imm)
    {
        Fields f = InstructionTable.Decode(raw);
        Assert.Equal((op, rd, rs1, imm), (f.Op, f.Rd, f.Rs1, f.Imm));
    }

    // The ignored fields of FENCE and FENCE.I.
    private static uint Ignored(Opcode op) => op is Opcode.Fence or Opcode.FenceI ? 0x000F8F80u : 0;

    private static bool Excluded(InstructionRow row, uint raw)
    {
        int high = row.Length * 8;
        uint nonzero = 0;
        bool needsNonzero = false;
        foreach (string token in row.Pattern.Split(' '))
        {
            string name = token.Split("!=")[0];
            int width = token[0] is '0' or '1' ? token.Length : Width(name);
            high -= width;
            uint value = (raw >> high) & ((1u << width) - 1);
            if (token.StartsWith("nz", StringComparison.Ordinal))
            {
                needsNonzero = true;
                nonzero |= value;
            }
            if (token.Contains("!=") && token.Split("!=")[1].Split(',').Any(v => uint.Parse(v) == value))
                return true;
            if (token == "rm" && value is 5 or 6)
                return true;
        }
        return needsNonzero && nonzero == 0;
    }

    private static int Width(string name)
    {
        if (name.Contains('['))
        {
            return name[(name.IndexOf('[') + 1)..^1].Split('|').Sum(r =>
            {
                string[] ends = r.Split(':');
                return int.Parse(ends[0]) - int.Parse(ends[^1]) + 1;
            });
        }
        return name switch { "csr" => 12, "fm" or "pred" or "succ" => 4, "rm" => 3, "aq" or "rl" => 1, _ => name.Contains('\'') ? 3 : 5 };
    }
}
