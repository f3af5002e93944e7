using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV.Instructions;

/// <summary>An instruction, decoded once. Fields that the encoding lacks are zero.</summary>
public readonly struct Fields
{
    public Fields(Opcode op, int length, uint raw, uint rd = 0, uint rs1 = 0, uint rs2 = 0, uint rs3 = 0, int imm = 0, uint rm = 0)
    {
        Op = op;
        Length = (byte)length;
        Raw = raw;
        Rd = (byte)rd;
        Rs1 = (byte)rs1;
        Rs2 = (byte)rs2;
        Rs3 = (byte)rs3;
        Imm = imm;
        Rm = (byte)rm;
    }

    /// <summary><see cref="Opcode.Invalid"/> for an encoding that no row matches.</summary>
    public readonly Opcode Op;

    /// <summary>Bytes: 2 or 4.</summary>
    public readonly byte Length;

    /// <summary>The rm field; for atomics aq (2) and rl (1).</summary>
    public readonly byte Rm;
    public readonly byte Rd;
    public readonly byte Rs1;
    public readonly byte Rs2;
    public readonly byte Rs3;

    /// <summary>The immediate, extended as its format says; a CSR's number; fm, pred and succ of FENCE.</summary>
    public readonly int Imm;

    /// <summary>The encoding; 16-bit instructions have zeros above.</summary>
    public readonly uint Raw;

    /// <summary>The immediate as a 64-bit value.</summary>
    public ulong Immediate => (ulong)(long)Imm;

    /// <summary>The rounding mode that rm names; the decoder lets no reserved one through.</summary>
    public Rounding Rounding => Rm == 7 ? Rounding.Dynamic : (Rounding)Rm;
}
