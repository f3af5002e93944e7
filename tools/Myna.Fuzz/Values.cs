namespace Myna.Fuzz;

/// <summary>Reproducible randomness (SplitMix64) and the values that break things.</summary>
internal sealed class Values(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    public int Below(int limit) => (int)(Next() % (uint)limit);

    public int Between(int from, int below) => from + Below(below - from);

    public bool Chance(int percent) => Below(100) < percent;

    public T Pick<T>(ReadOnlySpan<T> from) => from[Below(from.Length)];

    public ulong Integer()
    {
        ulong value = Below(8) switch
        {
            0 => (ulong)(long)Between(-4, 5),
            1 => 1UL << Below(64),
            2 => (1UL << Below(64)) - 1,
            3 => ~(1UL << Below(64)),
            4 => (ulong)((long)Next() >> Below(64)),
            5 => Next() >> Below(64),
            6 => (ulong)(int)Next(),
            _ => Next(),
        };
        return Chance(10) ? (ulong)(int)value : value;
    }

    public ulong Double() => Below(8) switch
    {
        0 => Pick<ulong>([0, 1UL << 63, 0x7FF0000000000000, 0xFFF0000000000000, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF8000000000000, 0x7FF0000000000001, 0xFFF8000000000001]),
        1 => Pick<ulong>([1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF, 0x41DFFFFFFFC00000, 0x41E0000000000000, 0x43E0000000000000, 0x43F0000000000000, 0xC3E0000000000000, 0x47EFFFFFE0000000, 0x3810000000000000, 0x36A0000000000000]) ^ ((ulong)Below(2) << 63),
        2 => Next() & 0x800FFFFFFFFFFFFF,
        3 => BitConverter.DoubleToUInt64Bits((long)Integer()),
        4 => (Next() & 0x800FFFFFFFFFFFFF) | (ulong)Between(1023 - 60, 1023 + 70) << 52,
        5 => Next() & 0xFFFF000000000000,
        6 => BitConverter.DoubleToUInt64Bits(BitConverter.UInt32BitsToSingle(SingleBits())),
        _ => Next(),
    };

    public uint SingleBits() => Below(7) switch
    {
        0 => Pick<uint>([0, 0x80000000, 0x7F800000, 0xFF800000, 0x3F800000, 0xBF800000, 0x7FC00000, 0x7F800001, 0xFFC00001]),
        1 => Pick<uint>([1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x4EFFFFFF, 0x4F000000, 0x4F800000, 0x5F000000, 0x5F800000]) ^ ((uint)Below(2) << 31),
        2 => (uint)Next() & 0x807FFFFF,
        3 => BitConverter.SingleToUInt32Bits((long)Integer()),
        4 => ((uint)Next() & 0x807FFFFF) | (uint)Between(127 - 30, 127 + 70) << 23,
        _ => (uint)Next(),
    };

    /// <summary>A floating-point register: a double, a boxed single, seldom a single that is not boxed.</summary>
    public ulong Float() => Below(20) switch
    {
        < 10 => Double(),
        < 19 => 0xFFFFFFFF00000000 | SingleBits(),
        _ => (Next() << 32) | SingleBits(),
    };

    /// <summary>Any number of significant bits is equally likely.</summary>
    public int Immediate() => Chance(20) ? Between(-3, 4) : (int)Next() >> Below(32);
}
