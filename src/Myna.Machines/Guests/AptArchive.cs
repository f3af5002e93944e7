using System.Globalization;
using Myna.Host;

namespace Myna.Machines.Guests;

/// <summary>A package of an archive.</summary>
/// <param name="Depends">Names alone, first alternative of each.</param>
public sealed record AptPackage(string Name, string Version, long Size, IReadOnlyList<string> Depends);

/// <summary>
/// Debian's archive for one suite and architecture through a private apt directory: the host's own package state is
/// neither read nor changed, and no privilege is needed. apt verifies signatures and hashes with the host's keyrings.
/// </summary>
public sealed class AptArchive
{
    private readonly string _directory;
    private readonly string _suite;
    private readonly string _architecture;
    private readonly string[] _options;

    /// <param name="directory">For apt's lists and configuration; made if missing.</param>
    public AptArchive(string directory, AptSource source, string suite, string architecture)
    {
        _directory = directory;
        _suite = suite;
        _architecture = architecture;
        foreach (string part in (string[])["lists/partial", "archives/partial", "empty"])
            Directory.CreateDirectory(Path.Combine(directory, part));
        File.WriteAllText(Path.Combine(directory, "status"), "");
        File.WriteAllText(Path.Combine(directory, "guest.sources"), source.ToDeb822(suite, architecture));
        (string Name, string Value)[] settings =
        [
            ("Dir::Etc::sourcelist", $"{directory}/guest.sources"),
            ("Dir::Etc::sourceparts", $"{directory}/empty"),
            ("Dir::Etc::preferences", "/dev/null"),
            ("Dir::Etc::preferencesparts", $"{directory}/empty"),
            ("Dir::State", directory),
            ("Dir::State::lists", $"{directory}/lists"),
            ("Dir::State::status", $"{directory}/status"),
            ("Dir::Cache", directory),
            ("Dir::Cache::archives", $"{directory}/archives"),
            ("Dir::Cache::pkgcache", ""),
            ("Dir::Cache::srcpkgcache", ""),
            ("APT::Architecture", architecture),
            ("APT::Architectures::", architecture),
            ("APT::Sandbox::User", ""),
            ("Acquire::Languages", "none"),
            ("Acquire::Retries", "2"),
            ("Acquire::http::Timeout", "20"),
            ("Acquire::https::Timeout", "20"),
            ("APT::Update::Error-Mode", "any"),
        ];
        _options = [.. settings.SelectMany(s => (string[])["-o", $"{s.Name}={s.Value}"])];
    }

    /// <summary>Fetches the index of the suite.</summary>
    /// <exception cref="GuestException">No network, no such suite, or a signature that does not verify.</exception>
    public async Task UpdateAsync(CancellationToken cancellation)
    {
        HostCommandResult result = await RunAsync("apt-get", ["-q", "update"], _directory, cancellation).ConfigureAwait(false);
        if (result.Status == 0)
            return;
        string why = FirstError(result.Error);
        if (result.Error.Contains("NO_PUBKEY", StringComparison.Ordinal) || result.Error.Contains("not signed", StringComparison.Ordinal))
            throw new GuestException($"the signature of Debian {_suite} cannot be verified: {why}\ninstall or upgrade the package debian-archive-keyring, then try again");
        throw new GuestException($"cannot fetch the package index of Debian {_suite} ({_architecture}): {why}\nthe first run needs the network; or give --kernel and --initrd");
    }

    /// <summary>The newest version of a package, or null if the suite has none of that name.</summary>
    public async Task<AptPackage?> FindAsync(string name, CancellationToken cancellation)
    {
        HostCommandResult result = await RunAsync("apt-cache", ["show", "--no-all-versions", name], _directory, cancellation).ConfigureAwait(false);
        if (result.Status != 0)
            return null;
        var fields = new Dictionary<string, string>();
        foreach (string line in result.Output.Split('\n').TakeWhile(l => l.Length > 0))
        {
            int colon = line.IndexOf(": ", StringComparison.Ordinal);
            if (colon > 0 && line[0] != ' ')
                fields[line[..colon]] = line[(colon + 2)..];
        }
        // A name that is only provided, or that of a regular expression, shows something else.
        if (fields.GetValueOrDefault("Package") != name || !fields.TryGetValue("Version", out string? version))
            return null;
        IEnumerable<string> depends = fields.GetValueOrDefault("Depends", "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(d => d.Split((char[])[' ', ':', '|', '('])[0]);
        return new(name, version, long.Parse(fields.GetValueOrDefault("Size", "0"), CultureInfo.InvariantCulture), [.. depends]);
    }

    /// <summary>A package and those of its dependencies that <paramref name="follow"/> wants, each once.</summary>
    /// <exception cref="GuestException">The suite does not have one of them.</exception>
    public async Task<List<AptPackage>> ClosureAsync(string name, Func<string, bool> follow, CancellationToken cancellation)
    {
        var closure = new Dictionary<string, AptPackage>();
        var queue = new Queue<string>([name]);
        while (queue.TryDequeue(out string? next))
        {
            if (closure.ContainsKey(next))
                continue;
            closure[next] = await FindAsync(next, cancellation).ConfigureAwait(false)
                ?? throw new GuestException($"Debian {_suite} has no package {next} for {_architecture}");
            foreach (string needed in closure[next].Depends.Where(follow))
                queue.Enqueue(needed);
        }
        return [.. closure.Values];
    }

    /// <summary>Downloads packages into a directory, verified against the signed index.</summary>
    /// <returns>The .deb files, in no order.</returns>
    /// <exception cref="GuestException">The network failed, the disk is full, or a hash differs.</exception>
    public async Task<string[]> DownloadAsync(IReadOnlyList<AptPackage> packages, string into, IGuestProgress progress, CancellationToken cancellation)
    {
        long total = packages.Sum(p => p.Size);
        Task<HostCommandResult> download = RunAsync("apt-get", ["-q", "download", .. packages.Select(p => $"{p.Name}={p.Version}")], into, cancellation);
        while (await Task.WhenAny(download, Task.Delay(200, cancellation)).ConfigureAwait(false) != download)
        {
            cancellation.ThrowIfCancellationRequested();
            progress.Bytes(Math.Min(total, SizeOf(into) + SizeOf(Path.Combine(_directory, "archives"))), total);
        }
        HostCommandResult result = await download.ConfigureAwait(false);
        string[] files = Directory.GetFiles(into, "*.deb");
        if (result.Status != 0 || files.Length != packages.Count)
            throw new GuestException($"cannot download the guest's packages: {FirstError(result.Error)}\ntry again; what was fetched so far is not used");
        progress.Bytes(total, total);
        return files;
    }

    private static long SizeOf(string directory) =>
        new DirectoryInfo(directory).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true })
            .Sum(f => f.Exists ? f.Length : 0);

    private async Task<HostCommandResult> RunAsync(string program, IEnumerable<string> arguments, string directory, CancellationToken cancellation)
    {
        try
        {
            return await HostCommand.RunAsync(program, [.. _options, .. arguments], directory, cancellation).ConfigureAwait(false);
        }
        catch (FileNotFoundException e)
        {
            throw new GuestException($"{e.Message}\nthe default guest is made from Debian packages with apt; give --kernel and --initrd instead", e);
        }
    }

    private static string FirstError(string output)
    {
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string line = lines.FirstOrDefault(l => l.StartsWith("E:", StringComparison.Ordinal)) ?? lines.FirstOrDefault(l => l.StartsWith("W:", StringComparison.Ordinal)) ?? "apt failed";
        return line.Length > 2 ? line[2..].Trim() : line;
    }
}
