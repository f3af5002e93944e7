namespace Myna.Jit.Operations;

/// <summary>Where the operands of a <see cref="VectorOp"/> stand in the host instruction (Intel SDM volume 2, "Operand Encoding").</summary>
public enum VectorForm
{
    /// <summary>reg = op(rm: a).</summary>
    Unary,
    /// <summary>reg = op(vvvv: a, rm: b).</summary>
    Binary,
    /// <summary>reg = op(reg: a, vvvv: b, rm: c).</summary>
    Ternary,
    /// <summary>reg = op(vvvv: a, rm: b, imm8[7:4]: c).</summary>
    Blend,
    /// <summary>vvvv = op(rm: a), reg is part of the opcode.</summary>
    ShiftImmediate,
    /// <summary>rm = op(reg: a).</summary>
    UnaryStore,
    /// <summary>Not VEX-encoded: reg = op(reg: a, rm: b).</summary>
    Legacy,
    /// <summary>Not VEX-encoded: reg = op(reg: a, rm: b, XMM0: c).</summary>
    LegacyXmm0,
    /// <summary>Integer reg = op(rm: a).</summary>
    ToInteger,
    /// <summary>Integer rm = op(reg: a).</summary>
    ToIntegerStore,
    /// <summary>reg = op(integer rm).</summary>
    FromInteger,
    /// <summary>reg = op(vvvv: a, integer rm).</summary>
    Insert,
    /// <summary>Flags = op(reg: a, rm: b).</summary>
    Compare,
    /// <summary>ECX or XMM0, and flags = op(reg: a, rm: b, EAX, EDX).</summary>
    String,
}

/// <summary>The bits of a <see cref="VectorOp"/>.</summary>
public static class VectorEncoding
{
    // Bits 15:0 tell the operations apart: opcode 7:0, mandatory prefix 9:8 (none, 66, F3, F2), opcode map 11:10 (0F, 0F 38, 0F 3A),
    // W 12, opcode extension in ModRM.reg 15:13.
    internal const uint P66 = 1 << 8, PF3 = 2 << 8, PF2 = 3 << 8;
    internal const uint M0F = 1 << 10, M38 = 2 << 10, M3A = 3 << 10;
    internal const uint W = 1 << 12;

    /// <summary>The operation reads MXCSR and can raise SIMD floating-point exceptions.</summary>
    internal const uint Fp = 1 << 16;
    /// <summary>An imm8 follows.</summary>
    internal const uint Imm = 1 << 17;
    private const int FormShift = 18, HighShift = 22;
    internal const uint Unary = (uint)VectorForm.Unary << FormShift, Binary = (uint)VectorForm.Binary << FormShift,
        Ternary = (uint)VectorForm.Ternary << FormShift, Blend = (uint)VectorForm.Blend << FormShift,
        UnaryStore = (uint)VectorForm.UnaryStore << FormShift, ShiftImm = ((uint)VectorForm.ShiftImmediate << FormShift) | Imm,
        Legacy = (uint)VectorForm.Legacy << FormShift, LegacyXmm0 = (uint)VectorForm.LegacyXmm0 << FormShift,
        ToInt = (uint)VectorForm.ToInteger << FormShift, ToIntStore = (uint)VectorForm.ToIntegerStore << FormShift,
        FromInt = (uint)VectorForm.FromInteger << FormShift, Insert = (uint)VectorForm.Insert << FormShift,
        Compare = (uint)VectorForm.Compare << FormShift, Strings = ((uint)VectorForm.String << FormShift) | Imm;

    /// <summary>The 256-bit form applies imm8 shifted right by so many bits to its upper half.</summary>
    internal const uint High2 = 2 << HighShift, High3 = 3 << HighShift, High4 = 4 << HighShift;

    internal static uint Group(uint n) => n << 13;

    /// <summary>Number of the operation, below <see cref="Count"/>: what tells it apart.</summary>
    public static int Index(this VectorOp op) => (int)op & 0xFFFF;
    public const int Count = 1 << 16;

    public static int Opcode(this VectorOp op) => (int)op & 0xFF;
    /// <summary>VEX.pp.</summary>
    public static int Prefix(this VectorOp op) => (int)((uint)op >> 8) & 3;
    /// <summary>VEX.mmmmm.</summary>
    public static int Map(this VectorOp op) => (int)((uint)op >> 10) & 3;
    public static bool IsWide(this VectorOp op) => ((uint)op & W) != 0;
    /// <summary>The same operation on or to an integer of 64 bits.</summary>
    public static VectorOp Wide(this VectorOp op) => op | (VectorOp)W;
    public static int Extension(this VectorOp op) => (int)((uint)op >> 13) & 7;
    public static bool IsFloat(this VectorOp op) => ((uint)op & Fp) != 0;
    public static bool HasImmediate(this VectorOp op) => ((uint)op & Imm) != 0;
    public static VectorForm Form(this VectorOp op) => (VectorForm)((uint)op >> FormShift & 15);

    /// <summary>The imm8 of the operation on bits 255:128, for the imm8 of a 256-bit instruction.</summary>
    public static byte HighImmediate(this VectorOp op, byte imm) => (byte)(imm >> ((int)op >> HighShift & 7));
}
