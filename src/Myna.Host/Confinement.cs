using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>Where a process that runs a machine goes before the guest does: another user, another root directory, a control group. Needs the rights to.</summary>
/// <param name="User">User ID, and group ID; null to stay who one is.</param>
/// <param name="Root">The new root directory (chroot(2)), or null.</param>
/// <param name="Cgroup">The folder of a control group of version 2, made if it is missing; or null.</param>
public sealed partial record Confinement((uint User, uint Group)? User = null, string? Root = null, string? Cgroup = null)
{
    /// <summary>Goes there, with all threads, for good. Files that are open stay so.</summary>
    /// <exception cref="IOException">The host refuses; the message is for the user.</exception>
    public void Enter()
    {
        if (Cgroup is not null)
            EnterCgroup(Cgroup);
        if (Root is not null)
        {
            // What the runtime loads at its first use is not to be found any more behind the new root.
            if (RuntimeFeature.IsDynamicCodeSupported)
                LoadAll();
            if (chroot(Root) != 0)
                throw Libc.Error($"chroot={Root}");
            if (chdir("/") != 0)
                throw Libc.Error($"chroot={Root}: cannot go to its root");
        }
        if (User is not { } user)
            return;
        // The C library brings all threads along.
        if (setgroups(0, 0) != 0 || setgid(user.Group) != 0 || setuid(user.User) != 0)
            throw Libc.Error($"user={user.User}:{user.Group}");
    }

    private static void EnterCgroup(string folder)
    {
        try
        {
            bool isNew = !Directory.Exists(folder);
            Directory.CreateDirectory(folder);
            string processes = Path.Combine(folder, "cgroup.procs");
            if (!File.Exists(processes))
            {
                // The kernel puts it into every control group: this is a folder like any other.
                if (isNew)
                    Directory.Delete(folder);
                throw new IOException("it is no control group; those lie below /sys/fs/cgroup, with version 1 below a controller's folder, as in /sys/fs/cgroup/memory");
            }
            File.AppendAllText(processes, $"{Environment.ProcessId}\n");
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            throw new IOException($"cgroup={folder}: {e.Message}", e);
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Native code, which alone is trimmed, does not come here.")]
    private static void LoadAll()
    {
        HashSet<string> seen = [];
        Queue<Assembly> left = new(AppDomain.CurrentDomain.GetAssemblies());
        while (left.TryDequeue(out Assembly? assembly))
        {
            foreach (AssemblyName name in assembly.GetReferencedAssemblies())
            {
                if (!seen.Add(name.Name ?? ""))
                    continue;
                try
                {
                    left.Enqueue(Assembly.Load(name));
                }
                catch (Exception e) when (e is FileNotFoundException or FileLoadException or BadImageFormatException)
                {
                    // It was not there before either.
                }
            }
        }
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chroot(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chdir(string path);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setgroups(nuint count, nint list);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setgid(uint group);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setuid(uint user);
}
