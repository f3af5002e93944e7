using Myna.Hardware.Backends;

namespace Myna.Fuzz.Devices;

/// <summary>A disk in memory; some requests complete on another thread, some fail.</summary>
internal sealed class FuzzDisk(Values random) : IBlockBackend
{
    private readonly byte[] _content = new byte[1 << 20];

    /// <summary>Requests that came through.</summary>
    public int Requests { get; private set; }

    public ulong Length => (ulong)_content.Length;
    public bool ReadOnly => false;

    public ValueTask<BlockStatus> ReadAsync(ulong offset, IReadOnlyList<Memory<byte>> buffers)
    {
        foreach (Memory<byte> buffer in buffers)
        {
            _content.AsSpan((int)offset, buffer.Length).CopyTo(buffer.Span);
            offset += (uint)buffer.Length;
        }
        return Done();
    }

    public ValueTask<BlockStatus> WriteAsync(ulong offset, IReadOnlyList<ReadOnlyMemory<byte>> buffers)
    {
        foreach (ReadOnlyMemory<byte> buffer in buffers)
        {
            buffer.Span.CopyTo(_content.AsSpan((int)offset));
            offset += (uint)buffer.Length;
        }
        return Done();
    }

    public ValueTask<BlockStatus> FlushAsync() => Done();

    public ValueTask<BlockStatus> DiscardAsync(ulong offset, ulong length)
    {
        _content.AsSpan((int)offset, (int)length).Clear();
        return Done();
    }

    public ValueTask<BlockStatus> WriteZeroesAsync(ulong offset, ulong length, bool unmap) => DiscardAsync(offset, length);

    private ValueTask<BlockStatus> Done()
    {
        Requests++;
        int kind;
        lock (random)
            kind = random.Below(40);
        return kind switch
        {
            0 => new(BlockStatus.IoError),
            1 => new(Task.Run(() => BlockStatus.Ok)),
            _ => new(BlockStatus.Ok),
        };
    }
}

/// <summary>A wire that swallows frames and now and then has one for the guest.</summary>
internal sealed class FuzzNet : INetBackend
{
    private INetFrontend? _frontend;

    public void Attach(INetFrontend frontend) => _frontend = frontend;

    /// <summary>Frames from the guest.</summary>
    public int Sent { get; private set; }

    public void Send(ReadOnlySpan<byte> frame) => Sent++;

    public void ReceiveReady()
    {
    }

    public void Deliver(Values random)
    {
        byte[] frame = new byte[random.Between(14, random.Chance(90) ? 200 : 1515)];
        _frontend?.Receive(frame);
    }
}

/// <summary>A terminal that swallows output and types.</summary>
internal sealed class FuzzTerminal : ICharBackend
{
    private ICharFrontend? _frontend;

    public void Attach(ICharFrontend frontend) => _frontend = frontend;

    public void Write(ReadOnlySpan<byte> bytes)
    {
    }

    public void ReceiveReady()
    {
    }

    public void Type(Values random)
    {
        if (_frontend is { } frontend && Math.Min(frontend.ReceiveCapacity, random.Below(40)) is > 0 and var count)
            frontend.Receive(new byte[count]);
    }
}

/// <summary>A TPM that answers anything, now and then late.</summary>
internal sealed class FuzzTpm : ITpmBackend
{
    private int _commands;

    public ValueTask<int> ExecuteAsync(ReadOnlyMemory<byte> command, Memory<byte> response, int locality)
    {
        int length = Math.Min(command.Length, response.Length);
        command[..length].CopyTo(response);
        return ++_commands % 8 == 0 ? new(Task.Run(() => length)) : new(length);
    }

    public void Cancel()
    {
    }

    public void PowerOn()
    {
    }
}
