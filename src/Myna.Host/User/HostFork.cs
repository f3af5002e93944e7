using System.Runtime.InteropServices;

namespace Myna.Host.User;

/// <summary>
/// fork(2) of this process, the runtime included. Only the calling thread goes on in the child; docs/user-mode.md says why
/// that works and what it needs. The C library's function is used for the locks of its allocator.
/// </summary>
public static partial class HostFork
{
    /// <returns>The child's process ID, 0 in the child, -errno.</returns>
    public static long Fork()
    {
        int result = fork();
        return result < 0 ? -Marshal.GetLastSystemError() : result;
    }

    // Without the transition no collection can be under way while the process is doubled: it would wait for this thread.
    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial int fork();
}
