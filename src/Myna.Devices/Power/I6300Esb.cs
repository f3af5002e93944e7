using Myna.Devices.Pci;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Power;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Power;

/// <summary>
/// Watchdog timer of Intel's 6300ESB I/O controller hub (datasheet order 300641, chapter 16): two stages of 20 bits, at whose end the
/// machine is reset, or what the user wants instead. LIMIT: the first stage's interrupt or SMI is not delivered.
/// </summary>
[Stateful("i6300esb")]
public sealed partial class I6300Esb : PciDevice
{
    // Configuration space.
    private const int WDT_CONFIG = 0x60, WDT_LOCK = 0x68;
    private const uint WDT_OUTPUT = 1 << 5, WDT_PRE_SEL = 1 << 2;
    private const byte Locked = 1, Enabled = 2, FreeRunning = 4;

    // Registers in memory (section 16.4), which two writes to the last one unlock.
    private const int PRELOAD_1 = 0x00, PRELOAD_2 = 0x04, INTERRUPT = 0x08, RELOAD = 0x0c;
    private const byte FirstKey = 0x80, SecondKey = 0x86;
    private const ushort WDT_RELOAD = 1 << 8, WDT_TIMEOUT = 1 << 9;
    private const uint PreloadMask = 0xf_ffff;

    // The clock's period, and how much slower the counter runs: about 1 kHz, or 1 MHz.
    private const ulong PciClockNanoseconds = 30;
    private const int SlowShift = 15, FastShift = 5;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly ClockTimer _timer;
    private readonly IPowerControl _power;
    private readonly GuestAction _action;
    private readonly LogChannel _log;

    [Saved(20)] private uint _preload1 = PreloadMask;
    [Saved(21)] private uint _preload2 = PreloadMask;
    [Saved(22)] private byte _keys;
    [Saved(23)] private byte _stage = 1;
    [Saved(24)] private bool _interrupt;
    [Saved(25)] private ulong _deadline = ulong.MaxValue;

    // Survives the reset that it tells of.
    [Saved(26)] private bool _timedOut;

    public I6300Esb(Clock clock, IPowerControl power, GuestAction action = GuestAction.Reset, LogChannel? log = null)
        : base("i6300esb", new PciIdentity(0x8086, 0x25ab, 0x088000, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _clock = clock;
        _power = power;
        _action = action;
        _log = log ?? LogChannel.None;
        _timer = clock.CreateTimer(Expire);
        AddBar(0, 4096, is64Bit: false, prefetchable: false);
        Config.Define(WDT_CONFIG, 2, 0, 0x27);
        Config.Define(WDT_LOCK, 1, 0, Locked | Enabled | FreeRunning);
    }

    /// <inheritdoc/>
    public override void WriteConfig(int offset, int size, uint value)
    {
        lock (_lock)
        {
            byte before = (byte)Config.Get(WDT_LOCK, 1);
            base.WriteConfig(offset, size, value);
            byte after = (byte)Config.Get(WDT_LOCK, 1);
            // Locked, the lock register keeps what it says until a reset (section 16.3.2).
            if ((before & Locked) != 0)
                Config.Set(WDT_LOCK, 1, before);
            else if (((before ^ after) & Enabled) != 0)
                Start((after & Enabled) != 0 ? (byte)1 : (byte)0);
        }
    }

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        lock (_lock)
            value = offset == RELOAD && _timedOut ? WDT_TIMEOUT : 0ul;
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        lock (_lock)
        {
            byte key = (byte)value;
            if (offset == RELOAD && key is FirstKey or SecondKey && (value & ~0xfful) == 0)
            {
                _keys = key == FirstKey ? (byte)1 : _keys == 1 ? (byte)2 : (byte)0;
                return true;
            }
            if (_keys != 2)
                return true;
            _keys = 0;
            switch (offset)
            {
                case PRELOAD_1:
                    _preload1 = (uint)value & PreloadMask;
                    break;
                case PRELOAD_2:
                    _preload2 = (uint)value & PreloadMask;
                    break;
                case INTERRUPT:
                    _interrupt &= (value & 1) == 0;
                    break;
                case RELOAD:
                    if ((value & WDT_RELOAD) != 0 && (Config.Get(WDT_LOCK, 1) & Enabled) != 0)
                        Start(1);
                    if ((value & WDT_TIMEOUT) != 0)
                        _timedOut = false;
                    break;
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        base.Reset();
        lock (_lock)
        {
            (_preload1, _preload2, _keys, _interrupt) = (PreloadMask, PreloadMask, 0, false);
            Start(0);
        }
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        _timer.Arm(_deadline);
    }

    /// <summary>Begins a stage; 0 stops.</summary>
    private void Start(byte stage)
    {
        _stage = Math.Max(stage, (byte)1);
        int shift = (Config.Get(WDT_CONFIG, 2) & WDT_PRE_SEL) != 0 ? FastShift : SlowShift;
        _deadline = stage == 0 ? ulong.MaxValue : _clock.Now + ((ulong)(stage == 1 ? _preload1 : _preload2) << shift) * PciClockNanoseconds;
        _timer.Arm(_deadline);
    }

    private void Expire()
    {
        lock (_lock)
        {
            if (_clock.Now < _deadline)
                return;
            if (_stage == 1)
            {
                _interrupt = true;
                Start(2);
                return;
            }
            bool free = (Config.Get(WDT_LOCK, 1) & FreeRunning) != 0;
            if ((Config.Get(WDT_CONFIG, 2) & WDT_OUTPUT) == 0)
            {
                _timedOut = true;
                _log.Warn("the watchdog has not been fed in time");
                _power.Do(_action, status: 1);
            }
            Start(free ? (byte)1 : (byte)0);
        }
    }
}
