using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>A disk whose requests fail or wait as the test says.</summary>
internal sealed class TestDisk(int length, bool readOnly = false) : IBlockBackend
{
    private readonly List<(TaskCompletionSource<BlockStatus> Done, Action Work)> _pending = [];

    public byte[] Content { get; } = new byte[length];
    public List<(ulong, ulong)> Discards { get; } = [];
    public int Flushes { get; private set; }
    public bool Deferred { get; set; }
    public BlockStatus Fail { get; set; }
    public ulong Length => (ulong)Content.Length;
    public bool ReadOnly => readOnly;

    public int Pending
    {
        get
        {
            lock (_pending)
                return _pending.Count;
        }
    }

    public bool CompleteOne(Random random)
    {
        (TaskCompletionSource<BlockStatus> Done, Action Work) next;
        lock (_pending)
        {
            if (_pending.Count == 0)
                return false;
            int i = random.Next(_pending.Count);
            next = _pending[i];
            _pending.RemoveAt(i);
        }
        next.Work();
        next.Done.SetResult(Fail);
        return true;
    }

    public ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers)
    {
        if (!Deferred)
        {
            Read(offset, buffers);
            return new(Fail);
        }
        return ReadLater(offset, buffers);
    }

    public ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        if (!Deferred)
        {
            Write(offset, buffers);
            return new(Fail);
        }
        return WriteLater(offset, buffers);
    }

    public ValueTask<BlockStatus> FlushAsync()
    {
        Flushes++;
        return new(Fail);
    }

    public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length)
    {
        Discards.Add((offset, length));
        return new(Fail);
    }

    public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap)
    {
        Content.AsSpan((int)offset, (int)length).Clear();
        return new(Fail);
    }

    private void Read(ulong offset, IReadOnlyList<Memory<byte>> buffers)
    {
        for (int i = 0; i < buffers.Count; i++)
        {
            Content.AsSpan((int)offset, buffers[i].Length).CopyTo(buffers[i].Span);
            offset += (ulong)buffers[i].Length;
        }
    }

    private void Write(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        for (int i = 0; i < buffers.Count; i++)
        {
            buffers[i].Span.CopyTo(Content.AsSpan((int)offset));
            offset += (ulong)buffers[i].Length;
        }
    }

    // Apart, so that requests that complete at once allocate no closure.
    private ValueTask<BlockStatus> ReadLater(ulong offset, IReadOnlyList<Memory<byte>> buffers) => Later(() => Read(offset, buffers));
    private ValueTask<BlockStatus> WriteLater(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers) => Later(() => Write(offset, buffers));

    private ValueTask<BlockStatus> Later(Action work)
    {
        var done = new TaskCompletionSource<BlockStatus>();
        lock (_pending)
            _pending.Add((done, work));
        return new(done.Task);
    }
}
