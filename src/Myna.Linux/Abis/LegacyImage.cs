using System.Buffers.Binary;

namespace Myna.Linux.Abis;

/// <summary>
/// x87 state as FSAVE stores it, of which i386 signal frames have a copy in front of FXSAVE's (asm/sigcontext.h, struct
/// _fpstate_32). What a handler changes there counts when it returns.
/// </summary>
internal static class LegacyImage
{
    private const int Registers = 28, StatusAgain = 108, Magic = 110;

    /// <param name="fx">FXSAVE's format (Intel SDM volume 1, table 10-2).</param>
    /// <param name="legacy">112 bytes.</param>
    public static void FromExtended(ReadOnlySpan<byte> fx, Span<byte> legacy)
    {
        ushort status = BinaryPrimitives.ReadUInt16LittleEndian(fx[2..]);
        int top = status >> 11 & 7;
        uint tags = 0;
        for (int i = 0; i < 8; i++)
        {
            uint tag = (fx[4] >> i & 1) == 0 ? 3u : Tag(fx.Slice(32 + 16 * ((i - top) & 7), 10));
            tags |= tag << (2 * i);
            fx.Slice(32 + 16 * i, 10).CopyTo(legacy[(Registers + 10 * i)..]);
        }
        Put(legacy, 0, 0xFFFF_0000u | BinaryPrimitives.ReadUInt16LittleEndian(fx));
        Put(legacy, 4, 0xFFFF_0000u | status);
        Put(legacy, 8, 0xFFFF_0000u | tags);
        Put(legacy, 12, BinaryPrimitives.ReadUInt32LittleEndian(fx[8..]));
        Put(legacy, 16, BinaryPrimitives.ReadUInt16LittleEndian(fx[12..]) | (uint)BinaryPrimitives.ReadUInt16LittleEndian(fx[6..]) << 16);
        Put(legacy, 20, BinaryPrimitives.ReadUInt32LittleEndian(fx[16..]));
        Put(legacy, 24, 0xFFFF_0000u | BinaryPrimitives.ReadUInt16LittleEndian(fx[20..]));
        BinaryPrimitives.WriteUInt16LittleEndian(legacy[StatusAgain..], status);
        // X86_FXSR_MAGIC: FXSAVE's image follows.
        BinaryPrimitives.WriteUInt16LittleEndian(legacy[Magic..], 0);
    }

    public static void ToExtended(ReadOnlySpan<byte> legacy, Span<byte> fx)
    {
        uint tags = BinaryPrimitives.ReadUInt32LittleEndian(legacy[8..]);
        byte full = 0;
        for (int i = 0; i < 8; i++)
        {
            if ((tags >> (2 * i) & 3) != 3)
                full |= (byte)(1 << i);
            legacy.Slice(Registers + 10 * i, 10).CopyTo(fx[(32 + 16 * i)..]);
        }
        legacy[..2].CopyTo(fx);
        legacy.Slice(4, 2).CopyTo(fx[2..]);
        fx[4] = full;
        legacy.Slice(18, 2).CopyTo(fx[6..]);
        legacy.Slice(12, 4).CopyTo(fx[8..]);
        legacy.Slice(16, 2).CopyTo(fx[12..]);
        legacy.Slice(20, 4).CopyTo(fx[16..]);
        legacy.Slice(24, 2).CopyTo(fx[20..]);
    }

    // 0 valid, 1 zero, 2 special (SDM volume 1, section 8.1.7).
    private static uint Tag(ReadOnlySpan<byte> register)
    {
        ulong significand = BinaryPrimitives.ReadUInt64LittleEndian(register);
        int exponent = BinaryPrimitives.ReadUInt16LittleEndian(register[8..]) & 0x7FFF;
        if (exponent == 0)
            return significand == 0 ? 1u : 2;
        return exponent == 0x7FFF || (significand >> 63) == 0 ? 2u : 0;
    }

    private static void Put(Span<byte> bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], value);
}
