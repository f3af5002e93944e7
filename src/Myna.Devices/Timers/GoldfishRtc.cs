using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Timers;

/// <summary>
/// The Goldfish real-time clock (Android Goldfish virtual hardware specification, section "Goldfish Timer"): wall-clock
/// time in nanoseconds since 1970-01-01 UTC, and one alarm.
/// </summary>
[Stateful("goldfish-rtc")]
public sealed partial class GoldfishRtc : IMmio, IPlatformDevice
{
    private const ulong TIME_LOW = 0x00, TIME_HIGH = 0x04, ALARM_LOW = 0x08, ALARM_HIGH = 0x0c, IRQ_ENABLED = 0x10,
        CLEAR_ALARM = 0x14, ALARM_STATUS = 0x18, CLEAR_INTERRUPT = 0x1c;

    private readonly Lock _lock = new();
    private readonly Clock _clock;
    private readonly InterruptLine _irq;
    private readonly ClockTimer _timer;

    // Wall-clock time minus the machine's time; survives a reset, as a battery-backed clock does.
    [Saved(1)] private ulong _offset;
    [Saved(2)] private uint _timeHigh;
    [Saved(3)] private ulong _alarm;
    [Saved(4)] private bool _armed;
    [Saved(5)] private bool _pending;
    [Saved(6)] private bool _enabled;

    /// <param name="wallClock">Nanoseconds since 1970-01-01 UTC at the machine's time now.</param>
    public GoldfishRtc(Clock clock, ulong wallClock, InterruptLine irq)
    {
        _clock = clock;
        _irq = irq;
        _offset = wallClock - clock.Now;
        _timer = clock.CreateTimer(Expire);
    }

    /// <inheritdoc/>
    public string NodeName => "rtc";

    /// <inheritdoc/>
    public ulong Size => 0x1000;

    private ulong Time => _clock.Now + _offset;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = 0;
        if (size != 4)
            return false;
        lock (_lock)
        {
            switch (offset)
            {
                case TIME_LOW:
                    // Reading the low half latches the high half, so that the pair is consistent.
                    ulong time = Time;
                    _timeHigh = (uint)(time >> 32);
                    value = (uint)time;
                    break;
                case TIME_HIGH: value = _timeHigh; break;
                case ALARM_LOW: value = (uint)_alarm; break;
                case ALARM_HIGH: value = _alarm >> 32; break;
                case IRQ_ENABLED: value = _enabled ? 1u : 0; break;
                case ALARM_STATUS: value = _armed ? 1u : 0; break;
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (size != 4)
            return false;
        lock (_lock)
        {
            switch (offset)
            {
                case TIME_LOW: SetTime((Time & ~0xffff_fffful) | (uint)value); break;
                case TIME_HIGH: SetTime((value << 32) | (uint)Time); break;
                case ALARM_LOW:
                    _alarm = (_alarm & ~0xffff_fffful) | (uint)value;
                    _armed = true;
                    Arm();
                    break;
                case ALARM_HIGH: _alarm = (value << 32) | (uint)_alarm; break;
                case IRQ_ENABLED: _enabled = (value & 1) != 0; break;
                case CLEAR_ALARM:
                    _armed = false;
                    Arm();
                    break;
                case CLEAR_INTERRUPT: _pending = false; break;
            }
            _irq.Set(_pending && _enabled);
        }
        return true;
    }

    /// <inheritdoc/>
    public void Reset()
    {
        lock (_lock)
        {
            _timeHigh = 0;
            _alarm = 0;
            _armed = _pending = _enabled = false;
        }
        Sync();
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "google,goldfish-rtc");

    private void Sync()
    {
        lock (_lock)
        {
            Arm();
            _irq.Set(_pending && _enabled);
        }
    }

    private void SetTime(ulong time)
    {
        _offset = time - _clock.Now;
        Arm();
    }

    private void Arm()
    {
        if (!_armed)
            _timer.Cancel();
        else if (_alarm <= Time)
            Fire();
        else
            _timer.Arm(SaturatingAdd(_clock.Now, _alarm - Time));
    }

    private void Expire()
    {
        lock (_lock)
        {
            if (_armed && _alarm <= Time)
            {
                Fire();
                _irq.Set(_pending && _enabled);
            }
        }
    }

    private void Fire()
    {
        _armed = false;
        _pending = true;
        _timer.Cancel();
    }

    private static ulong SaturatingAdd(ulong a, ulong b) => a + b < a ? ulong.MaxValue : a + b;
}
