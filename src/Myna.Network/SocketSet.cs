using System.Net.Sockets;
using Myna.Host;

namespace Myna.Network;

/// <summary>Told when a socket of a <see cref="SocketSet"/> is ready.</summary>
internal interface ISocketHandler
{
    void OnReady(PollEvents events);
}

/// <summary>The host sockets that the stack's thread waits for.</summary>
internal sealed class SocketSet : IDisposable
{
    readonly Poller _poller = new();
    ISocketHandler?[] _handlers = new ISocketHandler?[16];

    public int Add(Socket socket, ISocketHandler handler)
    {
        int slot = _poller.Add(socket.SafeHandle);
        if (slot >= _handlers.Length)
            Array.Resize(ref _handlers, Math.Max(slot + 1, _handlers.Length * 2));
        _handlers[slot] = handler;
        return slot;
    }

    public void SetInterest(int slot, PollEvents events) => _poller.SetInterest(slot, events);

    public void Remove(int slot)
    {
        _handlers[slot] = null;
        _poller.Remove(slot);
    }

    /// <summary>Waits (milliseconds, negative for ever) and calls the handlers of ready sockets.</summary>
    public void Wait(int timeout)
    {
        if (!_poller.Wait(timeout))
            return;
        for (int slot = 1; slot < _poller.SlotLimit; slot++)
        {
            PollEvents ready = _poller.Ready(slot);
            if (ready != PollEvents.None)
                _handlers[slot]?.OnReady(ready);
        }
    }

    /// <summary>Ends a wait. Thread-safe.</summary>
    public void Wake() => _poller.Wake();

    public void Dispose() => _poller.Dispose();
}
