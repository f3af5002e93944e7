namespace Myna.Hardware.Screens;

/// <summary>A pointer's picture that the guest's display hardware would lay over the screen.</summary>
/// <param name="Width">Pixels, and <paramref name="Height"/>.</param>
/// <param name="HotX">The pixel that points, from the left, and <paramref name="HotY"/> from the top.</param>
/// <param name="Pixels">Row by row: alpha in bits 24 to 31, then red, green and blue, not premultiplied.</param>
public sealed record CursorImage(int Width, int Height, int HotX, int HotY, uint[] Pixels);

/// <summary>What a display device shows. Members are for any thread.</summary>
public interface IScreen
{
    /// <summary>For users who choose between several.</summary>
    string Name { get; }

    /// <summary>The guest shows something here; of several screens the one that came last and is active is looked at.</summary>
    bool IsActive { get; }

    /// <summary>Brings the surface up to date: its size, and every pixel that changed since the last call with this surface.</summary>
    void Draw(Surface surface);

    /// <summary>The hardware cursor, or null; a new object whenever it changes.</summary>
    CursorImage? Cursor => null;

    /// <summary>The user's window has this size, in pixels: the guest may follow.</summary>
    /// <returns>Whether the guest hears of it.</returns>
    bool Suggest(int width, int height) => false;
}

/// <summary>A keyboard of the guest. Members are for any thread.</summary>
public interface IKeyboard
{
    /// <summary>The guest listens to this keyboard.</summary>
    bool IsActive { get; }

    /// <summary>Lamps, bits 0 to 2: scroll lock, num lock, caps lock.</summary>
    byte Leds { get; }

    /// <summary>A key goes down or up.</summary>
    /// <param name="key">Its make code in scan code set 1; with 0xE000 added when an E0 precedes it (0xE037 print screen, 0xE046 pause).</param>
    void Key(int key, bool down);
}

/// <summary>A pointing device of the guest. Members are for any thread.</summary>
public interface IPointer
{
    /// <summary>The guest listens to this device.</summary>
    bool IsActive { get; }

    /// <summary>It says where it is rather than how far it moved.</summary>
    bool IsAbsolute { get; }

    /// <summary>The pointer moves or its buttons change.</summary>
    /// <param name="x">Absolute: 0 (left) to 32767 (right); otherwise counts to the right.</param>
    /// <param name="y">Absolute: 0 (top) to 32767 (bottom); otherwise counts down.</param>
    /// <param name="wheel">Steps towards the user.</param>
    /// <param name="buttons">Pressed ones: bit 0 left, 1 right, 2 middle, 3 and 4 the others.</param>
    void Move(int x, int y, int wheel, byte buttons);
}
