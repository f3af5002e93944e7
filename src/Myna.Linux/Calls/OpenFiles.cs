using Myna.Host;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>open and its descendants: paths of a sysroot, and files of /proc that tell of the guest instead of Myna.</summary>
internal static class OpenFiles
{
    private const long SysOpenAt = 257;
    private const int AT_FDCWD = -100;
    private const int O_CREAT = 0x40, O_TRUNC = 0x200, O_WRONLY = 1, O_ACCMODE = 3, O_NOFOLLOW = 0x20000, O_PATH = 0x20_0000;

    public static long Open(in Call call) => Open(call, AT_FDCWD, call.A0, (int)call.A1, (int)call.A2);

    public static long OpenAt(in Call call) => Open(call, (int)call.A0, call.A1, (int)call.A2, (int)call.A3);

    public static long Creat(in Call call) => Open(call, AT_FDCWD, call.A0, O_CREAT | O_WRONLY | O_TRUNC, (int)call.A1);

    /// <summary>struct open_how: flags, mode, resolve. A resolution that is bound to the directory is the host's alone.</summary>
    public static long OpenAt2(in Call call)
    {
        Span<ulong> how = stackalloc ulong[3];
        if (call.A3 < 24)
            return -EINVAL;
        for (int i = 0; i < how.Length; i++)
        {
            if (!GuestMemory.TryRead(call.A2 + (ulong)(8 * i), out how[i]))
                return -EFAULT;
        }
        if (how[2] != 0)
            return call.Pass();
        long result = Paths.Translate(call, call.A1, (how[0] & O_NOFOLLOW) == 0, out long path);
        return result < 0 ? result : call.Host((int)call.A0, path, (long)call.A2, (long)call.A3);
    }

    private static long Open(in Call call, int directory, ulong path, int flags, int mode)
    {
        LinuxProcess process = call.Process;
        bool follow = (flags & O_NOFOLLOW) == 0;
        long host = (long)path;
        // Nothing differs for a path that neither a sysroot nor /proc has a say in.
        if (process.Sysroot is not null || !GuestMemory.TryRead(path, out ulong first) || (first & 0xFFFF_FFFF_FFFF) == 0x2f63_6f72_702f || (byte)first != '/')
        {
            long result = Paths.Read(path, out string name);
            if (result < 0)
                return result;
            string full = ProcFiles.Absolute(call, directory, name);
            if ((flags & (O_ACCMODE | O_PATH)) == 0 && process.ProcFiles.TryOpen(call, full, flags, out long descriptor))
                return descriptor;
            if (process.ProcFiles.IsHiddenDescriptor(full))
                return -ENOENT;
            string translated = Paths.ToHost(call, name, follow);
            if (translated != name)
                host = call.Scratch.Put(translated);
        }
        return HostSyscall.InvokeInterruptible(SysOpenAt, directory, host, flags, mode);
    }

    /// <summary>The sysroot's files are at their own places from now on.</summary>
    public static long ChangeRoot(in Call call)
    {
        long result = Paths.Pass(call);
        if (result == 0)
            call.Process.Sysroot = null;
        return result;
    }
}
