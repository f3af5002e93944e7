using System.Globalization;

namespace Myna.Cli;

/// <summary>Sizes as people write them: 512M, 2G, 1GiB.</summary>
public static class ByteSize
{
    /// <summary>Parses a size with a binary suffix (K, M, G, T, each with an optional B or iB), or plain bytes.</summary>
    /// <exception cref="FormatException">It is not one; the message is for the user.</exception>
    public static ulong Parse(string text)
    {
        string number = text.TrimEnd("BbIiKkMmGgTt".ToCharArray());
        int shift = text[number.Length..].ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KB" or "KIB" => 10,
            "M" or "MB" or "MIB" => 20,
            "G" or "GB" or "GIB" => 30,
            "T" or "TB" or "TIB" => 40,
            _ => -1,
        };
        if (shift < 0 || !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            throw new FormatException($"'{text}' is not a size; write it as in 512M or 2G");
        // A decimal holds 2^64 exactly, so neither the product nor the comparison rounds.
        if (value > ulong.MaxValue >> shift)
            throw new FormatException($"'{text}' is more than 16 EiB");
        decimal bytes = value * (1UL << shift);
        return bytes == decimal.Truncate(bytes) ? (ulong)bytes : throw new FormatException($"'{text}' is not a whole number of bytes");
    }

    /// <summary>The largest unit that gives a whole number.</summary>
    public static string Format(ulong bytes)
    {
        string[] units = ["", "K", "M", "G", "T"];
        int unit = 0;
        while (unit < units.Length - 1 && bytes != 0 && bytes % 1024 == 0)
        {
            bytes /= 1024;
            unit++;
        }
        return string.Create(CultureInfo.InvariantCulture, $"{bytes}{units[unit]}");
    }
}
