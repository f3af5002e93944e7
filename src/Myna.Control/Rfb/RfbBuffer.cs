using System.Buffers.Binary;

namespace Myna.Control.Rfb;

/// <summary>Bytes to be sent: numbers are big-endian.</summary>
internal sealed class RfbBuffer
{
    private byte[] _bytes = new byte[64 << 10];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Room for so many bytes more, which count as written.</summary>
    public Span<byte> Take(int count)
    {
        if (_bytes.Length - Length < count)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        Span<byte> room = _bytes.AsSpan(Length, count);
        Length += count;
        return room;
    }

    public RfbBuffer U8(int value)
    {
        Take(1)[0] = (byte)value;
        return this;
    }

    public RfbBuffer U16(int value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(Take(2), (ushort)value);
        return this;
    }

    public RfbBuffer I32(int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(Take(4), value);
        return this;
    }

    public RfbBuffer Bytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Take(bytes.Length));
        return this;
    }

    /// <summary>The header of a rectangle (RFC 6143, section 7.6.1).</summary>
    public RfbBuffer Rectangle(int x, int y, int width, int height, int encoding) => U16(x).U16(y).U16(width).U16(height).I32(encoding);

    /// <summary>Replaces a number written before.</summary>
    public void PutU16(int position, int value) => BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(position), (ushort)value);

    public void PutI32(int position, int value) => BinaryPrimitives.WriteInt32BigEndian(_bytes.AsSpan(position), value);
}
