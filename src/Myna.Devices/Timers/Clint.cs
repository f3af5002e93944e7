using Myna.Devices.Interrupts;
using Myna.Hardware.Firmware;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Timers;

/// <summary>
/// The SiFive core-local interruptor: an ACLINT MSWI and an ACLINT MTIMER behind each other (RISC-V ACLINT specification 1.0,
/// section 1.2, "Backward Compatibility With SiFive CLINT"). Described by its older name, which all firmware knows.
/// </summary>
[Stateful("clint")]
public sealed partial class Clint : IMmio, IPlatformDevice
{
    [Saved(1)] private readonly Mswi _mswi;
    [Saved(2)] private readonly Mtimer _mtimer;

    /// <param name="hertz">Frequency of MTIME.</param>
    /// <param name="software">The machine software interrupt of each hart.</param>
    /// <param name="timer">The machine timer interrupt of each hart.</param>
    public Clint(Clock clock, ulong hertz, InterruptLine[] software, InterruptLine[] timer)
    {
        _mswi = new Mswi(software);
        _mtimer = new Mtimer(clock, hertz, timer);
    }

    /// <inheritdoc/>
    public string NodeName => "clint";

    /// <inheritdoc/>
    public ulong Size => 0x1_0000;

    /// <inheritdoc/>
    public bool Read(ulong offset, int size, out ulong value)
    {
        if (offset < Mswi.RegisterSize)
            return _mswi.Read(offset, size, out value);
        if (offset - Mswi.RegisterSize < Mtimer.RegisterSize)
            return _mtimer.Read(offset - Mswi.RegisterSize, size, out value);
        value = 0;
        return true;
    }

    /// <inheritdoc/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if (offset < Mswi.RegisterSize)
            return _mswi.Write(offset, size, value);
        return offset - Mswi.RegisterSize >= Mtimer.RegisterSize || _mtimer.Write(offset - Mswi.RegisterSize, size, value);
    }

    /// <inheritdoc/>
    public void Reset()
    {
        _mswi.Reset();
        _mtimer.Reset();
    }

    /// <inheritdoc/>
    public void Describe(DeviceTreeNode node) => node.SetStrings("compatible", "sifive,clint0", "riscv,clint0");

    private void Sync() { }
}
