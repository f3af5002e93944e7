using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Myna.Jit.Memory;

/// <summary>
/// Accrued floating-point exceptions between MXCSR (invalid 1, denormal 2, divide by zero 4, overflow 8, underflow 16,
/// inexact 32) and RISC-V's fflags (NV 16, DZ 8, OF 4, UF 2, NX 1), for generated code.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 96)]
internal struct FlagTables
{
    /// <summary>Offsets in JitContext.</summary>
    internal const int ToFlags = 640, ToMxcsr = ToFlags + 64;

    [InlineArray(64)]
    internal struct Bytes64 { private byte _first; }

    [InlineArray(32)]
    internal struct Bytes32 { private byte _first; }

    [FieldOffset(0)] private Bytes64 _toFlags;
    [FieldOffset(64)] private Bytes32 _toMxcsr;

    public static FlagTables Create()
    {
        FlagTables t = default;
        for (int m = 0; m < 64; m++)
            t._toFlags[m] = (byte)((m & 1) << 4 | (m & 4) << 1 | (m & 8) >> 1 | (m & 16) >> 3 | (m & 32) >> 5);
        for (int f = 0; f < 32; f++)
            t._toMxcsr[f] = (byte)((f & 16) >> 4 | (f & 8) >> 1 | (f & 4) << 1 | (f & 2) << 3 | (f & 1) << 5);
        return t;
    }
}
