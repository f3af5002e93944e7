namespace Myna.Cli;

/// <summary>A diskette drive of the guest.</summary>
/// <param name="Path">The diskette's image, or null for none.</param>
/// <param name="BootIndex">Its place in the boot order.</param>
public sealed record FloppyOption(string? Path, bool ReadOnly = false, int? BootIndex = null)
{
    /// <summary>Reads <c>none|FILE[,readonly][,bootindex=N]</c>; two commas in FILE stand for one.</summary>
    /// <exception cref="FormatException">Names the part that is wrong.</exception>
    public static FloppyOption Parse(string text)
    {
        const string Comma = "\0";
        string[] parts = text.Replace(",,", Comma, StringComparison.Ordinal).Split(',');
        string path = parts[0].Replace(Comma, ",", StringComparison.Ordinal);
        if (path.Length == 0)
            throw new FormatException("the file's name is missing; write --floppy FILE, or --floppy none for an empty drive");
        var drive = new FloppyOption(path == "none" ? null : path);
        foreach (string part in parts[1..])
        {
            string[] pair = part.Split('=', 2);
            drive = (pair[0], pair.Length > 1 ? pair[1] : null) switch
            {
                ("readonly" or "ro", null or "on") => drive with { ReadOnly = true },
                ("readonly" or "ro", "off") => drive with { ReadOnly = false },
                ("bootindex", string number) => drive with { BootIndex = DiskOption.IndexOf(number) },
                _ => throw new FormatException($"diskette option '{part}' is unknown; known are readonly, bootindex=N"),
            };
        }
        return drive;
    }
}
