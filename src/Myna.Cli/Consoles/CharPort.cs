using Myna.Hardware.Backends;

namespace Myna.Cli.Consoles;

/// <summary>The host's end of a guest's character device: output goes to a delegate, input is delivered as the device takes it.</summary>
/// <param name="guestSpeaksFirst">
/// Input waits until the guest has written something: Linux discards what comes between a virtio console's start and the
/// making of its tty (drivers/char/virtio_console.c, in_intr), and its shell begins with a prompt.
/// </param>
internal sealed class CharPort(CharPort.Sink output, bool guestSpeaksFirst = false) : ICharBackend
{
    /// <summary>Takes bytes from the guest.</summary>
    public delegate void Sink(ReadOnlySpan<byte> bytes);

    private readonly SemaphoreSlim _ready = new(0);
    private volatile ICharFrontend? _frontend;
    private volatile bool _open = !guestSpeaksFirst;

    public void Attach(ICharFrontend frontend)
    {
        _frontend = frontend;
        _ready.Release();
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        output(bytes);
        if (!_open)
        {
            _open = true;
            ReceiveReady();
        }
    }

    public void ReceiveReady()
    {
        if (_ready.CurrentCount == 0)
            _ready.Release();
    }

    /// <summary>Hands bytes to the guest; returns when the device has taken all of them.</summary>
    /// <exception cref="OperationCanceledException">The machine has ended.</exception>
    public void Deliver(ReadOnlySpan<byte> bytes, CancellationToken cancellation)
    {
        while (!bytes.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            int take = _open ? Math.Min(bytes.Length, _frontend?.ReceiveCapacity ?? 0) : 0;
            if (take <= 0)
            {
                // The time limit is for a device that forgets to say that it is ready again.
                _ready.Wait(100, cancellation);
                continue;
            }
            _frontend!.Receive(bytes[..take]);
            bytes = bytes[take..];
        }
    }
}
