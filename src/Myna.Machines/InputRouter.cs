using Myna.Hardware.Screens;

namespace Myna.Machines;

/// <summary>
/// Where the user's keys and pointer go: to the last device of its kind that the guest listens to. Thread-safe.
/// </summary>
public sealed class InputRouter(IReadOnlyList<IKeyboard> keyboards, IReadOnlyList<IPointer> pointers)
{
    // A key's release goes where the key went down.
    private readonly Dictionary<int, IKeyboard> _down = [];

    /// <summary>The keyboard in use, or null.</summary>
    public IKeyboard? Keyboard => keyboards.LastOrDefault(k => k.IsActive);

    /// <summary>The pointing device in use, or null.</summary>
    public IPointer? Pointer => pointers.LastOrDefault(p => p.IsActive);

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
}
