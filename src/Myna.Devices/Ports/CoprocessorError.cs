using Myna.Hardware.Interrupts;
using Myna.Hardware.State;

namespace Myna.Devices.Ports;

/// <summary>
/// FERR# of x87 exceptions while CR0.NE is clear, as IRQ 13, and port F0h, a write of which takes the interrupt back (ICH9 datasheet, section
/// 13.7.3, COPROC_ERR). LIMIT: IGNNE# is always asserted: the CPU goes on behind the instruction.
/// </summary>
[Stateful("coprocessor-error")]
public sealed partial class CoprocessorError : IPortDevice
{
    private readonly InterruptLine _irq;
    private readonly Lock _lock = new();

    [Saved(1)] private bool _error;

    public CoprocessorError(InterruptLine irq)
    {
        _irq = irq;
        Ports = new PortBlock(this, 0, 1);
    }

    /// <summary>Port F0h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Ports { get; }

    /// <summary>A CPU asserts FERR#. For its thread.</summary>
    public void Raise() => Set(true);

    byte IPortDevice.ReadPort(int block, int offset) => 0xff;

    void IPortDevice.WritePort(int block, int offset, byte value) => Set(false);

    /// <summary>Power-on state.</summary>
    public void Reset() => Set(false);

    private void Set(bool error)
    {
        lock (_lock)
        {
            _error = error;
            _irq.Set(error);
        }
    }

    private void Sync()
    {
        lock (_lock)
            _irq.Set(_error);
    }
}
