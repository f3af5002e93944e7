using System.Runtime.InteropServices;
using Myna.Host.User;

namespace Myna.Host;

/// <summary>
/// Copies between Myna and memory of a user-mode guest, which lies in this process. An address that is not mapped, or not so
/// that the access is allowed, gives false (EFAULT), never a signal.
/// </summary>
public static class GuestMemory
{
    private const int PageSize = 4096;
    /// <summary>Guests live in the lower half alone: the copying routines survive faults there.</summary>
    private const ulong Limit = 0x5400_0000_0000;

    /// <summary>Copies guest memory to <paramref name="to"/>.</summary>
    /// <returns>False: a part of it cannot be read; what <paramref name="to"/> holds then is undefined.</returns>
    public static bool TryRead(ulong address, Span<byte> to)
        => IsGuest(address, to.Length) && (to.IsEmpty || SafeMemory.Read(address, to) == to.Length);

    /// <summary>Copies to guest memory.</summary>
    /// <returns>False: a part of it cannot be written; bytes before that may have been.</returns>
    public static bool TryWrite(ulong address, ReadOnlySpan<byte> from)
        => IsGuest(address, from.Length) && (from.IsEmpty || SafeMemory.Write(address, from) == from.Length);

    public static bool TryRead<T>(ulong address, out T value) where T : unmanaged
    {
        value = default;
        return TryRead(address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    public static bool TryWrite<T>(ulong address, in T value) where T : unmanaged
        => TryWrite(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

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

    private static bool IsGuest(ulong address, int length) => address < Limit && (ulong)length <= Limit - address;
}
