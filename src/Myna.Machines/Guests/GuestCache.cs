namespace Myna.Machines.Guests;

/// <summary>A guest that is ready to boot.</summary>
public sealed record Guest(string Arch, string Suite, string Directory, GuestManifest Manifest)
{
    public string Kernel => Path.Combine(Directory, GuestBuilder.KernelFile);
    public string Initrd => Path.Combine(Directory, GuestBuilder.InitrdFile);
}

/// <summary>
/// Default guests by architecture, suite and version, under the user's cache directory. A guest appears by one rename when it
/// is complete; a damaged one is found when it is asked for, and made again.
/// </summary>
/// <param name="root">Myna's cache directory.</param>
public sealed partial class GuestCache(string root)
{
    /// <summary>$XDG_CACHE_HOME/myna, or ~/.cache/myna.</summary>
    /// <exception cref="GuestException">There is no home directory.</exception>
    public static string DefaultRoot
    {
        get
        {
            // The specification wants relative paths ignored (XDG Base Directory Specification).
            if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is string xdg && Path.IsPathRooted(xdg))
                return Path.Combine(xdg, "myna");
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            return home.Length > 0 ? Path.Combine(home, ".cache", "myna") : throw new GuestException("neither XDG_CACHE_HOME nor HOME is set: there is no place for the guest");
        }
    }

    public string Root => root;

    private string Guests => Path.Combine(root, "guests");

    /// <summary>The newest guest in the cache, fetched or repaired first if need be.</summary>
    /// <exception cref="GuestException">It cannot be had.</exception>
    public Task<Guest> GetAsync(GuestRecipe recipe, string suite, IGuestProgress progress, CancellationToken cancellation = default) =>
        GuardAsync(async () =>
        {
            if (await FindAsync(recipe, suite, progress, cancellation).ConfigureAwait(false) is Guest found)
                return found;
            using FileStream held = await LockAsync(progress, cancellation).ConfigureAwait(false);
            // Another process may have fetched it in the meantime; what is damaged has been said.
            return await FindAsync(recipe, suite, null, cancellation).ConfigureAwait(false)
                ?? await FetchAsync(recipe, suite, progress, cancellation).ConfigureAwait(false);
        });

    /// <summary>Fetches the suite's newest versions unless the cache has them; older ones are removed.</summary>
    /// <exception cref="GuestException">They cannot be had.</exception>
    public Task<Guest> UpdateAsync(GuestRecipe recipe, string suite, IGuestProgress progress, CancellationToken cancellation = default) =>
        GuardAsync(async () =>
        {
            using FileStream held = await LockAsync(progress, cancellation).ConfigureAwait(false);
            Guest guest = await FetchAsync(recipe, suite, progress, cancellation).ConfigureAwait(false);
            foreach (Guest old in List().Where(g => g.Arch == recipe.Arch && g.Suite == suite && g.Directory != guest.Directory))
                Remove(old);
            return guest;
        });

    /// <summary>What the cache holds, the newest of each architecture and suite first.</summary>
    public IReadOnlyList<Guest> List()
    {
        if (!Directory.Exists(Guests))
            return [];
        var guests = new List<Guest>();
        foreach (string place in Directory.GetDirectories(Guests).Order(StringComparer.Ordinal))
        {
            string[] name = Path.GetFileName(place).Split('-', 2);
            if (name.Length != 2)
                continue;
            foreach (string directory in Directory.GetDirectories(place).OrderByDescending(Directory.GetLastWriteTimeUtc))
            {
                if (!Path.GetFileName(directory).StartsWith('.') && GuestManifest.Read(directory) is GuestManifest manifest)
                    guests.Add(new(name[0], name[1], directory, manifest));
            }
        }
        return guests;
    }

    /// <summary>Deletes a guest's files. A machine that runs from them goes on.</summary>
    public static void Remove(Guest guest) => Directory.Delete(guest.Directory, recursive: true);

    /// <summary>Names of a guest's files whose content is not what was written.</summary>
    public static async Task<IReadOnlyList<string>> VerifyAsync(Guest guest, CancellationToken cancellation = default)
    {
        var bad = new List<string>();
        foreach (GuestFile file in guest.Manifest.Files)
        {
            if (!await file.IsIntactAsync(guest.Directory, thorough: true, cancellation).ConfigureAwait(false))
                bad.Add(file.Name);
        }
        return bad;
    }

    /// <summary>The newest intact guest, its initramfs made anew if this version of Myna writes another one.</summary>
    private async Task<Guest?> FindAsync(GuestRecipe recipe, string suite, IGuestProgress? progress, CancellationToken cancellation)
    {
        foreach (Guest guest in List().Where(g => g.Arch == recipe.Arch && g.Suite == suite))
        {
            bool initrd = false, rest = true;
            foreach (GuestFile file in guest.Manifest.Files)
            {
                bool intact = await file.IsIntactAsync(guest.Directory, thorough: false, cancellation).ConfigureAwait(false);
                if (file.Name == GuestBuilder.InitrdFile)
                    initrd = intact;
                else
                    rest &= intact;
            }
            if (rest && initrd)
                return guest;
            if (rest)
                return guest with { Manifest = await GuestBuilder.WriteInitrdAsync(guest.Directory, guest.Manifest, cancellation).ConfigureAwait(false) };
            progress?.Step($"the cached guest in {guest.Directory} is damaged; fetching it again");
        }
        return null;
    }

    private async Task<Guest> FetchAsync(GuestRecipe recipe, string suite, IGuestProgress progress, CancellationToken cancellation)
    {
        string place = Path.Combine(Guests, $"{recipe.Arch}-{suite}");
        Directory.CreateDirectory(place);
        foreach (string leftover in Directory.GetDirectories(place, ".new-*"))
            Directory.Delete(leftover, recursive: true);
        string temporary = Path.Combine(place, $".new-{Environment.ProcessId}");
        Directory.CreateDirectory(temporary);
        try
        {
            progress.Step($"reading the package index of Debian {suite} ({recipe.DebianArch})");
            AptSource source = AptSource.FromHost()
                ?? throw new GuestException("this host's apt names no Debian archive to fetch the guest from; add one to /etc/apt/sources.list, or give --kernel");
            var archive = new AptArchive(Path.Combine(root, "apt", $"{recipe.DebianArch}-{suite}"), source, suite, recipe.DebianArch);
            await archive.UpdateAsync(cancellation).ConfigureAwait(false);
            List<AptPackage> packages = await archive.ClosureAsync(recipe.KernelPackage, GuestRecipe.IsKernelPart, cancellation).ConfigureAwait(false);
            packages.AddRange(await archive.ClosureAsync("busybox-static", _ => false, cancellation).ConfigureAwait(false));

            string final = Path.Combine(place, NameOf(packages, recipe.KernelPackage));
            if (GuestManifest.Read(final) is GuestManifest existing)
            {
                var guest = new Guest(recipe.Arch, suite, final, existing);
                if ((await VerifyAsync(guest, cancellation).ConfigureAwait(false)).Count == 0 && File.Exists(guest.Initrd))
                    return guest;
            }

            progress.Step($"downloading {packages.Count} packages, {packages.Sum(p => p.Size) / 1_000_000} MB");
            string[] debs = await archive.DownloadAsync(packages, temporary, progress, cancellation).ConfigureAwait(false);
            progress.Step("unpacking");
            GuestManifest manifest = await GuestBuilder.BuildAsync(recipe, packages, debs, temporary, cancellation).ConfigureAwait(false);
            foreach (string deb in debs)
                File.Delete(deb);
            if (Directory.Exists(final))
                Directory.Delete(final, recursive: true);
            Directory.Move(temporary, final);
            progress.Step($"the guest is ready: Linux {manifest.Release}");
            return new(recipe.Arch, suite, final, manifest);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>A directory name of the versions that decide the content.</summary>
    private static string NameOf(List<AptPackage> packages, string kernel)
    {
        string name = $"{packages.First(p => p.Name == kernel).Version}_{packages.First(p => p.Name == "busybox-static").Version}_r{GuestRecipe.Revision}";
        return string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '+' or '_' or '~' ? c : '%'));
    }

    /// <summary>One process at a time changes the cache.</summary>
    private async Task<FileStream> LockAsync(IGuestProgress progress, CancellationToken cancellation)
    {
        Directory.CreateDirectory(Guests);
        string path = Path.Combine(Guests, ".lock");
        for (bool told = false; ; told = true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            // Only "another process has it" is worth waiting for (EWOULDBLOCK, which .NET reports by this number).
            catch (IOException e) when (e.HResult == 11)
            {
                if (!told)
                    progress.Step("another myna is fetching a guest; waiting for it");
                await Task.Delay(200, cancellation).ConfigureAwait(false);
            }
        }
    }

    private async Task<T> GuardAsync<T>(Func<Task<T>> action)
    {
        try
        {
            return await action().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new GuestException($"cannot use the cache in {root}: {e.Message}\nset XDG_CACHE_HOME to a directory with some 300 MB of room", e);
        }
    }
}
