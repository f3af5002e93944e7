using Myna.Host;
using Myna.Host.User;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>The clocks that programs ask for all the time, without a system call of the host.</summary>
internal static class ClockCalls
{
    // CLOCK_REALTIME to CLOCK_BOOTTIME, save those of processor time (2 and 3).
    private const ulong Cheap = 0b1111_0011;

    public static long Get(in Call call)
    {
        if (call.A0 >= 8 || (Cheap >> (int)call.A0 & 1) == 0)
            return call.Pass();
        if (!HostClock.TryGet((int)call.A0, out long seconds, out long nanoseconds))
            return -EINVAL;
        return SafeMemory.TryStore(call.A1, 3, (ulong)seconds) && SafeMemory.TryStore(call.A1 + 8, 3, (ulong)nanoseconds) ? 0 : -EFAULT;
    }

    public static long TimeOfDay(in Call call)
    {
        if (call.A0 == 0 || call.A1 != 0)
            return call.Pass();
        _ = HostClock.TryGet(0, out long seconds, out long nanoseconds);
        return SafeMemory.TryStore(call.A0, 3, (ulong)seconds) && SafeMemory.TryStore(call.A0 + 8, 3, (ulong)nanoseconds / 1000) ? 0 : -EFAULT;
    }
}
