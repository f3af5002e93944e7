using Myna.Hardware.State;

namespace Myna.Devices.Timers;

/// <summary>
/// One counter of an 8254 (Intel 8254 datasheet, order 231164). Its count and output follow from the time at which it was
/// loaded; times are CLK pulses. Not locked: <see cref="I8254"/> is.
/// </summary>
[Stateful("i8254-counter")]
internal sealed partial class PitCounter
{
    private const int LowByte = 1, HighByte = 2;

    // Control word, bits 5:0: access (RW1, RW0), mode, BCD.
    [Saved(1)] private byte _control;
    [Saved(2)] private bool _writeHigh;
    [Saved(3)] private bool _readHigh;
    [Saved(4)] private byte _low;
    [Saved(5)] private ushort _latch;

    // Bytes of the latched count not read yet: LowByte, HighByte.
    [Saved(6)] private byte _latched;
    [Saved(7)] private byte _status;
    [Saved(8)] private bool _statusLatched;

    // The count register: 1 to 65536 (or 10000), 0 when none was written since the control word.
    [Saved(9)] private int _register;

    // The count with which the counting element works now.
    [Saved(10)] private int _count = 0x10000;

    // The pulse at which the counting element had _count.
    [Saved(11)] private ulong _start;

    // Counts, or did when the gate stopped it.
    [Saved(12)] private bool _counting;

    // While the gate holds it: how far it had counted.
    [Saved(13)] private bool _held;
    [Saved(14)] private ulong _heldAt;

    // Modes 2 and 3: when the count register is loaded, 0 for not.
    [Saved(15)] private ulong _reload;
    [Saved(16)] private bool _gate;
    [Saved(17)] private bool _nullCount;

    /// <summary>All registers, as another model of the chip may hold them.</summary>
    public PitChannel ToChannel(ulong now)
    {
        Load(now);
        return new PitChannel(_register, _control, _latch, _latched, _statusLatched, _status, _writeHigh, _readHigh, _low, _gate, _counting ? Elapsed(At(now), now) : 0);
    }

    public void Take(in PitChannel c, ulong now)
    {
        (_control, _latch, _latched, _statusLatched, _status) = ((byte)(c.Control & 0x3f), c.Latch, (byte)(c.Latched & (LowByte | HighByte)), c.StatusLatched, c.Status);
        (_writeHigh, _readHigh, _low, _gate) = (c.WriteHigh, c.ReadHigh, c.Low, c.Gate);
        _register = Math.Clamp(c.Count, 0, 0x10000);
        _count = _register == 0 ? 0x10000 : _register;
        _counting = _register != 0;
        _start = now - Math.Min(now, c.Elapsed);
        _reload = _heldAt = 0;
        _held = _nullCount = false;
        if (_counting && !_gate && Mode is 0 or 4)
            (_held, _heldAt) = (true, c.Elapsed);
        else if (!_gate && Mode is 2 or 3)
            _counting = false;
    }

    public int Mode => (_control >> 1 & 7) is var mode && mode > 5 ? mode & 3 : mode;
    public bool Gate => _gate;

    /// <summary>Repeats faster than a host can follow: a period under 24 pulses, 20 µs.</summary>
    public bool IsFast => Mode is 2 or 3 && _count < 24;

    private bool Bcd => (_control & 1) != 0;
    private int Access => _control >> 4 & 3;
    private int Modulus => Bcd ? 10_000 : 0x10000;

    public void Reset(bool gate)
    {
        _control = 0x30;
        _writeHigh = _readHigh = _statusLatched = _counting = _held = _nullCount = false;
        _low = _latched = _status = 0;
        _latch = 0;
        _register = 0;
        _count = 0x10000;
        _start = _heldAt = _reload = 0;
        _gate = gate;
    }

    /// <summary>Mode 0 begins low, all others high.</summary>
    public void WriteControl(byte control)
    {
        _control = (byte)(control & 0x3f);
        _writeHigh = _readHigh = _counting = _held = _statusLatched = false;
        _latched = 0;
        _register = 0;
        _reload = 0;
        _nullCount = true;
    }

    public void LatchCount(ulong now)
    {
        if (_latched != 0)
            return;
        _latch = Count(now);
        _latched = (byte)Access;
    }

    public void LatchStatus(ulong now)
    {
        if (_statusLatched)
            return;
        Load(now);
        _status = (byte)((Out(now) ? 0x80 : 0) | (_nullCount || now < _start && _counting ? 0x40 : 0) | _control);
        _statusLatched = true;
    }

    public byte Read(ulong now)
    {
        if (_statusLatched)
        {
            _statusLatched = false;
            return _status;
        }
        ushort count = _latched != 0 ? _latch : Count(now);
        bool high = _latched != 0 ? (_latched & LowByte) == 0 : Access == HighByte || (Access != LowByte && _readHigh);
        if (_latched != 0)
            _latched &= (byte)~(high ? HighByte : LowByte);
        if (Access == (LowByte | HighByte))
            _readHigh = !high;
        return (byte)(high ? count >> 8 : count);
    }

    public void Write(byte value, ulong now)
    {
        switch (Access)
        {
            case LowByte: WriteCount(value, now); break;
            case HighByte: WriteCount(value << 8, now); break;
            default:
                if (_writeHigh)
                {
                    WriteCount(value << 8 | _low, now);
                }
                else
                {
                    _low = value;
                    // In mode 0 the first byte stops the count and sets the output low.
                    if (Mode == 0)
                        _counting = false;
                }
                _writeHigh = !_writeHigh;
                break;
        }
    }

    public void SetGate(bool gate, ulong now)
    {
        if (gate == _gate)
            return;
        Load(now);
        _gate = gate;
        switch (Mode)
        {
            case 0 or 4 when !gate && _counting && !_held:
                _heldAt = Elapsed(At(now), now);
                _held = true;
                break;
            case 0 or 4 when gate && _held:
                _start = now - _heldAt;
                _held = false;
                break;
            case 1 or 5 when gate && _register != 0:
                Begin(now);
                break;
            case 2 or 3:
                _counting = false;
                if (gate && _register != 0)
                    Begin(now);
                break;
        }
    }

    /// <summary>Level of OUT.</summary>
    public bool Out(ulong now)
    {
        if (!_counting)
            return Mode != 0;
        Cycle cycle = At(now);
        ulong elapsed = Elapsed(cycle, now), count = cycle.Count;
        bool loaded = now >= cycle.Start || _held;
        return Mode switch
        {
            0 => loaded && elapsed >= count,
            1 => !loaded || elapsed >= count,
            2 => count < 2 || elapsed % count != count - 1,
            3 => elapsed % count < (count + 1) / 2,
            _ => elapsed != count,
        };
    }

    /// <summary>
    /// The next pulse at which OUT of a counter with an open gate rises or, in modes 0, 1 and 3, changes;
    /// ulong.MaxValue when it never does.
    /// </summary>
    public ulong NextChange(ulong now)
    {
        if (!_counting || _held)
            return ulong.MaxValue;
        Cycle cycle = At(now);
        ulong count = cycle.Count, elapsed = Elapsed(cycle, now);
        ulong next = Mode switch
        {
            0 or 1 => elapsed < count ? cycle.Start + count : ulong.MaxValue,
            2 or 3 when count < 2 => ulong.MaxValue,
            2 => cycle.Start + (elapsed / count + 1) * count,
            3 => NextHalf(cycle, now),
            _ => elapsed <= count ? cycle.Start + count + 1 : ulong.MaxValue,
        };
        return cycle.Reload != 0 ? Math.Min(next, cycle.Reload) : next;
    }

    /// <summary>With what the counting element works: a count written meanwhile is taken at the end of the cycle.</summary>
    private Cycle At(ulong now)
    {
        if (_reload == 0 || now < _reload)
            return new Cycle((ulong)_count, _start, _reload);
        // In mode 3 the new count begins with the half that was due.
        bool low = Mode == 3 && (_reload - _start) % (ulong)_count != 0;
        return new Cycle((ulong)_register, _reload - (low ? (ulong)(_register + 1) / 2 : 0), 0);
    }

    private void Load(ulong now)
    {
        if (_reload == 0 || now < _reload)
            return;
        (ulong count, _start, _reload) = At(now);
        _count = (int)count;
        _nullCount = false;
    }

    private void WriteCount(int value, ulong now)
    {
        if (Bcd)
            value = (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
        value %= Modulus;
        _register = value == 0 ? Modulus : value;
        _nullCount = true;
        switch (Mode)
        {
            case 0 or 4:
                Begin(now);
                _held = !_gate;
                _heldAt = 0;
                break;
            case 2 or 3 when _gate && !_counting:
                Begin(now);
                break;
            case 2 or 3 when _gate:
                Load(now);
                Cycle cycle = At(now);
                _reload = now < _start ? _start : Mode == 3 ? NextHalf(cycle, now) : _start + (Elapsed(cycle, now) / cycle.Count + 1) * cycle.Count;
                break;
        }
    }

    /// <summary>The count register goes to the counting element at the next pulse.</summary>
    private void Begin(ulong now)
    {
        _count = _register;
        _start = now + 1;
        _counting = true;
        _held = false;
        _reload = 0;
        _nullCount = false;
    }

    private ulong Elapsed(in Cycle cycle, ulong now) => _held ? _heldAt : now < cycle.Start ? 0 : now - cycle.Start;

    private ulong NextHalf(in Cycle cycle, ulong now)
    {
        ulong count = cycle.Count, high = (count + 1) / 2, elapsed = Elapsed(cycle, now), begin = cycle.Start + elapsed / count * count;
        return elapsed % count < high ? begin + high : begin + count;
    }

    /// <summary>The counting element as it reads.</summary>
    private ushort Count(ulong now)
    {
        Cycle cycle = At(now);
        ulong elapsed = _counting ? Elapsed(cycle, now) : 0, count = cycle.Count;
        int value = Mode switch
        {
            2 => (int)(count - elapsed % count),
            // By two, from the even number below.
            3 when count > 1 => (int)((count & ~1ul) - 2 * (elapsed % count is var p && p >= (count + 1) / 2 ? p - (count + 1) / 2 : p)),
            _ => (int)((count + (ulong)Modulus - elapsed % (ulong)Modulus) % (ulong)Modulus),
        };
        value %= Modulus;
        return (ushort)(Bcd ? value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10 : value);
    }

    private void Sync()
    {
        // A damaged stream must not make it divide by zero.
        _count = Math.Clamp(_count, 1, 0x10000);
        _register = Math.Clamp(_register, 0, 0x10000);
        if (_register == 0)
            _reload = 0;
    }

    /// <param name="Count">What it counts down from.</param>
    /// <param name="Start">When it began.</param>
    /// <param name="Reload">When it takes another count, 0 for never.</param>
    private readonly record struct Cycle(ulong Count, ulong Start, ulong Reload);
}

/// <summary>Registers of a counter of an 8254.</summary>
/// <param name="Count">The count register, 1 to 65536; 0 when none was written.</param>
/// <param name="Control">Control word, bits 5:0.</param>
/// <param name="Latched">Bytes of the latched count not read yet: bit 0 the low, bit 1 the high one.</param>
/// <param name="Elapsed">Pulses since the count was loaded.</param>
public readonly record struct PitChannel(int Count, byte Control, ushort Latch, byte Latched, bool StatusLatched, byte Status, bool WriteHigh, bool ReadHigh, byte Low, bool Gate, ulong Elapsed);
