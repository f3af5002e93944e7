using System.Globalization;
using System.Text;
using Myna.Host;
using Myna.Linux.Calls;
using Myna.Linux.Memory;

namespace Myna.Linux;

/// <summary>Files of /proc whose host versions tell of Myna instead of the guest.</summary>
internal sealed class ProcFiles(LinuxProcess process)
{
    private const long SysGetpid = 39, SysGettid = 186, SysMemfdCreate = 319, SysWrite = 1, SysLseek = 8;
    private const int O_CLOEXEC = 0x80000, MFD_CLOEXEC = 1;

    /// <summary>Whether a path is the link to the running program.</summary>
    public bool IsExecutableLink(string path) => Entry(path) == "exe";

    /// <summary>Opens a file of the guest's own.</summary>
    /// <param name="flags">open's; only O_CLOEXEC matters.</param>
    /// <returns>False: the path is any other.</returns>
    public bool TryOpen(in Call call, string path, int flags, out long descriptor)
    {
        descriptor = 0;
        byte[]? content;
        try
        {
            content = path == "/proc/cpuinfo" ? CpuInfo() : Entry(path) switch
            {
                "maps" => Maps(),
                "auxv" => process.Image.AuxiliaryVector,
                "cmdline" => GuestText.Encode(string.Concat(process.Image.Arguments.Select(a => a + "\0"))),
                "stat" => Stat(),
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

    /// <summary>The name of a file in this process's own folder of /proc; null for all other paths.</summary>
    private static string? Entry(string path)
    {
        const string proc = "/proc/";
        if (!path.StartsWith(proc, StringComparison.Ordinal))
            return null;
        int slash = path.IndexOf('/', proc.Length);
        if (slash < 0)
            return null;
        ReadOnlySpan<char> who = path.AsSpan(proc.Length, slash - proc.Length);
        if (who is not ("self" or "thread-self")
            && !(int.TryParse(who, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && pid == HostSyscall.Invoke(SysGetpid)))
            return null;
        string rest = path[(slash + 1)..];
        // A thread's folder has the same files.
        string own = string.Create(CultureInfo.InvariantCulture, $"task/{HostSyscall.Invoke(SysGettid)}/");
        return rest.StartsWith(own, StringComparison.Ordinal) ? rest[own.Length..] : rest;
    }

    /// <summary>The host's lines of what the guest has mapped, with the guest's rights.</summary>
    private byte[] Maps()
    {
        Region[] regions = process.Memory.Regions();
        (ulong heapStart, ulong heapEnd) = process.Memory.Heap;
        (ulong stackStart, ulong stackEnd) = process.Image.Stack;
        var text = new StringBuilder();
        int next = 0;
        foreach (string line in File.ReadLines("/proc/self/maps", Encoding.Latin1))
        {
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
            ulong offset = ulong.Parse(fields[1], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            string name = fields[4].TrimStart();
            while (next > 0 && next <= regions.Length && regions[next - 1].End > start)
                next--;
            while (next < regions.Length && regions[next].End <= start)
                next++;
            for (int i = next; i < regions.Length && regions[i].Start < end; i++)
            {
                ulong from = Math.Max(start, regions[i].Start), to = Math.Min(end, regions[i].End);
                Protection r = regions[i].Rights;
                string shown = name.Length > 0 ? process.Sysroot?.Reverse(name) ?? name
                    : from < stackEnd && to > stackStart ? "[stack]"
                    : from < heapEnd && to > heapStart ? "[heap]"
                    : from == process.Image.Vdso ? "[vdso]" : "";
                string front = string.Create(CultureInfo.InvariantCulture,
                    $"{from:x8}-{to:x8} {((r & Protection.Read) != 0 ? 'r' : '-')}{((r & Protection.Write) != 0 ? 'w' : '-')}{((r & Protection.Execute) != 0 ? 'x' : '-')}{fields[0][^1]} {(name.StartsWith('/') ? offset + (from - start) : 0):x8} {fields[2]} {fields[3]}");
                _ = text.Append(shown.Length > 0 ? front.PadRight(73) + shown : front + " ").Append('\n');
            }
        }
        return GuestText.Encode(text.ToString());
    }

    /// <summary>The host's numbers (proc_pid_stat(5)), with the guest's name and stack.</summary>
    private byte[] Stat()
    {
        string host = File.ReadAllText("/proc/self/stat", Encoding.Latin1);
        int open = host.IndexOf('('), close = host.LastIndexOf(')');
        string[] fields = host[(close + 2)..].TrimEnd('\n').Split(' ');
        // Fields are counted from 1, and the first here is the third.
        const int ThreadCount = 20 - 3, VirtualSize = 23 - 3, StartCode = 26 - 3, EndCode = 27 - 3, StartStack = 28 - 3;
        fields[ThreadCount] = process.Threads.Count.ToString(CultureInfo.InvariantCulture);
        fields[VirtualSize] = process.Memory.Size.ToString(CultureInfo.InvariantCulture);
        fields[StartCode] = process.Image.ProgramBase.ToString(CultureInfo.InvariantCulture);
        fields[EndCode] = process.Image.ProgramBase.ToString(CultureInfo.InvariantCulture);
        fields[StartStack] = process.Image.StackPointer.ToString(CultureInfo.InvariantCulture);
        string name = Path.GetFileName(process.Image.Path);
        return GuestText.Encode($"{host[..(open + 1)]}{(name.Length > 15 ? name[..15] : name)}) {string.Join(' ', fields)}\n");
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
