using System.Globalization;
using System.Text;
using Myna.Linux.Memory;

namespace Myna.Linux;

/// <summary>/proc/self/maps and smaps.</summary>
internal sealed partial class ProcFiles
{
    private byte[] Maps() => Mappings("/proc/self/maps");

    private byte[] DetailedMaps() => Mappings("/proc/self/smaps");

    /// <summary>The host's lines of what the guest has mapped, with the guest's rights.</summary>
    /// <remarks>What smaps says of a mapping of the host's stands behind the last of the guest's that it consists of.</remarks>
    private byte[] Mappings(string file)
    {
        Region[] regions = process.Memory.Regions();
        var text = new StringBuilder();
        int next = 0;
        bool shown = false;
        foreach (string line in File.ReadLines(file, Encoding.Latin1))
        {
            if (line.Length > 0 && char.IsAsciiLetterUpper(line[0]))
            {
                if (shown)
                    _ = text.Append(line).Append('\n');
                continue;
            }
            shown = false;
            int dash = line.IndexOf('-'), space = line.IndexOf(' ');
            if (dash < 0 || space < dash
                || !ulong.TryParse(line.AsSpan(0, dash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong start)
                || !ulong.TryParse(line.AsSpan(dash + 1, space - dash - 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong end))
                continue;
            if (start >= AddressSpace.Limit)
                break;
            // perms offset dev inode name
            string[] fields = line[(space + 1)..].Split(' ', 5);
            if (fields.Length < 5)
                continue;
            while (next > 0 && next <= regions.Length && regions[next - 1].End > start)
                next--;
            while (next < regions.Length && regions[next].End <= start)
                next++;
            for (int i = next; i < regions.Length && regions[i].Start < end; i++)
            {
                ulong from = Math.Max(start, regions[i].Start), to = Math.Min(end, regions[i].End);
                _ = text.Append(Line(fields, from, to, from - start, regions[i].Rights)).Append('\n');
                shown = true;
            }
        }
        return GuestText.Encode(text.ToString());
    }

    private string Line(string[] fields, ulong from, ulong to, ulong delta, Protection r)
    {
        (ulong heapStart, ulong heapEnd) = process.Memory.Heap;
        (ulong stackStart, ulong stackEnd) = process.Image.Stack;
        ulong offset = ulong.Parse(fields[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        string name = fields[4].TrimStart();
        // The host may take a part of its memory for a heap or a stack of its own.
        if (name is "[heap]" or "[stack]")
            name = "";
        string label = name.Length > 0 ? process.Sysroot?.Reverse(name) ?? name
            : from < stackEnd && to > stackStart ? "[stack]"
            : from < heapEnd && to > heapStart ? "[heap]"
            : from == process.Image.Vdso ? "[vdso]" : "";
        string front = string.Create(CultureInfo.InvariantCulture,
            $"{from:x8}-{to:x8} {((r & Protection.Read) != 0 ? 'r' : '-')}{((r & Protection.Write) != 0 ? 'w' : '-')}{((r & Protection.Execute) != 0 ? 'x' : '-')}{fields[0][^1]} {(name.StartsWith('/') ? offset + delta : 0):x8} {fields[2]} {fields[3]}");
        return label.Length > 0 ? front.PadRight(73) + label : front + " ";
    }
}
