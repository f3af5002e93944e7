using Myna.Hardware.State;

namespace Myna.Devices.Network;

/// <summary>
/// A serial EEPROM of 64 words with a Microwire interface (93C46 data sheet): the clock's rising edge takes a start bit, two
/// bits of opcode and six of address in, then sixteen of data out. Words can be read, not written.
/// Not locked: its controller is.
/// </summary>
[Stateful("eeprom-93c46")]
internal sealed partial class Eeprom93C46
{
    public const int Words = 64;

    // Start bit, opcode, address.
    private const int CommandBits = 9, ReadOpcode = 0b110;

    [NotSaved("given by the machine")]
    private readonly ushort[] _words = new ushort[Words];

    // Bits taken in since the start bit, or given out beyond the command's.
    [Saved(1)] private byte _bits;
    [Saved(2)] private ushort _command;
    [Saved(3)] private bool _dataOut;
    [Saved(4)] private bool _clock;

    /// <param name="words">The first words; the others are 0.</param>
    public Eeprom93C46(ReadOnlySpan<ushort> words) => words.CopyTo(_words);

    /// <summary>A word, 0 beyond the chip.</summary>
    public ushort this[int word] => word < Words ? _words[word] : (ushort)0;

    /// <summary>Pin DO.</summary>
    public bool DataOut => _dataOut;

    public void Reset()
    {
        _bits = 0;
        _command = 0;
        _dataOut = _clock = false;
    }

    /// <summary>The controller drives SK, CS and DI.</summary>
    public void SetPins(bool clock, bool select, bool dataIn)
    {
        bool rising = clock && !_clock;
        if (!select)
            Reset();
        else if (rising)
            Clock(dataIn);
        _clock = clock;
    }

    private void Clock(bool dataIn)
    {
        if (_bits < CommandBits)
        {
            if (_bits == 0 && !dataIn)
                return;
            _command = (ushort)(_command << 1 | (dataIn ? 1 : 0));
            _bits++;
            _dataOut = false;
            return;
        }
        // Data follows on, word after word.
        int bit = _bits - CommandBits;
        _dataOut = _command >> 6 == ReadOpcode && (_words[_command & (Words - 1)] & 0x8000 >> bit) != 0;
        if (bit == 15)
        {
            _command = (ushort)(_command & ~(Words - 1) | (_command + 1) & (Words - 1));
            _bits = CommandBits;
        }
        else
        {
            _bits++;
        }
    }

    private void Sync()
    {
        if (_bits > CommandBits + 15)
            Reset();
    }
}
