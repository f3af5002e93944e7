using System.Globalization;
using System.Text;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>Assembly text of decoded instructions, as <c>objdump -M no-aliases</c> writes it but for spaces.</summary>
public static class Disassembler
{
    private static readonly string[] s_rounding = ["rne", "rtz", "rdn", "rup", "rmm", "", "", "dyn"];

    private static readonly string[] s_x =
    [
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
        "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    ];

    private static readonly string[] s_f =
    [
        "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
        "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
    ];

    /// <summary>ABI name of an integer register.</summary>
    public static string RegisterName(int register) => s_x[register & 31];

    /// <summary>ABI name of a floating-point register.</summary>
    public static string FloatRegisterName(int register) => s_f[register & 31];

    /// <summary>Decodes and formats.</summary>
    /// <param name="raw">16 or 32 bits.</param>
    /// <param name="pc">Where the instruction lies: branch targets are absolute.</param>
    public static string Format(uint raw, ulong pc) => Format(InstructionTable.Decode(raw), pc);

    /// <inheritdoc cref="Format(uint, ulong)"/>
    public static string Format(in Fields f, ulong pc)
    {
        if (f.Op == Opcode.Invalid)
            return f.Length == 2 ? $".2byte 0x{f.Raw:x4}" : $".4byte 0x{f.Raw:x8}";
        ReadOnlySpan<char> syntax = InstructionTable.Rows[(int)f.Op].Syntax;
        StringBuilder text = new();
        while (!syntax.IsEmpty)
        {
            int open = syntax.IndexOf('{');
            if (open < 0)
            {
                text.Append(syntax);
                break;
            }
            text.Append(syntax[..open]);
            int close = syntax.IndexOf('}');
            text.Append(Operand(syntax[(open + 1)..close], in f, pc));
            syntax = syntax[(close + 1)..];
        }
        return text.ToString();
    }

    private static string Operand(ReadOnlySpan<char> name, in Fields f, ulong pc) => name switch
    {
        "rd" => s_x[f.Rd],
        "rs1" => s_x[f.Rs1],
        "rs2" => s_x[f.Rs2],
        "frd" => s_f[f.Rd],
        "frs1" => s_f[f.Rs1],
        "frs2" => s_f[f.Rs2],
        "frs3" => s_f[f.Rs3],
        "imm" => f.Imm.ToString(CultureInfo.InvariantCulture),
        "hex" => $"0x{f.Imm:x}",
        "uimm20" => $"0x{((uint)f.Imm >> 12):x}",
        "target" => $"0x{pc + f.Immediate:x}",
        "csr" => CsrName(f.Imm),
        "zimm" => f.Rs1.ToString(CultureInfo.InvariantCulture),
        "rm" => f.Rm == 7 ? "" : ", " + s_rounding[f.Rm],
        "rne" => f.Rm == 0 ? "" : ", " + s_rounding[f.Rm],
        "aqrl" => f.Rm switch { 0 => "", 1 => ".rl", 2 => ".aq", _ => ".aqrl" },
        "pred" => FenceSet(f.Imm >> 4),
        "succ" => FenceSet(f.Imm),
        _ => throw new InvalidOperationException($"the syntax of {f.Op} has an unknown operand {name}"),
    };

    private static string CsrName(int csr) => CsrTable.Find(csr)?.Name ?? $"0x{csr:x}";

    private static string FenceSet(int set)
        => (set & 15) == 0 ? "unknown" : string.Concat((set & 8) != 0 ? "i" : "", (set & 4) != 0 ? "o" : "", (set & 2) != 0 ? "r" : "", (set & 1) != 0 ? "w" : "");
}
