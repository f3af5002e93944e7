using Myna.Devices.Ports;
using Myna.Hardware.Interrupts;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Timers;

/// <summary>
/// Real-time clock with 256 bytes of battery-backed memory (Motorola MC146818A datasheet; ICH9 datasheet, section 13.6):
/// ports 70h to 73h, IRQ 8. The century is byte 32h.
/// LIMIT: no daylight saving, no square wave; the NMI mask in bit 7 of port 70h is only remembered.
/// </summary>
[Stateful("mc146818")]
public sealed partial class Mc146818 : IPortDevice
{
    /// <summary>Where PCs keep the century in BCD; ACPI's FADT says so.</summary>
    public const int Century = 0x32;

    private const int Seconds = 0, SecondsAlarm = 1, Minutes = 2, MinutesAlarm = 3, Hours = 4, HoursAlarm = 5, DayOfWeek = 6, DayOfMonth = 7, Month = 8, Year = 9;
    private const int A = 10, B = 11, C = 12, D = 13;
    private const byte UIP = 0x80, SET = 0x80, PIE = 0x40, AIE = 0x20, UIE = 0x10, SQWE = 0x08, DM = 0x04, H24 = 0x02;
    private const byte IRQF = 0x80, PF = 0x40, AF = 0x20, UF = 0x10, VRT = 0x80;
    // The RTC's time is counted in units of 100 ns, from 0001-01-01 on.
    private const long Second = 10_000_000, Unit = 100;

    // UIP is set this long before an update (datasheet, figure 20).
    private const long UpdateWarning = 2_440;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly InterruptLine _irq;
    private readonly ClockTimer _timer;

    [Saved(1)] private readonly byte[] _memory = new byte[256];
    [Saved(2)] private byte _index;
    [Saved(3)] private byte _extendedIndex;

    // The RTC's time less the clock's; while it stands, the time itself.
    [Saved(4)] private long _offset;

    // Up to when flags have been derived, in the RTC's time.
    [Saved(5)] private long _seen;

    /// <param name="initial">What the clock on the wall shows at the clock's present time.</param>
    /// <param name="irq">IRQ 8.</param>
    public Mc146818(Clock clock, DateTime initial, InterruptLine irq)
    {
        _clock = clock;
        _irq = irq;
        _timer = clock.CreateTimer(Expire);
        Ports = new PortBlock(this, 0, 4);
        _memory[A] = 0x26;
        _memory[B] = H24;
        _offset = initial.Ticks - ClockNow;
        _seen = Now;
        ShowTime();
    }

    /// <summary>Ports 70h to 73h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Ports { get; }

    /// <summary>Bit 7 of port 70h: the board's NMI is masked.</summary>
    public bool NmiMasked => (Volatile.Read(ref _index) & 0x80) != 0;

    /// <summary>The battery-backed bytes, for firmware tables that the machine puts there.</summary>
    /// <param name="index">14 to 255; the first 14 are the clock's registers.</param>
    public byte this[int index]
    {
        get
        {
            lock (_lock)
                return _memory[index];
        }
        set
        {
            if (index is > D and < 256)
            {
                lock (_lock)
                    _memory[index] = value;
            }
        }
    }

    private bool Stands => (_memory[B] & SET) != 0 || (_memory[A] & 0x60) == 0x60;

    private long ClockNow => (long)(_clock.Now / Unit);

    private long Now => Stands ? _offset : ClockNow + _offset;

    byte IPortDevice.ReadPort(int block, int offset)
    {
        lock (_lock)
        {
            return offset switch
            {
                1 => ReadRegister(_index & 0x7f),
                2 => _extendedIndex,
                3 => _memory[0x80 | _extendedIndex],
                _ => 0xff,
            };
        }
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        lock (_lock)
        {
            switch (offset)
            {
                case 0: Volatile.Write(ref _index, value); break;
                case 1: WriteRegister(_index & 0x7f, value); break;
                case 2: _extendedIndex = (byte)(value & 0x7f); break;
                default: _memory[0x80 | _extendedIndex] = value; break;
            }
        }
    }

    /// <summary>The RESET pin: interrupts are disabled and their flags cleared; time, alarm and memory stay.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Advance();
            _memory[B] &= unchecked((byte)~(PIE | AIE | UIE | SQWE));
            _memory[C] = 0;
            _index = _extendedIndex = 0;
        }
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
        {
            // A damaged stream must not lead out of the calendar.
            long last = new DateTime(9998, 12, 31).Ticks, since = Stands ? 0 : ClockNow;
            _offset = Math.Clamp(_offset, -since, last);
            _seen = Math.Clamp(_seen, 0, Now);
            Update();
        }
    }

    private byte ReadRegister(int register)
    {
        if (register <= Year || register == Century)
        {
            if (!Stands)
                ShowTime();
            return _memory[register];
        }
        switch (register)
        {
            case A:
                bool updating = (_memory[B] & SET) == 0 && !Stands && Second - Now % Second <= UpdateWarning;
                return (byte)(_memory[A] | (updating ? UIP : 0));
            case C:
                // Reading clears all flags.
                Advance();
                byte flags = Flags;
                _memory[C] = 0;
                Update();
                return flags;
            case D:
                return VRT;
            default:
                return _memory[register];
        }
    }

    /// <summary>Register C: the flags, and whether one of them interrupts.</summary>
    private byte Flags => (byte)(_memory[C] | ((_memory[C] & _memory[B] & (PF | AF | UF)) != 0 ? IRQF : 0));

    private void WriteRegister(int register, byte value)
    {
        Advance();
        switch (register)
        {
            case SecondsAlarm or MinutesAlarm or HoursAlarm:
                _memory[register] = value;
                break;
            case <= Year or Century:
                if (!Stands)
                    ShowTime();
                _memory[register] = value;
                if (!Stands)
                    SetTime(Now % Second);
                break;
            case A:
                WriteA(value);
                break;
            case B:
                WriteB(value);
                break;
            case > D:
                _memory[register] = value;
                break;
        }
        Update();
    }

    private void WriteA(byte value)
    {
        bool stood = Stands;
        long now = Now;
        if (!stood)
            ShowTime();
        _memory[A] = (byte)(value & 0x7f);
        if (stood == Stands)
            return;
        if (Stands)
            _offset = now;
        else
            SetTime(Second / 2); // the first update comes half a second after the divider starts
        _seen = Now;
    }

    private void WriteB(byte value)
    {
        bool stood = Stands;
        long now = Now;
        if (!stood)
            ShowTime();
        // SET also clears UIE.
        _memory[B] = (value & SET) != 0 ? (byte)(value & ~UIE) : value;
        if (stood == Stands)
            return;
        if (Stands)
        {
            // The seconds go on behind the scenes; only their display stands.
            _offset = now;
        }
        else
        {
            SetTime(now % Second);
        }
        _seen = Now;
    }

    /// <summary>Puts the time into the registers.</summary>
    private void ShowTime()
    {
        DateTime time = new(Math.Clamp(Now, 0, DateTime.MaxValue.Ticks));
        _memory[Seconds] = Encode(time.Second);
        _memory[Minutes] = Encode(time.Minute);
        _memory[Hours] = (_memory[B] & H24) != 0 ? Encode(time.Hour) : (byte)(Encode((time.Hour + 11) % 12 + 1) | (time.Hour >= 12 ? 0x80 : 0));
        _memory[DayOfWeek] = Encode((int)time.DayOfWeek + 1);
        _memory[DayOfMonth] = Encode(time.Day);
        _memory[Month] = Encode(time.Month);
        _memory[Year] = Encode(time.Year % 100);
        _memory[Century] = (byte)((time.Year / 1000 << 4) | time.Year / 100 % 10);
    }

    /// <summary>Takes the time from the registers; dates that do not exist run over into the next month.</summary>
    /// <param name="fraction">How much of the second has passed.</param>
    private void SetTime(long fraction)
    {
        int century = (_memory[Century] >> 4) * 10 + (_memory[Century] & 15);
        int year = Math.Clamp(century * 100 + Decode(_memory[Year]), 1, 9998);
        long time = new DateTime(year, Math.Clamp(Decode(_memory[Month]), 1, 12), 1).Ticks
            + (((Decode(_memory[DayOfMonth]) - 1) * 24L + DecodeHour(_memory[Hours])) * 3600 + Decode(_memory[Minutes]) * 60 + Decode(_memory[Seconds])) * Second
            + fraction;
        time = Math.Max(time, 0);
        _offset = Stands ? time : time - ClockNow;
        _seen = Now;
    }

    private byte Encode(int value) => (byte)((_memory[B] & DM) != 0 ? value : value / 10 << 4 | value % 10);
    private int Decode(byte value) => (_memory[B] & DM) != 0 ? value : (value >> 4) * 10 + (value & 15);

    private int DecodeHour(byte value)
        => (_memory[B] & H24) != 0 ? Decode(value) : Decode((byte)(value & 0x7f)) % 12 + (value >= 0x80 ? 12 : 0);

    /// <summary>Periods of 32,768 Hz between periodic interrupts, 0 for none (datasheet, table 5).</summary>
    private long PeriodTicks => (_memory[A] & 15) switch
    {
        0 => 0,
        // Rates 1 and 2 are those of 8 and 9.
        1 => 128,
        2 => 256,
        var rate => 1L << (rate - 1),
    };

    private static long To32768(long time) => (long)((Int128)time * 32768 / Second);
    private static long From32768(long ticks) => (long)(((Int128)ticks * Second + 32767) / 32768);

    /// <summary>Sets the flags of what happened since the last time.</summary>
    private void Advance()
    {
        long now = Now;
        if (now <= _seen)
            return;
        if (PeriodTicks is var period and not 0 && To32768(_seen) / period != To32768(now) / period)
            _memory[C] |= PF;
        if (_seen / Second != now / Second)
        {
            _memory[C] |= UF;
            if (NextAlarm(_seen) <= now)
                _memory[C] |= AF;
        }
        _seen = now;
    }

    /// <summary>When the alarm matches next after a time; bytes from C0h up match anything (datasheet, "Time, calendar and alarm locations").</summary>
    private long NextAlarm(long time)
    {
        long start = time / Second + 1, day = start / 86400 * 86400, last = start + 86400;
        for (long second = start; second < last;)
        {
            int clock = (int)((second - day) % 86400);
            if (!Matches(_memory[HoursAlarm], clock / 3600, hour: true))
                second += 3600 - clock % 3600;
            else if (!Matches(_memory[MinutesAlarm], clock / 60 % 60, hour: false))
                second += 60 - clock % 60;
            else if (!Matches(_memory[SecondsAlarm], clock % 60, hour: false))
                second++;
            else
                return second * Second;
        }
        return long.MaxValue;
    }

    private bool Matches(byte alarm, int value, bool hour) => alarm >= 0xc0 || (hour ? DecodeHour(alarm) : Decode(alarm)) == value;

    private void Expire()
    {
        lock (_lock)
        {
            Advance();
            Update();
        }
    }

    /// <summary>Drives the wire and waits for what could interrupt next.</summary>
    private void Update()
    {
        _irq.Set((Flags & IRQF) != 0);
        long next = long.MaxValue, now = Now;
        if (!Stands && (Flags & IRQF) == 0)
        {
            if ((_memory[B] & PIE) != 0 && PeriodTicks is var period and not 0)
                next = From32768((To32768(now) / period + 1) * period);
            if ((_memory[B] & UIE) != 0)
                next = Math.Min(next, (now / Second + 1) * Second);
            if ((_memory[B] & AIE) != 0)
                next = Math.Min(next, NextAlarm(now));
        }
        // While the wire is high nothing can be added to it.
        if (next == long.MaxValue)
            _timer.Cancel();
        else
            _timer.Arm((ulong)Math.Max(next - _offset, 0) * Unit);
    }
}
