using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Usb;

/// <summary>A keyboard whose reports are the boot protocol's (HID 1.11, appendix B.1): modifiers and six keys.</summary>
[Stateful("usb-keyboard")]
public sealed partial class UsbKeyboard(Clock clock, UsbSpeed speed = UsbSpeed.High)
    : HidDevice("usb-keyboard", speed, 0x0001, "Myna USB Keyboard", (1, 1), [.. ReportDescriptor], clock), IKeyboard
{
    private const int Keys = 6;
    private const byte ErrorRollOver = 1;

    // HID 1.11, appendix E.6.
    private static ReadOnlySpan<byte> ReportDescriptor =>
    [
        0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,             // generic desktop, keyboard, application
        0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, // modifiers
        0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02,
        0x95, 0x01, 0x75, 0x08, 0x81, 0x01,             // reserved
        0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, // lamps
        0x29, 0x05, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01,
        0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x26, 0xff, // keys
        0x00, 0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00, 0x81, 0x00,
        0xc0,
    ];

    // Pressed keys, a bit for each usage.
    [Saved(30)] private readonly ulong[] _down = new ulong[4];

    // Pressed keys that are not modifiers, in their order; at most so many as a report holds are remembered here.
    [Saved(31)] private readonly byte[] _keys = new byte[16];
    [Saved(32)] private byte _lamps;

    /// <inheritdoc/>
    public byte Leds => (byte)((_lamps & 4) >> 2 | (_lamps & 3) << 1);

    private protected override int InputSize => 8;

    private protected override bool Repeats => true;

    /// <inheritdoc/>
    public void Key(int key, bool down)
    {
        byte usage = HidUsages.OfScanCode(key);
        if (usage == 0)
            return;
        lock (Lock)
        {
            ulong bit = 1ul << (usage & 63);
            ref ulong word = ref _down[usage >> 6];
            if ((word & bit) != 0 == down)
                return;
            word ^= bit;
            if (usage < HidUsages.FirstModifier)
                Remember(usage, down);
            Report(motion: false);
        }
    }

    private protected override void Fill(Span<byte> report)
    {
        report = report[..InputSize];
        report.Clear();
        report[0] = (byte)(_down[3] >> (HidUsages.FirstModifier & 63));
        int pressed = _keys.AsSpan().IndexOf((byte)0);
        if (pressed is < 0 or > Keys)
            report[2..].Fill(ErrorRollOver);
        else
            _keys.AsSpan(0, pressed).CopyTo(report[2..]);
    }

    private protected override void Output(ReadOnlySpan<byte> report)
    {
        if (report.Length != 0)
            _lamps = (byte)(report[0] & 0x1f);
    }

    private protected override void Released()
    {
        Array.Clear(_down);
        Array.Clear(_keys);
        _lamps = 0;
    }

    private void Remember(byte usage, bool down)
    {
        if (down)
        {
            if (_keys.AsSpan().IndexOf((byte)0) is >= 0 and var free)
                _keys[free] = usage;
        }
        else if (_keys.AsSpan().IndexOf(usage) is >= 0 and var place)
        {
            _keys.AsSpan(place + 1).CopyTo(_keys.AsSpan(place));
            _keys[^1] = 0;
        }
    }
}
