using Myna.Host;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>Users and groups of 16 bits (kernel/uid16.c): -1 stays what it is, and what does not fit is 65534.</summary>
internal static class NarrowIds
{
    private const ushort Overflow = 65534;

    public static ushort ToHalf(uint id) => id > ushort.MaxValue ? Overflow : (ushort)id;

    private static long FromHalf(ulong id) => (ushort)id == ushort.MaxValue ? -1 : (ushort)id;

    /// <summary>getuid and its like.</summary>
    public static long Get(in Call call) => ToHalf((uint)call.Host());

    /// <summary>setuid, setreuid, setresuid and their like.</summary>
    public static long Set(in Call call) => call.Host(FromHalf(call.A0), FromHalf(call.A1), FromHalf(call.A2));

    public static long SetFileSystem(in Call call) => ToHalf((uint)call.Host(FromHalf(call.A0)));

    /// <summary>getresuid and getresgid.</summary>
    public static long GetThree(in Call call)
    {
        ref uint a = ref call.Scratch.Take<uint>(out long first);
        ref uint b = ref call.Scratch.Take<uint>(out long second);
        ref uint c = ref call.Scratch.Take<uint>(out long third);
        long result = call.Host(first, second, third);
        if (result < 0)
            return result;
        return GuestMemory.TryWrite(call.A0, ToHalf(a)) && GuestMemory.TryWrite(call.A1, ToHalf(b)) && GuestMemory.TryWrite(call.A2, ToHalf(c)) ? 0 : -EFAULT;
    }

    /// <summary>chown and lchown.</summary>
    public static long Own(in Call call)
    {
        long result = Paths.Translate(call, call.A0, call.Row.Name == "chown", out long path);
        return result < 0 ? result : call.Host(path, FromHalf(call.A1), FromHalf(call.A2));
    }

    public static long OwnDescriptor(in Call call) => call.Host((int)call.A0, FromHalf(call.A1), FromHalf(call.A2));

    public static long GetGroups(in Call call)
    {
        Span<byte> groups = call.Scratch.Take(65536, out long address);
        int count = (int)call.A0;
        if (count < 0)
            return -EINVAL;
        long result = call.Host(Math.Min(count, groups.Length / 4), address);
        if (count == 0)
            return result;
        for (int i = 0; i < result; i++)
        {
            if (!GuestMemory.TryWrite(call.A1 + (ulong)(2 * i), ToHalf(HostField.Word(groups, 4 * i))))
                return -EFAULT;
        }
        return result;
    }

    public static long SetGroups(in Call call)
    {
        int count = (int)call.A0;
        if ((uint)count > 65536 / 4)
            return -EINVAL;
        Span<byte> groups = call.Scratch.Take(65536, out long address);
        for (int i = 0; i < count; i++)
        {
            if (!GuestMemory.TryRead(call.A1 + (ulong)(2 * i), out ushort group))
                return -EFAULT;
            HostField.PutWord(groups, 4 * i, group);
        }
        return call.Host(count, address);
    }
}
