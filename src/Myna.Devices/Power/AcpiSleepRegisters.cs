using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// Sleep control and sleep status registers of hardware-reduced ACPI (ACPI 6.5, section 4.8.3.7) and a reset register
/// (section 4.8.3.6), one byte each: all that a board without the power management of a PC needs to switch off and restart.
/// </summary>
[Stateful("acpi-sleep")]
public sealed partial class AcpiSleepRegisters : IPortDevice
{
    /// <summary>What a write to the reset register must be.</summary>
    public const byte ResetValue = 1;

    private const int Control = 0, SleepStatus = 1, ResetRegister = 2;
    private const byte SLP_EN = 1 << 5, WAK_STS = 1 << 7;

    private readonly IPowerControl _power;
    private readonly int _softOff;

    [Saved(1)] private byte _control;

    /// <param name="softOff">The SLP_TYP of S5, as \_S5 names it: 0 to 7.</param>
    public AcpiSleepRegisters(IPowerControl power, int softOff)
    {
        _power = power;
        _softOff = softOff;
        Ports = new PortBlock(this, 0, 3);
    }

    /// <summary>Control at offset 0, status at 1, reset at 2.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Ports { get; }

    /// <inheritdoc/>
    public byte ReadPort(int block, int offset) => offset switch
    {
        // SLP_EN is write-only.
        Control => (byte)(Volatile.Read(ref _control) & ~SLP_EN),
        // Never asleep, so that the wake status is what a system polls for after S0.
        SleepStatus => WAK_STS,
        _ => 0,
    };

    /// <inheritdoc/>
    public void WritePort(int block, int offset, byte value)
    {
        switch (offset)
        {
            case Control:
                Volatile.Write(ref _control, (byte)(value & 0x3c));
                if ((value & SLP_EN) != 0 && (value >> 2 & 7) == _softOff)
                    _power.PowerOff(0);
                break;
            case ResetRegister when value == ResetValue:
                _power.Reset();
                break;
        }
    }

    /// <summary>Power-on state.</summary>
    public void Reset() => _control = 0;

    private void Sync() { }
}
