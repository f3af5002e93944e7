using Myna.Hardware.State;

namespace Myna.Devices.Input;

/// <summary>
/// An enhanced PS/2 keyboard (IBM PS/2 Hardware Interface Technical Reference, "101- and 102-key keyboards"): scan code
/// sets 1, 2 and 3, of which 2 is the power-on state. LIMIT: keys do not repeat by themselves; set 3's per-key settings are acknowledged only.
/// </summary>
[Stateful("ps2-keyboard")]
internal sealed partial class Ps2Keyboard : Ps2Device
{
    private const byte SetLeds = 0xed, Echo = 0xee, ScanCodeSet = 0xf0, Identify = 0xf2, SetTypematic = 0xf3, Enable = 0xf4, Disable = 0xf5,
        SetDefault = 0xf6, AllTypematic = 0xf7, AllMake = 0xfa, KeyTypematic = 0xfb, KeyMake = 0xfd, Resend = 0xfe, ResetCommand = 0xff;

    [Saved(10)] private byte _set = 2;
    [Saved(11)] private bool _scanning = true;
    [Saved(12)] private byte _leds;
    [Saved(13)] private byte _typematic = 0x2b;

    /// <summary>Bits 0 to 2: scroll lock, num lock, caps lock.</summary>
    public byte Leds => _leds;

    public override void Reset()
    {
        base.Reset();
        Default();
        _scanning = true;
        _leds = 0;
    }

    /// <summary>A key goes down or up; <see cref="ScanCodes"/> says how keys are named.</summary>
    public void Key(int key, bool down)
    {
        // A key that does not fit as a whole is lost: half of one would be another.
        if (!_scanning || Free < 10)
            return;
        bool extended = key >= 0xe000;
        switch (_set)
        {
            case 1 when key == ScanCodes.Pause:
                if (down)
                    Send(0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
                break;
            case 1 when key == ScanCodes.PrintScreen:
                Send(down ? [0xe0, 0x2a, 0xe0, 0x37] : [0xe0, 0xb7, 0xe0, 0xaa]);
                break;
            case 1:
                if (extended)
                    Send(0xe0);
                Send((byte)(key & 0x7f | (down ? 0 : 0x80)));
                break;
            case 2 when key == ScanCodes.Pause:
                if (down)
                    Send(0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
                break;
            case 2 when key == ScanCodes.PrintScreen:
                Send(down ? [0xe0, 0x12, 0xe0, 0x7c] : [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12]);
                break;
            case 2:
                if (extended)
                    Send(0xe0);
                if (!down)
                    Send(0xf0);
                Send(key == 0x41 ? (byte)0x83 : ScanCodes.Set2(key));
                break;
            default:
                if (ScanCodes.Set3(key) is var code and not 0)
                {
                    if (!down)
                        Send(0xf0);
                    Send(code);
                }
                break;
        }
    }

    protected override void Command(byte command)
    {
        switch (command)
        {
            case SetLeds or ScanCodeSet or SetTypematic or (>= KeyTypematic and <= KeyMake):
                Expect(command);
                break;
            case Echo: Send(Echo); break;
            case Identify: Send(ACK, 0xab, 0x83); break;
            case Enable:
                Clear();
                _scanning = true;
                Send(ACK);
                break;
            case Disable or SetDefault:
                Clear();
                Default();
                _scanning = command != Disable;
                Send(ACK);
                break;
            case >= AllTypematic and <= AllMake: Send(ACK); break;
            case Resend: SendAgain(); break;
            case ResetCommand:
                Reset();
                Send(ACK, BAT_OK);
                break;
            default: Send(RESEND); break;
        }
    }

    protected override bool Parameter(byte command, byte value)
    {
        // Any command ends one that waits for its parameter.
        if (value >= SetLeds)
            return false;
        switch (command)
        {
            case SetLeds: _leds = (byte)(value & 7); break;
            case SetTypematic: _typematic = (byte)(value & 0x7f); break;
            case ScanCodeSet when value == 0:
                Send(ACK, _set);
                return true;
            case ScanCodeSet when value <= 3: _set = value; break;
            case ScanCodeSet:
                Send(RESEND);
                return true;
        }
        Send(ACK);
        return true;
    }

    private void Default()
    {
        _set = 2;
        _typematic = 0x2b;
    }

    private void Sync() { }
}
