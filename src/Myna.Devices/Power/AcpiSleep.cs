using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// Sleep and reset registers of hardware-reduced ACPI (ACPI specification 6.5, sections 4.8.3.7 and 4.8.4.4): one byte each,
/// sleep control at 0, sleep status at 1, reset at 2. For memory or I/O space.
/// </summary>
[Stateful("acpi-sleep")]
public sealed partial class AcpiSleep : IMmio
{
    /// <summary>Bytes of registers.</summary>
    public const ulong RegisterSize = 4;

    /// <summary>Offsets.</summary>
    public const int SLEEP_CONTROL = 0, SLEEP_STATUS = 1, RESET = 2;

    /// <summary>SLP_TYP for S5, and what the reset register takes.</summary>
    public const byte SleepTypeOff = 5, ResetValue = 0x42;

    private const byte SLP_EN = 1 << 5, WAK_STS = 1 << 7;

    private readonly IPowerControl _power;

    [Saved(1)] private byte _status;

    public AcpiSleep(IPowerControl power) => _power = power;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        value = offset == SLEEP_STATUS ? Volatile.Read(ref _status) : 0ul;
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
    public void Reset() => _status = 0;

    private void Sync() { }
}
