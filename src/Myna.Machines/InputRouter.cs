using Myna.Hardware.Screens;

namespace Myna.Machines;

/// <summary>
/// Where the user's keys and pointer go: to the last device of its kind that the guest listens to. Thread-safe.
/// </summary>
public sealed class InputRouter(IEnumerable<IKeyboard> keyboards, IEnumerable<IPointer> pointers)
{
    private volatile IKeyboard[] _keyboards = [.. keyboards];
    private volatile IPointer[] _pointers = [.. pointers];

    // A key's release goes where the key went down.
    private readonly Dictionary<int, IKeyboard> _down = [];

    /// <summary>The keyboard in use, or null.</summary>
    public IKeyboard? Keyboard => _keyboards.LastOrDefault(k => k.IsActive);

    /// <summary>The pointing device in use, or null.</summary>
    public IPointer? Pointer => _pointers.LastOrDefault(p => p.IsActive);

    /// <summary>A key goes down or up; named as for <see cref="IKeyboard.Key"/>.</summary>
    public void Key(int key, bool down)
    {
        lock (_down)
        {
            IKeyboard? keyboard = Keyboard;
            if (!down && _down.Remove(key, out IKeyboard? before))
                keyboard = before;
            if (keyboard is null)
                return;
            if (down)
                _down[key] = keyboard;
            keyboard.Key(key, down);
        }
    }

    /// <summary>A device comes while the machine runs, if it is one of these.</summary>
    internal void Add(object device)
    {
        lock (_down)
        {
            if (device is IKeyboard keyboard)
                _keyboards = [.. _keyboards, keyboard];
            if (device is IPointer pointer)
                _pointers = [.. _pointers, pointer];
        }
    }

    /// <summary>And goes.</summary>
    internal void Remove(object device)
    {
        lock (_down)
        {
            _keyboards = [.. _keyboards.Where(k => k != device)];
            _pointers = [.. _pointers.Where(p => p != device)];
            foreach (int key in _down.Where(d => d.Value == device).Select(d => d.Key).ToArray())
                _down.Remove(key);
        }
    }
}
