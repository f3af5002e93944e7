using Myna.Host;

namespace Myna.Cli;

/// <summary>--memory SIZE[,hugepages=on|transparent][,file=PATH][,balloon=on]: a guest's RAM and where it comes from.</summary>
public sealed record MemoryOption(ulong Size, MemoryBacking Backing = default, bool Balloon = false)
{
    private const ulong Page = 4096, HugePage = 2 << 20, Least = 1 << 20;

    /// <summary>Parses the option.</summary>
    /// <inheritdoc cref="Parse"/>
    public static MemoryOption ParseAll(string text, ulong hostMemory)
    {
        string[] parts = text.Split(',');
        var result = new MemoryOption(Parse(parts[0], hostMemory));
        foreach (string part in parts[1..])
        {
            result = part switch
            {
                "hugepages=on" => result with { Backing = result.Backing with { HugePages = HugePages.Reserved } },
                "hugepages=transparent" => result with { Backing = result.Backing with { HugePages = HugePages.Transparent } },
                "hugepages=off" => result,
                "balloon=on" => result with { Balloon = true },
                "balloon=off" => result,
                _ when part.StartsWith("file=", StringComparison.Ordinal) && part.Length > 5 => result with { Backing = result.Backing with { File = part[5..] } },
                _ => throw new FormatException($"'{part}' is unknown; after the size there can be hugepages=on, hugepages=transparent, file=PATH and balloon=on"),
            };
        }
        if (result.Backing is { HugePages: HugePages.Reserved } && result.Size % HugePage != 0)
            throw new FormatException($"{parts[0]} of memory is not a multiple of 2M, as huge pages are");
        if (result.Backing is { HugePages: HugePages.Reserved, File: not null })
            throw new FormatException("hugepages=on and file= exclude each other; a file on hugetlbfs has huge pages by itself");
        return result;
    }

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
