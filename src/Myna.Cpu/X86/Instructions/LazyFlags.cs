using System.Numerics;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86.Instructions;

/// <summary>
/// What the lazy flag slots mean: the operation that set the arithmetic flags last. <see cref="X86Registers.FlagOp"/> is
/// this times 4 plus the width (<see cref="MemSize"/>). A, B and R are the other slots, upper bits unspecified.
/// </summary>
public enum FlagKind
{
    /// <summary>R holds the six bits where RFLAGS has them, all others zero.</summary>
    Explicit,
    /// <summary>R is the result; CF, OF and AF are 0.</summary>
    Logic,
    /// <summary>R = A + addend.</summary>
    Add,
    /// <summary>The result is A - B; R is unspecified.</summary>
    Sub,
    /// <summary>R = A + B + CF.</summary>
    Adc,
    /// <summary>R = A - B - CF.</summary>
    Sbb,
    /// <summary>R = operand + 1, B = CF (all 64 bits: 0 or 1).</summary>
    Inc,
    /// <summary>R = operand - 1, B = CF.</summary>
    Dec,
    /// <summary>R is A shifted by B, which is 1 to 63; SHLD too. AF is undefined for all shifts; AMD's processors set it.</summary>
    Shl,
    /// <summary>As <see cref="Shl"/>; SHRD too.</summary>
    Shr,
    Sar,
    /// <summary>R is the low half of an unsigned product, B the high half, zero-extended: CF and OF are set unless it is 0.</summary>
    Mul,
    /// <summary>R = A - B; A is unspecified.</summary>
    Difference,
    /// <summary>R is the low half of the signed product of A and B: CF and OF are set when it is not all of it.</summary>
    Imul,
    /// <summary>ZF, SF and PF are those of R, CF is bit 0 of B and OF bit 11, AF is bit 4 of A: what rotations and bit tests leave.</summary>
    Parts,
}

/// <summary>The arithmetic flags' bits in RFLAGS, and their values from the lazy slots as plain arithmetic.</summary>
public static class LazyFlags
{
    public const ulong CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;
    public const ulong All = CF | PF | AF | ZF | SF | OF;

    /// <summary>The value of <see cref="X86Registers.FlagOp"/>.</summary>
    public static ulong Op(FlagKind kind, MemSize width) => ((ulong)kind * 4) + (ulong)width;

    /// <summary>The six flags from the four slots.</summary>
    public static ulong Compute(ulong op, ulong a, ulong b, ulong r)
    {
        var kind = (FlagKind)(op >> 2);
        int bits = 8 << (int)(op & 3);
        int sign = bits - 1;
        ulong mask = ulong.MaxValue >> (64 - bits);
        bool carry = false, overflow = false, adjust = false;
        switch (kind)
        {
            case FlagKind.Explicit:
                return r & All;
            case FlagKind.Logic:
                break;
            case FlagKind.Add:
                b = r - a;
                carry = (r & mask) < (a & mask);
                overflow = (((a ^ r) & (b ^ r)) >> sign & 1) != 0;
                adjust = ((a ^ b ^ r) & 0x10) != 0;
                break;
            case FlagKind.Sub or FlagKind.Difference:
                if (kind == FlagKind.Sub)
                    r = a - b;
                else
                    a = r + b;
                carry = (a & mask) < (b & mask);
                overflow = (((a ^ b) & (a ^ r)) >> sign & 1) != 0;
                adjust = ((a ^ b ^ r) & 0x10) != 0;
                break;
            case FlagKind.Adc:
                carry = (((a & b) | ((a | b) & ~r)) >> sign & 1) != 0;
                overflow = (((a ^ r) & (b ^ r)) >> sign & 1) != 0;
                adjust = ((a ^ b ^ r) & 0x10) != 0;
                break;
            case FlagKind.Sbb:
                carry = (((~a & b) | (~(a ^ b) & r)) >> sign & 1) != 0;
                overflow = (((a ^ b) & (a ^ r)) >> sign & 1) != 0;
                adjust = ((a ^ b ^ r) & 0x10) != 0;
                break;
            case FlagKind.Inc:
                carry = b != 0;
                overflow = (r & mask) == 1UL << sign;
                adjust = (r & 0xF) == 0;
                break;
            case FlagKind.Dec:
                carry = b != 0;
                overflow = (r & mask) == mask >> 1;
                adjust = (r & 0xF) == 0xF;
                break;
            case FlagKind.Shl:
                carry = ((a << ((int)b - 1)) >> sign & 1) != 0;
                adjust = true;
                overflow = carry != ((r >> sign & 1) != 0);
                break;
            case FlagKind.Shr:
                carry = ((a & mask) >> ((int)b - 1) & 1) != 0;
                adjust = true;
                overflow = ((r ^ (r << 1)) >> sign & 1) != 0;
                break;
            case FlagKind.Sar:
                carry = ((long)(a << (64 - bits)) >> (64 - bits) >> ((int)b - 1) & 1) != 0;
                adjust = true;
                break;
            case FlagKind.Mul:
                carry = overflow = b != 0;
                break;
            case FlagKind.Imul:
                int unused = 64 - bits;
                Int128 product = (Int128)((long)(a << unused) >> unused) * ((long)(b << unused) >> unused);
                carry = overflow = product != (long)(r << unused) >> unused;
                break;
            case FlagKind.Parts:
                carry = (b & CF) != 0;
                overflow = (b & OF) != 0;
                adjust = (a & AF) != 0;
                break;
        }
        return (carry ? CF : 0) | (overflow ? OF : 0) | (adjust ? AF : 0)
            | ((r & mask) == 0 ? ZF : 0) | ((r >> sign & 1) != 0 ? SF : 0) | ((BitOperations.PopCount(r & 0xFF) & 1) == 0 ? PF : 0);
    }

    /// <summary>One of the 16 conditions (the low four bits of Jcc) from the four slots.</summary>
    public static bool Holds(int condition, ulong op, ulong a, ulong b, ulong r)
    {
        int unused = 64 - (8 << (int)(op & 3));
        bool holds;
        switch ((FlagKind)(op >> 2))
        {
            case FlagKind.Sub:
                a <<= unused;
                b <<= unused;
                switch (condition >> 1)
                {
                    case 1: holds = a < b; break;
                    case 2: holds = a == b; break;
                    case 3: holds = a <= b; break;
                    case 4: holds = (long)(a - b) < 0; break;
                    case 6: holds = (long)a < (long)b; break;
                    case 7: holds = (long)a <= (long)b; break;
                    default: return HoldsExplicit(condition, Compute(op, a >> unused, b >> unused, r));
                }
                break;
            case FlagKind.Logic:
                r <<= unused;
                switch (condition >> 1)
                {
                    case 2 or 3: holds = r == 0; break;
                    case 4 or 6: holds = (long)r < 0; break;
                    case 7: holds = (long)r <= 0; break;
                    case 5: return HoldsExplicit(condition, Compute(op, a, b, r >> unused));
                    default: holds = false; break;
                }
                break;
            case FlagKind.Explicit:
                return HoldsExplicit(condition, r);
            default:
                if (condition >> 1 != 2)
                    return HoldsExplicit(condition, Compute(op, a, b, r));
                holds = r << unused == 0;
                break;
        }
        return holds != ((condition & 1) != 0);
    }

    private static bool HoldsExplicit(int condition, ulong flags)
    {
        bool holds = (condition >> 1) switch
        {
            0 => (flags & OF) != 0,
            1 => (flags & CF) != 0,
            2 => (flags & ZF) != 0,
            3 => (flags & (CF | ZF)) != 0,
            4 => (flags & SF) != 0,
            5 => (flags & PF) != 0,
            6 => ((flags >> 4 ^ flags) & SF) != 0,
            _ => ((flags >> 4 ^ flags) & SF) != 0 || (flags & ZF) != 0,
        };
        return holds != ((condition & 1) != 0);
    }
}
