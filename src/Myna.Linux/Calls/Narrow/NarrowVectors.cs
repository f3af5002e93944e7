using Myna.Host;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>struct iovec of 32-bit pointers.</summary>
internal static class NarrowVectors
{
    private const int Max = 1024, Size = 8, HostSize = 16;

    /// <summary>Makes the host's of a guest's.</summary>
    /// <returns>0 or -errno.</returns>
    public static long Read(in Call call, ulong guest, int count, out long host)
    {
        host = 0;
        if ((uint)count > Max)
            return -EINVAL;
        if (count == 0)
        {
            _ = call.Scratch.Take(HostSize, out host);
            return 0;
        }
        Span<byte> narrow = call.Scratch.Take(count * Size, out _);
        if (!GuestMemory.TryRead(guest, narrow))
            return -EFAULT;
        Span<byte> wide = call.Scratch.Take(count * HostSize, out host);
        for (int i = 0; i < count; i++)
        {
            ulong address = HostField.Word(narrow, i * Size), length = HostField.Word(narrow, (i * Size) + 4);
            if (length > int.MaxValue)
                return -EINVAL;
            HostField.Put(wide, i * HostSize, address);
            HostField.Put(wide, (i * HostSize) + 8, length);
            // The kernel may store there.
            call.Process.Memory.Translator?.PrepareWrite(address, length);
        }
        return 0;
    }
}
