namespace Myna.Machines.Guests;

/// <summary>Makes a guest's files out of its packages.</summary>
public static class GuestBuilder
{
    public const string KernelFile = "kernel";
    public const string BusyboxFile = "busybox";

    /// <summary>The initramfs of this version of Myna; its name changes with what it contains.</summary>
    public static string InitrdFile { get; } = $"initrd-{Initramfs.Revision}.cpio";

    /// <summary>Unpacks packages and writes kernel, busybox, modules, initramfs and manifest into a directory.</summary>
    /// <exception cref="GuestException">A package does not hold what is expected.</exception>
    public static async Task<GuestManifest> BuildAsync(
        GuestRecipe recipe, IReadOnlyList<AptPackage> packages, IReadOnlyList<string> debs, string directory, CancellationToken cancellation)
    {
        string? release = null;
        byte[]? busybox = null;
        string[] builtIn = [];
        var moduleFiles = new Dictionary<string, byte[]>();
        foreach (string deb in debs)
        {
            foreach ((string path, byte[] content) in await DebPackage.ReadAsync(deb, IsWanted, cancellation).ConfigureAwait(false))
            {
                string name = Path.GetFileName(path);
                if (name == "busybox")
                {
                    busybox = content;
                }
                else if (name == "modules.builtin")
                {
                    builtIn = System.Text.Encoding.UTF8.GetString(content).Split('\n', StringSplitOptions.RemoveEmptyEntries);
                }
                else if (ReleaseOf(path) is string found)
                {
                    release = found;
                    await File.WriteAllBytesAsync(Path.Combine(directory, KernelFile), content, cancellation).ConfigureAwait(false);
                }
                else
                {
                    moduleFiles[path] = content;
                }
            }
        }
        if (release is null || busybox is null || moduleFiles.Count == 0)
            throw new GuestException($"Debian's packages for the {recipe.Arch} guest hold no {(release is null ? "kernel" : busybox is null ? "busybox" : "modules")}; is this version of Myna too old for them?");

        var set = new ModuleSet(moduleFiles.Keys, builtIn, path => DebPackage.DecompressAsync(path, moduleFiles[path], cancellation));
        foreach (string module in recipe.Modules)
            await set.AddAsync(module).ConfigureAwait(false);
        string[] load = [.. set.Modules.Select(m => m.Info.Name)];
        foreach (string module in recipe.ModulesOnDemand)
            await set.AddAsync(module).ConfigureAwait(false);

        await File.WriteAllBytesAsync(Path.Combine(directory, BusyboxFile), busybox, cancellation).ConfigureAwait(false);
        Directory.CreateDirectory(Path.Combine(directory, "modules"));
        foreach (GuestModule module in set.Modules)
            await File.WriteAllBytesAsync(Path.Combine(directory, ModuleFile(module.Info.Name)), module.Elf, cancellation).ConfigureAwait(false);

        string[] names = [.. set.Modules.Select(m => m.Info.Name)];
        var files = new List<GuestFile>();
        foreach (string name in (IEnumerable<string>)[KernelFile, BusyboxFile, .. names.Select(ModuleFile)])
            files.Add(await GuestFile.OfAsync(directory, name, cancellation).ConfigureAwait(false));
        var manifest = new GuestManifest(release, [.. packages.Select(p => $"{p.Name} {p.Version}")], names, load, files);
        return await WriteInitrdAsync(directory, manifest, cancellation).ConfigureAwait(false);
    }

    /// <summary>Writes the initramfs from a guest's other files, and the manifest with it.</summary>
    public static async Task<GuestManifest> WriteInitrdAsync(string directory, GuestManifest manifest, CancellationToken cancellation)
    {
        var modules = new List<GuestModule>();
        foreach (string name in manifest.Modules)
        {
            byte[] elf = await File.ReadAllBytesAsync(Path.Combine(directory, ModuleFile(name)), cancellation).ConfigureAwait(false);
            modules.Add(new(ModuleInfo.Read(name, elf), elf));
        }
        byte[] busybox = await File.ReadAllBytesAsync(Path.Combine(directory, BusyboxFile), cancellation).ConfigureAwait(false);
        string path = Path.Combine(directory, InitrdFile), temporary = $"{path}.{Environment.ProcessId}";
        using (FileStream stream = File.Create(temporary))
            Initramfs.Write(stream, manifest.Release, busybox, manifest.Load, modules);
        File.Move(temporary, path, overwrite: true);
        GuestFile initrd = await GuestFile.OfAsync(directory, InitrdFile, cancellation).ConfigureAwait(false);
        manifest = manifest with { Files = [.. manifest.Files.Where(f => !f.Name.StartsWith("initrd-", StringComparison.Ordinal)), initrd] };
        await manifest.WriteAsync(directory, cancellation).ConfigureAwait(false);
        foreach (string old in Directory.GetFiles(directory, "initrd-*.cpio").Where(f => f != path))
            File.Delete(old);
        return manifest;
    }

    private static string ModuleFile(string name) => $"modules/{name}.ko";

    /// <summary>
    /// The release of the kernel that a path names: boot/vmlinux-RELEASE or boot/vmlinuz-RELEASE, from 7.x on
    /// usr/lib/modules/RELEASE/vmlinuz. Null if it is no kernel.
    /// </summary>
    internal static string? ReleaseOf(string path)
    {
        string name = Path.GetFileName(path);
        string[] parts = path.Split('/');
        return name is "vmlinux" or "vmlinuz" ? (parts is [.., "lib", "modules", string release, _] ? release : null)
            : parts[0] != "boot" ? null
            : name.StartsWith("vmlinux-", StringComparison.Ordinal) || name.StartsWith("vmlinuz-", StringComparison.Ordinal) ? name["vmlinux-".Length..]
            : null;
    }

    private static bool IsWanted(string path)
    {
        string name = Path.GetFileName(path);
        return path is "bin/busybox" or "usr/bin/busybox" || ReleaseOf(path) is not null
            || (path.Contains("lib/modules/", StringComparison.Ordinal) && (name == "modules.builtin" || name.Contains(".ko", StringComparison.Ordinal)));
    }
}
