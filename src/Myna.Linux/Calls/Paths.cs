using Myna.Host;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Path arguments: where the host has what the guest names.</summary>
internal static class Paths
{
    private const int PathMax = 4096;
    private const ulong AT_SYMLINK_NOFOLLOW = 0x100;

    /// <summary>The host's call with the same arguments, save that paths are the host's.</summary>
    public static long Pass(in Call call)
    {
        ulong[]? changed = null;
        CallArgument[] kinds = call.Row.Kinds;
        for (int i = 0; i < kinds.Length; i++)
        {
            if (kinds[i].Kind is not (ArgumentKind.Path or ArgumentKind.LinkPath))
                continue;
            bool follow = kinds[i].Kind == ArgumentKind.Path && (kinds[i].Related < 0 || (call[kinds[i].Related] & AT_SYMLINK_NOFOLLOW) == 0);
            long result = Translate(call, call[i], follow, out long host);
            if (result < 0)
                return result;
            if ((ulong)host != call[i])
            {
                changed ??= [call.A0, call.A1, call.A2, call.A3, call.A4, call.A5];
                changed[i] = (ulong)host;
            }
        }
        return changed is null ? call.Pass() : call.With(changed[0], changed[1], changed[2], changed[3], changed[4], changed[5]).Pass();
    }

    /// <summary>The address of the host's path for a guest's; the guest's own when they are the same.</summary>
    /// <returns>0 or -errno.</returns>
    public static long Translate(in Call call, ulong address, bool follow, out long host)
    {
        host = (long)address;
        LinuxProcess process = call.Process;
        if (address == 0)
            return 0;
        // Without a sysroot a path can differ only below /proc.
        if (process.Sysroot is null)
        {
            if (!GuestMemory.TryRead(address, out ulong first))
            {
                if (!GuestMemory.TryRead(address, out byte _))
                    return -EFAULT;
                return 0;
            }
            // "/proc/" in the low bytes.
            if ((first & 0xFFFF_FFFF_FFFF) != 0x2f63_6f72_702f)
                return 0;
        }
        long result = Read(address, out string path);
        if (result < 0)
            return result;
        string translated = ToHost(call, path, follow);
        if (!ReferenceEquals(translated, path) && translated != path)
            host = call.Scratch.Put(translated);
        return 0;
    }

    /// <summary>Reads a path.</summary>
    /// <returns>0, -EFAULT or -ENAMETOOLONG.</returns>
    public static long Read(ulong address, out string path)
    {
        Span<byte> buffer = stackalloc byte[PathMax];
        int length = GuestMemory.ReadString(address, buffer, PathMax);
        path = length < 0 ? "" : GuestText.Decode(buffer[..length]);
        return Math.Min(length, 0);
    }

    public static string ToHost(in Call call, string path, bool follow)
    {
        LinuxProcess process = call.Process;
        if (follow && process.ProcFiles.IsExecutableLink(path))
            return process.Image.HostPath;
        return process.Sysroot is { } sysroot ? sysroot.Translate(call.Scratch, path, follow) : path;
    }

    public static long GetCwd(in Call call)
    {
        if (call.Process.Sysroot is not { } sysroot)
            return call.Pass();
        Span<byte> buffer = call.Scratch.Take(PathMax, out long address);
        long length = call.Host(address, PathMax);
        if (length < 0)
            return length;
        string seen = sysroot.Reverse(GuestText.Decode(buffer[..(int)(length - 1)]));
        if ((ulong)seen.Length + 1 > call.A1)
            return -ERANGE;
        return GuestMemory.TryWrite(call.A0, GuestText.Encode(seen + "\0")) ? seen.Length + 1 : -EFAULT;
    }

    public static long ReadLink(in Call call) => ReadLink(call, -100, call.A0, call.A1, call.A2);

    public static long ReadLinkAt(in Call call) => ReadLink(call, (int)call.A0, call.A1, call.A2, call.A3);

    private static long ReadLink(in Call call, int directory, ulong path, ulong buffer, ulong size)
    {
        const long SysReadLinkAt = 267;
        if ((long)size <= 0)
            return -EINVAL;
        long result = Read(path, out string name);
        if (result < 0)
            return result;
        string full = ProcFiles.Absolute(call, directory, name);
        if (call.Process.ProcFiles.IsHiddenDescriptor(full))
            return -ENOENT;
        if (call.Process.ProcFiles.IsExecutableLink(full))
        {
            byte[] target = GuestText.Encode(call.Process.Image.Path);
            int length = (int)Math.Min((ulong)target.Length, size);
            return GuestMemory.TryWrite(buffer, target.AsSpan(0, length)) ? length : -EFAULT;
        }
        string host = ToHost(call, name, follow: false);
        if (call.Process.Sysroot is not { } sysroot)
            return HostSyscall.InvokeInterruptible(SysReadLinkAt, directory, (long)path, (long)buffer, (long)size);
        Span<byte> link = call.Scratch.Take(PathMax, out long address);
        result = HostSyscall.InvokeInterruptible(SysReadLinkAt, directory, call.Scratch.Put(host), address, PathMax);
        if (result < 0)
            return result;
        // Links of /proc (cwd, fd/3) show where the host has a file.
        string text = GuestText.Decode(link[..(int)result]);
        if (name.StartsWith("/proc/", StringComparison.Ordinal))
            text = sysroot.Reverse(text);
        int count = (int)Math.Min((ulong)text.Length, size);
        return GuestMemory.TryWrite(buffer, GuestText.Encode(text).AsSpan(0, count)) ? count : -EFAULT;
    }
}
