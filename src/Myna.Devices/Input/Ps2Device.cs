using Myna.Hardware.State;

namespace Myna.Devices.Input;

/// <summary>
/// What a PS/2 keyboard and a PS/2 mouse have in common: bytes that wait for the host, the byte sent last, a command that
/// waits for its parameter. Not locked: its controller is. Saved tags 1 to 9 are this class's.
/// </summary>
[Stateful("ps2-device")]
internal abstract partial class Ps2Device
{
    protected const byte ACK = 0xfa, RESEND = 0xfe, BAT_OK = 0xaa;

    private const int Capacity = 32;

    [Saved(1)] private readonly byte[] _queue = new byte[Capacity];
    [Saved(2)] private int _head;
    [Saved(3)] private int _count;
    [Saved(4)] private byte _last;

    // The command whose parameter comes next, 0 for none.
    [Saved(5)] private byte _command;

    /// <summary>There is a byte for the host.</summary>
    public bool HasData => _count != 0;

    protected int Free => Capacity - _count;

    /// <summary>The next byte for the host.</summary>
    public byte Take()
    {
        _last = _queue[_head];
        _head = (_head + 1) % Capacity;
        _count--;
        return _last;
    }

    /// <summary>A byte from the host.</summary>
    public void Receive(byte value)
    {
        byte command = _command;
        _command = 0;
        if (command == 0 || !Parameter(command, value))
            Command(value);
    }

    /// <summary>Power-on state, without the self-test's report.</summary>
    public virtual void Reset()
    {
        Clear();
        Array.Clear(_queue);
        _head = 0;
        _last = _command = 0;
    }

    /// <summary>Bytes for the host; what does not fit is lost.</summary>
    protected void Send(params ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
        {
            if (_count == Capacity)
                return;
            _queue[(_head + _count++) % Capacity] = b;
        }
    }

    protected void Clear() => _count = 0;

    protected void Expect(byte command)
    {
        _command = command;
        Send(ACK);
    }

    protected void SendAgain() => Send(_last);

    protected abstract void Command(byte command);

    /// <returns>False when the value is no parameter but a new command.</returns>
    protected abstract bool Parameter(byte command, byte value);

    private void Sync()
    {
        // A damaged stream must not lead out of the queue.
        _head = (int)((uint)_head % Capacity);
        _count = Math.Clamp(_count, 0, Capacity);
    }
}
