using System.Buffers.Binary;
using System.Text;

namespace Myna.Machines.Loading;

/// <summary>Little-endian structures for guest memory, appended field by field.</summary>
internal sealed class ByteWriter
{
    private readonly MemoryStream _bytes = new();

    public int Length => (int)_bytes.Length;

    public ByteWriter U8(int value)
    {
        _bytes.WriteByte((byte)value);
        return this;
    }

    public ByteWriter U16(int value) => U8(value).U8(value >> 8);
    public ByteWriter U32(uint value) => U16((int)(value & 0xffff)).U16((int)(value >> 16));
    public ByteWriter U64(ulong value) => U32((uint)value).U32((uint)(value >> 32));

    public ByteWriter Bytes(ReadOnlySpan<byte> bytes)
    {
        _bytes.Write(bytes);
        return this;
    }

    /// <summary>Text without an end.</summary>
    public ByteWriter Text(string text) => Bytes(Encoding.UTF8.GetBytes(text));

    /// <summary>Text of a fixed size, filled up or cut.</summary>
    public ByteWriter Text(string text, int size, char fill = ' ') => Text(text.PadRight(size, fill)[..size]);

    /// <summary>Text ended by NUL.</summary>
    public ByteWriter CString(string text) => Text(text).U8(0);

    public ByteWriter Zero(int count) => Bytes(new byte[count]);

    public ByteWriter Align(int alignment) => Zero((alignment - Length % alignment) % alignment);

    public byte[] ToArray() => _bytes.ToArray();

    /// <summary>Replaces 32 bits that were written before.</summary>
    public static void Patch(byte[] bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
}
