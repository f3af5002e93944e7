using System.Globalization;
using System.Text;
using Myna.Host;
using Myna.Linux.Calls;

namespace Myna.Linux;

/// <summary>Files of /proc whose host versions tell of Myna instead of the guest.</summary>
internal sealed partial class ProcFiles(LinuxProcess process)
{
    private const long SysGetpid = 39, SysGettid = 186, SysMemfdCreate = 319, SysWrite = 1, SysLseek = 8, SysReadLinkAt = 267;
    private const int O_CLOEXEC = 0x80000, MFD_CLOEXEC = 1, AT_FDCWD = -100;
    private const string Proc = "/proc/";

    /// <summary>Whether a path is the link to the running program.</summary>
    public bool IsExecutableLink(string path) => Entry(path, out _) == "exe";

    /// <summary>Whether a path names a descriptor of Myna's own.</summary>
    public bool IsHiddenDescriptor(string path)
        => Entry(path, out _) is { } entry && entry.StartsWith("fd/", StringComparison.Ordinal)
            && int.TryParse(entry.AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor) && process.Descriptors.IsHidden(descriptor);

    /// <summary>The absolute path of one that is relative to a folder of /proc; the path itself otherwise.</summary>
    /// <param name="directory">The descriptor of the folder, or AT_FDCWD.</param>
    public static string Absolute(in Call call, int directory, string path)
    {
        if (path.StartsWith('/'))
            return path;
        // Whatever else it may be called, only these matter.
        if (path[(path.LastIndexOf('/') + 1)..] is not ("maps" or "smaps" or "auxv" or "cmdline" or "environ" or "stat" or "statm" or "status" or "limits" or "exe" or "cpuinfo"))
            return path;
        string? folder = LinkOf(call.Scratch, directory == AT_FDCWD ? "/proc/self/cwd" : $"/proc/self/fd/{directory}");
        return folder is not null && (folder == "/proc" || folder.StartsWith(Proc, StringComparison.Ordinal)) ? $"{folder}/{path}" : path;
    }

    internal static string? LinkOf(HostScratch scratch, string link)
    {
        const int Longest = 4096;
        Span<byte> text = scratch.Take(Longest, out long address);
        long length = HostSyscall.Invoke(SysReadLinkAt, AT_FDCWD, scratch.Put(link), address, Longest);
        return length < 0 ? null : GuestText.Decode(text[..(int)length]);
    }

    /// <summary>Opens a file of the guest's own.</summary>
    /// <param name="flags">open's; only O_CLOEXEC matters.</param>
    /// <returns>False: the path is any other.</returns>
    public bool TryOpen(in Call call, string path, int flags, out long descriptor)
    {
        descriptor = 0;
        byte[]? content;
        try
        {
            content = path == "/proc/cpuinfo" ? CpuInfo() : Entry(path, out string folder) switch
            {
                "maps" => Maps(),
                "smaps" => DetailedMaps(),
                "auxv" => process.Image.AuxiliaryVector,
                "cmdline" => CommandLine(),
                "environ" => Memory(process.Image.EnvironmentArea),
                "stat" => Stat(folder),
                "statm" => Sizes(),
                "status" => Status(folder),
                "limits" => Limits(),
                _ => null,
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A chroot without /proc: the host's open says what is wrong.
            return false;
        }
        if (content is null)
            return false;
        long fd = HostSyscall.Invoke(SysMemfdCreate, call.Scratch.Put(Path.GetFileName(path)), (flags & O_CLOEXEC) != 0 ? MFD_CLOEXEC : 0);
        if (fd >= 0)
        {
            using var block = new HostScratch(content.Length + 64);
            content.CopyTo(block.Take(content.Length, out long address));
            _ = HostSyscall.Invoke(SysWrite, fd, address, content.Length);
            _ = HostSyscall.Invoke(SysLseek, fd, 0, 0);
        }
        descriptor = fd;
        return true;
    }

    /// <summary>The name of a file in this process's own folder of /proc, or in that of one of its threads; null for all other paths.</summary>
    /// <param name="folder">The folder on the host.</param>
    private string? Entry(string path, out string folder)
    {
        folder = "/proc/self";
        if (!path.StartsWith(Proc, StringComparison.Ordinal))
            return null;
        int slash = path.IndexOf('/', Proc.Length);
        if (slash < 0)
            return null;
        ReadOnlySpan<char> who = path.AsSpan(Proc.Length, slash - Proc.Length);
        if (who is "thread-self")
            folder = Task(HostSyscall.Invoke(SysGettid));
        // A thread's folder can be named without being listed.
        else if (who is not "self" && (!int.TryParse(who, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            || (id != HostSyscall.Invoke(SysGetpid) && !IsThread(id))))
            return null;
        string rest = path[(slash + 1)..].TrimStart('/');
        const string task = "task/";
        if (!rest.StartsWith(task, StringComparison.Ordinal))
            return rest;
        slash = rest.IndexOf('/', task.Length);
        if (slash < 0 || !int.TryParse(rest.AsSpan(task.Length, slash - task.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int thread) || !IsThread(thread))
            return rest;
        folder = Task(thread);
        return rest[(slash + 1)..];
    }

    private static string Task(long thread) => string.Create(CultureInfo.InvariantCulture, $"/proc/self/task/{thread}");

    private bool IsThread(int id) => Array.Exists(process.Threads.ToArray(), t => t.Tid == id);

    private static byte[] Memory((ulong Start, ulong End) area)
    {
        byte[] bytes = new byte[area.End - area.Start];
        return GuestMemory.TryRead(area.Start, bytes) ? bytes : [];
    }

    // Programs that say in their arguments what they do overwrite the last one's end and go on into the environment (proc(5)).
    private byte[] CommandLine()
    {
        byte[] arguments = Memory(process.Image.ArgumentArea);
        if (arguments.Length == 0 || arguments[^1] == 0)
            return arguments;
        byte[] all = [.. arguments, .. Memory(process.Image.EnvironmentArea)];
        int end = Array.IndexOf(all, (byte)0);
        return end < 0 ? all : all[..(end + 1)];
    }

    private byte[]? CpuInfo()
    {
        if (process.Target.Abi != Loading.AbiKind.RiscV64)
            return null;
        var text = new StringBuilder();
        for (int cpu = 0; cpu < Environment.ProcessorCount; cpu++)
            _ = text.Append(CultureInfo.InvariantCulture, $"processor\t: {cpu}\nhart\t\t: {cpu}\nisa\t\t: {process.IsaName}\nmmu\t\t: sv48\nuarch\t\t: myna\nmvendorid\t: 0x0\nmarchid\t\t: 0x0\nmimpid\t\t: 0x0\n\n");
        return GuestText.Encode(text.ToString());
    }
}
