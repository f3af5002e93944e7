using System.Runtime.InteropServices;

namespace Myna.Host.User;

/// <summary>What the host's kernel does with a signal.</summary>
public enum SignalDisposition { Default, Ignore, Record }

/// <summary>
/// The signals of a process that runs a guest program. Those that instructions raise go to a handler of ours first, and to
/// the runtime's when the instruction is its own; the runtime's own real-time signal stays untouched.
/// </summary>
public static unsafe partial class HostSignals
{
    /// <summary>The runtime interrupts its threads with it (SIGRTMIN).</summary>
    public const int Runtime = 34;

    private const int SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11;
    private const ulong SA_SIGINFO = 4, SA_ONSTACK = 0x0800_0000, SA_RESTORER = 0x0400_0000, SA_RESTART = 0x1000_0000;
    private const long RtSigaction = 13, RtSigprocmask = 14, Getpid = 39, Gettid = 186, Tgkill = 234;
    private const int SIG_SETMASK = 2;
    private static readonly Lock s_lock = new();
    private static bool s_initialized;

    private struct KernelAction
    {
        public ulong Handler, Flags, Restorer, Mask;
    }

    /// <summary>Signals that are never blocked on the host: those that instructions raise, and the runtime's.</summary>
    public const ulong Unblockable = 1UL << (SIGILL - 1) | 1UL << (SIGTRAP - 1) | 1UL << (SIGBUS - 1) | 1UL << (SIGFPE - 1) | 1UL << (SIGSEGV - 1)
        | 1UL << (Runtime - 1);

    /// <summary>Whether this host can do it.</summary>
    public static bool IsSupported => NativeStubs.IsSupported;

    /// <summary>Whether a signal is one that instructions raise.</summary>
    public static bool IsSynchronous(int signal) => signal is SIGILL or SIGTRAP or SIGBUS or SIGFPE or SIGSEGV;

    /// <summary>Puts the handlers for faults in place; further calls do nothing.</summary>
    public static void Initialize()
    {
        lock (s_lock)
        {
            if (s_initialized)
                return;
            s_initialized = true;
            NativeStubs.Data(NativeStubs.Blocked) = ~Unblockable;
            foreach (int signal in (int[])[SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV])
            {
                KernelAction action;
                // SAFETY: one structure each way. The runtime's flags stay, its handler is called for what is not ours. Others wait: one that
                // came on top of it would be recorded first, and be overwritten.
                _ = HostCalls.Plain(RtSigaction, signal, 0, (long)&action, 8);
                NativeStubs.Data(NativeStubs.OldHandlers + (signal * 8)) = action.Handler;
                action.Handler = (ulong)NativeStubs.Fault;
                action.Flags |= SA_SIGINFO | SA_ONSTACK | SA_RESTORER;
                action.Mask |= ~Unblockable;
                action.Restorer = (ulong)NativeStubs.Restorer;
                _ = HostCalls.Plain(RtSigaction, signal, (long)&action, 0, 8);
            }
        }
    }

    /// <summary>Names the thread that gets signals which the kernel gave to a thread of the runtime's: the calling one. Again after a fork.</summary>
    public static void Lead()
    {
        NativeStubs.Data(NativeStubs.Process) = (ulong)HostCalls.Plain(Getpid);
        NativeStubs.Data(NativeStubs.Leader) = (ulong)HostCalls.Plain(Gettid);
    }

    /// <summary>
    /// Has the runtime's threads block all signals, so that the kernel gives those for the process to guest threads alone. Call
    /// it before signals have dispositions of the guest's; SIGURG's is lost.
    /// </summary>
    public static void QuietRuntime()
    {
        const int SIGURG = 23, Tries = 10_000;
        var action = new KernelAction { Handler = (ulong)NativeStubs.Block, Flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_RESTART, Restorer = (ulong)NativeStubs.Restorer, Mask = ~Unblockable };
        // SAFETY: one structure.
        _ = HostCalls.Plain(RtSigaction, SIGURG, (long)&action, 0, 8);
        long process = HostCalls.Plain(Getpid), self = HostCalls.Plain(Gettid);
        // Without /proc the runtime's threads send signals on, as they do where this comes too late.
        if (!Directory.Exists("/proc/self/task"))
            return;
        foreach (string folder in Directory.GetDirectories("/proc/self/task"))
        {
            int thread = int.Parse(Path.GetFileName(folder.AsSpan()), System.Globalization.CultureInfo.InvariantCulture);
            if (thread == self || HostCalls.Plain(Tgkill, process, thread, SIGURG) != 0)
                continue;
            for (int i = 0; i < Tries && !Blocks(folder, SIGURG); i++)
                _ = HostCalls.Plain(24);
        }
    }

    private static bool Blocks(string folder, int signal)
    {
        const string Field = "SigBlk:\t";
        try
        {
            string status = File.ReadAllText(folder + "/status");
            int at = status.IndexOf(Field, StringComparison.Ordinal);
            return at < 0 || (ulong.Parse(status.AsSpan(at + Field.Length, 16), System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture) >> (signal - 1) & 1) != 0;
        }
        catch (IOException)
        {
            // It has ended.
            return true;
        }
    }

    /// <summary>Faults inside [start, end) go on at <paramref name="thunk"/>, the address of the instruction in the word <paramref name="field"/> bytes from RBP.</summary>
    public static void SetCodeCache(nint start, nint end, nint thunk, int field)
    {
        NativeStubs.Data(NativeStubs.CacheEnd) = 0;
        NativeStubs.Data(NativeStubs.CacheStart) = (ulong)start;
        NativeStubs.Data(NativeStubs.FaultThunk) = (ulong)thunk;
        NativeStubs.Data(NativeStubs.FaultRip) = (ulong)(long)field;
        NativeStubs.Data(NativeStubs.CacheEnd) = (ulong)end;
    }

    /// <summary>Says what happens when a signal arrives. Those that instructions raise are always recorded, the runtime's never.</summary>
    /// <param name="extraFlags">SA_NOCLDSTOP and SA_NOCLDWAIT of the guest's action.</param>
    /// <returns>0 or -errno.</returns>
    public static long SetDisposition(int signal, SignalDisposition disposition, ulong extraFlags = 0)
    {
        if (signal == Runtime || IsSynchronous(signal))
            return 0;
        var action = new KernelAction
        {
            Handler = disposition switch { SignalDisposition.Default => 0, SignalDisposition.Ignore => 1, _ => (ulong)NativeStubs.Record },
            Flags = extraFlags | (disposition == SignalDisposition.Record ? SA_SIGINFO | SA_ONSTACK : 0) | SA_RESTORER,
            Restorer = (ulong)NativeStubs.Restorer,
            Mask = ~Unblockable,
        };
        // SAFETY: one structure.
        return HostCalls.Plain(RtSigaction, signal, (long)&action, 0, 8);
    }

    /// <summary>Whether SIGPIPE was ignored when the process began, before the runtime ignored it. In the program of native code alone.</summary>
    public static bool PipeWasIgnored => PipeIgnored() != 0;

    // Of Myna.Exec's Inherited.s.
    [LibraryImport("libc", EntryPoint = "myna_pipe_ignored")]
    private static partial int PipeIgnored();

    /// <summary>What was inherited or set for a signal.</summary>
    public static SignalDisposition GetDisposition(int signal)
    {
        KernelAction action;
        _ = HostCalls.Plain(RtSigaction, signal, 0, (long)&action, 8);
        return action.Handler switch { 0 => SignalDisposition.Default, 1 => SignalDisposition.Ignore, _ => SignalDisposition.Record };
    }

    /// <summary>The calling thread's mask; <see cref="Unblockable"/> signals are left out.</summary>
    public static void SetMask(ulong mask)
    {
        mask &= ~Unblockable;
        _ = HostCalls.Plain(RtSigprocmask, SIG_SETMASK, (long)&mask, 0, 8);
    }

    public static ulong GetMask()
    {
        ulong mask;
        _ = HostCalls.Plain(RtSigprocmask, SIG_SETMASK, 0, (long)&mask, 8);
        return mask;
    }

    /// <summary>Ends the process as a signal without handler does.</summary>
    public static void Die(int signal)
    {
        KernelAction action = default;
        _ = HostCalls.Plain(RtSigaction, signal, (long)&action, 0, 8);
        ulong mask = ~(1UL << (signal - 1));
        _ = HostCalls.Plain(RtSigprocmask, SIG_SETMASK, (long)&mask, 0, 8);
        _ = HostCalls.Plain(Tgkill, HostCalls.Plain(Getpid), HostCalls.Plain(Gettid), signal);
        // The signal has no deadly default.
        _ = HostCalls.Plain(231, 128 + signal);
    }
}
