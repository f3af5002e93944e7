using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>
/// Copies between Myna and memory of a user-mode guest, which lies in this process. An address that is not mapped, or not so
/// that the access is allowed, gives false (EFAULT), never a signal: the kernel does the copying.
/// </summary>
public static unsafe partial class GuestMemory
{
    private const int PageSize = 4096;

    /// <summary>Copies guest memory to <paramref name="to"/>.</summary>
    /// <returns>False: a part of it cannot be read; what <paramref name="to"/> holds then is undefined.</returns>
    public static bool TryRead(ulong address, Span<byte> to)
    {
        if (to.IsEmpty)
            return true;
        // SAFETY: the local side is the span, pinned; the kernel checks the other side.
        fixed (byte* p = to)
            return Copy(p, address, to.Length, write: false);
    }

    /// <summary>Copies to guest memory.</summary>
    /// <returns>False: a part of it cannot be written; bytes before that may have been.</returns>
    public static bool TryWrite(ulong address, ReadOnlySpan<byte> from)
    {
        if (from.IsEmpty)
            return true;
        // SAFETY: as in TryRead.
        fixed (byte* p = from)
            return Copy(p, address, from.Length, write: true);
    }

    public static bool TryRead<T>(ulong address, out T value) where T : unmanaged
    {
        value = default;
        // SAFETY: a local of its own size.
        fixed (T* p = &value)
            return Copy(p, address, sizeof(T), write: false);
    }

    public static bool TryWrite<T>(ulong address, in T value) where T : unmanaged
    {
        // SAFETY: a value of its own size, only read.
        fixed (T* p = &value)
            return Copy(p, address, sizeof(T), write: true);
    }

    /// <summary>Reads a NUL-terminated string, without its NUL.</summary>
    /// <param name="max">Longest string accepted, in bytes.</param>
    /// <returns>Its length; -14 (EFAULT) if it cannot be read; -36 (ENAMETOOLONG) if no NUL comes in time.</returns>
    public static int ReadString(ulong address, Span<byte> buffer, int max)
    {
        const int EFAULT = 14, ENAMETOOLONG = 36;
        int length = 0;
        max = Math.Min(max, buffer.Length);
        while (length < max)
        {
            int part = Math.Min(max - length, PageSize - (int)((address + (ulong)length) & (PageSize - 1)));
            // Most strings are short: a whole page is copied only for those that are not.
            if (length == 0)
                part = Math.Min(part, 256);
            Span<byte> to = buffer.Slice(length, part);
            if (!TryRead(address + (ulong)length, to))
                return -EFAULT;
            int end = to.IndexOf((byte)0);
            if (end >= 0)
                return length + end;
            length += part;
        }
        return -ENAMETOOLONG;
    }

    private static bool Copy(void* local, ulong address, int length, bool write)
    {
        IoVector here = new() { Base = (ulong)local, Length = (ulong)length }, there = new() { Base = address, Length = (ulong)length };
        // Environment.ProcessId is cached, and wrong in a forked child.
        int pid = getpid();
        nint done = write ? process_vm_writev(pid, &here, 1, &there, 1, 0) : process_vm_readv(pid, &here, 1, &there, 1, 0);
        return done == length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        public ulong Base, Length;
    }

    [LibraryImport("libc")]
    private static partial int getpid();

    [LibraryImport("libc")]
    private static partial nint process_vm_readv(int pid, IoVector* local, nuint locals, IoVector* remote, nuint remotes, nuint flags);

    [LibraryImport("libc")]
    private static partial nint process_vm_writev(int pid, IoVector* local, nuint locals, IoVector* remote, nuint remotes, nuint flags);
}
