using Myna.Jit.Operations;

namespace Myna.Cpu.Float;

internal static partial class Arithmetic<TFormat, TNaN>
{
    /// <summary>Integers in the order of the numbers, -0 just below +0.</summary>
    private static long Order(ulong a) => IsNegative(a) ? ~(long)(a & MagnitudeMask) : (long)(a & MagnitudeMask);

    public static ulong MinMax(ulong a, ulong b, bool wantLess, ref FloatFlags flags)
    {
        a &= SignBit | MagnitudeMask;
        b &= SignBit | MagnitudeMask;
        if (IsNaN(a) || IsNaN(b))
        {
            ulong nan = NaN(a, b, ref flags);
            return !IsNaN(a) ? a : !IsNaN(b) ? b : nan;
        }
        return (Order(a) < Order(b)) == wantLess ? a : b;
    }

    public static bool Compare(FloatCompare compare, ulong a, ulong b, ref FloatFlags flags)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            if (compare is FloatCompare.LtSignalling or FloatCompare.LeSignalling || IsSignalling(a) || IsSignalling(b))
                flags |= FloatFlags.Invalid;
            return false;
        }
        bool zeros = IsZero(a) && IsZero(b);
        return compare switch
        {
            FloatCompare.EqQuiet => zeros || Order(a) == Order(b),
            FloatCompare.LtSignalling or FloatCompare.LtQuiet => !zeros && Order(a) < Order(b),
            _ => zeros || Order(a) <= Order(b),
        };
    }

    /// <summary>RISC-V F extension, "Floating-Point Classify Instruction".</summary>
    public static uint Class(ulong a)
    {
        if (IsNaN(a))
            return IsSignalling(a) ? 1u << 8 : 1u << 9;
        int kind = IsInfinite(a) ? 3 : IsZero(a) ? 0 : (a & MagnitudeMask) < HiddenBit ? 1 : 2;
        return 1u << (IsNegative(a) ? 3 - kind : 4 + kind);
    }
}
