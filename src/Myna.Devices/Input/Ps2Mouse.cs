using Myna.Hardware.State;

namespace Myna.Devices.Input;

/// <summary>
/// A PS/2 mouse (IBM PS/2 Hardware Interface Technical Reference, "Auxiliary device"), with the wheel and the fourth and
/// fifth button of Microsoft's IntelliMouse once the host has knocked by its sequences of sample rates.
/// </summary>
[Stateful("ps2-mouse")]
internal sealed partial class Ps2Mouse : Ps2Device
{
    private const byte Scale1 = 0xe6, Scale2 = 0xe7, SetResolution = 0xe8, StatusRequest = 0xe9, Stream = 0xea, ReadData = 0xeb, ResetWrap = 0xec, SetWrap = 0xee,
        Remote = 0xf0, Identify = 0xf2, SetRate = 0xf3, Enable = 0xf4, Disable = 0xf5, SetDefault = 0xf6, Resend = 0xfe, ResetCommand = 0xff;

    [Saved(10)] private bool _enabled;
    [Saved(11)] private bool _remote;
    [Saved(12)] private bool _wrap;
    [Saved(13)] private bool _scale2;
    [Saved(14)] private byte _resolution = 2;
    [Saved(15)] private byte _rate = 100;

    // Device ID: 0, 3 with wheel, 4 with five buttons.
    [Saved(16)] private byte _id;

    // The three sample rates set last, the newest in the low byte.
    [Saved(17)] private uint _knocks;
    [Saved(18)] private int _x;
    [Saved(19)] private int _y;
    [Saved(20)] private int _wheel;

    // Bit 0 left, 1 right, 2 middle, 3 and 4 the others.
    [Saved(21)] private byte _buttons;

    public override void Reset()
    {
        base.Reset();
        Default();
        _id = 0;
        _knocks = 0;
        _x = _y = _wheel = 0;
        _buttons = 0;
    }

    /// <summary>The mouse moved (right and up are positive, the wheel towards the user) or a button changed.</summary>
    public void Move(int x, int y, int wheel, byte buttons)
    {
        if (!_enabled && !_remote)
        {
            _buttons = (byte)(buttons & 0x1f);
            return;
        }
        _x = Math.Clamp(_x + x, -0x7fff, 0x7fff);
        _y = Math.Clamp(_y + y, -0x7fff, 0x7fff);
        _wheel = Math.Clamp(_wheel + wheel, -0x7f, 0x7f);
        bool changed = buttons != _buttons;
        _buttons = (byte)(buttons & 0x1f);
        if (!_enabled || _remote || _wrap)
            return;
        while ((changed || _x != 0 || _y != 0 || (_wheel != 0 && _id != 0)) && Free >= 8)
        {
            SendPacket();
            changed = false;
        }
    }

    protected override void Command(byte command)
    {
        if (_wrap && command is not (ResetWrap or ResetCommand))
        {
            Send(command);
            return;
        }
        switch (command)
        {
            case SetResolution or SetRate: Expect(command); return;
            case Resend: SendAgain(); return;
            case ResetCommand:
                Reset();
                Send(ACK, BAT_OK, 0);
                return;
            case Scale1 or Scale2: _scale2 = command == Scale2; break;
            case Stream: _remote = false; break;
            case Remote: _remote = true; break;
            case SetWrap: _wrap = true; break;
            case ResetWrap: _wrap = false; break;
            case Enable: _enabled = true; break;
            case Disable: _enabled = false; break;
            case SetDefault: Default(); break;
            case Identify:
                Send(ACK, _id);
                return;
            case ReadData:
                Send(ACK);
                SendPacket();
                return;
            case StatusRequest:
                byte left = (byte)((_buttons & 1) << 2 | (_buttons & 4) >> 1 | (_buttons & 2) >> 1);
                Send(ACK, (byte)((_remote ? 0x40 : 0) | (_enabled ? 0x20 : 0) | (_scale2 ? 0x10 : 0) | left), _resolution, _rate);
                return;
            default:
                Send(RESEND);
                return;
        }
        Send(ACK);
    }

    protected override bool Parameter(byte command, byte value)
    {
        if (command == SetResolution)
        {
            _resolution = (byte)(value & 3);
        }
        else
        {
            _rate = value;
            _knocks = _knocks << 8 | value;
            _id = (_knocks & 0xff_ffff) switch
            {
                200 << 16 | 100 << 8 | 80 => 3,
                200 << 16 | 200 << 8 | 80 when _id == 3 => 4,
                _ => _id,
            };
        }
        Send(ACK);
        return true;
    }

    private void Default()
    {
        _enabled = _remote = _wrap = _scale2 = false;
        _resolution = 2;
        _rate = 100;
    }

    private void SendPacket()
    {
        int x = Math.Clamp(_x, -255, 255), y = Math.Clamp(_y, -255, 255), wheel = Math.Clamp(_wheel, -8, 7);
        _x -= x;
        _y -= y;
        Send((byte)(_buttons & 7 | 8 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)), (byte)x, (byte)y);
        if (_id == 0)
        {
            _wheel = 0;
            return;
        }
        _wheel -= wheel;
        Send((byte)(_id == 3 ? wheel : wheel & 15 | (_buttons & 0x18) << 1));
    }

    private void Sync() { }
}
