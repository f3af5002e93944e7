using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using Myna.Hardware.Backends;
using Myna.Host;

namespace Myna.Storage.Formats;

/// <summary>
/// A raw disk image. A file whose length is not a multiple of a sector is a disk rounded up: what lies past its end
/// reads as zeroes, and a write there makes the file longer.
/// </summary>
internal sealed class RawImage(SafeFileHandle file, ulong length, bool readOnly) : IBlockBackend, IDisposable
{
    private const int SectorSize = 512, ENOSPC = 28, EDQUOT = 122;

    private static readonly byte[] _zeroes = new byte[64 << 10];

    public ulong Length { get; } = (length + SectorSize - 1) / SectorSize * SectorSize;
    public bool ReadOnly => readOnly;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers)
    {
        long wanted = 0;
        for (int i = 0; i < buffers.Count; i++)
            wanted += buffers[i].Length;
        if (!Inside(offset, (ulong)wanted))
            return BlockStatus.OutOfRange;
        try
        {
            long got = buffers.Count == 1
                ? await RandomAccess.ReadAsync(file, buffers[0], (long)offset).ConfigureAwait(false)
                : await RandomAccess.ReadAsync(file, buffers, (long)offset).ConfigureAwait(false);
            if (got < wanted)
                ReadRest(offset, buffers, got);
            return BlockStatus.Ok;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return Status(e);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        if (readOnly)
            return BlockStatus.ReadOnly;
        ulong wanted = 0;
        for (int i = 0; i < buffers.Count; i++)
            wanted += (uint)buffers[i].Length;
        if (!Inside(offset, wanted))
            return BlockStatus.OutOfRange;
        try
        {
            if (buffers.Count == 1)
                await RandomAccess.WriteAsync(file, buffers[0], (long)offset).ConfigureAwait(false);
            else
                await RandomAccess.WriteAsync(file, buffers, (long)offset).ConfigureAwait(false);
            return BlockStatus.Ok;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return Status(e);
        }
    }

    public ValueTask<BlockStatus> FlushAsync()
        => readOnly ? new(BlockStatus.Ok) : OnPool(() =>
        {
            RandomAccess.FlushToDisk(file);
            return BlockStatus.Ok;
        });

    public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length)
        => Check(offset, length) ?? OnPool(() => Status(FileSpace.Punch(file, offset, length)));

    public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap)
        => Check(offset, length) ?? OnPool(() =>
        {
            FileSpaceResult result = unmap ? FileSpace.Punch(file, offset, length) : FileSpace.Zero(file, offset, length);
            if (result is FileSpaceResult.Done or FileSpaceResult.NoSpace)
                return Status(result);
            for (ulong at = 0; at < length; at += (ulong)_zeroes.Length)
                RandomAccess.Write(file, _zeroes.AsSpan(0, (int)Math.Min(length - at, (ulong)_zeroes.Length)), (long)(offset + at));
            return BlockStatus.Ok;
        });

    public void Dispose() => file.Dispose();

    /// <summary>A read came back short: the file ends there, or the host was interrupted.</summary>
    private void ReadRest(ulong offset, IReadOnlyList<Memory<byte>> buffers, long got)
    {
        long position = (long)offset;
        for (int i = 0; i < buffers.Count; i++)
        {
            Span<byte> piece = buffers[i].Span;
            int have = (int)Math.Min(got, piece.Length);
            got -= have;
            while (have < piece.Length)
            {
                int n = RandomAccess.Read(file, piece[have..], position + have);
                if (n == 0)
                {
                    piece[have..].Clear();
                    break;
                }
                have += n;
            }
            position += piece.Length;
        }
    }

    private bool Inside(ulong offset, ulong length) => offset <= Length && length <= Length - offset;

    private ValueTask<BlockStatus>? Check(ulong offset, ulong length)
        => readOnly ? new(BlockStatus.ReadOnly) : Inside(offset, length) && length != 0 ? null : new(BlockStatus.OutOfRange);

    private static ValueTask<BlockStatus> OnPool(Func<BlockStatus> work) => new(Task.Run(() =>
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            return Status(e);
        }
    }));

    private static BlockStatus Status(FileSpaceResult result) => result switch
    {
        FileSpaceResult.Done => BlockStatus.Ok,
        FileSpaceResult.NotSupported => BlockStatus.NotSupported,
        FileSpaceResult.NoSpace => BlockStatus.NoSpace,
        _ => BlockStatus.IoError,
    };

    private static BlockStatus Status(Exception e) => e.HResult is ENOSPC or EDQUOT ? BlockStatus.NoSpace : BlockStatus.IoError;
}
