namespace Myna.Host.User;

/// <summary>
/// fork(2) of this process, the runtime included. Only the calling thread goes on in the child; docs/user-mode.md says why
/// that works and what it needs.
/// </summary>
/// <remarks>
/// The system call itself: the C library's function would give the stacks of the other threads to new ones, and with them the
/// structures that the runtime still has there. Its locks are free, because no other thread is inside it (<see cref="ForkGate"/>).
/// </remarks>
public static unsafe class HostFork
{
    private const long SysClone = 56, Gettid = 186, CLONE_CHILD_CLEARTID = 0x20_0000, CLONE_CHILD_SETTID = 0x100_0000;

    /// <param name="flags">clone(2)'s flags with the signal at the child's end; none that shares memory.</param>
    /// <returns>The child's process ID, 0 in the child, -errno.</returns>
    public static long Fork(long flags)
    {
        // The C library keeps each thread's ID in the structure that FS points at.
        nint id = FindThreadId();
        long* arguments = stackalloc long[7]
        {
            SysClone, id == 0 ? flags : flags | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID, 0, 0, id, 0, 0,
        };
        // SAFETY: the routine reads seven words. Without the transition no collection can be under way while the process is
        // doubled: it would wait for this thread.
        return ((delegate* unmanaged[SuppressGCTransition]<long*, long>)NativeStubs.Plain)(arguments);
    }

    private static nint FindThreadId()
    {
        // glibc's struct pthread has it at 0x2d0 since 2.4.
        const int Usual = 0x2d0;
        ulong self;
        const long ArchPrctl = 158, ARCH_GET_FS = 0x1003;
        if (HostCalls.Plain(ArchPrctl, ARCH_GET_FS, (long)&self) != 0)
            return 0;
        // SAFETY: the structure is larger than that, in every version of the library and in others.
        int* field = (int*)(self + Usual);
        return *field == (int)HostCalls.Plain(Gettid) ? (nint)field : 0;
    }
}
