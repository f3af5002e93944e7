using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Myna.Cpu.X86;

/// <summary>Segment registers by the number that instructions encode (Intel SDM volume 2, table 2-1).</summary>
public enum SegmentRegister { Es, Cs, Ss, Ds, Fs, Gs }

/// <summary>
/// The registers that generated code reaches, at fixed offsets in the CPU's block. A slot of the operations
/// (<c>IOps&lt;T&gt;.Get</c>) is a byte offset in here: 8-byte slots below <see cref="Vectors"/>, 16-byte slots from there on.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 2048)]
public struct X86Registers
{
    /// <summary>Offset of the first 16-byte slot.</summary>
    public const int Vectors = 512;

    // Slots of the arithmetic flags (CF PF AF ZF SF OF), which are kept as the operands of the instruction that set them:
    // see Instructions/Flags.cs.
    public const int FlagOp = 128, FlagA = 136, FlagB = 144, FlagR = 152;

    /// <summary>Slot of RFLAGS without the arithmetic flags: TF IF DF IOPL NT RF VM AC VIF VIP ID, and bit 1 set.</summary>
    public const int SystemFlags = 160;

    /// <summary>Slot of a segment's base.</summary>
    public static int Base(SegmentRegister segment) => 168 + ((int)segment * 8);

    /// <summary>Field (not a slot) with a segment's limit in bytes, inclusive.</summary>
    public static int Limit(SegmentRegister segment) => 256 + ((int)segment * 8);

    /// <summary>Field with a segment's selector in its low 16 bits.</summary>
    public static int Selector(SegmentRegister segment) => 304 + ((int)segment * 8);

    /// <summary>Fields of x87 state: control word, status word, empty registers, opcode; instruction and data pointer; their selectors; 24 bytes on their way.</summary>
    public const int X87State = 1152, X87Pointers = 1160, X87Selectors = 1176, X87Scratch = 1184;

    /// <summary>Slot of a general register, 0 (RAX) to 15 (R15).</summary>
    public static int Gpr(int register) => register * 8;

    /// <summary>Slot of bits 127:0 of an XMM or YMM register.</summary>
    public static int Xmm(int register) => Vectors + (register * 16);

    /// <summary>Slot of bits 255:128 of a YMM register.</summary>
    public static int YmmHigh(int register) => Vectors + 256 + (register * 16);

    [FieldOffset(0)] public GprFile General;
    /// <summary>All 8-byte slots and fields below <see cref="Vectors"/>, by offset / 8.</summary>
    [FieldOffset(0)] public SlotFile Slots;
    [FieldOffset(FlagOp)] public ulong LazyOp;
    [FieldOffset(FlagA)] public ulong LazyA;
    [FieldOffset(FlagB)] public ulong LazyB;
    [FieldOffset(FlagR)] public ulong LazyResult;
    [FieldOffset(SystemFlags)] public ulong OtherFlags;
    [FieldOffset(168)] public SegmentFile Bases;
    [FieldOffset(256)] public SegmentFile Limits;

    /// <summary>Selectors of the segment registers.</summary>
    [FieldOffset(304)] public SegmentFile Selectors;

    /// <summary>
    /// Access rights as bits 55:40 of a descriptor have them, in bits 15:0: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15;
    /// bit 16: unusable (null selector).
    /// </summary>
    [FieldOffset(352)] public SegmentFile Rights;

    /// <summary>XMM0 to XMM15, then the upper halves of YMM0 to YMM15.</summary>
    [FieldOffset(Vectors)] public VectorFile Vector;

    /// <summary>x87 data registers by physical number: significand, then sign and exponent in the second half's low 16 bits. MMX registers are the significands.</summary>
    [FieldOffset(1024)] public X87File X87;

    /// <summary>x87 control word, status word (TOP included), and tag word with one bit a register: 1 empty.</summary>
    [FieldOffset(1152)] public ushort X87Control;
    [FieldOffset(1154)] public ushort X87Status;
    [FieldOffset(1156)] public byte X87Empty;
    /// <summary>Opcode of the last x87 instruction, 11 bits.</summary>
    [FieldOffset(1158)] public ushort X87Opcode;
    [FieldOffset(1160)] public ulong X87InstructionPointer;
    [FieldOffset(1168)] public ulong X87DataPointer;
    [FieldOffset(1176)] public ushort X87CodeSelector;
    [FieldOffset(1178)] public ushort X87DataSelector;
}

/// <summary>16 general registers.</summary>
[InlineArray(16)]
public struct GprFile
{
    private ulong _first;
}

/// <summary>64 values of 8 bytes.</summary>
[InlineArray(64)]
public struct SlotFile
{
    private ulong _first;
}

/// <summary>One value for each segment register.</summary>
[InlineArray(6)]
public struct SegmentFile
{
    private ulong _first;
}

/// <summary>32 vectors of 128 bits.</summary>
[InlineArray(32)]
public struct VectorFile
{
    private Vector128<byte> _first;
}

/// <summary>8 registers of 80 bits in 16 bytes each.</summary>
[InlineArray(8)]
public struct X87File
{
    private Vector128<ulong> _first;
}
