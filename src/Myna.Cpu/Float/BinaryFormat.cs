namespace Myna.Cpu.Float;

/// <summary>An IEEE 754 binary interchange format of at most 64 bits (IEEE 754-2019, 3.4).</summary>
internal interface IBinaryFormat
{
    /// <summary>Bits of the trailing significand field (t).</summary>
    static abstract int FractionBits { get; }

    /// <summary>Bits of the biased exponent field (w).</summary>
    static abstract int ExponentBits { get; }
}

internal readonly struct Binary32 : IBinaryFormat
{
    public static int FractionBits => 23;
    public static int ExponentBits => 8;
}

internal readonly struct Binary64 : IBinaryFormat
{
    public static int FractionBits => 52;
    public static int ExponentBits => 11;
}
