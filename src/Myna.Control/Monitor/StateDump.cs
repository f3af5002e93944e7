using System.Globalization;
using System.Text;
using Myna.Hardware.State;

namespace Myna.Control.Monitor;

/// <summary>The saved state of a device as text: a line for each field.</summary>
internal static class StateDump
{
    const int MaximumElements = 16;

    public static string Format(IReadOnlyList<StateField> fields)
    {
        var text = new StringBuilder();
        Append(text, fields, 0);
        return text.ToString();
    }

    static void Append(StringBuilder text, IReadOnlyList<StateField> fields, int depth)
    {
        foreach (StateField field in fields)
        {
            text.Append(' ', 2 * depth).Append(CultureInfo.InvariantCulture, $"{field.Name,-24}");
            if (field.ElementSize != 0)
                AppendValue(text, field);
            text.Append('\n');
            Append(text, field.Children, depth + 1);
        }
    }

    static void AppendValue(StringBuilder text, StateField field)
    {
        int size = field.ElementSize, count = field.Value.Length / size;
        for (int i = 0; i < Math.Min(count, MaximumElements); i++)
        {
            text.Append(i == 0 ? " 0x" : " ");
            for (int b = size - 1; b >= 0; b--)
                text.Append(CultureInfo.InvariantCulture, $"{field.Value[i * size + b]:x2}");
        }
        if (count > MaximumElements)
            text.Append(CultureInfo.InvariantCulture, $" … ({count} elements)");
    }
}
