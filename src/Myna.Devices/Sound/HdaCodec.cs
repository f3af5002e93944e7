using Myna.Hardware.State;

namespace Myna.Devices.Sound;

/// <summary>
/// A codec (Intel HDA specification 1.0a, chapter 7) with a line output and a line input, two channels each: a function group (node 1), a
/// converter and a pin for the output (2, 3), and the same for the input (4, 5), on which there is silence. The identity and the graph
/// are those of QEMU's hda-duplex. Not locked: its controller is.
/// </summary>
[Stateful("hda-codec")]
internal sealed partial class HdaCodec
{
    private const int Root = 0, Function = 1, Dac = 2, OutPin = 3, Adc = 4, InPin = 5, Nodes = 6;

    private const uint Identity = 0x1af4_0022, Revision = 0x0010_0101, Subsystem = 0x1af4_0022;

    // Parameters (section 7.3.4).
    private const int VendorId = 0x00, RevisionId = 0x02, SubordinateNodes = 0x04, FunctionType = 0x05, FunctionCapabilities = 0x08, WidgetCapabilities = 0x09, PcmRates = 0x0a,
        StreamFormats = 0x0b, PinCapabilities = 0x0c, InputAmplifier = 0x0d, ConnectionLength = 0x0e, PowerStates = 0x0f, OutputAmplifier = 0x12;

    // 8 to 96 kHz; 16, 24 and 32 bits.
    private const uint Rates = 0x001a_01ff;

    // Mute; 75 steps of 1 dB, the last of which is 0 dB.
    private const int FullGain = 0x4a;
    private const uint Amplifier = 1u << 31 | 3 << 16 | FullGain << 8 | FullGain;
    private const byte Mute = 0x80, OutEnable = 0x40;

    // Stereo, amplifiers of their own, formats of their own; the types are output, input, pin.
    private const uint DacCapabilities = 0x0000_001d, AdcCapabilities = 0x0010_011b, OutPinCapabilities = 0x0040_0101, InPinCapabilities = 0x0040_0001;

    // Rear jacks, line out (green) and line in (blue); associations 1 and 2.
    private const uint OutDefault = 0x0101_4010, InDefault = 0x0181_3020;

    private static readonly int[] s_gains = [.. Enumerable.Range(0, FullGain + 1).Select(step => (int)Math.Round(65536 * Math.Pow(10, (step - FullGain) / 20.0)))];

    // Of the output, then of the input.
    [Saved(1)] private readonly ushort[] _format = new ushort[2];
    [Saved(2)] private readonly byte[] _stream = new byte[2];
    [Saved(3)] private readonly byte[] _pin = new byte[2];
    [Saved(4)] private readonly uint[] _defaults = new uint[2];

    // Left and right of the output, then of the input.
    [Saved(5)] private readonly byte[] _gain = new byte[4];
    [Saved(6)] private readonly byte[] _power = new byte[Nodes];
    [Saved(7)] private readonly byte[] _unsolicited = new byte[Nodes];
    [Saved(8)] private uint _subsystem;

    public HdaCodec() => Reset();

    /// <summary>Whether the output plays this stream.</summary>
    /// <param name="tag">1 to 15.</param>
    public bool Plays(int tag) => tag != 0 && _stream[0] >> 4 == tag;

    /// <summary>The first of the stream's channels that is heard.</summary>
    public int FirstChannel => _stream[0] & 15;

    /// <summary>The output's amplification in 1/65536, for left (0) and right (1); 0 when the jack is switched off.</summary>
    public int Gain(int side) => (_pin[0] & OutEnable) == 0 || (_gain[side] & Mute) != 0 ? 0 : s_gains[Math.Min(_gain[side] & 0x7f, FullGain)];

    public void Reset()
    {
        Array.Fill(_format, (ushort)0x0011);
        Array.Clear(_stream);
        (_pin[0], _pin[1]) = (0x40, 0x20);
        (_defaults[0], _defaults[1]) = (OutDefault, InDefault);
        Array.Fill(_gain, (byte)FullGain);
        Array.Clear(_power);
        Array.Clear(_unsolicited);
        _subsystem = Subsystem;
    }

    /// <summary>Carries out a command: node in bits 27:20, verb and payload in 19:0 (section 7.3.1).</summary>
    public uint Command(uint command)
    {
        int node = (int)(command >> 20 & 0xff);
        if (node >= Nodes)
            return 0;
        int side = node is Adc or InPin ? 1 : 0;
        uint payload = command & 0xff;
        // Two verbs of four bits have a payload of sixteen.
        switch (command >> 16 & 0xf)
        {
            case 0x2 when node is Dac or Adc:
                _format[side] = (ushort)command;
                return 0;
            case 0x3 when node is Dac or Adc:
                SetGain(node, command & 0xffff);
                return 0;
            case 0xa when node is Dac or Adc:
                return _format[side];
            case 0xb when node is Dac or Adc:
                // Bit 15: the output's; bit 13: left.
                return (command >> 15 & 1) != (node == Dac ? 1u : 0) ? 0u : _gain[side * 2 + ((command >> 13 & 1) != 0 ? 0 : 1)];
        }
        return (command >> 8 & 0xfff) switch
        {
            0xf00 => Parameter(node, (int)payload),
            0xf02 => payload == 0 && Source(node) is var source and not 0 ? (uint)source : 0,
            0xf05 => (uint)(_power[node] | _power[node] << 4),
            0x705 when node != Root => Set(ref _power[node], payload & 0xf),
            0xf06 when node is Dac or Adc => _stream[side],
            0x706 when node is Dac or Adc => Set(ref _stream[side], payload),
            0xf07 when IsPin(node) => _pin[side],
            0x707 when IsPin(node) => Set(ref _pin[side], payload),
            0xf08 => _unsolicited[node],
            0x708 when node != Root => Set(ref _unsolicited[node], payload & 0xbf),
            // Something is plugged in.
            0xf09 when IsPin(node) => 1u << 31,
            0xf1c when IsPin(node) => _defaults[side],
            >= 0x71c and <= 0x71f and var verb when IsPin(node) => Put(ref _defaults[side], (int)verb - 0x71c, payload),
            0xf20 when node == Function => _subsystem,
            >= 0x720 and <= 0x723 and var verb when node == Function => Put(ref _subsystem, (int)verb - 0x720, payload),
            0x7ff when node == Function => FunctionReset(),
            _ => 0,
        };
    }

    private static bool IsPin(int node) => node is OutPin or InPin;

    private static int Source(int node) => node switch { OutPin => Dac, Adc => InPin, _ => 0 };

    private static uint Parameter(int node, int parameter) => (node, parameter) switch
    {
        (Root, VendorId) => Identity,
        (Root, RevisionId) => Revision,
        (Root, SubordinateNodes) => Function << 16 | 1,
        (Function, SubordinateNodes) => Dac << 16 | (Nodes - Dac),
        (Function, FunctionType) => 1,
        (Function, FunctionCapabilities) => 0x0808,
        (Function, PowerStates) => 1 << 0 | 1 << 3,
        (Function or Dac or Adc, PcmRates) => Rates,
        (Function or Dac or Adc, StreamFormats) => 1,
        (Dac, WidgetCapabilities) => DacCapabilities,
        (Dac, OutputAmplifier) => Amplifier,
        (Adc, WidgetCapabilities) => AdcCapabilities,
        (Adc, InputAmplifier) => Amplifier,
        (OutPin, WidgetCapabilities) => OutPinCapabilities,
        (OutPin, PinCapabilities) => 0x10,
        (InPin, WidgetCapabilities) => InPinCapabilities,
        (InPin, PinCapabilities) => 0x20,
        (OutPin or Adc, ConnectionLength) => 1,
        _ => 0,
    };

    /// <summary>Bit 15 or 14: which amplifier; 13 and 12: left, right; 7: mute; 6:0: gain (section 7.3.3.7).</summary>
    private void SetGain(int node, uint payload)
    {
        if ((payload >> (node == Dac ? 15 : 14) & 1) == 0)
            return;
        int first = node == Dac ? 0 : 2;
        if ((payload >> 13 & 1) != 0)
            _gain[first] = (byte)payload;
        if ((payload >> 12 & 1) != 0)
            _gain[first + 1] = (byte)payload;
    }

    /// <summary>What a software reset of the function group leaves: configuration defaults (section 7.3.3.33).</summary>
    private uint FunctionReset()
    {
        (uint output, uint input, uint subsystem) = (_defaults[0], _defaults[1], _subsystem);
        Reset();
        (_defaults[0], _defaults[1], _subsystem) = (output, input, subsystem);
        return 0;
    }

    private static uint Set(ref byte register, uint value)
    {
        register = (byte)value;
        return 0;
    }

    private static uint Put(ref uint register, int place, uint value)
    {
        register = register & ~(0xffu << place * 8) | value << place * 8;
        return 0;
    }

    private void Sync()
    {
    }
}
