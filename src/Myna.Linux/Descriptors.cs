using System.Globalization;
using Myna.Host;
using Myna.Host.User;

namespace Myna.Linux;

/// <summary>
/// The file descriptors that are Myna's own. The guest's are all others, under the numbers that the host gives them: inherited
/// and passed on as in a native process.
/// </summary>
public sealed class Descriptors
{
    private const long SysFcntl = 72;
    private const int F_GETFD = 1, F_SETFD = 2, FD_CLOEXEC = 1, F_DUPFD_CLOEXEC = 1030, PrivateNumbers = 700;

    private readonly Lock _lock = new();
    private int[] _hidden = [];
    /// <summary>Of the hidden ones: files that the runtime has mapped long since and does not read again.</summary>
    private int[] _spare = [];

    /// <summary>In order.</summary>
    public ReadOnlySpan<int> Hidden => _hidden;

    public bool IsHidden(int descriptor) => descriptor > 2 && Array.BinarySearch(_hidden, descriptor) >= 0;

    /// <summary>The guest wants to have a number for itself.</summary>
    /// <returns>False: the runtime needs it.</returns>
    public bool TryYield(int descriptor)
    {
        lock (_lock)
        {
            if (!IsHidden(descriptor))
                return true;
            if (!_spare.Contains(descriptor))
                return false;
            _hidden = [.. _hidden.Where(h => h != descriptor)];
            _spare = [.. _spare.Where(s => s != descriptor)];
            return true;
        }
    }

    /// <summary>Keeps one more from the guest.</summary>
    public void Hide(int descriptor)
    {
        lock (_lock)
        {
            if (Array.BinarySearch(_hidden, descriptor) < 0)
                _hidden = [.. _hidden.Append(descriptor).Order()];
        }
    }

    /// <summary>Doubles a descriptor of Myna's under a number that guests do not expect to get.</summary>
    /// <returns>The new number, or -errno.</returns>
    public int Keep(int descriptor)
    {
        int kept = Double(descriptor);
        if (kept >= 0)
            Hide(kept);
        return kept;
    }

    /// <summary>Gives a descriptor of Myna's another number, out of the way of those that programs expect to get.</summary>
    /// <returns>The new number, or the old one.</returns>
    public static int MoveAway(int descriptor)
    {
        const long SysClose = 3;
        int high = Double(descriptor);
        if (high < 0)
            return descriptor;
        _ = HostSyscall.Invoke(SysClose, descriptor);
        return high;
    }

    // Above what the guest's limit (RLIMIT_NOFILE) lets it have, so that it can have all of that: descriptors stay when the limit sinks.
    // Not where that would make the kernel's table long.
    private static int Double(int descriptor)
    {
        const long SysPrlimit64 = 302;
        const int RLIMIT_NOFILE = 7, LongestTable = 32 * 1024;
        using var scratch = new HostScratch(4096);
        Span<byte> old = scratch.Take(16, out long oldAddress), raised = scratch.Take(16, out long raisedAddress);
        if (HostSyscall.Invoke(SysPrlimit64, 0, RLIMIT_NOFILE, 0, oldAddress) == 0)
        {
            ulong soft = BitConverter.ToUInt64(old), hard = BitConverter.ToUInt64(old[8..]);
            if (soft <= LongestTable)
            {
                BitConverter.TryWriteBytes(raised, soft + 8);
                // Above the hard limit too, where this process may.
                BitConverter.TryWriteBytes(raised[8..], Math.Max(hard, soft + 8));
                if (HostSyscall.Invoke(SysPrlimit64, 0, RLIMIT_NOFILE, raisedAddress, 0) == 0)
                {
                    long above = HostSyscall.Invoke(SysFcntl, descriptor, F_DUPFD_CLOEXEC, (long)soft);
                    _ = HostSyscall.Invoke(SysPrlimit64, 0, RLIMIT_NOFILE, oldAddress, 0);
                    if (above >= 0)
                        return (int)above;
                }
            }
        }
        return (int)HostSyscall.Invoke(SysFcntl, descriptor, F_DUPFD_CLOEXEC, PrivateNumbers);
    }

    /// <summary>Gives a number back to the guest.</summary>
    public void Show(int descriptor)
    {
        lock (_lock)
            _hidden = [.. _hidden.Where(h => h != descriptor)];
    }

    /// <summary>Opens this process's own program for a later execve, also from inside a chroot.</summary>
    /// <returns>The descriptor, -1 if the file cannot be found.</returns>
    public static int OpenSelf()
    {
        const long SysOpenAt = 257, AT_FDCWD = -100, O_PATH = 0x200000, O_CLOEXEC = 0x80000;
        using var scratch = new HostScratch(16 * 1024);
        long file = HostSyscall.Invoke(SysOpenAt, AT_FDCWD, scratch.Put("/proc/self/exe"), O_PATH | O_CLOEXEC);
        if (file < 0)
            file = HostSyscall.Invoke(SysOpenAt, AT_FDCWD, scratch.Put(InitialStrings.Path), O_PATH | O_CLOEXEC);
        if (file < 0)
            return -1;
        return MoveAway((int)file);
    }

    /// <summary>
    /// Hides what the runtime has opened before the guest begins: what would not survive an execve cannot be inherited, and the
    /// runtime opens its assemblies in its own ways.
    /// </summary>
    public void HideRuntime()
    {
        List<int> found = [], spare = [];
        // In a chroot that is being made.
        if (!Directory.Exists("/proc/self/fd"))
            return;
        foreach (string link in Directory.GetFiles("/proc/self/fd"))
        {
            int fd = int.Parse(Path.GetFileName(link), CultureInfo.InvariantCulture);
            if (fd <= 2)
                continue;
            long flags = HostSyscall.Invoke(SysFcntl, fd, F_GETFD);
            if (flags < 0)
                continue;
            bool assembly = new FileInfo(link).LinkTarget is { } target && target.EndsWith(".dll", StringComparison.Ordinal);
            if (assembly)
                spare.Add(fd);
            if (assembly && (flags & FD_CLOEXEC) == 0)
                _ = HostSyscall.Invoke(SysFcntl, fd, F_SETFD, FD_CLOEXEC);
            if (assembly || (flags & FD_CLOEXEC) != 0)
                found.Add(fd);
        }
        lock (_lock)
        {
            _spare = [.. spare];
            _hidden = [.. _hidden.Concat(found).Distinct().Order()];
        }
    }
}
