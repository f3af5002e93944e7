using Myna.Devices.Ports;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Power;
using Myna.Hardware.State;

namespace Myna.Devices.Power;

/// <summary>
/// Reset control register, port CF9h (ICH9 datasheet, section 13.7.5), and port 92h, fast A20 and INIT (section 13.7.2).
/// INIT# goes to <c>init</c>; where a board has not connected it, an INIT is a reset of the machine.
/// </summary>
[Stateful("reset-control")]
public sealed partial class ResetControl : IPortDevice
{
    private const byte SYS_RST = 2, RST_CPU = 4, FULL_RST = 8, INIT_NOW = 1, ALT_A20_GATE = 2;

    private readonly IPowerControl _power;
    private readonly InterruptLine _init, _a20;

    [Saved(1)] private byte _resetControl;
    [Saved(2)] private byte _port92;

    /// <param name="init">INIT# of the processors, for instance <see cref="Interrupts.ApicBus.InitPin"/>.</param>
    /// <param name="a20">High while address line 20 works.</param>
    public ResetControl(IPowerControl power, InterruptLine init = default, InterruptLine a20 = default)
    {
        _power = power;
        _init = init;
        _a20 = a20;
        Register = new PortBlock(this, 0, 1);
        Port92 = new PortBlock(this, 1, 1);
        Reset();
    }

    /// <summary>Port CF9h; on a board with PCI, part of <see cref="Pci.PciConfigPorts"/>.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Register { get; }

    /// <summary>Port 92h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Port92 { get; }

    byte IPortDevice.ReadPort(int block, int offset) => block == 0 ? Volatile.Read(ref _resetControl) : Volatile.Read(ref _port92);

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        if (block == 0)
        {
            bool reset = (value & ~_resetControl & RST_CPU) != 0;
            Volatile.Write(ref _resetControl, (byte)(value & (SYS_RST | RST_CPU | FULL_RST)));
            if (reset && (value & SYS_RST) != 0)
                _power.Reset();
            else if (reset)
                Init();
            return;
        }
        bool init = (value & ~_port92 & INIT_NOW) != 0;
        Volatile.Write(ref _port92, (byte)(value & (INIT_NOW | ALT_A20_GATE)));
        _a20.Set((value & ALT_A20_GATE) != 0);
        if (init)
            Init();
    }

    /// <summary>Power-on state. A20 works: software of this century expects it to.</summary>
    public void Reset()
    {
        _resetControl = 0;
        _port92 = ALT_A20_GATE;
        Sync();
    }

    private void Init()
    {
        if (_init.Sink is null)
        {
            _power.Reset();
            return;
        }
        _init.Set(true);
        _init.Set(false);
    }

    private void Sync() => _a20.Set((_port92 & ALT_A20_GATE) != 0);
}
