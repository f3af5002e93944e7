using Myna.Hardware.Backends;

namespace Myna.Storage;

/// <summary>A disk in memory; its content ends with the process. Requests complete at once.</summary>
public sealed class MemoryDisk : IBlockBackend
{
    private readonly byte[] _bytes;

    /// <param name="length">Bytes, a multiple of 512, at most 1 GiB.</param>
    /// <exception cref="ArgumentOutOfRangeException">Another length.</exception>
    public MemoryDisk(int length, bool readOnly = false)
    {
        if (length is <= 0 or > 1 << 30 || length % 512 != 0)
            throw new ArgumentOutOfRangeException(nameof(length));
        _bytes = new byte[length];
        ReadOnly = readOnly;
    }

    public ulong Length => (ulong)_bytes.Length;
    public bool ReadOnly { get; }

    /// <summary>The content.</summary>
    public Span<byte> Content => _bytes;

    public ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers)
    {
        foreach (Memory<byte> buffer in buffers)
        {
            if (!Inside(offset, (ulong)buffer.Length))
                return new(BlockStatus.OutOfRange);
            _bytes.AsSpan((int)offset, buffer.Length).CopyTo(buffer.Span);
            offset += (ulong)buffer.Length;
        }
        return new(BlockStatus.Ok);
    }

    public ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        if (ReadOnly)
            return new(BlockStatus.ReadOnly);
        foreach (ReadOnlyMemory<byte> buffer in buffers)
        {
            if (!Inside(offset, (ulong)buffer.Length))
                return new(BlockStatus.OutOfRange);
            buffer.Span.CopyTo(_bytes.AsSpan((int)offset));
            offset += (ulong)buffer.Length;
        }
        return new(BlockStatus.Ok);
    }

    public ValueTask<BlockStatus> FlushAsync() => new(BlockStatus.Ok);

    public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length) => WriteZeroesAsync(offset, length, unmap: true);

    public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap)
    {
        if (ReadOnly)
            return new(BlockStatus.ReadOnly);
        if (!Inside(offset, length))
            return new(BlockStatus.OutOfRange);
        _bytes.AsSpan((int)offset, (int)length).Clear();
        return new(BlockStatus.Ok);
    }

    private bool Inside(ulong offset, ulong length) => offset <= Length && length <= Length - offset;
}
