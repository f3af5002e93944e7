using System.Buffers.Binary;

namespace Myna.Linux.Abis;

/// <summary>struct user_desc (asm/ldt.h): a segment as set_thread_area(2) and modify_ldt(2) describe it.</summary>
internal readonly record struct UserDescriptor(uint Entry, uint Base, uint Limit, uint Flags)
{
    public const int Size = 16;

    private const uint Seg32 = 1, ContentsMask = 6, ReadExecOnly = 8, LimitInPages = 16, NotPresent = 32, Useable = 64;

    public static UserDescriptor Read(ReadOnlySpan<byte> b) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(b), BinaryPrimitives.ReadUInt32LittleEndian(b[4..]),
        BinaryPrimitives.ReadUInt32LittleEndian(b[8..]), BinaryPrimitives.ReadUInt32LittleEndian(b[12..]) & 0xFF);

    public void Write(Span<byte> b)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(b, Entry);
        BinaryPrimitives.WriteUInt32LittleEndian(b[4..], Base);
        BinaryPrimitives.WriteUInt32LittleEndian(b[8..], Limit);
        BinaryPrimitives.WriteUInt32LittleEndian(b[12..], Flags);
    }

    /// <summary>What takes an entry away: LDT_empty and LDT_zero (asm/desc.h).</summary>
    public bool IsEmpty => Base == 0 && Limit == 0 && (Flags & 0x7F) is 0 or (ReadExecOnly | NotPresent);

    /// <summary>Whether it may be thread-local storage: 32-bit data that is present (arch/x86/kernel/tls.c).</summary>
    public bool IsData => (Flags & Seg32) != 0 && (Flags & ContentsMask) <= 2 && (Flags & NotPresent) == 0;

    public int Contents => (int)(Flags & ContentsMask) >> 1;
    public bool IsPresent => (Flags & NotPresent) == 0;

    /// <summary>As the processor wants it (Intel SDM volume 3, section 3.4.5); accessed, DPL 3.</summary>
    public ulong ToDescriptor()
    {
        ulong type = 1 | ((Flags & ReadExecOnly) == 0 ? 2u : 0) | (uint)Contents << 2;
        ulong rights = type | 0x10 | 0x60 | ((Flags & NotPresent) == 0 ? 0x80u : 0);
        ulong upper = ((Flags & Useable) != 0 ? 1u : 0) | ((Flags & Seg32) != 0 ? 4u : 0) | ((Flags & LimitInPages) != 0 ? 8u : 0);
        return Limit & 0xFFFF | ((ulong)Base & 0xFF_FFFF) << 16 | rights << 40 | ((ulong)Limit >> 16 & 0xF) << 48 | upper << 52 | (ulong)(Base >> 24) << 56;
    }

    public static UserDescriptor FromDescriptor(uint entry, ulong d)
    {
        uint flags = ((d >> 54 & 1) != 0 ? Seg32 : 0) | (uint)(d >> 42 & 3) << 1 | ((d >> 41 & 1) == 0 ? ReadExecOnly : 0)
            | ((d >> 55 & 1) != 0 ? LimitInPages : 0) | ((d >> 47 & 1) == 0 ? NotPresent : 0) | ((d >> 52 & 1) != 0 ? Useable : 0);
        return new UserDescriptor(entry, (uint)(d >> 16 & 0xFF_FFFF | d >> 56 << 24), (uint)(d & 0xFFFF | (d >> 32 & 0xF_0000)), flags);
    }
}
