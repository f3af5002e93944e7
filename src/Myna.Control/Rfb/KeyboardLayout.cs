namespace Myna.Control.Rfb;

/// <summary>Where a character is on a keyboard.</summary>
/// <param name="Code">Scan code of set 1.</param>
internal readonly record struct LayoutKey(int Code, bool Shift, bool AltGr);

/// <summary>The characters on the keys of a national layout (ISO/IEC 9995; the layouts of the X keyboard extension).</summary>
internal sealed class KeyboardLayout
{
    // The keys that bear characters, row by row from the top left; 56h is the key between left Shift and Z.
    private static ReadOnlySpan<byte> Codes =>
    [
        0x29, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
        0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
        0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2b,
        0x56, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35,
    ];

    // Each: alone, with Shift, with AltGr; a space is no character.
    private static readonly Dictionary<string, string[]> s_layouts = new()
    {
        ["us"] =
        [
            "`1234567890-=" + "qwertyuiop[]" + "asdfghjkl;'\\" + "<zxcvbnm,./",
            "~!@#$%^&*()_+" + "QWERTYUIOP{}" + "ASDFGHJKL:\"|" + ">ZXCVBNM<>?",
            "",
        ],
        ["gb"] =
        [
            "`1234567890-=" + "qwertyuiop[]" + "asdfghjkl;'#" + "\\zxcvbnm,./",
            "¬!\"£$%^&*()_+" + "QWERTYUIOP{}" + "ASDFGHJKL:@~" + "|ZXCVBNM<>?",
            "¦   €        " + "  é   úíó   " + "á           " + "           ",
        ],
        ["de"] =
        [
            "^1234567890ß´" + "qwertzuiopü+" + "asdfghjklöä#" + "<yxcvbnm,.-",
            "°!\"§$%&/()=?`" + "QWERTZUIOPÜ*" + "ASDFGHJKLÖÄ'" + ">YXCVBNM;:_",
            "  ²³   {[]}\\ " + "@ €        ~" + "            " + "|      µ   ",
        ],
        ["fr"] =
        [
            "²&é\"'(-è_çà)=" + "azertyuiop^$" + "qsdfghjklmù*" + "<wxcvbn,;:!",
            " 1234567890°+" + "AZERTYUIOP¨£" + "QSDFGHJKLM%µ" + ">WXCVBN?./§",
            "  ~#{[|`\\^@]}" + "  €        ¤" + "            " + "           ",
        ],
        ["es"] =
        [
            "º1234567890'¡" + "qwertyuiop`+" + "asdfghjklñ´ç" + "<zxcvbnm,.-",
            "ª!\"·$%&/()=?¿" + "QWERTYUIOP^*" + "ASDFGHJKLÑ¨Ç" + ">ZXCVBNM;:_",
            "\\|@#~ ¬      " + "  €       []" + "          {}" + "           ",
        ],
        ["it"] =
        [
            "\\1234567890'ì" + "qwertyuiopè+" + "asdfghjklòàù" + "<zxcvbnm,.-",
            "|!\"£$%&/()=?^" + "QWERTYUIOPé*" + "ASDFGHJKLç°§" + ">ZXCVBNM;:_",
            "             " + "  €       []" + "         @# " + "           ",
        ],
        ["se"] =
        [
            "§1234567890+´" + "qwertyuiopå¨" + "asdfghjklöä'" + "<zxcvbnm,.-",
            "½!\"#¤%&/()=?`" + "QWERTYUIOPÅ^" + "ASDFGHJKLÖÄ*" + ">ZXCVBNM;:_",
            "  @£$€ {[]}\\ " + "           ~" + "            " + "|      µ   ",
        ],
        ["dk"] =
        [
            "½1234567890+´" + "qwertyuiopå¨" + "asdfghjklæø'" + "<zxcvbnm,.-",
            "§!\"#¤%&/()=?`" + "QWERTYUIOPÅ^" + "ASDFGHJKLÆØ*" + ">ZXCVBNM;:_",
            "  @£$€ {[]} |" + "           ~" + "            " + "\\      µ   ",
        ],
    };

    private readonly Dictionary<char, LayoutKey> _keys = [];

    private KeyboardLayout(string[] levels)
    {
        for (int level = 0; level < levels.Length; level++)
        {
            for (int i = 0; i < levels[level].Length; i++)
            {
                if (levels[level][i] != ' ')
                    _keys.TryAdd(levels[level][i], new LayoutKey(Codes[i], level == 1, level == 2));
            }
        }
    }

    /// <summary>Names of the layouts there are.</summary>
    public static IEnumerable<string> Names => s_layouts.Keys;

    /// <exception cref="FormatException">There is no such layout.</exception>
    public static KeyboardLayout Find(string name) => s_layouts.TryGetValue(name, out string[]? levels)
        ? new KeyboardLayout(levels)
        : throw new FormatException($"there is no keyboard layout '{name}'; use {string.Join(", ", Names)}");

    /// <summary>The key of a keysym; null when the layout has none.</summary>
    public LayoutKey? Find(uint keysym) => _keys.TryGetValue(KeySyms.Character(keysym), out LayoutKey key) ? key : null;
}
