using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>What a translation depends on besides pc and code, packed as <c>GuestCpu.BlockFlags</c> wants it.</summary>
/// <param name="Bits">Bits 0-1 privilege, 2-3 MMU mode of data accesses, 4-5 mstatus.FS, 6-8 frm, 9 CBO.ZERO allowed, 10 count instructions.</param>
public readonly record struct BlockFlags(uint Bits)
{
    /// <param name="privilege">0 U, 1 S, 3 M.</param>
    /// <param name="dataMode">Soft-TLB used by loads and stores, 0 to 3.</param>
    /// <param name="fs">mstatus.FS: 0 off, 1 initial, 2 clean, 3 dirty.</param>
    /// <param name="frm">fcsr.frm, 0 to 7.</param>
    /// <param name="cacheBlockZero">CBO.ZERO may be executed.</param>
    /// <param name="countInstructions">The guest looks at its counters.</param>
    public BlockFlags(int privilege, int dataMode, int fs, int frm, bool cacheBlockZero, bool countInstructions)
        : this((uint)(privilege | dataMode << 2 | fs << 4 | frm << 6 | (cacheBlockZero ? 1 << 9 : 0) | (countInstructions ? 1 << 10 : 0)))
    {
    }

    public int Privilege => (int)(Bits & 3);
    public int DataMode => (int)(Bits >> 2 & 3);
    public bool FloatOn => (Bits >> 4 & 3) != 0;
    public bool FloatDirty => (Bits >> 4 & 3) == 3;

    public bool CacheBlockZero => (Bits >> 9 & 1) != 0;
    public bool CountInstructions => (Bits >> 10 & 1) != 0;

    /// <summary>fcsr.frm.</summary>
    public int Frm => (int)(Bits >> 6 & 7);

    /// <summary>The current rounding mode; <see cref="Rounding.Dynamic"/> for a reserved value of frm.</summary>
    public Rounding Rounding => (Rounding)Math.Min(Bits >> 6 & 7, (uint)Rounding.Dynamic);
}
