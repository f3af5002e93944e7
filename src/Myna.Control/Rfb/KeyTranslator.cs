using Myna.Machines;

namespace Myna.Control.Rfb;

/// <summary>
/// Presses the keys that make a guest with a given layout see the characters a client means. Shift and AltGr are put right
/// around a key when the client's own keyboard has its character elsewhere.
/// </summary>
internal sealed class KeyTranslator(KeyboardLayout layout, InputRouter router)
{
    private const int CapsLed = 4;

    // What each keysym has pressed, and which keys the client holds.
    private readonly Dictionary<uint, int> _pressed = [];
    private readonly HashSet<int> _held = [];

    public void Key(uint keysym, bool down)
    {
        if (!down)
        {
            if (_pressed.Remove(keysym, out int released))
                Release(released);
            return;
        }
        if (KeySyms.Special(keysym) is var special and not 0)
        {
            Press(keysym, special);
            return;
        }
        if (layout.Find(keysym) is not { } key)
            return;
        bool letter = KeySyms.IsLetter(keysym);
        bool caps = letter && ((router.Keyboard?.Leds ?? 0) & CapsLed) != 0;
        // With Ctrl or Alt a shortcut is meant, not a character: its modifiers are the client's.
        bool shortcut = Held(KeySyms.Control, KeySyms.ControlRight, KeySyms.Alt);
        bool shift = Held(KeySyms.Shift, KeySyms.ShiftRight), altGr = Held(KeySyms.AltGr);
        bool wantsShift = key.Shift != caps;
        if (shortcut || (wantsShift == shift && key.AltGr == altGr))
        {
            Press(keysym, key.Code);
            return;
        }
        Modify(shift, wantsShift, KeySyms.Shift, KeySyms.ShiftRight);
        Modify(altGr, key.AltGr, KeySyms.AltGr, KeySyms.AltGr);
        Press(keysym, key.Code);
        Modify(key.AltGr, altGr, KeySyms.AltGr, KeySyms.AltGr);
        Modify(wantsShift, shift, KeySyms.Shift, KeySyms.ShiftRight);
    }

    /// <summary>A key by its place.</summary>
    public void ScanCode(int code, bool down)
    {
        if (down)
        {
            _held.Add(code);
            router.Key(code, true);
        }
        else
        {
            Release(code);
        }
    }

    public void ReleaseAll()
    {
        _pressed.Clear();
        foreach (int code in _held)
            router.Key(code, false);
        _held.Clear();
    }

    private bool Held(params ReadOnlySpan<int> codes)
    {
        foreach (int code in codes)
        {
            if (_held.Contains(code))
                return true;
        }
        return false;
    }

    private void Press(uint keysym, int code)
    {
        _pressed[keysym] = code;
        _held.Add(code);
        router.Key(code, true);
    }

    private void Release(int code)
    {
        // Some other keysym of the same key may still be down: the guest's key is one.
        _held.Remove(code);
        router.Key(code, false);
    }

    // From one state of a modifier to another; which of the two keys are down is kept in _held.
    private void Modify(bool now, bool wanted, int left, int right)
    {
        if (now == wanted)
            return;
        bool any = false;
        foreach (int code in left == right ? [left] : new[] { left, right })
        {
            if (_held.Contains(code))
            {
                router.Key(code, wanted);
                any = true;
            }
        }
        if (!any)
            router.Key(left, wanted);
    }
}
