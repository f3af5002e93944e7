namespace Myna.Cli;

/// <summary>What a PC's firmware starts from.</summary>
/// <param name="Order">Kinds of devices, the first one first: a diskettes, c disks, d CD drives, n networks.</param>
public sealed record BootOption(string Order)
{
    /// <summary>Reads <c>[order=]LETTERS</c>.</summary>
    /// <exception cref="FormatException">Names what is wrong.</exception>
    public static BootOption Parse(string text)
    {
        string order = text.StartsWith("order=", StringComparison.Ordinal) ? text[6..] : text;
        return order.Length != 0 && order.All("acdn".Contains) && order.Distinct().Count() == order.Length
            ? new BootOption(order)
            : throw new FormatException($"'{text}' is no boot order; write order= with the letters a (diskettes), c (disks), d (CDs) and n (network), as in order=dc");
    }

    /// <summary>The boot index of the <paramref name="number"/>th device of a kind; null when the kind is not named.</summary>
    public int? IndexOf(char kind, int number)
    {
        const int Most = 1000;
        int place = Order.IndexOf(kind, StringComparison.Ordinal);
        return place < 0 ? null : place * Most + number;
    }
}
