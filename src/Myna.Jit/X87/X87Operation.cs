using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Myna.Jit.X87;

/// <summary>
/// Operations of the x87 FPU. The value is the encoding with which the host executes one: first byte and ModRM byte (Intel
/// SDM volume 2, appendix B.17), a memory operand as mod 0, rm 0. S0 is <see cref="X87Operands.A"/>, S1 <see cref="X87Operands.B"/>.
/// Forms that pop are executed without popping where both exist.
/// </summary>
public enum X87Operation : ushort
{
    None,

    // S0 := S0 op S1; SubReverse: S0 := S1 - S0.
    Add = 0xD8C1, Multiply = 0xD8C9, Subtract = 0xD8E1, SubtractReverse = 0xD8E9, Divide = 0xD8F1, DivideReverse = 0xD8F9,
    // S1 := S1 op S0; the reversed: S0 - S1.
    AddTo = 0xDCC1, MultiplyTo = 0xDCC9, SubtractReverseTo = 0xDCE1, SubtractFrom = 0xDCE9, DivideReverseTo = 0xDCF1, DivideFrom = 0xDCF9,

    // S0 := S0 op memory: float32, int32, float64, int16.
    AddSingle = 0xD800, MultiplySingle = 0xD808, SubtractSingle = 0xD820, SubtractReverseSingle = 0xD828, DivideSingle = 0xD830, DivideReverseSingle = 0xD838,
    AddInt32 = 0xDA00, MultiplyInt32 = 0xDA08, SubtractInt32 = 0xDA20, SubtractReverseInt32 = 0xDA28, DivideInt32 = 0xDA30, DivideReverseInt32 = 0xDA38,
    AddDouble = 0xDC00, MultiplyDouble = 0xDC08, SubtractDouble = 0xDC20, SubtractReverseDouble = 0xDC28, DivideDouble = 0xDC30, DivideReverseDouble = 0xDC38,
    AddInt16 = 0xDE00, MultiplyInt16 = 0xDE08, SubtractInt16 = 0xDE20, SubtractReverseInt16 = 0xDE28, DivideInt16 = 0xDE30, DivideReverseInt16 = 0xDE38,

    // Comparisons of S0 with S1, memory, or zero; classification.
    Compare = 0xD8D1, CompareQuiet = 0xDDE1, CompareSingle = 0xD810, CompareInt32 = 0xDA10, CompareDouble = 0xDC10, CompareInt16 = 0xDE10,
    Test = 0xD9E4, Examine = 0xD9E5,
    // With the result in EFLAGS.
    CompareFlags = 0xDBF1, CompareQuietFlags = 0xDBE9,

    // R0 := memory.
    LoadSingle = 0xD900, LoadDouble = 0xDD00, LoadInt16 = 0xDF00, LoadInt32 = 0xDB00, LoadInt64 = 0xDF28, LoadDecimal = 0xDF20,

    // Memory := S0.
    StoreSingle = 0xD910, StoreDouble = 0xDD10, StoreInt16 = 0xDF10, StoreInt32 = 0xDB10,
    // These pop.
    StoreInt64 = 0xDF38, StoreDecimal = 0xDF30, TruncateInt16 = 0xDF08, TruncateInt32 = 0xDB08, TruncateInt64 = 0xDD08,

    // R0 := the constant, rounded.
    One = 0xD9E8, Log2Ten = 0xD9E9, Log2E = 0xD9EA, Pi = 0xD9EB, Log10Two = 0xD9EC, LnTwo = 0xD9ED, Zero = 0xD9EE,

    // S0 := f(S0) or f(S0, S1).
    TwoToXMinus1 = 0xD9F0, PartialRemainderIeee = 0xD9F5, PartialRemainder = 0xD9F8, SquareRoot = 0xD9FA, RoundToInteger = 0xD9FC, Scale = 0xD9FD, Sine = 0xD9FE, Cosine = 0xD9FF,

    // These pop: R0 := f(S0, S1).
    YLog2X = 0xD9F1, ArcTangent = 0xD9F3, YLog2XPlus1 = 0xD9F9,
    // These push: R1, R0 := f(S0).
    Tangent = 0xD9F2, Extract = 0xD9F4, SineCosine = 0xD9FB,
}

/// <summary>Operands and results of one <see cref="X87Operation"/>. 80-bit values: the significand, then sign and exponent in the second half's low 16 bits.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
public struct X87Operands
{
    /// <summary>ST(0) before the operation.</summary>
    [FieldOffset(0)] public Vector128<ulong> A;

    /// <summary>ST(1) before the operation.</summary>
    [FieldOffset(16)] public Vector128<ulong> B;

    /// <summary>The memory operand, source or destination.</summary>
    [FieldOffset(32)] public Vector128<ulong> Memory;

    /// <summary>ST(0), ST(1), ST(2) after the operation, as many as there are; bits 127:80 are not written.</summary>
    [FieldOffset(48)] public Vector128<ulong> R0;
    [FieldOffset(64)] public Vector128<ulong> R1;
    [FieldOffset(80)] public Vector128<ulong> R2;

    /// <summary>
    /// Control word: masks, precision and rounding are those of the operation. With an exception unmasked the results are
    /// those the processor leaves behind then.
    /// </summary>
    [FieldOffset(96)] public ushort Control;

    /// <summary>Status word after the operation: exceptions of this operation only, condition codes, TOP (0 before the operands were pushed, in operations that push or pop).</summary>
    [FieldOffset(98)] public ushort Status;

    /// <summary>The control word that the host's ABI wants.</summary>
    [FieldOffset(100)] internal ushort HostControl;

    /// <summary>EFLAGS after the operations that give it.</summary>
    [FieldOffset(104)] public ulong Flags;
}
