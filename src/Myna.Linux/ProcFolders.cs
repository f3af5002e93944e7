using System.Buffers.Binary;
using System.Globalization;
using Myna.Host;
using Myna.Linux.Calls;

namespace Myna.Linux;

/// <summary>Lists of this process's descriptors and threads, without the runtime's.</summary>
internal static class ProcFolders
{
    private const long SysGetpid = 39;
    private const int LengthAt = 16;

    private enum Kind { Other, Descriptors, Threads }

    /// <summary>getdents64(2): struct linux_dirent64 has its name at 19.</summary>
    public static long Entries64(in Call call) => Entries(call, 19);

    /// <summary>getdents(2): struct linux_dirent has its name at 18.</summary>
    public static long Entries32(in Call call) => Entries(call, 18);

    private static long Entries(in Call call, int nameAt)
    {
        if (call.Process.Descriptors.IsHidden((int)call.A0))
            return -Errno.EBADF;
        while (true)
        {
            long count = call.Pass();
            if (count <= 0)
                return count;
            Kind kind = KindOf(call);
            if (kind == Kind.Other)
                return count;
            count = Filter(call, kind, (int)count, nameAt);
            if (count != 0)
                return count;
        }
    }

    private static Kind KindOf(in Call call)
    {
        string? path = ProcFiles.LinkOf(call.Scratch, string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{(int)call.A0}"));
        call.Scratch.Reset();
        string own = string.Create(CultureInfo.InvariantCulture, $"/proc/{HostSyscall.Invoke(SysGetpid)}/");
        if (path is null || !path.StartsWith(own, StringComparison.Ordinal))
            return Kind.Other;
        return path[(path.LastIndexOf('/') + 1)..] switch
        {
            "fd" or "fdinfo" => Kind.Descriptors,
            "task" => Kind.Threads,
            _ => Kind.Other,
        };
    }

    // Moves what stays to the front of the guest's buffer.
    private static long Filter(in Call call, Kind kind, int count, int nameAt)
    {
        byte[] entries = new byte[count];
        if (!GuestMemory.TryRead(call.A1, entries))
            return -Errno.EFAULT;
        int[] threads = kind == Kind.Threads ? Array.ConvertAll(call.Process.Threads.ToArray(), t => t.Tid) : [];
        int kept = 0;
        for (int at = 0; at + nameAt < count;)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(entries.AsSpan(at + LengthAt));
            if (length <= nameAt || length > count - at)
                break;
            ReadOnlySpan<byte> name = entries.AsSpan(at + nameAt, length - nameAt);
            int end = name.IndexOf((byte)0);
            bool shown = !int.TryParse(name[..Math.Max(end, 0)], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                || (kind == Kind.Threads ? threads.Contains(number) : !call.Process.Descriptors.IsHidden(number));
            if (shown)
            {
                entries.AsSpan(at, length).CopyTo(entries.AsSpan(kept));
                kept += length;
            }
            at += length;
        }
        return GuestMemory.TryWrite(call.A1, entries.AsSpan(0, kept)) ? kept : -Errno.EFAULT;
    }
}
