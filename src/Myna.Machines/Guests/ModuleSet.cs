namespace Myna.Machines.Guests;

/// <summary>A module that goes into the guest.</summary>
/// <param name="Elf">Its decompressed file.</param>
public sealed record GuestModule(ModuleInfo Info, byte[] Elf);

/// <summary>Chooses modules of a kernel package together with what they need, in loading order.</summary>
public sealed class ModuleSet
{
    private readonly Dictionary<string, string> _files = [];
    private readonly HashSet<string> _builtIn;
    private readonly Func<string, Task<byte[]>> _read;
    private readonly Dictionary<string, GuestModule> _chosen = [];
    private readonly List<GuestModule> _order = [];

    /// <param name="files">Paths of the package's modules (.ko, .ko.xz, .ko.zst, .ko.gz).</param>
    /// <param name="builtIn">The package's modules.builtin.</param>
    /// <param name="read">Gives the decompressed content of one of the paths.</param>
    public ModuleSet(IEnumerable<string> files, IEnumerable<string> builtIn, Func<string, Task<byte[]>> read)
    {
        foreach (string file in files)
            _files[NameOf(file)] = file;
        _builtIn = [.. builtIn.Select(NameOf)];
        _read = read;
    }

    /// <summary>What was chosen so far, each after the modules it needs.</summary>
    public IReadOnlyList<GuestModule> Modules => _order;

    /// <summary>Adds a module and what it depends on; nothing happens if the kernel has it built in.</summary>
    /// <exception cref="GuestException">The kernel has no such module.</exception>
    public async Task AddAsync(string name)
    {
        name = ModuleInfo.Normalize(name);
        if (_chosen.ContainsKey(name) || _builtIn.Contains(name))
            return;
        if (!_files.TryGetValue(name, out string? file))
            throw new GuestException($"the guest's kernel package has no module '{name}'");
        byte[] elf = await _read(file).ConfigureAwait(false);
        var module = new GuestModule(ModuleInfo.Read(name, elf), elf);
        _chosen[name] = module;
        foreach (string needed in module.Info.Depends)
            await AddAsync(needed).ConfigureAwait(false);
        foreach (string wish in module.Info.SoftPre)
        {
            if (Resolve(wish) is string soft)
                await AddAsync(soft).ConfigureAwait(false);
        }
        _order.Add(module);
    }

    /// <summary>
    /// The package has no modules.alias (depmod writes it at installation), so a soft dependency on an algorithm
    /// ("crypto-crc32c") is looked for under the names that the kernel's source gives its portable implementation.
    /// </summary>
    private string? Resolve(string wish)
    {
        string name = ModuleInfo.Normalize(wish.StartsWith("crypto-", StringComparison.Ordinal) ? wish["crypto-".Length..] : wish);
        return _files.ContainsKey(name) ? name : _files.ContainsKey(name + "_generic") ? name + "_generic" : null;
    }

    private static string NameOf(string path)
    {
        string file = path[(path.LastIndexOf('/') + 1)..];
        int suffix = file.IndexOf(".ko", StringComparison.Ordinal);
        return ModuleInfo.Normalize(suffix < 0 ? file : file[..suffix]);
    }
}
