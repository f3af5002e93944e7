using Myna.Devices.Ports;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>
/// A PC's two 8259 interrupt controllers (ICH9 datasheet, section 5.8): IRQ 0 to 7 at the master (ports 20h, 21h), IRQ 8
/// to 15 at the slave (A0h, A1h), whose INT is the master's IR2; and their edge/level control registers (4D0h, 4D1h).
/// </summary>
[Stateful("i8259-pair")]
public sealed partial class I8259Pair : IPortDevice, IInterruptSink
{
    private const int Cascade = 2;

    // IRQ 0, 1, 2, 8 and 13 are edges always (ICH9 datasheet, sections 13.4.10 and 13.4.11).
    private const byte MasterElcrMask = 0xf8, SlaveElcrMask = 0xde;

    private readonly Lock _lock = new();
    private readonly InterruptLine _output;

    [Saved(1)] private readonly I8259 _master = new(slaves: 1 << Cascade);
    [Saved(2)] private readonly I8259 _slave = new(slaves: 0);

    /// <param name="output">INT of the master: LINT0 of the local APICs.</param>
    public I8259Pair(InterruptLine output)
    {
        _output = output;
        Master = new PortBlock(this, 0, 2);
        Slave = new PortBlock(this, 1, 2);
        Elcr = new PortBlock(this, 2, 2);
    }

    /// <summary>Ports 20h and 21h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Master { get; }

    /// <summary>Ports A0h and A1h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Slave { get; }

    /// <summary>Ports 4D0h and 4D1h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Elcr { get; }

    /// <summary>The host's kernel holds the registers.</summary>
    [field: NotSaved("how the CPUs are run")]
    public bool IsHosted { get; private set; }

    /// <summary>The host's kernel, if it takes the pair over.</summary>
    [field: NotSaved("how the CPUs are run")]
    public IInterruptHost? Host { get; set; }

    /// <summary>Gives the registers away; until <see cref="TakeBack"/> only the levels of inputs are followed here.</summary>
    public (I8259Registers Master, I8259Registers Slave) HandOver()
    {
        lock (_lock)
        {
            (I8259Registers, I8259Registers) registers = (_master.Registers, _slave.Registers);
            IsHosted = true;
            _output.Set(false);
            return registers;
        }
    }

    /// <summary>Takes the registers back; the inputs are what they have become here.</summary>
    public void TakeBack(in I8259Registers master, in I8259Registers slave)
    {
        lock (_lock)
        {
            _master.Registers = master;
            _slave.Registers = slave;
            IsHosted = false;
            Update();
        }
    }

    /// <summary>Whether an input is a level.</summary>
    public bool IsLevel(int input)
    {
        lock (_lock)
            return ((input < 8 ? _master.Elcr : _slave.Elcr) >> (input & 7) & 1) != 0;
    }

    private void Recall()
    {
        if (IsHosted)
            Host?.Recall();
    }

    /// <summary>IRQ 0 to 15; IRQ 2 has no wire.</summary>
    public void SetLevel(int input, bool level)
    {
        if ((uint)input > 15 || input == Cascade)
            return;
        lock (_lock)
        {
            if (input < 8)
                _master.SetInput(input, level);
            else
                _slave.SetInput(input - 8, level);
            Update();
        }
    }

    /// <summary>
    /// The processor's interrupt acknowledge: the vector of the interrupt of the highest priority, or that of the spurious
    /// IRQ 7 or 15 when the request has gone.
    /// </summary>
    public int Acknowledge()
    {
        lock (_lock)
        {
            int vector = _master.Acknowledge(out int input);
            if (input == Cascade)
                vector = _slave.Acknowledge(out _);
            Update();
            return vector;
        }
    }

    byte IPortDevice.ReadPort(int block, int offset)
    {
        Recall();
        lock (_lock)
        {
            if (block == 2)
                return offset == 0 ? _master.Elcr : _slave.Elcr;
            byte value = (block == 0 ? _master : _slave).Read(offset == 1, out _);
            Update();
            return value;
        }
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        Recall();
        lock (_lock)
        {
            if (block != 2)
                (block == 0 ? _master : _slave).Write(offset == 1, value);
            else if (offset == 0)
                _master.Elcr = (byte)(value & MasterElcrMask);
            else
                _slave.Elcr = (byte)(value & SlaveElcrMask);
            Update();
        }
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        _master.Reset();
        _slave.Reset();
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
            Update();
    }

    private void Update()
    {
        if (IsHosted)
            return;
        _master.SetCascade(Cascade, _slave.Interrupt);
        _output.Set(_master.Interrupt);
    }
}
