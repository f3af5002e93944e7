using System.Runtime.CompilerServices;
using Myna.Cpu.Float;
using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>Floating point, in software.</summary>
internal ref partial struct InterpreterOps
{
    private const ulong BoxF32Bits = 0xFFFFFFFF_00000000;
    private const uint CanonicalNaN32 = 0x7FC00000;

    public readonly ulong F(int register) => _registers.F[register & 31];

    public readonly void SetF(int register, ulong value)
    {
        _registers.F[register & 31] = value;
        _hart.MarkFloatDirty();
    }

    public readonly ulong GetFloat(int slot) => _registers.F[(slot >> 3) & 31];
    public readonly void SetFloat(int slot, ulong value) => SetF(slot >> 3, value);

    public bool FloatEnabled(Rounding rounding, bool flags)
    {
        if (!_hart.IsFloatEnabled || (rounding == Rounding.Dynamic && _hart.RoundingMode > 4))
            return Illegal();
        if (flags)
            _hart.MarkFloatDirty();
        return true;
    }

    public readonly ulong UnboxF32(ulong register) => register >= BoxF32Bits ? (uint)register : CanonicalNaN32;
    public readonly ulong BoxF32(ulong value) => value | BoxF32Bits;
    public readonly ulong FloatToBits(ulong value, FloatSize size) => size == FloatSize.F32 ? (uint)value : value;
    public readonly ulong BitsToFloat(ulong bits, FloatSize size) => size == FloatSize.F32 ? (uint)bits : bits;

    public readonly ulong FAdd(FloatSize size, ulong a, ulong b, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Add(size, a, b, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FSub(FloatSize size, ulong a, ulong b, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Sub(size, a, b, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FMul(FloatSize size, ulong a, ulong b, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Mul(size, a, b, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FDiv(FloatSize size, ulong a, ulong b, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Div(size, a, b, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FSqrt(FloatSize size, ulong a, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Sqrt(size, a, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FMulAdd(FloatSize size, ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.MulAdd(size, a, b, c, negateProduct, negateAddend, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FMin(FloatSize size, ulong a, ulong b)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Min(size, a, b, ref flags), flags);
    }

    public readonly ulong FMax(FloatSize size, ulong a, ulong b)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Max(size, a, b, ref flags), flags);
    }

    public readonly ulong FCompare(FloatSize size, FloatCompare compare, ulong a, ulong b)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Compare(size, compare, a, b, ref flags) ? 1UL : 0, flags);
    }

    public readonly ulong FSignCopy(FloatSize size, ulong a, ulong b) => (a & ~Sign(size)) | (b & Sign(size));
    public readonly ulong FSignNot(FloatSize size, ulong a, ulong b) => (a & ~Sign(size)) | (~b & Sign(size));
    public readonly ulong FSignXor(FloatSize size, ulong a, ulong b) => a ^ (b & Sign(size));
    public readonly ulong FClass(FloatSize size, ulong a) => SoftFloat.Class(size, a);

    public readonly ulong FToInt(FloatSize size, IntFormat to, ulong a, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.ToInt(size, to, a, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FFromInt(FloatSize size, IntFormat from, ulong a, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.FromInt(size, from, a, Resolve(rounding), ref flags), flags);
    }

    public readonly ulong FConvert(FloatSize from, FloatSize to, ulong a, Rounding rounding)
    {
        FloatFlags flags = FloatFlags.None;
        return Accrue(SoftFloat.Convert(from, to, a, Resolve(rounding), ref flags), flags);
    }

    private static ulong Sign(FloatSize size) => size == FloatSize.F32 ? 1UL << 31 : 1UL << 63;

    // FloatEnabled has refused an frm that is no mode.
    private readonly Rounding Resolve(Rounding rounding) => rounding == Rounding.Dynamic ? (Rounding)_hart.RoundingMode : rounding;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly ulong Accrue(ulong result, FloatFlags flags)
    {
        if (flags != FloatFlags.None)
            _hart.AccrueFlags(flags);
        return result;
    }
}
