namespace Myna.Cpu.X86;

/// <summary>Bits of <see cref="X86Registers.Rights"/>.</summary>
internal static class Right
{
    public const ulong Accessed = 1, Writable = 2, ExpandDown = 4, Conforming = 4, Code = 8, CodeOrData = 16, Present = 1 << 7, Long = 1 << 13, Big = 1 << 14, Granular = 1 << 15,
        Unusable = 1 << 16;

    public const int DplShift = 5;

    public static int Dpl(ulong rights) => (int)(rights >> DplShift & 3);
}

/// <summary>Types of system descriptors (Intel SDM volume 3, table 3-2).</summary>
internal static class SystemType
{
    public const int Tss16 = 1, Ldt = 2, BusyTss16 = 3, CallGate16 = 4, TaskGate = 5, InterruptGate16 = 6, TrapGate16 = 7, Tss32 = 9, BusyTss32 = 11, CallGate32 = 12,
        InterruptGate32 = 14, TrapGate32 = 15;
}

/// <summary>A descriptor as it lies in memory (Intel SDM volume 3, section 3.4.5); <paramref name="High"/> is the second half of those of 16 bytes.</summary>
internal readonly record struct Descriptor(ulong Low, ulong High)
{
    public ulong Rights => Low >> 40 & 0xF0FF;
    public int Type => (int)(Low >> 40 & 0xF);
    public bool IsSystem => (Low >> 44 & 1) == 0;
    public int Dpl => (int)(Low >> 45 & 3);
    public bool Present => (Low >> 47 & 1) != 0;
    public bool Long => (Low >> 53 & 1) != 0;
    public bool Big => (Low >> 54 & 1) != 0;
    public bool IsCode => (Low >> 43 & 3) == 3;
    public bool IsConforming => (Low >> 42 & 1) != 0;
    public bool IsWritableData => (Low >> 40 & 0x1A) == 0x12;
    public bool IsReadable => !IsCode || (Low >> 41 & 1) != 0;

    public ulong Base => Low >> 16 & 0xFF_FFFF | (Low >> 56) << 24 | High << 32;

    public uint Limit
    {
        get
        {
            uint limit = (uint)(Low & 0xFFFF | (Low >> 32 & 0xF_0000));
            return (Low >> 55 & 1) != 0 ? limit << 12 | 0xFFF : limit;
        }
    }

    // Gates.
    public ushort GateSelector => (ushort)(Low >> 16);
    public uint GateOffset32 => (uint)(Low & 0xFFFF | (Low >> 32 & 0xFFFF_0000));
    public ulong GateOffset64 => GateOffset32 | High << 32;
    public int GateParameters => (int)(Low >> 32 & 0x1F);
    public int GateIst => (int)(Low >> 32 & 7);
}
