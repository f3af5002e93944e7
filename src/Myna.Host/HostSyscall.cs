using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>
/// System calls of the host by number, with the kernel's own convention: the result, or -errno. Pointers are host addresses
/// (a guest's, where guest memory is mapped identically, or a <see cref="HostScratch"/>'s).
/// </summary>
public static partial class HostSyscall
{
    /// <summary>One call, made once; a signal ends it with -EINTR.</summary>
    public static long Invoke(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        long result = syscall(number, a0, a1, a2, a3, a4, a5);
        return result == -1 ? -Marshal.GetLastPInvokeError() : result;
    }

    /// <summary>
    /// As <see cref="Invoke"/>, for calls that may wait: -512 (ERESTARTSYS) if a signal for the guest came before the call began,
    /// -EINTR if one ended it.
    /// </summary>
    public static long InvokeInterruptible(long number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
        => Invoke(number, a0, a1, a2, a3, a4, a5);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5);
}
