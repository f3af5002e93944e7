namespace Myna.Cpu.Float;

/// <summary>Which NaN an operation with a NaN result delivers; the one thing architectures disagree on.</summary>
internal interface INaNRules
{
    /// <summary>The NaN of an invalid operation on numbers.</summary>
    static abstract ulong Default<TFormat>() where TFormat : struct, IBinaryFormat;

    /// <summary>The result when an operand is a NaN. Operands are in the order of the operation; those that are none repeat <paramref name="a"/>.</summary>
    static abstract ulong Propagate<TFormat>(ulong a, ulong b, ulong c) where TFormat : struct, IBinaryFormat;

    /// <summary>The result of converting the NaN <paramref name="a"/> from another format.</summary>
    static abstract ulong Convert<TFrom, TTo>(ulong a) where TFrom : struct, IBinaryFormat where TTo : struct, IBinaryFormat;
}

/// <summary>RISC-V: always the positive quiet NaN without payload (F extension, "NaN Generation and Propagation").</summary>
internal readonly struct CanonicalNaN : INaNRules
{
    public static ulong Default<TFormat>() where TFormat : struct, IBinaryFormat =>
        ((1UL << (TFormat.ExponentBits + 1)) - 1) << (TFormat.FractionBits - 1);

    public static ulong Propagate<TFormat>(ulong a, ulong b, ulong c) where TFormat : struct, IBinaryFormat => Default<TFormat>();

    public static ulong Convert<TFrom, TTo>(ulong a) where TFrom : struct, IBinaryFormat where TTo : struct, IBinaryFormat => Default<TTo>();
}
