using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>The host's clocks by the C library, which asks the kernel for few of them (vdso(7)).</summary>
public static partial class HostClock
{
    private struct Timespec
    {
        public long Seconds, Nanoseconds;
    }

    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial int clock_gettime(int clock, out Timespec time);

    /// <summary>clock_gettime(2).</summary>
    /// <returns>False when there is no such clock.</returns>
    public static bool TryGet(int clock, out long seconds, out long nanoseconds)
    {
        bool done = clock_gettime(clock, out Timespec time) == 0;
        seconds = time.Seconds;
        nanoseconds = time.Nanoseconds;
        return done;
    }
}
