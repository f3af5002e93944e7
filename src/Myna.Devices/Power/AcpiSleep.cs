using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// Sleep and reset registers of hardware-reduced ACPI (ACPI specification 6.5, sections 4.8.3.7 and 4.8.4.4): one byte each,
/// sleep control at 0, sleep status at 1, reset at 2; and at 3 what a generic event device (section 5.6.9) asks for: bit 0 is
/// set when the power button has been pressed, and cleared by the read. For memory or I/O space.
/// </summary>
[Stateful("acpi-sleep")]
public sealed partial class AcpiSleep : IMmio
{
    /// <summary>Bytes of registers.</summary>
    public const ulong RegisterSize = 4;

    /// <summary>Offsets.</summary>
    public const int SLEEP_CONTROL = 0, SLEEP_STATUS = 1, RESET = 2, EVENT = 3;

    /// <summary>In <see cref="EVENT"/>.</summary>
    public const byte PowerButton = 1;

    /// <summary>SLP_TYP for S5, and what the reset register takes.</summary>
    public const byte SleepTypeOff = 5, ResetValue = 0x42;

    private const byte SLP_EN = 1 << 5, WAK_STS = 1 << 7;

    private readonly Lock _lock = new();
    private readonly IPowerControl _power;
    private readonly InterruptLine _event;

    [Saved(1)] private byte _status;
    [Saved(2)] private byte _events;

    /// <param name="events">The event device's interrupt, a level: high while <see cref="EVENT"/> is not 0.</param>
    public AcpiSleep(IPowerControl power, InterruptLine events = default)
    {
        _power = power;
        _event = events;
    }

    /// <summary>The user presses the power button.</summary>
    public void PressPowerButton()
    {
        lock (_lock)
        {
            _events |= PowerButton;
            _event.Set(true);
        }
    }

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = offset == SLEEP_STATUS ? Volatile.Read(ref _status) : 0ul;
        if (offset == EVENT)
        {
            lock (_lock)
            {
                value = _events;
                _events = 0;
                _event.Set(false);
            }
        }
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        switch (offset)
        {
            case SLEEP_CONTROL when (value & SLP_EN) != 0 && (value >> 2 & 7) == SleepTypeOff: _power.PowerOff(0); break;
            case SLEEP_CONTROL when (value & SLP_EN) != 0: Volatile.Write(ref _status, WAK_STS); break;
            case SLEEP_STATUS: Volatile.Write(ref _status, (byte)(_status & ~value)); break;
            case RESET when (byte)value == ResetValue: _power.Reset(); break;
        }
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        _status = 0;
        lock (_lock)
            _events = 0;
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
            _event.Set(_events != 0);
    }
}
