using System.Numerics;
using Myna.Hardware.State;

namespace Myna.Devices.Interrupts;

/// <summary>
/// One Intel 8259A programmable interrupt controller (Intel 8259A datasheet, order 231468), without its wires: those are
/// <see cref="I8259Pair"/>'s, which also locks it. Vectors are those of the 8086 mode.
/// DEVIATION: an edge stays requested when its input falls before the acknowledge (the datasheet makes it a spurious IR7),
/// so that short pulses are not lost.
/// </summary>
[Stateful("i8259")]
internal sealed partial class I8259
{
    private const byte ICW1 = 0x10, OCW3 = 0x08;
    private const byte IC4 = 1, SNGL = 2, LTIM = 8;
    private const byte AEOI = 2, SFNM = 0x10;

    [Saved(1)] private byte _irr;
    [Saved(2)] private byte _isr;
    [Saved(3)] private byte _imr;

    // Levels of the inputs.
    [Saved(4)] private byte _inputs;

    // Edge/level control register: 1 for a level-triggered input.
    [Saved(5)] private byte _elcr;
    [Saved(6)] private byte _icw1;
    [Saved(7)] private byte _icw4;

    // Vector of IR0: bits 7:3 of ICW2.
    [Saved(8)] private byte _base;

    // The next initialization command word expected at the odd port, 2 to 4, or 0.
    [Saved(9)] private byte _expected;

    // The input with the lowest priority, 7 after initialization.
    [Saved(10)] private byte _lowest;
    [Saved(11)] private bool _readIsr;
    [Saved(12)] private bool _poll;
    [Saved(13)] private bool _specialMask;
    [Saved(14)] private bool _rotateOnAutoEoi;

    [NotSaved("decided by the construction")]
    private readonly byte _slaves;

    /// <param name="slaves">Inputs that other controllers' INT drives.</param>
    public I8259(byte slaves)
    {
        _slaves = slaves;
        Reset();
    }

    /// <summary>Edge/level control register of the chip set (ICH9 datasheet, section 13.4.3); bits as the caller allows them.</summary>
    public byte Elcr
    {
        get => _elcr;
        set
        {
            byte wasLevel = LevelInputs;
            _elcr = value;
            // What was requested by level only goes with its input; what becomes a level follows it.
            _irr = (byte)((_irr & ~LevelInputs & ~wasLevel) | (_inputs & LevelInputs));
        }
    }

    /// <summary>The INT output.</summary>
    public bool Interrupt => Pending() >= 0;

    /// <summary>All registers, as another model of the chip may hold them.</summary>
    public I8259Registers Registers
    {
        get => new(_irr, _isr, _imr, _inputs, _elcr, _base, _lowest, _expected, (_icw1 & IC4) != 0, AutoEoi, (_icw4 & SFNM) != 0, _rotateOnAutoEoi, _specialMask, _poll, _readIsr);
        set
        {
            (_irr, _isr, _imr, _elcr, _base) = (value.Irr, value.Isr, value.Imr, value.Elcr, (byte)(value.Base & 0xf8));
            (_lowest, _expected) = ((byte)(value.Lowest & 7), value.Expected is 2 or 3 or 4 ? value.Expected : (byte)0);
            _icw1 = (byte)((_icw1 & ~IC4) | (value.NeedsIcw4 ? IC4 : 0));
            _icw4 = (byte)((_icw4 & ~(AEOI | SFNM)) | (value.AutoEoi ? AEOI : 0) | (value.SpecialFullyNested ? SFNM : 0));
            (_rotateOnAutoEoi, _specialMask, _poll, _readIsr) = (value.RotateOnAutoEoi, value.SpecialMask, value.Poll, value.ReadIsr);
        }
    }

    private byte LevelInputs => (_icw1 & LTIM) != 0 ? (byte)0xff : _elcr;
    private bool AutoEoi => (_icw4 & AEOI) != 0;

    /// <summary>Power-on state; the wires keep their levels.</summary>
    public void Reset()
    {
        _irr = _isr = _imr = _elcr = _icw1 = _icw4 = _base = _expected = 0;
        _lowest = 7;
        _readIsr = _poll = _specialMask = _rotateOnAutoEoi = false;
    }

    /// <summary>The wires, but not the cascaded one.</summary>
    public void SetInput(int input, bool level)
    {
        byte bit = (byte)(1 << input);
        bool rising = level && (_inputs & bit) == 0;
        _inputs = (byte)(level ? _inputs | bit : _inputs & ~bit);
        if (rising)
            _irr |= bit;
        else if (!level && (LevelInputs & bit) != 0)
            _irr &= (byte)~bit;
    }

    /// <summary>A slave's INT: the request follows it.</summary>
    public void SetCascade(int input, bool level)
    {
        byte bit = (byte)(1 << input);
        _inputs = (byte)(level ? _inputs | bit : _inputs & ~bit);
        _irr = (byte)(level ? _irr | bit : _irr & ~bit);
    }

    /// <summary>The INTA sequence.</summary>
    /// <param name="input">The input acknowledged; 7 without a request.</param>
    /// <returns>The vector.</returns>
    public byte Acknowledge(out int input)
    {
        input = Pending();
        if (input < 0)
        {
            // The default IR7: no in-service bit.
            input = 7;
            return (byte)(_base | 7);
        }
        byte bit = (byte)(1 << input);
        if ((LevelInputs & bit) == 0 && (_slaves & bit) == 0)
            _irr &= (byte)~bit;
        if (!AutoEoi)
            _isr |= bit;
        else if (_rotateOnAutoEoi)
            _lowest = (byte)input;
        return (byte)(_base | input);
    }

    /// <param name="odd">A0.</param>
    /// <param name="acknowledged">The input that a poll acknowledged, or -1.</param>
    public byte Read(bool odd, out int acknowledged)
    {
        acknowledged = -1;
        if (_poll)
        {
            // The poll command makes the next read an acknowledge.
            _poll = false;
            if (Pending() < 0)
                return 0;
            _ = Acknowledge(out acknowledged);
            return (byte)(0x80 | acknowledged);
        }
        return odd ? _imr : _readIsr ? _isr : _irr;
    }

    public void Write(bool odd, byte value)
    {
        if (!odd && (value & ICW1) != 0)
            Initialize(value);
        else if (!odd && (value & OCW3) != 0)
            WriteOcw3(value);
        else if (!odd)
            WriteOcw2(value);
        else if (_expected != 0)
            WriteNextIcw(value);
        else
            _imr = value;
    }

    private void Initialize(byte value)
    {
        _icw1 = value;
        _icw4 = 0;
        _isr = _imr = 0;
        // The edge sense circuit is reset: an input must rise again.
        _irr = (byte)(_inputs & (LevelInputs | _slaves));
        _lowest = 7;
        _readIsr = _poll = _specialMask = _rotateOnAutoEoi = false;
        _expected = 2;
    }

    private void WriteNextIcw(byte value)
    {
        switch (_expected)
        {
            case 2:
                _base = (byte)(value & 0xf8);
                _expected = (byte)((_icw1 & SNGL) == 0 ? 3 : (_icw1 & IC4) != 0 ? 4 : 0);
                break;
            case 3:
                // ICW3 says how the chips are wired, which the board knows.
                _expected = (byte)((_icw1 & IC4) != 0 ? 4 : 0);
                break;
            default:
                _icw4 = value;
                _expected = 0;
                break;
        }
    }

    private void WriteOcw3(byte value)
    {
        if ((value & 0x40) != 0)
            _specialMask = (value & 0x20) != 0;
        if ((value & 4) != 0)
            _poll = true;
        else if ((value & 2) != 0)
            _readIsr = (value & 1) != 0;
    }

    private void WriteOcw2(byte value)
    {
        int level = value & 7;
        switch (value >> 5)
        {
            case 0: _rotateOnAutoEoi = false; break;
            case 4: _rotateOnAutoEoi = true; break;
            case 1 or 5: // non-specific EOI, with rotation
                level = HighestInService();
                if (level >= 0)
                    EndOfInterrupt(level, rotate: value >> 5 == 5);
                break;
            case 3 or 7: EndOfInterrupt(level, rotate: value >> 5 == 7); break;
            case 6: _lowest = (byte)level; break;
        }
    }

    private void EndOfInterrupt(int level, bool rotate)
    {
        _isr &= (byte)~(1 << level);
        if (rotate)
            _lowest = (byte)level;
    }

    /// <summary>The in-service level that a non-specific EOI ends; in special mask mode not one that is masked.</summary>
    private int HighestInService() => First((byte)(_specialMask ? _isr & ~_imr : _isr)) is var rank && rank < 8 ? Level(rank) : -1;

    /// <summary>The input that interrupts now, or -1.</summary>
    private int Pending()
    {
        int request = First((byte)(_irr & ~_imr));
        if (request == 8)
            return -1;
        // In special mask mode, a level in service that is masked inhibits nothing; in special fully nested mode, a slave
        // in service lets its own higher levels through.
        int blocking = _specialMask ? _isr & ~_imr : _isr;
        if ((_icw4 & SFNM) != 0)
            blocking &= ~_slaves;
        return request < First((byte)blocking) ? Level(request) : -1;
    }

    /// <summary>The rank (0 is the highest priority) of the first bit set, 8 when there is none.</summary>
    private int First(byte bits)
    {
        uint rotated = BitOperations.RotateRight(bits * 0x01010101u, _lowest + 1 & 7) & 0xff;
        return rotated == 0 ? 8 : BitOperations.TrailingZeroCount(rotated);
    }

    private int Level(int rank) => (_lowest + 1 + rank) & 7;

    private void Sync() { }
}

/// <summary>Registers of an 8259A.</summary>
/// <param name="Inputs">Levels of the inputs.</param>
/// <param name="Base">Vector of IR0.</param>
/// <param name="Lowest">The input with the lowest priority.</param>
/// <param name="Expected">The next initialization command word, 2 to 4, or 0.</param>
/// <param name="NeedsIcw4">ICW1 announced ICW4.</param>
public readonly record struct I8259Registers(byte Irr, byte Isr, byte Imr, byte Inputs, byte Elcr, byte Base, byte Lowest, byte Expected, bool NeedsIcw4, bool AutoEoi, bool SpecialFullyNested,
    bool RotateOnAutoEoi, bool SpecialMask, bool Poll, bool ReadIsr);
