using System.Runtime.InteropServices;

namespace Myna.Jit.Memory;

/// <summary>Constants that generated floating-point code addresses; operands of 16 bytes may read past the one they mean.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct Constants
{
    internal const int SignF32 = 128, SignF64 = 136, Box = 144, NanF32 = 152, NanF64 = 160, MinusOneF32 = 168, MinusOneF64 = 176,
        TwoTo32F32 = 184, TwoTo32F64 = 192, TwoTo63F32 = 200, TwoTo63F64 = 208;

    [FieldOffset(SignF32 - 128)] public ulong F32Sign;
    [FieldOffset(SignF64 - 128)] public ulong F64Sign;
    [FieldOffset(Box - 128)] public ulong F32Box;
    [FieldOffset(NanF32 - 128)] public ulong F32Nan;
    [FieldOffset(NanF64 - 128)] public ulong F64Nan;
    [FieldOffset(MinusOneF32 - 128)] public float F32MinusOne;
    [FieldOffset(MinusOneF64 - 128)] public double F64MinusOne;
    [FieldOffset(TwoTo32F32 - 128)] public float F32TwoTo32;
    [FieldOffset(TwoTo32F64 - 128)] public double F64TwoTo32;
    [FieldOffset(TwoTo63F32 - 128)] public float F32TwoTo63;
    [FieldOffset(TwoTo63F64 - 128)] public double F64TwoTo63;

    public static Constants Create() => new()
    {
        F32Sign = 0x8000_0000,
        F64Sign = 0x8000_0000_0000_0000,
        F32Box = 0xFFFF_FFFF_0000_0000,
        F32Nan = 0x7FC0_0000,
        F64Nan = 0x7FF8_0000_0000_0000,
        F32MinusOne = -1,
        F64MinusOne = -1,
        F32TwoTo32 = 4294967296f,
        F64TwoTo32 = 4294967296.0,
        F32TwoTo63 = 9223372036854775808f,
        F64TwoTo63 = 9223372036854775808.0,
    };
}
