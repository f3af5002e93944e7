namespace Myna.Machines.Guests;

/// <summary>Where the host's own apt fetches Debian from: the guest's packages come from the same place.</summary>
/// <param name="Uri">Base of the archive.</param>
/// <param name="Options">Further deb822 fields to keep (Signed-By, Trusted), in order.</param>
public sealed record AptSource(string Uri, IReadOnlyList<(string Field, string Value)> Options)
{
    private static readonly HashSet<string> DebianSuites = new(StringComparer.OrdinalIgnoreCase)
    {
        "oldstable", "stable", "testing", "unstable", "sid", "buster", "bullseye", "bookworm", "trixie", "forky", "duke",
    };

    /// <summary>The first Debian main archive among the host's sources, or null where its apt knows none.</summary>
    /// <param name="etc">The apt configuration directory, /etc/apt.</param>
    public static AptSource? FromHost(string etc = "/etc/apt")
    {
        var files = new List<string> { Path.Combine(etc, "sources.list") };
        string parts = Path.Combine(etc, "sources.list.d");
        if (Directory.Exists(parts))
            files.AddRange(Directory.GetFiles(parts).Order(StringComparer.Ordinal));
        foreach (string file in files.Where(File.Exists))
        {
            AptSource? found;
            try
            {
                found = Path.GetExtension(file) switch
                {
                    ".list" => ParseList(File.ReadLines(file)),
                    ".sources" => ParseDeb822(File.ReadLines(file)),
                    _ => null,
                };
            }
            catch (UnauthorizedAccessException)
            {
                continue;
            }
            if (found is not null)
                return found;
        }
        return null;
    }

    /// <summary>Reads the one-line format (sources.list(5)); null if no line names a Debian suite.</summary>
    public static AptSource? ParseList(IEnumerable<string> lines)
    {
        foreach (string raw in lines)
        {
            string line = raw.Split('#')[0].Trim();
            if (!line.StartsWith("deb ", StringComparison.Ordinal) && !line.StartsWith("deb\t", StringComparison.Ordinal))
                continue;
            line = line[3..].Trim();
            var options = new List<(string, string)>();
            if (line.StartsWith('['))
            {
                int end = line.IndexOf(']', StringComparison.Ordinal);
                if (end < 0)
                    continue;
                foreach (string option in line[1..end].Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
                {
                    string[] pair = option.Split('=', 2);
                    if (pair.Length == 2 && Field(pair[0]) is string field)
                        options.Add((field, pair[1]));
                }
                line = line[(end + 1)..];
            }
            string[] words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 3 && DebianSuites.Contains(words[1]) && words[2..].Contains("main"))
                return new(words[0], options);
        }
        return null;
    }

    /// <summary>Reads the deb822 format (sources.list(5)); null if no stanza names a Debian suite.</summary>
    public static AptSource? ParseDeb822(IEnumerable<string> lines)
    {
        var stanza = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        string? last = null;
        foreach (string line in lines.Append(""))
        {
            if (line.StartsWith('#'))
                continue;
            if (string.IsNullOrWhiteSpace(line))
            {
                if (FromStanza(stanza) is AptSource source)
                    return source;
                stanza.Clear();
                last = null;
            }
            else if (char.IsWhiteSpace(line[0]))
            {
                if (last is not null)
                    stanza[last] += "\n" + line;
            }
            else if (line.IndexOf(':', StringComparison.Ordinal) is int colon and > 0)
            {
                last = line[..colon].Trim();
                stanza[last] = line[(colon + 1)..].Trim();
            }
        }
        return null;
    }

    /// <summary>The private source for one suite and architecture.</summary>
    public string ToDeb822(string suite, string architecture)
    {
        IEnumerable<string> fields =
            ["Types: deb", $"URIs: {Uri}", $"Suites: {suite}", "Components: main", $"Architectures: {architecture}", "Targets: Packages",
             .. Options.Select(o => $"{o.Field}: {o.Value}")];
        return string.Join('\n', fields) + "\n";
    }

    private static AptSource? FromStanza(Dictionary<string, string> stanza)
    {
        string[] Words(string field) =>
            stanza.TryGetValue(field, out string? value) ? value.Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries) : [];
        if (!Words("Types").Contains("deb") || Words("Enabled") is ["no"] || !Words("Components").Contains("main")
            || !Words("Suites").Any(DebianSuites.Contains) || Words("URIs") is not [string uri, ..])
            return null;
        return new(uri, [.. stanza.Where(f => Field(f.Key) is not null).Select(f => (Field(f.Key)!, f.Value))]);
    }

    private static string? Field(string option) => option.ToLowerInvariant() switch
    {
        "signed-by" => "Signed-By",
        "trusted" => "Trusted",
        "check-valid-until" => "Check-Valid-Until",
        _ => null,
    };
}
