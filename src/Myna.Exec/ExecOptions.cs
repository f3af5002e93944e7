using System.Diagnostics.CodeAnalysis;

namespace Myna.Exec;

/// <summary>
/// The options of <c>myna exec</c>, which end at the program's name: what follows is the program's. Read without the general
/// parser, which takes longer to start than many a program.
/// </summary>
internal sealed class ExecOptions
{
    /// <param name="Names">The first is the one to write.</param>
    /// <param name="Value">What follows it, for help; null for a switch.</param>
    internal sealed record Option(string[] Names, string? Value, string Description, Action<ExecOptions, string> Set);

    public static Option[] All { get; } =
    [
        new(["--sysroot", "-L"], "DIR", "The root of the program's system: its loader, libraries and other files are looked for there first.", static (o, v) => o.Sysroot = v),
        new(["--arch"], "NAME", "The program's instruction set; x86_64 programs of this host are translated only when asked for by name.", static (o, v) => o.Arch = v),
        new(["--env", "-E"], "NAME=VALUE", "Sets a variable of the program's environment; may be repeated.", static (o, v) => o.SetVariable(v)),
        new(["--unset-env", "-U"], "NAME", "Takes a variable from it; may be repeated.", static (o, v) => o.Unset.Add(v)),
        new(["--cwd"], "DIR", "The folder it starts in.", static (o, v) => o.Directory = v),
        new(["--argv0", "-0"], "NAME", "The name it is called by (its argv[0]).", static (o, v) => o.Argv0 = v),
        new(["--strace"], null, "Writes its system calls to standard error.", static (o, _) => o.Trace = true),
        new(["--gdb"], "[HOST]:PORT", "Waits for gdb there (or at unix:PATH) before the program starts.", static (o, v) => o.Gdb = v),
        new(["--accel"], "ENGINE", "What executes it: jit (translator, the default) or interp (interpreter).", static (o, v) => o.SetAccel(v)),
    ];

    /// <summary>What --help says.</summary>
    public static string HelpText
    {
        get
        {
            string[] left = [.. All.Select(o => string.Join(", ", o.Names) + (o.Value is null ? "" : $" {o.Value}"))];
            int width = left.Max(l => l.Length);
            return $"""
                Runs a Linux program built for another processor.

                Usage:
                  myna exec [OPTION...] PROGRAM [ARGUMENT...]

                Options:
                {string.Join('\n', All.Select((o, i) => $"  {left[i].PadRight(width)}  {o.Description}"))}

                Its exit status is the program's; 125 to 127 say that it could not be started.
                """;
        }
    }

    public string? Sysroot { get; private set; }
    public string? Arch { get; private set; }
    public List<(string Name, string Value)> Set { get; } = [];
    public List<string> Unset { get; } = [];
    public string? Directory { get; private set; }
    public string? Argv0 { get; private set; }
    public bool Trace { get; private set; }

    /// <summary>Where gdb may attach; the program waits for it.</summary>
    public string? Gdb { get; private set; }
    public bool Translate { get; private set; } = true;

    /// <summary>Where the program's name is among the words given; their count if there is none.</summary>
    public int Program { get; private set; }

    /// <summary>Somebody asks for help instead.</summary>
    public bool Help { get; private set; }

    /// <exception cref="UserException">An option that is not known, or lacks its value.</exception>
    public static ExecOptions Parse(ReadOnlySpan<string> words)
    {
        var options = new ExecOptions();
        int i = 0;
        while (i < words.Length && words[i] is ['-', _, ..])
        {
            string word = words[i++];
            if (word == "--")
                break;
            if (word is "--help" or "-h" or "-?")
            {
                options.Help = true;
                break;
            }
            int equals = word.StartsWith("--", StringComparison.Ordinal) ? word.IndexOf('=', StringComparison.Ordinal) : -1;
            string name = equals < 0 ? word : word[..equals];
            if (!TryFind(name, out Option? option))
                throw Wrong($"'{name}' is no option of myna exec");
            if (option.Value is null && equals >= 0)
                throw Wrong($"{name} takes no value");
            string value = "";
            if (option.Value is not null)
            {
                if (equals < 0 && i == words.Length)
                    throw Wrong($"{name} needs a value: {name} {option.Value}");
                value = equals >= 0 ? word[(equals + 1)..] : words[i++];
            }
            option.Set(options, value);
        }
        options.Program = i;
        return options;
    }

    private static bool TryFind(string name, [NotNullWhen(true)] out Option? found)
    {
        found = Array.Find(All, o => o.Names.Contains(name));
        return found is not null;
    }

    private void SetVariable(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw Wrong($"--env: '{text}' is not NAME=VALUE");
        Set.Add((text[..equals], text[(equals + 1)..]));
    }

    private void SetAccel(string text) => Translate = text switch
    {
        "jit" or "auto" => true,
        "interp" => false,
        _ => throw Wrong($"--accel: '{text}' is unknown; use jit or interp"),
    };

    private static UserException Wrong(string message) => new($"{message}\nsee: myna exec --help", 2);
}
