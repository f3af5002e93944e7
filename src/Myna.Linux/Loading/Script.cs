namespace Myna.Linux.Loading;

/// <summary>The first line of a script (execve(2), "Interpreter scripts").</summary>
/// <param name="Argument">The rest of the line as one word; null for none.</param>
internal sealed record Script(string Interpreter, string? Argument)
{
    /// <summary>BINPRM_BUF_SIZE: the kernel looks at so many bytes of a file.</summary>
    private const int LineLimit = 256;

    /// <summary>Null if the file is no script.</summary>
    public static Script? Parse(ReadOnlySpan<byte> start)
    {
        if (start.Length < 2 || start[0] != '#' || start[1] != '!')
            return null;
        ReadOnlySpan<byte> line = start[2..Math.Min(start.Length, LineLimit)];
        int end = line.IndexOf((byte)'\n');
        string text = GuestText.Decode(end < 0 ? line : line[..end]).Trim(' ', '\t', '\0');
        int space = text.IndexOfAny([' ', '\t']);
        if (text.Length == 0)
            return null;
        return space < 0 ? new Script(text, null) : new Script(text[..space], text[(space + 1)..].TrimStart(' ', '\t'));
    }
}
