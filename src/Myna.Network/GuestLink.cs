using System.Buffers;
using Myna.Hardware.Backends;

namespace Myna.Network;

/// <summary>The way to the guest: frames that its device has no buffer for wait here, within bounds.</summary>
internal sealed class GuestLink(NetworkCounters counters)
{
    const int MaximumQueuedBytes = 1 << 20;

    readonly Queue<(byte[] Buffer, int Length)> _outbox = new();
    int _queuedBytes;

    public INetFrontend? Frontend { get; set; }

    /// <summary>Frames are waiting: who can hold data back holds it back.</summary>
    public bool Congested => _outbox.Count != 0;

    public void Transmit(ReadOnlySpan<byte> frame)
    {
        if (Frontend is null)
            return;
        if (_outbox.Count == 0 && Frontend.Receive(frame))
        {
            Count(frame.Length);
            return;
        }
        if (_queuedBytes + frame.Length > MaximumQueuedBytes)
        {
            counters.OutboxOverflows++;
            return;
        }
        byte[] copy = ArrayPool<byte>.Shared.Rent(frame.Length);
        frame.CopyTo(copy);
        _outbox.Enqueue((copy, frame.Length));
        _queuedBytes += frame.Length;
    }

    /// <summary>The guest has buffers again.</summary>
    public void Flush()
    {
        while (_outbox.TryPeek(out (byte[] Buffer, int Length) entry) && Frontend!.Receive(entry.Buffer.AsSpan(0, entry.Length)))
        {
            Count(entry.Length);
            _outbox.Dequeue();
            _queuedBytes -= entry.Length;
            ArrayPool<byte>.Shared.Return(entry.Buffer);
        }
    }

    void Count(int length)
    {
        counters.FramesToGuest++;
        counters.BytesToGuest += length;
    }
}
