using Myna.Host;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>select and its kin: sets of longs of 32 bits, times of both widths. The kernel changes the time that is left.</summary>
internal static class NarrowPolling
{
    private const long SysPSelect6 = 270, SysPPoll = 271, SysSelect = 23;
    private const int MaxDescriptors = 65536;

    /// <summary>select(2) of old: its five arguments lie in memory.</summary>
    public static long OldSelect(in Call call)
    {
        Span<byte> five = stackalloc byte[20];
        return GuestMemory.TryRead(call.A0, five)
            ? Select(call.With(Word(five, 0), Word(five, 4), Word(five, 8), Word(five, 12), Word(five, 16), 0))
            : -EFAULT;
    }

    /// <summary>_newselect(2).</summary>
    public static long Select(in Call call)
    {
        if (!NarrowTime.TryRead(call, call.A4, out long time))
            return -EFAULT;
        return Run(call, SysSelect, time, 0, wideTime: false);
    }

    public static long PSelect(in Call call) => PSelect(call, wide: false);

    public static long PSelect64(in Call call) => PSelect(call, wide: true);

    private static long PSelect(in Call call, bool wide)
    {
        long mask = 0;
        if (call.A5 != 0)
        {
            Span<byte> pair = stackalloc byte[8];
            if (!GuestMemory.TryRead(call.A5, pair))
                return -EFAULT;
            if (Word(pair, 0) != 0)
            {
                long result = Polling.Mask(call, Word(pair, 0), Word(pair, 4), out long host);
                if (result < 0)
                    return result;
                Span<byte> both = call.Scratch.Take(16, out mask);
                Put(both, 0, (ulong)host);
                Put(both, 8, 8);
            }
        }
        if (!TryReadTime(call, call.A4, wide, out long time))
            return -EFAULT;
        return Run(call, SysPSelect6, time, mask, wide);
    }

    private static bool TryReadTime(in Call call, ulong guest, bool wide, out long host)
    {
        if (!wide || guest == 0)
            return NarrowTime.TryRead(call, guest, out host);
        return GuestMemory.TryRead(guest, call.Scratch.Take(16, out host));
    }

    // The kernel's own longs are wider: sets go through copies.
    private static long Run(in Call call, long number, long time, long mask, bool wideTime)
    {
        int count = (int)call.A0;
        if (count < 0)
            return -EINVAL;
        count = Math.Min(count, MaxDescriptors);
        int narrow = (count + 31) / 32 * 4, wide = (count + 63) / 64 * 8;
        Span<long> sets = stackalloc long[3];
        for (int i = 0; i < 3; i++)
        {
            ulong guest = call[i + 1];
            if (guest != 0 && !GuestMemory.TryRead(guest, call.Scratch.Take(Math.Max(wide, 8), out sets[i])[..narrow]))
                return -EFAULT;
        }
        long result = HostSyscall.InvokeInterruptible(number, count, sets[0], sets[1], sets[2], time, mask);
        if (result == HostCallsNotBegun)
            return result;
        if (time != 0 && !WriteTime(call.A4, time, wideTime))
            return -EFAULT;
        for (int i = 0; i < 3 && result >= 0; i++)
        {
            if (sets[i] == 0)
                continue;
            byte[] set = new byte[narrow];
            _ = Host.User.SafeMemory.Read((ulong)sets[i], set);
            if (!GuestMemory.TryWrite(call[i + 1], set))
                return -EFAULT;
        }
        return result;
    }

    private const long HostCallsNotBegun = Host.User.HostCalls.NotBegun;

    private static bool WriteTime(ulong guest, long host, bool wide)
    {
        Span<byte> time = stackalloc byte[16];
        _ = Host.User.SafeMemory.Read((ulong)host, time);
        return wide ? GuestMemory.TryWrite(guest, time) : NarrowTime.WriteLongs(guest, time, 2);
    }

    public static long PPoll(in Call call) => PPoll(call, wide: false);

    public static long PPoll64(in Call call) => PPoll(call, wide: true);

    private static long PPoll(in Call call, bool wide)
    {
        long mask = 0, result = call.A3 == 0 ? 0 : Polling.Mask(call, call.A3, call.A4, out mask);
        if (result < 0)
            return result;
        if (!TryReadTime(call, call.A2, wide, out long time))
            return -EFAULT;
        call.Process.Memory.Translator?.PrepareWrite(call.A0, 8 * Math.Min(call.A1, 1 << 20));
        result = HostSyscall.InvokeInterruptible(SysPPoll, (long)call.A0, (long)call.A1, time, mask, 8);
        return result == HostCallsNotBegun || time == 0 || WriteTime(call.A2, time, wide) ? result : -EFAULT;
    }
}
