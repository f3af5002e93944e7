using Myna.Devices.Ports;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Power;
using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Devices.Input;

/// <summary>
/// Keyboard controller of a PC, an Intel 8042 (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary
/// Device Controller"): ports 60h and 64h, IRQ 1 and 12, a keyboard and a mouse; A20 and reset in its output port.
/// DEVIATION: the reset pulse resets the machine unless a board connects <c>init</c>.
/// </summary>
[Stateful("i8042")]
public sealed partial class I8042 : IPortDevice, IKeyboard, IPointer
{
    // Status register.
    private const byte OBF = 0x01, SYS = 0x04, CMD = 0x08, UNLOCKED = 0x10, AUX_OBF = 0x20;

    // Command byte.
    private const byte KBD_INT = 0x01, AUX_INT = 0x02, KBD_DISABLE = 0x10, AUX_DISABLE = 0x20, TRANSLATE = 0x40, CommandBits = 0x77;

    // Output port.
    private const byte RESET_HIGH = 0x01, A20 = 0x02, OutputOnes = 0xcc;

    private enum Source : byte { None, Keyboard, Mouse }

    private readonly Lock _lock = new();
    private readonly InterruptLine _irq1, _irq12, _a20, _init;
    private readonly IPowerControl _power;

    [Saved(1)] private byte _commandByte;
    [Saved(2)] private byte _output;
    [Saved(3)] private byte _data;

    // Whose byte is in the output buffer.
    [Saved(4)] private Source _source;

    // The last write was to port 64h.
    [Saved(5)] private bool _wroteCommand;

    // The controller command whose parameter comes at port 60h, 0 for none.
    [Saved(6)] private byte _pending;

    // A break prefix of set 2 is being translated.
    [Saved(7)] private bool _break;
    [Saved(8)] private readonly byte[] _ram = new byte[32];
    [Saved(9)] private readonly Ps2Keyboard _keyboard = new();
    [Saved(10)] private readonly Ps2Mouse _mouse = new();

    /// <param name="irq1">Keyboard, and <paramref name="irq12"/> mouse.</param>
    /// <param name="a20">High while address line 20 works.</param>
    /// <param name="init">INIT# of the processors.</param>
    public I8042(InterruptLine irq1, InterruptLine irq12, IPowerControl power, InterruptLine a20 = default, InterruptLine init = default)
    {
        _irq1 = irq1;
        _irq12 = irq12;
        _power = power;
        _a20 = a20;
        _init = init;
        Data = new PortBlock(this, 0, 1);
        Command = new PortBlock(this, 1, 1);
        Reset();
    }

    /// <summary>Port 60h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Data { get; }

    /// <summary>Port 64h.</summary>
    [field: NotSaved("wiring")]
    public PortBlock Command { get; }

    /// <summary>The keyboard's lamps, bits 0 to 2: scroll lock, num lock, caps lock.</summary>
    public byte Leds
    {
        get
        {
            lock (_lock)
                return _keyboard.Leds;
        }
    }

    /// <summary>A key goes down or up.</summary>
    /// <param name="key">Its make code in scan code set 1; with 0xE000 added when an E0 precedes it (0xE037 print screen, 0xE046 pause).</param>
    public void Key(int key, bool down)
    {
        lock (_lock)
        {
            _keyboard.Key(key, down);
            Fill();
        }
    }

    /// <summary>The mouse moves or its buttons change.</summary>
    /// <param name="x">Counts to the right.</param>
    /// <param name="y">Counts up.</param>
    /// <param name="wheel">Steps towards the user.</param>
    /// <param name="buttons">Pressed ones: bit 0 left, 1 right, 2 middle, 3 and 4 the others.</param>
    public void MoveMouse(int x, int y, int wheel, byte buttons)
    {
        lock (_lock)
        {
            _mouse.Move(x, y, wheel, buttons);
            Fill();
        }
    }

    // What else there is comes first once its driver runs.
    bool IKeyboard.IsActive => true;
    bool IPointer.IsActive => true;
    bool IPointer.IsAbsolute => false;

    void IPointer.Move(int x, int y, int wheel, byte buttons) => MoveMouse(x, -y, wheel, buttons);

    byte IPortDevice.ReadPort(int block, int offset)
    {
        lock (_lock)
        {
            if (block == 1)
            {
                return (byte)((_source != Source.None ? OBF : 0) | (_source == Source.Mouse ? AUX_OBF : 0) | (_commandByte & SYS)
                    | (_wroteCommand ? CMD : 0) | UNLOCKED);
            }
            byte data = _data;
            _source = Source.None;
            // The wires fall before they rise for the next byte.
            Drive();
            Fill();
            return data;
        }
    }

    void IPortDevice.WritePort(int block, int offset, byte value)
    {
        bool reset = false;
        lock (_lock)
        {
            _wroteCommand = block == 1;
            if (block == 1)
                reset = WriteCommand(value);
            else
                reset = WriteData(value);
            Fill();
        }
        if (!reset)
            return;
        if (_init.Sink is null)
        {
            _power.Reset();
            return;
        }
        _init.Set(true);
        _init.Set(false);
    }

    /// <summary>Power-on state; keyboard interrupts and translation are on, as firmware leaves them.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _commandByte = KBD_INT | TRANSLATE | SYS;
            _output = OutputOnes | RESET_HIGH | A20;
            _data = _pending = 0;
            _source = Source.None;
            _wroteCommand = _break = false;
            Array.Clear(_ram);
            _keyboard.Reset();
            _mouse.Reset();
        }
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
        {
            Drive();
            _a20.Set((_output & A20) != 0);
        }
    }

    /// <returns>The processors are to be reset.</returns>
    private bool WriteCommand(byte command)
    {
        _pending = 0;
        switch (command)
        {
            case 0x20: Reply(_commandByte); break;
            case > 0x20 and < 0x40: Reply(_ram[command & 31]); break;
            case (>= 0x60 and < 0x80) or 0xd1 or 0xd2 or 0xd3 or 0xd4: _pending = command; break;
            case 0xa4: Reply(0xf1); break; // no password
            case 0xa7: SetCommandByte((byte)(_commandByte | AUX_DISABLE)); break;
            case 0xa8: SetCommandByte((byte)(_commandByte & ~AUX_DISABLE)); break;
            case 0xa9 or 0xab: Reply(0); break; // interface tests
            case 0xaa:
                _commandByte |= SYS;
                Reply(0x55);
                break;
            case 0xad: SetCommandByte((byte)(_commandByte | KBD_DISABLE)); break;
            case 0xae: SetCommandByte((byte)(_commandByte & ~KBD_DISABLE)); break;
            case 0xc0: Reply(0x80); break; // keyboard not locked
            case 0xd0: Reply(_output); break;
            case 0xe0: Reply(0); break;
            case >= 0xf0: return (command & RESET_HIGH) == 0; // pulses the outputs whose bits are 0
        }
        return false;
    }

    /// <returns>The processors are to be reset.</returns>
    private bool WriteData(byte value)
    {
        byte command = _pending;
        _pending = 0;
        switch (command)
        {
            case 0:
                // Writing to the keyboard switches its interface on.
                _commandByte &= unchecked((byte)~KBD_DISABLE);
                _keyboard.Receive(value);
                break;
            case 0x60: SetCommandByte(value); break;
            case > 0x60 and < 0x80: _ram[command & 31] = value; break;
            case 0xd1:
                _output = (byte)(value | OutputOnes);
                _a20.Set((value & A20) != 0);
                return (value & RESET_HIGH) == 0;
            case 0xd2: Reply(value); break;
            case 0xd3: Place(value, Source.Mouse); break;
            case 0xd4: _mouse.Receive(value); break;
        }
        return false;
    }

    private void SetCommandByte(byte value)
    {
        _commandByte = (byte)(value & CommandBits);
        Drive();
    }

    /// <summary>The controller's own answer goes before what the devices have to say.</summary>
    private void Reply(byte value) => Place(value, Source.Keyboard);

    private void Place(byte value, Source source)
    {
        _source = Source.None;
        Drive();
        _data = value;
        _source = source;
        Drive();
    }

    /// <summary>Puts the next byte of a device whose interface is on into an empty output buffer.</summary>
    private void Fill()
    {
        while (_source == Source.None)
        {
            if ((_commandByte & KBD_DISABLE) == 0 && _keyboard.HasData)
            {
                byte value = _keyboard.Take();
                if ((_commandByte & TRANSLATE) != 0 && !Translate(ref value))
                    continue;
                _data = value;
                _source = Source.Keyboard;
            }
            else if ((_commandByte & AUX_DISABLE) == 0 && _mouse.HasData)
            {
                _data = _mouse.Take();
                _source = Source.Mouse;
            }
            else
            {
                break;
            }
        }
        Drive();
    }

    /// <returns>False for the break prefix, which becomes a bit of the next byte.</returns>
    private bool Translate(ref byte value)
    {
        if (value == 0xf0)
        {
            _break = true;
            return false;
        }
        value = ScanCodes.Translate(value);
        if (_break)
            value |= 0x80;
        _break = false;
        return true;
    }

    private void Drive()
    {
        _irq1.Set(_source == Source.Keyboard && (_commandByte & KBD_INT) != 0);
        _irq12.Set(_source == Source.Mouse && (_commandByte & AUX_INT) != 0);
    }
}
