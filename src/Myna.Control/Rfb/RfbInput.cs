using Myna.Control.Screens;
using Myna.Hardware.Screens;
using Myna.Machines;

namespace Myna.Control.Rfb;

/// <summary>A client's keys and pointer, as the guest's devices know them.</summary>
internal sealed class RfbInput(ScreenHub hub, KeyboardLayout layout)
{
    private const int Centre = 0x7fff;

    private readonly InputRouter _router = hub.Machine.Input;
    private readonly KeyTranslator _keys = new(layout, hub.Machine.Input);
    private int _x = -1, _y = -1, _buttons;

    /// <summary>The keyboard's lamps: scroll lock, num lock, caps lock.</summary>
    public byte Leds => _router.Keyboard?.Leds ?? 0;

    /// <summary>The pointer of the guest is where the client's is.</summary>
    public bool IsAbsolute => _router.Pointer?.IsAbsolute ?? true;

    /// <summary>A key by what is written on it (RFC 6143, section 7.5.4).</summary>
    public void Key(uint keysym, bool down)
    {
        _keys.Key(keysym, down);
        hub.Hurry();
    }

    /// <summary>A key by its place: the scan code of set 1, with bit 7 for the prefix E0h.</summary>
    public void ScanCode(int code, uint keysym, bool down)
    {
        if (code is > 0 and < 0x100)
            _keys.ScanCode(code >= 0x80 ? 0xe000 | code & 0x7f : code, down);
        else
            _keys.Key(keysym, down);
        hub.Hurry();
    }

    /// <summary>The pointer (section 7.5.5): bit 0 left button, 1 middle, 2 right, 3 and 4 the wheel, 7 and 8 the others.</summary>
    /// <param name="relative">The position is how far it moved, from 7FFFh.</param>
    public void Pointer(int mask, int x, int y, bool relative)
    {
        if (_router.Pointer is not { } pointer)
            return;
        int pressed = mask & ~_buttons;
        _buttons = mask;
        int wheel = (pressed & 0x10) != 0 ? 1 : (pressed & 8) != 0 ? -1 : 0;
        byte buttons = (byte)(mask & 1 | (mask & 4) >> 1 | (mask & 2) << 1);
        if (pointer.IsAbsolute)
        {
            (int width, int height) = Size();
            pointer.Move(Scale(x, width), Scale(y, height), wheel, buttons);
        }
        else if (relative)
        {
            pointer.Move(x - Centre, y - Centre, wheel, buttons);
        }
        else
        {
            pointer.Move(_x < 0 ? 0 : x - _x, _y < 0 ? 0 : y - _y, wheel, buttons);
        }
        (_x, _y) = relative ? (-1, -1) : (x, y);
        hub.Hurry();
    }

    /// <summary>The client is gone: nothing stays pressed.</summary>
    public void ReleaseAll()
    {
        _keys.ReleaseAll();
        if (_buttons != 0 && _router.Pointer is { } pointer)
            pointer.Move(pointer.IsAbsolute ? Scale(_x, Size().Width) : 0, pointer.IsAbsolute ? Scale(_y, Size().Height) : 0, 0, 0);
        _buttons = 0;
    }

    private (int Width, int Height) Size()
    {
        lock (hub.Gate)
            return (hub.Surface.Width, hub.Surface.Height);
    }

    private static int Scale(int position, int size) => size <= 1 ? 0 : (int)Math.Clamp((long)position * 32767 / (size - 1), 0, 32767);
}
