namespace Myna.Network.Tcp;

/// <summary>Bytes in order, with room behind them up to a limit; memory grows as it is used.</summary>
internal sealed class ByteRing(int limit)
{
    byte[] _data = [];
    int _start;

    /// <summary>Most bytes that fit; a power of two.</summary>
    public int Limit => limit;

    public int Length { get; private set; }

    public int Free => limit - Length;

    /// <summary>Writes behind the content without making it content: at <paramref name="offset"/> from its first byte.</summary>
    public void WriteAt(int offset, ReadOnlySpan<byte> bytes)
    {
        Reserve(offset + bytes.Length);
        int at = _start + offset & _data.Length - 1;
        int first = Math.Min(bytes.Length, _data.Length - at);
        bytes[..first].CopyTo(_data.AsSpan(at));
        bytes[first..].CopyTo(_data);
    }

    /// <summary>The next bytes that were written behind the content become content.</summary>
    public void Append(int count) => Length += count;

    /// <summary>Where content can be added without copying; empty when full. Add it by <see cref="Append(int)"/>.</summary>
    public Span<byte> FreeSpan()
    {
        if (Free == 0)
            return [];
        if (Length == _data.Length)
            Reserve(Length + 1);
        int at = _start + Length & _data.Length - 1;
        return _data.AsSpan(at, Math.Min(_data.Length - Length, _data.Length - at));
    }

    /// <summary>The first bytes that lie together; empty only when there are none.</summary>
    public ReadOnlySpan<byte> FirstSpan => _data.AsSpan(_start, Math.Min(Length, _data.Length - _start));

    public void CopyTo(int offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        int at = _start + offset & _data.Length - 1;
        int first = Math.Min(destination.Length, _data.Length - at);
        _data.AsSpan(at, first).CopyTo(destination);
        _data.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }

    public void Consume(int count)
    {
        Length -= count;
        if (_data.Length != 0)
            _start = _start + count & _data.Length - 1;
    }

    void Reserve(int size)
    {
        if (size <= _data.Length)
            return;
        int capacity = Math.Max(16384, _data.Length);
        while (capacity < size)
            capacity *= 2;
        // What lies behind the content moves too: it may have come out of order.
        byte[] grown = new byte[Math.Min(capacity, limit)];
        _data.AsSpan(_start).CopyTo(grown);
        _data.AsSpan(0, _start).CopyTo(grown.AsSpan(_data.Length - _start));
        _data = grown;
        _start = 0;
    }
}
