using Myna.Cpu.RiscV.Instructions;

namespace Myna.Fuzz.RiscV;

/// <summary>A few lines of machine code, from the instruction table.</summary>
internal sealed class Assembler
{
    private readonly List<(Fields Fields, string? Target)> _code = [];
    private readonly Dictionary<string, int> _labels = [];

    public void Label(string name) => _labels[name] = _code.Count * 4;

    public void Emit(Opcode op, int rd = 0, int rs1 = 0, int rs2 = 0, int imm = 0, string? target = null) =>
        _code.Add((new Fields(op, 4, 0, (uint)rd, (uint)rs1, (uint)rs2, 0, imm), target));

    public int OffsetOf(string label) => _labels[label];

    public uint[] Assemble()
    {
        var words = new uint[_code.Count];
        for (int i = 0; i < words.Length; i++)
        {
            (Fields f, string? target) = _code[i];
            int imm = target is null ? f.Imm : _labels[target] - i * 4;
            words[i] = InstructionTable.Encode(new Fields(f.Op, 4, 0, f.Rd, f.Rs1, f.Rs2, 0, imm));
        }
        return words;
    }
}
