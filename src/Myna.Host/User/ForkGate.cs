namespace Myna.Host.User;

/// <summary>
/// Keeps all guest threads but one out of C#, and so out of the runtime and its locks, while that one forks the process. Guest
/// threads say when they leave C# for generated code or a system call that may wait, and pass here when they come back.
/// A thread that is being made is seen because its maker waits for it; one that is ending, by its entry in the kernel.
/// </summary>
public static class ForkGate
{
    private const long Futex = 202, SchedYield = 24;
    private const int FutexWait = 0, FutexWake = 1;

    /// <summary>Address of the word that is 1 while a thread forks: routines in machine code wait for it themselves (futex(2)).</summary>
    public static nint Address => (nint)NativeStubs.GateAddress;

    /// <summary>The calling thread leaves C#; it may be doubled at any moment from now on.</summary>
    public static void Leave(SignalSlot slot) => Volatile.Write(ref slot.State, 1);

    /// <summary>The calling thread is back in C#; waits while another forks.</summary>
    public static void Return(SignalSlot slot)
    {
        Interlocked.Exchange(ref slot.State, 0);
        if (Volatile.Read(ref NativeStubs.Gate) != 0)
            Wait(slot);
    }

    private static void Wait(SignalSlot slot)
    {
        do
        {
            Volatile.Write(ref slot.State, 1);
            _ = HostCalls.Plain(Futex, NativeStubs.GateAddress, FutexWait, 1);
            Interlocked.Exchange(ref slot.State, 0);
        }
        while (Volatile.Read(ref NativeStubs.Gate) != 0);
    }

    /// <summary>Waits until no other guest thread is in C#, and keeps them out until <see cref="Open"/>. Hold no lock.</summary>
    public static void Close(SignalSlot self)
    {
        while (Interlocked.CompareExchange(ref NativeStubs.Gate, 1, 0) != 0)
            Wait(self);
        foreach (SignalSlot other in SignalSlot.All())
        {
            while (other != self && Volatile.Read(ref other.State) == 0 && other.IsAttached)
                _ = HostCalls.Plain(SchedYield);
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
