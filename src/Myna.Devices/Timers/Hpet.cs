using System.Numerics;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Timers;

/// <summary>
/// High precision event timer (IA-PC HPET specification 1.0a): a 64-bit main counter at 100 MHz and comparators that are
/// one-shot or periodic, 64 or 32 bits wide, and interrupt through the I/O APIC, by message, or in place of the 8254 and
/// the RTC (legacy replacement, section 2.4.3.1), whose IRQ 0 and 8 therefore pass through here: inputs 0 and 1.
/// DEVIATION: periods under 20 µs coalesce.
/// </summary>
[Stateful("hpet")]
public sealed partial class Hpet : IMmio, IInterruptSink
{
    /// <summary>Bytes of registers.</summary>
    public const ulong RegisterSize = 0x400;

    /// <summary>Hertz of the main counter.</summary>
    public const ulong Frequency = 100_000_000;

    /// <summary>The low half of the capabilities register for ACPI's HPET table ("event timer block ID").</summary>
    public uint BlockId => (uint)Capabilities;

    private const ulong GCAP_ID = 0x000, GEN_CONF = 0x010, GINTR_STA = 0x020, MAIN_CNT = 0x0f0, TIMERS = 0x100;
    private const ulong ENABLE_CNF = 1, LEG_RT_CNF = 2;
    private const ulong INT_TYPE = 1 << 1, INT_ENB = 1 << 2, TYPE = 1 << 3, PER_INT_CAP = 1 << 4, SIZE_CAP = 1 << 5, VAL_SET = 1 << 6, MODE32 = 1 << 8,
        FSB_EN = 1 << 14, FSB_CAP = 1 << 15;
    private const ulong ConfigWritable = INT_TYPE | INT_ENB | TYPE | VAL_SET | MODE32 | 0x1f << 9 | FSB_EN;

    // Nanoseconds per tick, and the shortest time between two wake-ups of the host in periodic mode.
    private const ulong TickNanoseconds = 1_000_000_000 / Frequency, MinimumPeriod = 20_000;
    private const ulong Never = ulong.MaxValue;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly InterruptLine _irq0, _irq8;
    private readonly IMsiSink? _msi;

    [NotSaved("wiring")] private readonly InterruptLine[] _routes;
    [NotSaved("armed by Sync")] private readonly ClockTimer[] _timers;
    [NotSaved("decided by the construction")] private readonly uint _routeCapability;

    [Saved(1)] private ulong _configuration;
    [Saved(2)] private uint _status;

    // The main counter: its value while disabled, else what is added to the clock's ticks.
    [Saved(3)] private ulong _counter;
    [Saved(4)] private readonly ulong[] _config;
    [Saved(5)] private readonly ulong[] _comparator;
    [Saved(6)] private readonly ulong[] _period;
    [Saved(7)] private readonly ulong[] _fsb;

    // Levels of the 8254 and the RTC.
    [Saved(8)] private readonly bool[] _inputs = new bool[2];

    // The clock's tick at which the comparator matches next.
    [Saved(9)] private readonly ulong[] _next;

    /// <param name="irq0">IRQ 0, which the 8254 drives through input 0.</param>
    /// <param name="irq8">IRQ 8, which the RTC drives through input 1.</param>
    /// <param name="routes">Lines to the I/O APIC's pins, by number, up to 32; unconnected ones cannot be chosen.</param>
    /// <param name="msi">Where messages go; null for none.</param>
    /// <param name="timers">Comparators, 3 to 32.</param>
    public Hpet(Clock clock, InterruptLine irq0, InterruptLine irq8, IEnumerable<InterruptLine> routes, IMsiSink? msi = null, int timers = 3)
    {
        _clock = clock;
        _irq0 = irq0;
        _irq8 = irq8;
        _routes = [.. routes];
        _msi = msi;
        for (int i = 0; i < Math.Min(_routes.Length, 32); i++)
            _routeCapability |= _routes[i].Sink is null ? 0 : 1u << i;
        _config = new ulong[timers];
        _comparator = new ulong[timers];
        _period = new ulong[timers];
        _fsb = new ulong[timers];
        _next = new ulong[timers];
        _timers = new ClockTimer[timers];
        for (int i = 0; i < timers; i++)
        {
            int timer = i;
            _timers[i] = clock.CreateTimer(() => Expire(timer));
        }
        Reset();
    }

    /// <summary>Told when legacy replacement is switched: the 8254, where it is not heard through here, is to be silent meanwhile.</summary>
    [field: NotSaved("wiring")]
    public Action<bool>? LegacyChanged { get; set; }

    /// <summary>Legacy replacement is on.</summary>
    public bool ReplacesLegacy => Legacy;

    private ulong Capabilities => (1_000_000_000_000_000 / Frequency) << 32 | 0x8086_0000 | 1 << 15 | 1 << 13 | (ulong)(_config.Length - 1) << 8 | 1;
    private bool Enabled => (_configuration & ENABLE_CNF) != 0;
    private bool Legacy => (_configuration & LEG_RT_CNF) != 0;
    private ulong Ticks => _clock.Now / TickNanoseconds;
    private ulong Counter => Enabled ? _counter + Ticks : _counter;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        lock (_lock)
            value = ReadRegister(offset & ~7ul);
        value >>= (int)(offset & 7) * 8;
        if (size < 8)
            value &= (1UL << size * 8) - 1;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        // Section 2.3.2: 32 or 64 bits, aligned.
        if (size < 4)
            return true;
        lock (_lock)
        {
            ulong register = offset & ~7ul, mask = size == 8 ? ulong.MaxValue : 0xffff_fffful << (int)(offset & 4) * 8;
            if (size == 4)
                value <<= (int)(offset & 4) * 8;
            WriteRegister(register, value, mask);
        }
        return true;
    }

    /// <summary>Inputs 0 (8254) and 1 (RTC): they reach IRQ 0 and 8 unless the comparators replace them.</summary>
    public void SetLevel(int input, bool level)
    {
        lock (_lock)
        {
            _inputs[input & 1] = level;
            if (!Legacy)
                (input == 0 ? _irq0 : _irq8).Set(level);
        }
    }

    /// <summary>Power-on state; the wires keep their levels.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _configuration = 0;
            _status = 0;
            _counter = 0;
            Array.Clear(_fsb);
            Array.Clear(_period);
            Array.Fill(_next, Never);
            Array.Fill(_comparator, ulong.MaxValue);
            Array.Fill(_config, (ulong)_routeCapability << 32 | PER_INT_CAP | SIZE_CAP | (_msi is null ? 0 : FSB_CAP));
        }
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
        {
            if (!Legacy)
            {
                _irq0.Set(_inputs[0]);
                _irq8.Set(_inputs[1]);
            }
            for (int i = 0; i < _config.Length; i++)
            {
                _config[i] = (_config[i] & ConfigWritable) | (ulong)_routeCapability << 32 | PER_INT_CAP | SIZE_CAP | (_msi is null ? 0 : FSB_CAP);
                if ((_config[i] & INT_TYPE) != 0)
                    DriveLevel(i);
                Arm(i);
            }
        }
    }

    private ulong ReadRegister(ulong register)
    {
        switch (register)
        {
            case GCAP_ID: return Capabilities;
            case GEN_CONF: return _configuration;
            case GINTR_STA: return _status;
            case MAIN_CNT: return Counter;
        }
        int timer = (int)((register - TIMERS) / 0x20);
        if (register < TIMERS || timer >= _config.Length)
            return 0;
        Advance(timer);
        return (register & 0x18) switch
        {
            0x00 => _config[timer],
            0x08 => _comparator[timer],
            0x10 => _fsb[timer],
            _ => 0,
        };
    }

    private void WriteRegister(ulong register, ulong value, ulong mask)
    {
        int timer = (int)((register - TIMERS) / 0x20);
        switch (register)
        {
            case GEN_CONF: WriteConfiguration((_configuration & ~mask) | (value & mask & (ENABLE_CNF | LEG_RT_CNF))); break;
            case GINTR_STA: ClearStatus((uint)(value & mask)); break;
            case MAIN_CNT:
                ulong counter = (Counter & ~mask) | (value & mask);
                _counter = Enabled ? counter - Ticks : counter;
                RestartAll();
                break;
            case >= TIMERS when timer < _config.Length:
                WriteTimer(timer, (int)(register & 0x18), value, mask);
                break;
        }
    }

    private void WriteConfiguration(ulong value)
    {
        ulong counter = Counter;
        bool wasLegacy = Legacy;
        bool legacy = Legacy;
        _configuration = value;
        if (legacy != Legacy)
            LegacyChanged?.Invoke(Legacy);
        _counter = Enabled ? counter - Ticks : counter;
        if (Legacy != wasLegacy)
        {
            _irq0.Set(!Legacy && _inputs[0]);
            _irq8.Set(!Legacy && _inputs[1]);
        }
        for (int i = 0; i < _config.Length; i++)
        {
            if ((_config[i] & INT_TYPE) != 0)
                DriveLevel(i);
        }
        RestartAll();
    }

    private void ClearStatus(uint bits)
    {
        _status &= ~bits;
        for (int i = 0; i < _config.Length; i++)
        {
            if ((bits >> i & 1) != 0 && (_config[i] & INT_TYPE) != 0)
                DriveLevel(i);
        }
    }

    private void WriteTimer(int timer, int register, ulong value, ulong mask)
    {
        ref ulong config = ref _config[timer];
        switch (register)
        {
            case 0x00:
                Advance(timer);
                ulong old = config;
                bool wasLevel = (config & INT_TYPE) != 0;
                if (wasLevel)
                    Line(timer).Set(false);
                config = (config & ~(mask & ConfigWritable)) | (value & mask & ConfigWritable);
                if ((config & MODE32) != 0)
                {
                    _comparator[timer] = (uint)_comparator[timer];
                    _period[timer] = (uint)_period[timer];
                }
                if ((config & INT_TYPE) != 0)
                    DriveLevel(timer);
                else
                    _status &= ~(1u << timer);
                if (((old ^ config) & (MODE32 | TYPE)) != 0)
                    Restart(timer);
                else
                    Arm(timer);
                break;
            case 0x08:
                WriteComparator(timer, value, mask);
                break;
            case 0x10:
                _fsb[timer] = (_fsb[timer] & ~mask) | (value & mask);
                break;
        }
    }

    /// <summary>
    /// In periodic mode a write sets the period; with Tn_VAL_SET_CNF also the comparator itself (section 2.3.9.2.2).
    /// </summary>
    private void WriteComparator(int timer, ulong value, ulong mask)
    {
        Advance(timer);
        ref ulong config = ref _config[timer];
        bool narrow = (config & MODE32) != 0;
        if (narrow)
        {
            value = (uint)value;
            mask |= ~0xffff_fffful;
        }
        if ((config & TYPE) == 0 || (config & VAL_SET) != 0)
            _comparator[timer] = (_comparator[timer] & ~mask) | (value & mask);
        if ((config & TYPE) != 0)
            _period[timer] = (_period[timer] & ~mask) | (value & mask);
        // The bit clears itself; of two halves, with the second.
        if (narrow || (mask >> 32) != 0)
            config &= ~VAL_SET;
        Restart(timer);
    }

    private void RestartAll()
    {
        for (int i = 0; i < _config.Length; i++)
            Restart(i);
    }

    /// <summary>Finds when the comparator matches next.</summary>
    private void Restart(int timer)
    {
        ulong distance = _comparator[timer] - Counter, now = Ticks;
        if ((_config[timer] & MODE32) != 0)
            distance = (uint)distance;
        _next[timer] = !Enabled || distance > Never - now ? Never : now + distance;
        Arm(timer);
    }

    private void Arm(int timer)
    {
        // Matches without consequences are not waited for.
        if (_next[timer] > ulong.MaxValue / TickNanoseconds || (_config[timer] & INT_ENB) == 0)
        {
            _timers[timer].Cancel();
            return;
        }
        ulong deadline = _next[timer] * TickNanoseconds;
        bool fast = (_config[timer] & TYPE) != 0 && _period[timer] < MinimumPeriod / TickNanoseconds;
        _timers[timer].Arm(fast ? Math.Max(deadline, _clock.Now + MinimumPeriod) : deadline);
    }

    private void Expire(int timer)
    {
        lock (_lock)
        {
            Advance(timer);
            Arm(timer);
        }
    }

    /// <summary>What has matched by now has its consequences.</summary>
    private void Advance(int timer)
    {
        ulong now = Ticks, period = _period[timer];
        if (now < _next[timer] || !Enabled)
            return;
        if ((_config[timer] & TYPE) != 0 && period != 0)
        {
            ulong cycles = (now - _next[timer]) / period + 1;
            _next[timer] = period > (Never - now) ? Never : _next[timer] + cycles * period;
            _comparator[timer] += cycles * period;
            if ((_config[timer] & MODE32) != 0)
                _comparator[timer] = (uint)_comparator[timer];
        }
        else
        {
            // Again when the counter has come round.
            _next[timer] = (_config[timer] & MODE32) != 0 ? _next[timer] + ((now - _next[timer] >> 32) + 1 << 32) : Never;
        }
        if ((_config[timer] & INT_ENB) != 0)
            Signal(timer);
    }

    private void Signal(int timer)
    {
        ulong config = _config[timer];
        if ((config & FSB_EN) != 0 && _msi is { } msi)
        {
            _ = msi.Send(_fsb[timer] >> 32, (uint)_fsb[timer]);
        }
        else if ((config & INT_TYPE) != 0)
        {
            _status |= 1u << timer;
            DriveLevel(timer);
        }
        else
        {
            InterruptLine line = Line(timer);
            line.Set(true);
            line.Set(false);
        }
    }

    private void DriveLevel(int timer) => Line(timer).Set(Enabled && (_status >> timer & 1) != 0 && (_config[timer] & INT_ENB) != 0);

    /// <summary>The wire of a comparator; not connected when software chose one that is not offered.</summary>
    private InterruptLine Line(int timer)
    {
        if (Legacy && timer < 2)
            return timer == 0 ? _irq0 : _irq8;
        int route = (int)(_config[timer] >> 9 & 31);
        return (_routeCapability >> route & 1) != 0 ? _routes[route] : default;
    }
}
