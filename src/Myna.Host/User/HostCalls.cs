namespace Myna.Host.User;

/// <summary>System calls of the host, by number, without the C library in between: the result is a value or -errno.</summary>
public static unsafe class HostCalls
{
    /// <summary>The result of a call that was not begun because a signal for the guest had come.</summary>
    public const long NotBegun = -512;

    /// <summary>A call that does not wait for long.</summary>
    public static long Plain(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        long* arguments = stackalloc long[7] { number, a0, a1, a2, a3, a4, a5 };
        // SAFETY: the routine reads seven words.
        return NativeStubs.Plain(arguments);
    }

    /// <summary>
    /// A call that a signal for the guest ends: -EINTR when it had begun, <see cref="NotBegun"/> when it had not. On threads
    /// without a <see cref="SignalSlot"/> as <see cref="Plain"/>.
    /// </summary>
    public static long Interruptible(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        if (SignalSlot.Current is not { } slot)
            return Plain(number, a0, a1, a2, a3, a4, a5);
        long* arguments = stackalloc long[7] { number, a0, a1, a2, a3, a4, a5 };
        // SAFETY: the routine reads seven words and the slot, which is this thread's.
        return NativeStubs.Interruptible((byte*)slot.Address, arguments);
    }
}
