namespace Myna.Host.User;

/// <summary>
/// Keeps all guest threads but one out of C#, and so out of the runtime and its locks, while that one forks the process. Guest
/// threads say when they leave C# for generated code or a system call that may wait, and pass here when they come back.
/// A thread that is being made is seen because its maker waits for it; one that is ending, by its entry in the kernel.
/// </summary>
public static class ForkGate
{
    private const long Futex = 202, SchedYield = 24;
    private const int FutexWake = 1;

    /// <summary>Address of the word that is 1 while a thread forks: routines in machine code wait for it themselves (futex(2)).</summary>
    public static nint Address => (nint)NativeStubs.GateAddress;

    // The routine leaves C# in machine code, where a collection does not wait for it, and comes back through the gate.
    private static void Wait() => _ = HostCalls.Interruptible(SchedYield);

    /// <summary>Waits until no other guest thread is in C#, and keeps them out until <see cref="Open"/>. Hold no lock.</summary>
    public static void Close(SignalSlot self)
    {
        while (Interlocked.CompareExchange(ref NativeStubs.Gate, 1, 0) != 0)
            Wait();
        // Those that were in C# may have made threads before they left it: once more, until there are no others.
        for (SignalSlot[] known = [], all; !(all = SignalSlot.All()).AsSpan().SequenceEqual(known); known = all)
        {
            foreach (SignalSlot other in all)
            {
                while (other != self && Volatile.Read(ref other.State) == 0 && other.IsAttached)
                    _ = HostCalls.Plain(SchedYield);
            }
        }
        SignalSlot.WaitForEnds();
        FinalizerThread.Rest();
    }

    /// <summary>In parent and child.</summary>
    public static void Open()
    {
        Volatile.Write(ref NativeStubs.Gate, 0);
        _ = HostCalls.Plain(Futex, NativeStubs.GateAddress, FutexWake, int.MaxValue);
    }
}
