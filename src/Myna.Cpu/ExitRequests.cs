namespace Myna.Cpu;

/// <summary>Bits of <c>JitContext.ExitRequest</c>.</summary>
[Flags]
public enum ExitRequests
{
    None = 0,
    /// <summary>An interrupt may be pending.</summary>
    Interrupt = 1,
    /// <summary>Return from Run.</summary>
    Kick = 2,
    /// <summary>Other CPUs or the machine left something to do.</summary>
    Request = 4,
    /// <summary>The CPU waits for an interrupt or has stopped.</summary>
    Wait = 8,
    /// <summary>A watchpoint was hit.</summary>
    Debug = 16,
    /// <summary>Every instruction is executed by itself from now on.</summary>
    Slow = 32,
    /// <summary>A signal for the user program has come; the host's handler sets it.</summary>
    Signal = 64,
    /// <summary>The user program made a system call or an exception.</summary>
    Trap = 128,
}
