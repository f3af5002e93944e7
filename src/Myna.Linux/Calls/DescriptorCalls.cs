using Myna.Host;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Calls that could take Myna's own descriptors away.</summary>
internal static class DescriptorCalls
{
    /// <summary>A call whose first argument must be one of the guest's.</summary>
    public static long Guarded(in Call call) => call.Process.Descriptors.IsHidden((int)call.A0) ? -EBADF : call.Pass();

    /// <remarks>After -EINTR the descriptor is closed on Linux: nothing begins again.</remarks>
    public static long Close(in Call call)
        => call.Process.Descriptors.IsHidden((int)call.A0) ? -EBADF : HostSyscall.Invoke(call.Row.X64, (long)call.A0);

    public static long Duplicate(in Call call)
    {
        const long SysFcntl = 72, F_GETFD = 1;
        Descriptors descriptors = call.Process.Descriptors;
        if (descriptors.IsHidden((int)call.A0))
            return -EBADF;
        if (!descriptors.IsHidden((int)call.A1))
            return call.Pass();
        // LIMIT: a number that the runtime needs cannot be the guest's.
        if (HostSyscall.Invoke(SysFcntl, (int)call.A0, F_GETFD) < 0)
            return -EBADF;
        return descriptors.TryYield((int)call.A1) ? call.Pass() : -EBUSY;
    }

    public static long CloseRange(in Call call)
    {
        uint first = (uint)call.A0, last = (uint)call.A1;
        if (first > last)
            return -EINVAL;
        foreach (int hidden in call.Process.Descriptors.Hidden)
        {
            if ((uint)hidden < first)
                continue;
            if ((uint)hidden > last)
                break;
            if ((uint)hidden > first)
            {
                long result = call.Host(first, hidden - 1, (long)call.A2);
                if (result < 0)
                    return result;
            }
            first = (uint)hidden + 1;
        }
        return first > last ? 0 : call.Host(first, last, (long)call.A2);
    }
}
