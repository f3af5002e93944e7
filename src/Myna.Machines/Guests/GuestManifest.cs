using System.Globalization;
using System.Security.Cryptography;

namespace Myna.Machines.Guests;

/// <summary>A file of a cached guest as it was when it was written.</summary>
/// <param name="Sha256">Lower-case hexadecimal.</param>
/// <param name="Modified">UTC ticks of its last write.</param>
public sealed record GuestFile(string Name, string Sha256, long Size, long Modified)
{
    public static async Task<GuestFile> OfAsync(string directory, string name, CancellationToken cancellation)
    {
        string path = Path.Combine(directory, name);
        using FileStream stream = File.OpenRead(path);
        byte[] hash = await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false);
        return new(name, Convert.ToHexStringLower(hash), stream.Length, File.GetLastWriteTimeUtc(path).Ticks);
    }

    /// <summary>
    /// Whether the file is what was written: by size and date, and by content where those differ or
    /// <paramref name="thorough"/> is set.
    /// </summary>
    public async Task<bool> IsIntactAsync(string directory, bool thorough, CancellationToken cancellation)
    {
        var info = new FileInfo(Path.Combine(directory, Name));
        if (!info.Exists || info.Length != Size)
            return false;
        return (!thorough && info.LastWriteTimeUtc.Ticks == Modified)
            || (await OfAsync(directory, Name, cancellation).ConfigureAwait(false)).Sha256 == Sha256;
    }
}

/// <summary>What a cached guest consists of. It is written last: a directory without it is not a guest.</summary>
/// <param name="Release">The kernel's release, as uname -r says it.</param>
/// <param name="Packages">The packages it was made from, "name version".</param>
/// <param name="Modules">Names of the modules, each after what it needs; the files are modules/NAME.ko.</param>
/// <param name="Load">Names of those that /init loads.</param>
public sealed record GuestManifest(
    string Release, IReadOnlyList<string> Packages, IReadOnlyList<string> Modules, IReadOnlyList<string> Load, IReadOnlyList<GuestFile> Files)
{
    public const string FileName = "manifest";
    private const string Magic = "myna-guest 1";

    public async Task WriteAsync(string directory, CancellationToken cancellation)
    {
        IEnumerable<string> lines =
        [
            Magic,
            $"release {Release}",
            .. Packages.Select(p => $"package {p}"),
            .. Modules.Select(m => $"module {m}"),
            .. Load.Select(m => $"load {m}"),
            .. Files.Select(f => string.Create(CultureInfo.InvariantCulture, $"file {f.Sha256} {f.Size} {f.Modified} {f.Name}")),
            "end",
        ];
        string path = Path.Combine(directory, FileName);
        string temporary = path + ".new";
        await File.WriteAllLinesAsync(temporary, lines, cancellation).ConfigureAwait(false);
        File.Move(temporary, path, overwrite: true);
    }

    /// <returns>Null if there is none or it is damaged.</returns>
    public static GuestManifest? Read(string directory)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
            return null;
        string[] lines = File.ReadAllLines(path);
        if (lines is not [Magic, .., "end"])
            return null;
        List<string> packages = [], modules = [], load = [];
        var files = new List<GuestFile>();
        string release = "";
        foreach (string line in lines[1..^1])
        {
            string[] words = line.Split(' ', 5);
            switch (words)
            {
                case ["release", string value]:
                    release = value;
                    break;
                case ["package", string name, string version]:
                    packages.Add($"{name} {version}");
                    break;
                case ["module", string name]:
                    modules.Add(name);
                    break;
                case ["load", string name]:
                    load.Add(name);
                    break;
                case ["file", string sha, string size, string modified, string name]
                    when long.TryParse(size, CultureInfo.InvariantCulture, out long s) && long.TryParse(modified, CultureInfo.InvariantCulture, out long m):
                    files.Add(new(name, sha, s, m));
                    break;
                default:
                    return null;
            }
        }
        return release.Length == 0 ? null : new(release, packages, modules, load, files);
    }
}
