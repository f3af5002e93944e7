namespace Myna.Cpu.RiscV.Instructions;

/// <summary>A row of the instruction table as data: for the disassembler, tests and instruction synthesis.</summary>
/// <param name="Syntax">See <see cref="InstructionAttribute"/>.</param>
/// <param name="Mask">The bits that the encoding fixes.</param>
/// <param name="Match">Their values.</param>
/// <param name="Length">Bytes: 2 or 4.</param>
public sealed record InstructionRow(Opcode Op, string Pattern, string Syntax, uint Mask, uint Match, int Length, Extension Extension)
{
    /// <summary>The name in front of the operands, without .aq and .rl.</summary>
    public string Mnemonic { get; } = Syntax.Split(' ', '{')[0];
}
