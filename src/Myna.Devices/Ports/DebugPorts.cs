using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Ports;

/// <summary>
/// A port whose bytes are a program's messages: E9h (Bochs) and 402h (SeaBIOS, OVMF). Reading gives E9h, by which programs
/// find it. Lines go to a log channel.
/// </summary>
[Stateful("debug-console")]
public sealed partial class DebugConsole : IMmio
{
    private const int MaximumLine = 1024;

    private readonly Lock _lock = new();
    private readonly LogChannel _log;

    [NotSaved("the line so far; text for people")] private readonly char[] _line = new char[MaximumLine];
    [NotSaved("the line so far; text for people")] private int _length;

    public DebugConsole(LogChannel log) => _log = log;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0xe9;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (!_log.Enabled)
            return true;
        lock (_lock)
        {
            for (int i = 0; i < size; i++)
            {
                char c = (char)(byte)(value >> i * 8);
                if (c is '\n' || _length == MaximumLine)
                    Flush();
                if (c is not ('\r' or '\n' or '\0'))
                    _line[_length++] = c;
            }
        }
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        lock (_lock)
            Flush();
    }

    private void Flush()
    {
        if (_length != 0)
            _log.Info(new string(_line, 0, _length));
        _length = 0;
    }

    private void Sync() { }
}

/// <summary>
/// Ends the machine: a write of value v gives the exit status 2v + 1 (QEMU's isa-debug-exit, which test programs expect at
/// port F4h).
/// </summary>
[Stateful("debug-exit")]
public sealed partial class DebugExit : IMmio
{
    private readonly IPowerControl _power;

    public DebugExit(IPowerControl power) => _power = power;

    /// <summary>The usual port, and how many there are.</summary>
    public const ulong DefaultPort = 0xf4, Ports = 4;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        _power.PowerOff((int)(value << 1) | 1);
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset() { }

    private void Sync() { }
}

/// <summary>Port 80h: firmware's progress codes, and the port that software writes to let a microsecond pass.</summary>
[Stateful("post-port")]
public sealed partial class PostPort : IMmio
{
    private readonly LogChannel _log;

    [Saved(1)] private byte _code;

    public PostPort(LogChannel log) => _log = log;

    /// <summary>The last code.</summary>
    public byte Code => Volatile.Read(ref _code);

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = Volatile.Read(ref _code);
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (offset != 0)
            return true;
        if ((byte)value != _code)
            _log.Info($"progress code {(byte)value:x2}");
        Volatile.Write(ref _code, (byte)value);
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset() => _code = 0;

    private void Sync() { }
}
