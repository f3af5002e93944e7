using Myna.Hardware.Backends;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Console;

/// <summary>
/// One port: a receive and a transmit queue and the host's byte stream. Input waits in a small buffer until the guest
/// has descriptors for it; the host keeps what does not fit.
/// </summary>
[Stateful("virtio-console-port")]
internal sealed partial class ConsolePort : ICharFrontend
{
    private const int InputSize = 4096, OutputSize = 4096;

    private readonly VirtioConsole _device;
    private readonly int _index;
    private readonly Virtqueue _receive, _transmit;
    private readonly DescriptorChain _receiveChain = new(), _transmitChain = new();

    [Saved(1)]
    private readonly byte[] _input = new byte[InputSize];

    [Saved(2)]
    private int _inputLength;

    [NotSaved("holds a piece of output on its way")]
    private readonly byte[] _output = new byte[OutputSize];

    public ConsolePort(VirtioConsole device, int index, ConsolePortOptions options, Virtqueue receive, Virtqueue transmit)
    {
        _device = device;
        _index = index;
        Backend = options.Backend;
        Name = options.Name;
        _receive = receive;
        _transmit = transmit;
        Backend.Attach(this);
    }

    public ICharBackend Backend { get; }
    public string? Name { get; }

    public int ReceiveCapacity
    {
        get
        {
            // Nothing before the driver is there: its first act is a reset, which loses what has been taken.
            lock (_receive.Lock)
                return CanReceive ? InputSize - _inputLength : 0;
        }
    }

    public void Receive(ReadOnlySpan<byte> bytes)
    {
        lock (_receive.Lock)
        {
            int n = Math.Min(bytes.Length, InputSize - _inputLength);
            bytes[..n].CopyTo(_input.AsSpan(_inputLength));
            _inputLength += n;
            Deliver();
        }
    }

    /// <summary>The guest has receive buffers, or has opened the port.</summary>
    public void Flush()
    {
        bool room;
        lock (_receive.Lock)
        {
            Deliver();
            room = CanReceive && _inputLength < InputSize;
        }
        // Outside the lock: the back end may deliver more at once.
        if (room)
            Backend.ReceiveReady();
    }

    private bool CanReceive => _receive.Live && _device.IsOpen(_index);

    /// <summary>Hands the guest's output to the host.</summary>
    public void Transmit()
    {
        lock (_transmit.Lock)
        {
            do
            {
                _transmit.DisableNotifications();
                while (_transmit.TryPop(_transmitChain))
                {
                    // At most 64 KiB of one buffer, so that an absurd one does not hold the CPU; drivers send pages.
                    for (uint at = 0; at < _transmitChain.ReadableLength && at < 1 << 16; at += OutputSize)
                        Backend.Write(_output.AsSpan(0, _transmitChain.Read(at, _output)));
                    _transmit.Push(_transmitChain, 0);
                }
                _transmit.Signal();
            }
            while (_transmit.EnableNotifications());
        }
    }

    /// <summary>The device was reset: input not delivered is lost with it.</summary>
    public void Clear()
    {
        bool room;
        lock (_receive.Lock)
        {
            room = _inputLength != 0;
            _inputLength = 0;
        }
        if (room)
            Backend.ReceiveReady();
    }

    private void Sync() => _inputLength = Math.Clamp(_inputLength, 0, InputSize);

    private void Deliver()
    {
        if (_inputLength == 0 || !CanReceive)
            return;
        int done = 0;
        do
        {
            while (done < _inputLength && _receive.TryPop(_receiveChain))
            {
                int n = _receiveChain.Write(0, _input.AsSpan(done, _inputLength - done));
                _receive.Push(_receiveChain, (uint)n);
                done += n;
            }
        }
        while (done < _inputLength && _receive.EnableNotifications());
        _receive.Signal();
        _input.AsSpan(done, _inputLength - done).CopyTo(_input);
        _inputLength -= done;
    }
}
