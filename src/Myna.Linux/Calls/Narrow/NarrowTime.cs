using Myna.Host;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>Times of 32 bits: struct timespec, timeval, itimerspec, itimerval of two, two, four and four longs. The calls named time64 have the host's structures.</summary>
internal static class NarrowTime
{
    // Bytes of struct rusage, the longest that is nothing but longs.
    private const int LongestStructure = 72;

    private const long SysClockGettime = 228, SysSettimeofday = 164;

    /// <summary>Copies a guest's pair of longs to the host; <paramref name="host"/> is 0 for a null pointer.</summary>
    public static bool TryRead(in Call call, ulong guest, out long host, int longs = 2)
    {
        host = 0;
        if (guest == 0)
            return true;
        Span<byte> narrow = stackalloc byte[LongestStructure];
        narrow = narrow[..(4 * longs)];
        if (!GuestMemory.TryRead(guest, narrow))
            return false;
        Span<byte> wide = call.Scratch.Take(8 * longs, out host);
        for (int i = 0; i < longs; i++)
            Put(wide, 8 * i, (ulong)(int)Word(narrow, 4 * i));
        return true;
    }

    /// <summary>Longs of the host's, cut to 32 bits each.</summary>
    public static bool WriteLongs(ulong guest, ReadOnlySpan<byte> host, int longs)
    {
        Span<byte> narrow = stackalloc byte[LongestStructure];
        narrow = narrow[..(4 * longs)];
        for (int i = 0; i < longs; i++)
            PutWord(narrow, 4 * i, Wide(host, 8 * i));
        return GuestMemory.TryWrite(guest, narrow);
    }

    public static bool WriteTimeOld(ulong guest, ReadOnlySpan<byte> host) => WriteLongs(guest, host, 2);

    /// <summary>A call whose second argument is a pair of longs that the kernel writes: clock_gettime, clock_getres, sched_rr_get_interval.</summary>
    public static long GetSecond(in Call call)
    {
        Span<byte> time = call.Scratch.Take(16, out long address);
        long result = call.Host((int)call.A0, address);
        return result < 0 || call.A1 == 0 || WriteLongs(call.A1, time, 2) ? result : -EFAULT;
    }

    /// <summary>clock_settime.</summary>
    public static long SetSecond(in Call call) => TryRead(call, call.A1, out long time) ? call.Host((int)call.A0, time) : -EFAULT;

    public static long Sleep(in Call call) => Sleep(call, call.A0, call.A1, clock: null, 0);

    public static long ClockSleep(in Call call) => Sleep(call, call.A2, call.A3, (int)call.A0, (int)call.A1);

    private static long Sleep(in Call call, ulong request, ulong remaining, int? clock, int flags)
    {
        if (!TryRead(call, request, out long time))
            return -EFAULT;
        Span<byte> rest = call.Scratch.Take(16, out long address);
        long result = clock is { } c ? call.Host(c, flags, time, address) : call.Host(time, address);
        if (result == -EINTR && remaining != 0 && flags == 0 && !WriteLongs(remaining, rest, 2))
            return -EFAULT;
        return result;
    }

    /// <summary>time(2).</summary>
    public static long Seconds(in Call call)
    {
        Span<byte> time = call.Scratch.Take(16, out long address);
        _ = HostSyscall.Invoke(SysClockGettime, 0, address);
        int seconds = (int)Wide(time, 0);
        return call.A0 == 0 || GuestMemory.TryWrite(call.A0, seconds) ? seconds : -EFAULT;
    }

    public static long SetSeconds(in Call call)
    {
        if (!GuestMemory.TryRead(call.A0, out int seconds))
            return -EFAULT;
        Span<byte> time = call.Scratch.Take(16, out long address);
        Put(time, 0, (ulong)seconds);
        return HostSyscall.Invoke(SysSettimeofday, address, 0);
    }

    public static long TimeOfDay(in Call call)
    {
        Span<byte> time = call.Scratch.Take(16, out long address);
        long result = call.Host(call.A0 == 0 ? 0 : address, (long)call.A1);
        return result < 0 || call.A0 == 0 || WriteLongs(call.A0, time, 2) ? result : -EFAULT;
    }

    public static long SetTimeOfDay(in Call call) => TryRead(call, call.A0, out long time) ? call.Host(time, (long)call.A1) : -EFAULT;

    /// <summary>times(2): four clock_t; the result is unsigned, and must not look like an error.</summary>
    public static long Times(in Call call)
    {
        Span<byte> host = call.Scratch.Take(32, out long address);
        long result = call.Host(address);
        return call.A0 == 0 || WriteLongs(call.A0, host, 4) ? (uint)result : -EFAULT;
    }

    public static long GetInterval(in Call call)
    {
        Span<byte> host = call.Scratch.Take(32, out long address);
        long result = call.Host((int)call.A0, address);
        return result < 0 || WriteLongs(call.A1, host, 4) ? result : -EFAULT;
    }

    /// <summary>setitimer, and timerfd_settime's inner part.</summary>
    public static long SetInterval(in Call call)
    {
        if (!TryRead(call, call.A1, out long value, 4))
            return -EFAULT;
        Span<byte> old = call.Scratch.Take(32, out long address);
        long result = call.Host((int)call.A0, value, address);
        return result < 0 || call.A2 == 0 || WriteLongs(call.A2, old, 4) ? result : -EFAULT;
    }

    /// <summary>timer_settime and timerfd_settime.</summary>
    public static long SetTimer(in Call call)
    {
        if (!TryRead(call, call.A2, out long value, 4))
            return -EFAULT;
        Span<byte> old = call.Scratch.Take(32, out long address);
        long result = call.Host((int)call.A0, (int)call.A1, value, call.A3 == 0 ? 0 : address);
        return result < 0 || call.A3 == 0 || WriteLongs(call.A3, old, 4) ? result : -EFAULT;
    }

    /// <summary>timer_create: struct sigevent begins with a sigval of four bytes, and its thread's number lies at 12.</summary>
    public static long CreateTimer(in Call call)
    {
        if (!NarrowSignals.TryReadEvent(call, call.A1, out long host))
            return -EFAULT;
        return call.Host((int)call.A0, host, (long)call.A2);
    }

    // File times.

    /// <summary>utime(2): two times in seconds.</summary>
    public static long FileSeconds(in Call call)
    {
        long result = Paths.Translate(call, call.A0, true, out long path);
        if (result < 0)
            return result;
        return TryRead(call, call.A1, out long times) ? call.Host(path, times) : -EFAULT;
    }

    /// <summary>utimes(2).</summary>
    public static long FileTimes(in Call call)
    {
        long result = Paths.Translate(call, call.A0, true, out long path);
        if (result < 0)
            return result;
        return TryRead(call, call.A1, out long times, 4) ? call.Host(path, times) : -EFAULT;
    }

    /// <summary>futimesat(2) and utimensat(2).</summary>
    public static long FileTimesAt(in Call call)
    {
        const ulong AT_SYMLINK_NOFOLLOW = 0x100;
        bool flags = call.Row.Kinds.Length > 3;
        long result = Paths.Translate(call, call.A1, !flags || (call.A3 & AT_SYMLINK_NOFOLLOW) == 0, out long path);
        if (result < 0)
            return result;
        return TryRead(call, call.A2, out long times, 4) ? call.Host((int)call.A0, path, times, flags ? (long)call.A3 : 0) : -EFAULT;
    }

    // Waiting with a limit of 32 bits.

    /// <summary>futex(2): the fourth argument is a time for the operations that wait, a number for the others.</summary>
    public static long Futex(in Call call)
    {
        const int FUTEX_WAIT = 0, FUTEX_LOCK_PI = 6, FUTEX_WAIT_BITSET = 9, FUTEX_WAIT_REQUEUE_PI = 11, FUTEX_LOCK_PI2 = 13;
        long time = (long)call.A3;
        if (((int)call.A1 & 0x7F) is FUTEX_WAIT or FUTEX_LOCK_PI or FUTEX_WAIT_BITSET or FUTEX_WAIT_REQUEUE_PI or FUTEX_LOCK_PI2
            && !TryRead(call, call.A3, out time))
            return -EFAULT;
        return call.Host((long)call.A0, (long)call.A1, (long)call.A2, time, (long)call.A4, (long)call.A5);
    }

    /// <summary>A call whose fifth argument is a time: mq_timedsend, mq_timedreceive.</summary>
    public static long Fifth(in Call call)
        => TryRead(call, call.A4, out long time) ? call.Host((int)call.A0, (long)call.A1, (long)call.A2, (long)call.A3, time) : -EFAULT;

    /// <summary>adjtimex and clock_adjtime with struct timex of longs.</summary>
    public static long Adjust(in Call call)
    {
        bool clock = call.Row.Kinds.Length > 1;
        ulong guest = clock ? call.A1 : call.A0;
        Span<byte> narrow = stackalloc byte[128];
        if (!GuestMemory.TryRead(guest, narrow))
            return -EFAULT;
        Span<byte> host = call.Scratch.Take(208, out long address);
        Timex(narrow, host, toHost: true);
        long result = clock ? call.Host((int)call.A0, address) : call.Host(address);
        if (result < 0)
            return result;
        Timex(narrow, host, toHost: false);
        return GuestMemory.TryWrite(guest, narrow) ? result : -EFAULT;
    }

    // modes; offset, freq, maxerror, esterror; status; constant, precision, tolerance; time (two); tick, ppsfreq, jitter; shift; stabil,
    // jitcnt, calcnt, errcnt, stbcnt; tai.
    private static void Timex(Span<byte> narrow, Span<byte> host, bool toHost)
    {
        ReadOnlySpan<byte> ints = [0, 5, 14, 20];
        int wide = 0;
        for (int i = 0; i < 21; i++)
        {
            bool isInt = ints.Contains((byte)i);
            if (!isInt)
                wide = (wide + 7) & ~7;
            if (isInt && toHost)
                PutWord(host, wide, Word(narrow, 4 * i));
            else if (toHost)
                Put(host, wide, (ulong)(int)Word(narrow, 4 * i));
            else
                PutWord(narrow, 4 * i, Word(host, wide));
            wide += isInt ? 4 : 8;
        }
    }
}
