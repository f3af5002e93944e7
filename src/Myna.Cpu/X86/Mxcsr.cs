namespace Myna.Cpu.X86;

/// <summary>MXCSR (Intel SDM volume 1, section 10.2.3) and the SIMD floating-point exceptions (section 11.5).</summary>
internal static class Mxcsr
{
    /// <summary>IE, DE, ZE, OE, UE, PE in bits 5:0, their masks 7 bits higher.</summary>
    public const uint Flags = 0x3F, Masks = Flags << MaskShift;
    private const int MaskShift = 7;

    /// <summary>After reset.</summary>
    public const uint Reset = Masks;

    /// <summary>Setting any other bit is #GP; MXCSR_MASK of FXSAVE.</summary>
    public const uint Defined = 0xFFFF;

    public const uint Underflow = 1 << 4, FlushToZero = 1 << 15;
    private const uint PreComputation = 7;

    public static bool IsUnderflowMasked(uint mxcsr) => (mxcsr & (Underflow << MaskShift)) != 0;

    /// <summary>MXCSR for trying an operation: nothing traps, no flag is set yet.</summary>
    /// <remarks>Flush-to-zero works with underflow masked only.</remarks>
    public static uint ForTrial(uint mxcsr) => ((mxcsr | Masks) & ~Flags) & ~(IsUnderflowMasked(mxcsr) ? 0 : FlushToZero);

    /// <summary>Sets the flags that a tried operation raised; true when one of them is unmasked.</summary>
    /// <remarks>
    /// Invalid, denormal and divide by zero are found before the computation: when one of them is unmasked, nothing is computed
    /// that could raise the others (Intel SDM volume 1, section 11.5.2). LIMIT: with unmasked overflow or underflow, PE should tell whether the
    /// result with an unbounded exponent is inexact; here it is set.
    /// </remarks>
    public static bool Raise(ref uint mxcsr, uint raised)
    {
        uint unmasked = ~(mxcsr >> MaskShift) & Flags;
        if ((raised & unmasked & PreComputation) != 0)
            raised &= PreComputation;
        mxcsr |= raised;
        return (raised & unmasked) != 0;
    }
}
