using Iced.Intel;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>What an operand is.</summary>
public enum OperandKind : byte
{
    None,
    /// <summary>A general register; of 1 byte: bits 7:0.</summary>
    Gpr,
    /// <summary>AH, CH, DH, BH: bits 15:8 of registers 0 to 3.</summary>
    GprHigh,
    /// <summary>The instruction's memory operand (<see cref="Insn.Segment"/> and following).</summary>
    Memory,
    /// <summary><see cref="Insn.Immediate"/>, sign- or zero-extended to 64 bits as the instruction defines.</summary>
    Immediate,
    /// <summary>The second immediate of ENTER, EXTRQ, INSERTQ.</summary>
    Immediate2,
    /// <summary>A near branch: <see cref="Insn.Immediate"/> is the signed distance from the end of the instruction.</summary>
    Relative,
    /// <summary>A far pointer: offset in <see cref="Insn.Immediate"/>, selector in <see cref="Insn.Displacement"/>.</summary>
    Far,
    Xmm,
    Ymm,
    Mmx,
    Segment,
    Control,
    Debug,
    /// <summary>An x87 stack register ST(n).</summary>
    St,
}

/// <summary>One operand. <paramref name="Size"/> is in bytes (1 to 64; 0 when the instruction has none, e.g. LEA, INVLPG).</summary>
public readonly record struct Operand(OperandKind Kind, byte Register, byte Size)
{
    private readonly MemSize _width = Size switch { 1 => MemSize.B1, 2 => MemSize.B2, 4 => MemSize.B4, _ => MemSize.B8 };

    /// <summary>For integer operands.</summary>
    public MemSize Width => _width;
}

/// <summary>Prefixes that semantics look at.</summary>
[Flags]
public enum Prefixes : byte
{
    None = 0,
    Lock = 1,
    /// <summary>F3 where it is a prefix: REP, REPE.</summary>
    Rep = 2,
    /// <summary>F2 where it is a prefix: REPNE.</summary>
    Repne = 4,
    /// <summary>VEX encoding: three-operand form, upper bits are zeroed.</summary>
    Vex = 8,
    /// <summary>VEX.L: 256 bits.</summary>
    L256 = 16,
}

/// <summary>
/// An x86 instruction, decoded once. It says nothing about where it lies: branches and RIP-relative addresses are distances.
/// Memory operand: segment base + ((base + (index shl scale) + displacement) modulo 2^address size).
/// </summary>
public struct Insn
{
    public const int NoRegister = 255;
    /// <summary>Value of <see cref="Base"/>: the address of the next instruction.</summary>
    public const int Rip = 16;

    /// <summary>Index of the method that is the instruction's semantics; 0 for an undefined opcode (#UD).</summary>
    public ushort Handler;

    public Mnemonic Mnemonic;

    /// <summary>Iced's name of the encoding, for what <see cref="Mnemonic"/> does not tell apart.</summary>
    public Code Code;

    /// <summary>Bytes, 1 to 15.</summary>
    public byte Length;

    /// <summary>Number of operands.</summary>
    public byte OperandCount;

    public Prefixes Prefixes;

    /// <summary>Effective operand size by prefixes and mode (B2, B4, B8), e.g. for PUSH, RET, IRET, string instructions.</summary>
    public MemSize OperandSize;

    /// <summary>Effective address size: B2, B4, B8.</summary>
    public MemSize AddressSize;

    public Operand Op0, Op1, Op2, Op3;

    /// <summary>Segment of the memory operand, overrides applied.</summary>
    public SegmentRegister Segment;

    /// <summary>General register, <see cref="Rip"/>, or <see cref="NoRegister"/>.</summary>
    public byte Base;

    /// <summary>General register, <see cref="NoRegister"/>; for gathers the XMM or YMM register.</summary>
    public byte Index;

    /// <summary>0 to 3.</summary>
    public byte Scale;

    /// <summary>Sign-extended to 64 bits.</summary>
    public ulong Displacement;
    /// <summary>Of x87 instructions: bits 2:0 of the first byte and the ModRM byte, as the FPU's opcode register has them.</summary>
    public ulong Immediate;
    /// <summary>Condition of Jcc, SETcc, CMOVcc: the opcode's low four bits (O NO B AE E NE BE A S NS P NP L GE LE G).</summary>
    public byte Condition;
    /// <summary>The second immediate, 8 bits.</summary>
    public byte Immediate2;

    public readonly bool HasLock => (Prefixes & Prefixes.Lock) != 0;
    public readonly bool IsVex => (Prefixes & Prefixes.Vex) != 0;
    public readonly bool Is256 => (Prefixes & Prefixes.L256) != 0;
}
