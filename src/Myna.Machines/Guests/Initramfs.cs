using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Myna.Machines.Guests;

/// <summary>The default guest's root file system: busybox, an /init, and the kernel modules its devices need.</summary>
public static class Initramfs
{
    private static readonly string InitScript = Resource("init.sh");
    private static readonly string UdhcpcScript = Resource("udhcpc.sh");

    /// <summary>Eight hexadecimal digits that change with the scripts: an initramfs of other ones is made anew.</summary>
    public static string Revision { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"2\n{InitScript}\n{UdhcpcScript}")))[..8];

    /// <summary>
    /// Writes the archive. It is not compressed: the host hands it over in memory, and unpacking it would cost the guest
    /// more than copying it.
    /// </summary>
    /// <param name="release">The kernel's release, as uname -r says it.</param>
    /// <param name="load">Names of the modules that /init loads, in order.</param>
    /// <param name="modules">Every module, each after what it needs.</param>
    public static void Write(Stream stream, string release, byte[] busybox, IEnumerable<string> load, IReadOnlyList<GuestModule> modules)
    {
        var cpio = new CpioWriter(stream);
        foreach (string directory in (string[])["bin", "sbin", "usr/bin", "usr/sbin", "dev", "proc", "sys", "run", "root", "mnt", "tmp", "var"])
            cpio.Directory(directory);
        // The kernel opens it as /init's standard input and output before anything is mounted.
        cpio.CharDevice("dev/console", 5, 1);
        cpio.CharDevice("dev/null", 1, 3);
        cpio.File("bin/busybox", busybox, executable: true);
        // The kernel starts this one when something asks for a module.
        cpio.Link("sbin/modprobe", "/bin/busybox");
        cpio.File("init", InitScript, executable: true);
        cpio.File("etc/udhcpc.script", UdhcpcScript, executable: true);
        cpio.File("etc/passwd", "root::0:0:root:/root:/bin/sh\n");
        cpio.File("etc/group", "root:x:0:\n");
        cpio.File("etc/hosts", "127.0.0.1 localhost myna\n::1 localhost\n");
        // What mount without -t tries: a file system in a module is not in /proc/filesystems before its first use.
        cpio.File("etc/filesystems", "ext4\nvfat\niso9660\n");
        cpio.File("etc/profile", "PS1='\\h:\\w# '\n");
        cpio.File("etc/modules", string.Concat(load.Select(m => m + "\n")));
        WriteModules(cpio, $"lib/modules/{release}", modules);
        cpio.Finish();
    }

    private static void WriteModules(CpioWriter cpio, string root, IReadOnlyList<GuestModule> modules)
    {
        Dictionary<string, ModuleInfo> byName = modules.ToDictionary(m => m.Info.Name, m => m.Info);
        var dep = new StringBuilder();
        var alias = new StringBuilder();
        foreach (ModuleInfo info in modules.Select(m => m.Info))
        {
            // modules.dep(5): the last of the line is loaded first.
            dep.Append($"kernel/{info.Name}.ko:");
            foreach (string needed in Enumerable.Reverse(Needed(info, byName)))
                dep.Append($" kernel/{needed}.ko");
            dep.Append('\n');
            foreach (string a in info.Aliases)
                alias.Append($"alias {a} {info.Name}\n");
        }
        foreach (GuestModule module in modules)
            cpio.File($"{root}/kernel/{module.Info.Name}.ko", module.Elf);
        cpio.File($"{root}/modules.dep", dep.ToString());
        cpio.File($"{root}/modules.alias", alias.ToString());
        cpio.File($"{root}/modules.symbols", "");
    }

    /// <summary>
    /// What must be loaded first, in loading order. A soft dependency on an algorithm becomes a hard one: busybox does not
    /// follow those.
    /// </summary>
    private static List<string> Needed(ModuleInfo info, Dictionary<string, ModuleInfo> all)
    {
        var order = new List<string>();
        void Visit(ModuleInfo module)
        {
            foreach (string name in module.Depends.Concat(module.SoftPre.Select(s => SoftProvider(s, all)).OfType<string>()))
            {
                if (all.TryGetValue(name, out ModuleInfo? needed) && !order.Contains(name))
                {
                    Visit(needed);
                    order.Add(name);
                }
            }
        }
        Visit(info);
        return order;
    }

    private static string? SoftProvider(string wish, Dictionary<string, ModuleInfo> all) =>
        all.ContainsKey(ModuleInfo.Normalize(wish)) ? ModuleInfo.Normalize(wish) : all.Values.FirstOrDefault(m => m.Aliases.Contains(wish))?.Name;

    private static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"Myna.Machines.Guests.{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
