using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>The signal that ends a stay in the guest.</summary>
internal static unsafe partial class KvmKick
{
    /// <summary>SIGRTMIN + 1; the runtime has SIGRTMIN for itself.</summary>
    private const int Signal = 35;
    private const long Gettid = 186, Getpid = 39, Tgkill = 234;
    private static readonly Lock s_lock = new();
    private static bool s_ready;

    [StructLayout(LayoutKind.Explicit, Size = 152)]
    private struct Action
    {
        [FieldOffset(0)] public nint Handler;
    }

    /// <summary>Gives the signal a handler that does nothing: the call that it interrupts ends with EINTR.</summary>
    public static void Initialize()
    {
        lock (s_lock)
        {
            if (s_ready)
                return;
            // A function of the C library that only looks at its argument: machine code that may run in any moment of the thread's.
            var action = new Action { Handler = NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "abs") };
            // SAFETY: one structure in; without SA_RESTART.
            if (sigaction(Signal, &action, null) != 0)
                throw Libc.Error("KVM: cannot set a signal handler");
            s_ready = true;
        }
    }

    public static int CurrentThread => (int)syscall(Gettid, 0, 0, 0);

    // A thread that has ended meanwhile does not exist any more (ESRCH).
    public static void Send(int thread) => _ = syscall(Tgkill, syscall(Getpid, 0, 0, 0), thread, Signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sigaction(int signal, Action* action, Action* old);

    [LibraryImport("libc")]
    private static partial long syscall(long number, long a0, long a1, long a2);
}
