using Myna.Host.User;

namespace Myna.Host;

/// <summary>
/// System calls of the host by number, with the kernel's own convention: the result, or -errno. Pointers are host addresses
/// (a guest's, where guest memory is mapped identically, or a <see cref="HostScratch"/>'s).
/// </summary>
public static class HostSyscall
{
    /// <summary>One call, made once; a signal ends it with -EINTR.</summary>
    public static long Invoke(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
        => HostCalls.Plain(number, a0, a1, a2, a3, a4, a5);

    /// <summary>
    /// As <see cref="Invoke"/>, for calls that may wait: -512 (ERESTARTSYS) if a signal for the guest came before the call began,
    /// -EINTR if one ended it.
    /// </summary>
    public static long InvokeInterruptible(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
        => HostCalls.Interruptible(number, a0, a1, a2, a3, a4, a5);
}
