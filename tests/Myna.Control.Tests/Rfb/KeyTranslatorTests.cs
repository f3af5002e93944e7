using Myna.Control.Rfb;
using Myna.Hardware.Screens;
using Myna.Machines;

namespace Myna.Control.Tests.Rfb;

/// <summary>Keysyms become the keys that make a guest with the layout see the same character.</summary>
public sealed class KeyTranslatorTests
{
    private const uint ShiftLeft = 0xffe1, ControlLeft = 0xffe3, AltGr = 0xfe03;

    private readonly Recorder _keyboard = new();

    private KeyTranslator Translator(string layout) => new(KeyboardLayout.Find(layout), new InputRouter([_keyboard], []));

    private sealed class Recorder : IKeyboard
    {
        private string _text = "";

        public bool IsActive => true;
        public byte Leds { get; set; }

        public void Key(int key, bool down) => _text += $"{(down ? "+" : "-")}{key:x} ";

        public string Take()
        {
            string text = _text.TrimEnd();
            _text = "";
            return text;
        }
    }

    private string Type(KeyTranslator keys, uint keysym)
    {
        keys.Key(keysym, true);
        keys.Key(keysym, false);
        return _keyboard.Take();
    }

    [Theory]
    [InlineData("us", 'a', "+1e -1e")]
    [InlineData("us", 'A', "+2a +1e -2a -1e")]
    [InlineData("us", '/', "+35 -35")]
    [InlineData("us", '@', "+2a +3 -2a -3")]
    [InlineData("de", '/', "+2a +8 -2a -8")]
    [InlineData("de", 'z', "+15 -15")]
    [InlineData("de", 'ä', "+28 -28")]
    [InlineData("de", '@', "+e038 +10 -e038 -10")]
    [InlineData("fr", 'a', "+10 -10")]
    [InlineData("fr", '1', "+2a +2 -2a -2")]
    [InlineData("us", 'ä', "")]
    public void Characters(string layout, char character, string expected) => Assert.Equal(expected, Type(Translator(layout), character));

    [Theory]
    [InlineData(0xff0d, "+1c -1c")]
    [InlineData(0xff1b, "+1 -1")]
    [InlineData(0xff52, "+e048 -e048")]
    [InlineData(0xffbe, "+3b -3b")]
    [InlineData(0xffc9, "+58 -58")]
    [InlineData(0xffb7, "+47 -47")]
    [InlineData(0x01000061, "+1e -1e")]
    [InlineData(0x12345678, "")]
    public void Other_keys(uint keysym, string expected) => Assert.Equal(expected, Type(Translator("us"), keysym));

    [Fact]
    public void Shift_of_another_layout_is_put_right()
    {
        KeyTranslator keys = Translator("us");
        keys.Key(ShiftLeft, true);
        Assert.Equal("+2a", _keyboard.Take());
        // A German client has the slash on Shift and 7: the guest's needs none.
        Assert.Equal("-2a +35 +2a -35", Type(keys, '/'));
        Assert.Equal("+1e -1e", Type(keys, 'A'));
        keys.Key(ShiftLeft, false);
        Assert.Equal("-2a", _keyboard.Take());
        // And its @ on AltGr.
        keys.Key(AltGr, true);
        _keyboard.Take();
        Assert.Equal("+2a -e038 +3 +e038 -2a -3", Type(keys, '@'));
    }

    [Fact]
    public void Caps_lock_of_the_guest_changes_letters_alone()
    {
        KeyTranslator keys = Translator("us");
        _keyboard.Leds = 4;
        Assert.Equal("+1e -1e", Type(keys, 'A'));
        Assert.Equal("+2a +1e -2a -1e", Type(keys, 'a'));
        Assert.Equal("+2 -2", Type(keys, '1'));
    }

    [Fact]
    public void Shortcuts_keep_their_modifiers_and_nothing_stays_pressed()
    {
        KeyTranslator keys = Translator("us");
        keys.Key(ControlLeft, true);
        Assert.Equal("+1d +1e -1e", "+1d " + Type(keys, 'A').Replace("+1d ", "", StringComparison.Ordinal));
        keys.Key('x', true);
        _keyboard.Take();
        keys.ReleaseAll();
        Assert.Equal(["-1d", "-2d"], _keyboard.Take().Split(' ').Order());
    }

    [Fact]
    public void Every_layout_has_the_letters_and_digits()
    {
        foreach (string name in KeyboardLayout.Names)
        {
            var layout = KeyboardLayout.Find(name);
            for (char c = '!'; c <= '~'; c++)
            {
                // Dead or missing on some: not what programs and passwords need most.
                if (char.IsLetterOrDigit(c) || "-_./:,;=+*@\\|()[]{}<>!?\"'#$%&".Contains(c, StringComparison.Ordinal))
                    Assert.True(layout.Find(c) is not null || (name == "it" && c is '{' or '}'), $"{name}: {c}");
            }
        }
        Assert.Throws<FormatException>(() => KeyboardLayout.Find("xx"));
    }
}
