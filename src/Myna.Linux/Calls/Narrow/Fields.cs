using System.Buffers.Binary;
using Myna.Linux.Loading;

namespace Myna.Linux.Calls.Narrow;

/// <summary>What 32-bit ABIs differ in when they lay out a structure: i386 alone aligns 64-bit numbers to 4 bytes.</summary>
internal static class NarrowLayout
{
    public static int WideAlignment(AbiKind abi) => abi == AbiKind.I386 ? 4 : 8;
}

/// <summary>Writes a structure of a 32-bit ABI field by field, each at its natural place.</summary>
internal ref struct FieldWriter(Span<byte> to, AbiKind abi)
{
    private readonly Span<byte> _to = to;
    private readonly int _wide = NarrowLayout.WideAlignment(abi);

    /// <summary>Bytes so far; the size, when all is written and the structure has no padding at its end.</summary>
    public int At { get; private set; }

    public void Half(ulong value)
    {
        At = (At + 1) & ~1;
        BinaryPrimitives.WriteUInt16LittleEndian(_to[At..], (ushort)value);
        At += 2;
    }

    /// <summary>An int, a long or a pointer.</summary>
    public void Word(ulong value)
    {
        At = (At + 3) & ~3;
        BinaryPrimitives.WriteUInt32LittleEndian(_to[At..], (uint)value);
        At += 4;
    }

    /// <summary>A 64-bit number.</summary>
    public void Wide(ulong value)
    {
        At = (At + _wide - 1) & -_wide;
        BinaryPrimitives.WriteUInt64LittleEndian(_to[At..], value);
        At += 8;
    }

    public void Skip(int bytes) => At += bytes;
}

/// <summary>The reverse of <see cref="FieldWriter"/>.</summary>
internal ref struct FieldReader(ReadOnlySpan<byte> from, AbiKind abi)
{
    private readonly ReadOnlySpan<byte> _from = from;
    private readonly int _wide = NarrowLayout.WideAlignment(abi);

    public int At { get; private set; }

    public ushort Half()
    {
        At = (At + 1) & ~1;
        At += 2;
        return BinaryPrimitives.ReadUInt16LittleEndian(_from[(At - 2)..]);
    }

    public uint Word()
    {
        At = (At + 3) & ~3;
        At += 4;
        return BinaryPrimitives.ReadUInt32LittleEndian(_from[(At - 4)..]);
    }

    /// <summary>A signed long, as 64 bits.</summary>
    public ulong Signed() => (ulong)(int)Word();

    public ulong Wide()
    {
        At = (At + _wide - 1) & -_wide;
        At += 8;
        return BinaryPrimitives.ReadUInt64LittleEndian(_from[(At - 8)..]);
    }
}

/// <summary>Reads structures of the host, of 64-bit fields for the most part.</summary>
internal static class HostField
{
    public static ulong Wide(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt64LittleEndian(from[at..]);
    public static uint Word(ReadOnlySpan<byte> from, int at) => BinaryPrimitives.ReadUInt32LittleEndian(from[at..]);
    public static void Put(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(to[at..], value);
    public static void PutWord(Span<byte> to, int at, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(to[at..], (uint)value);
}
