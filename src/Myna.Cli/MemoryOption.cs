namespace Myna.Cli;

/// <summary>The size of a guest's RAM.</summary>
public static class MemoryOption
{
    private const ulong Page = 4096, Least = 1 << 20;

    /// <summary>Parses and checks a memory size.</summary>
    /// <param name="hostMemory">What the host has, in bytes.</param>
    /// <exception cref="FormatException">It makes no sense; the message is for the user.</exception>
    public static ulong Parse(string text, ulong hostMemory)
    {
        ulong bytes = ByteSize.Parse(text);
        if (bytes < Least)
        {
            // A bare number is more likely meant as megabytes than as bytes.
            throw new FormatException(text.All(char.IsAsciiDigit) ? $"{text} bytes of memory are too few; did you mean {text}M?" : $"{text} of memory is too little; the least is 1M");
        }
        if (bytes % Page != 0)
            throw new FormatException($"{text} of memory is not a multiple of {Page} bytes");
        if (bytes > hostMemory)
            throw new FormatException($"{text} of memory is more than the host has ({hostMemory >> 20}M)");
        return bytes;
    }
}
