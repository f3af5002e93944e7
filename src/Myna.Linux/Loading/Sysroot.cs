using Myna.Host;

namespace Myna.Linux.Loading;

/// <summary>
/// A folder whose files stand before the host's at the same absolute paths. Symbolic links inside it are followed as if it
/// were the root. What it does not have is the host's.
/// </summary>
public sealed class Sysroot
{
    private const long SysOpenAt = 257, SysOpenAt2 = 437, SysClose = 3, SysReadlink = 89, SysFstatAt = 262;
    private const long AT_FDCWD = -100, O_PATH = 0x200000, O_NOFOLLOW = 0x20000, O_CLOEXEC = 0x80000, O_DIRECTORY = 0x10000;
    private const ulong RESOLVE_IN_ROOT = 0x10;

    /// <summary>Trees that are the running system's, whatever the folder has there.</summary>
    private static readonly string[] Host = ["/proc", "/sys", "/dev", "/tmp", "/run", "/var/tmp"];

    private readonly string _directory;

    /// <exception cref="LoadException">There is no such folder.</exception>
    public Sysroot(string directory)
    {
        string given = directory;
        directory = GuestText.FromHost(directory);
        if (!Directory.Exists(given))
            throw new LoadException($"the sysroot {given} is no folder; give --sysroot the root of the program's system", Errno.ENOENT);
        var scratch = new HostScratch(8192);
        long fd = HostSyscall.Invoke(SysOpenAt, AT_FDCWD, scratch.Put(directory), O_PATH | O_DIRECTORY | O_CLOEXEC);
        string? real = fd < 0 ? null : LinkOf(scratch, (int)fd);
        if (fd >= 0)
            _ = HostSyscall.Invoke(SysClose, fd);
        _directory = (real ?? GuestText.FromHost(Path.GetFullPath(given))).TrimEnd('/');
    }

    /// <summary>The folder's own path, absolute and without symbolic links.</summary>
    public string Root => _directory;

    /// <summary>The host's path for an absolute path of the guest.</summary>
    /// <param name="follow">Whether the call follows a symbolic link at the path's end.</param>
    public string Translate(HostScratch scratch, string path, bool follow = true)
    {
        if (path.Length == 0 || path[0] != '/' || _directory.Length == 0 || IsHost(path))
            return path;
        // A guest that found out where the folder lies may name it.
        if (path.StartsWith(_directory, StringComparison.Ordinal) && (path.Length == _directory.Length || path[_directory.Length] == '/'))
            return path;
        return Resolve(scratch, path, follow) ?? path;
    }

    /// <summary>The guest's name of a host path: what lies in the folder is seen at the root.</summary>
    public string Reverse(string path)
    {
        if (!path.StartsWith(_directory, StringComparison.Ordinal) || _directory.Length == 0)
            return path;
        if (path.Length == _directory.Length)
            return "/";
        return path[_directory.Length] == '/' ? path[_directory.Length..] : path;
    }

    private static bool IsHost(string path)
    {
        foreach (string tree in Host)
        {
            if (path.StartsWith(tree, StringComparison.Ordinal) && (path.Length == tree.Length || path[tree.Length] == '/'))
                return true;
        }
        return false;
    }

    private string? Resolve(HostScratch scratch, string path, bool follow)
    {
        long root = HostSyscall.Invoke(SysOpenAt, AT_FDCWD, scratch.Put(_directory), O_PATH | O_CLOEXEC);
        if (root < 0)
            return null;
        try
        {
            // openat2 resolves links as in a chroot (openat2(2), RESOLVE_IN_ROOT); Linux 5.6.
            string trimmed = path.TrimEnd('/');
            Span<byte> how = scratch.Take(24, out long howAddress);
            BitConverter.TryWriteBytes(how, (ulong)(O_PATH | O_CLOEXEC | (follow || trimmed.Length < path.Length ? 0 : O_NOFOLLOW)));
            BitConverter.TryWriteBytes(how[16..], RESOLVE_IN_ROOT);
            long fd = HostSyscall.Invoke(SysOpenAt2, root, scratch.Put(path), howAddress, 24);
            if (fd == -Errno.ENOSYS)
                return Exists(scratch, _directory + path) ? _directory + path : null;
            if (fd < 0)
                return null;
            string? real = LinkOf(scratch, (int)fd);
            _ = HostSyscall.Invoke(SysClose, fd);
            if (real is null)
                return null;
            // A link that leads to /proc or /dev means the host's.
            string seen = Reverse(real);
            return IsHost(seen) && follow ? seen : real;
        }
        finally
        {
            _ = HostSyscall.Invoke(SysClose, root);
        }
    }

    private static bool Exists(HostScratch scratch, string path)
    {
        _ = scratch.Take(144, out long stat);
        return HostSyscall.Invoke(SysFstatAt, AT_FDCWD, scratch.Put(path), stat, 0x100) == 0;
    }

    private static string? LinkOf(HostScratch scratch, int fd)
    {
        Span<byte> buffer = scratch.Take(4096, out long address);
        long n = HostSyscall.Invoke(SysReadlink, scratch.Put($"/proc/self/fd/{fd}"), address, buffer.Length);
        return n > 0 ? GuestText.Decode(buffer[..(int)n]) : null;
    }
}
