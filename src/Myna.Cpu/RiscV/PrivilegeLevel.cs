namespace Myna.Cpu.RiscV;

/// <summary>Privilege levels (privileged specification, table "RISC-V privilege levels").</summary>
public enum PrivilegeLevel { User = 0, Supervisor = 1, Machine = 3 }

/// <summary>The soft-TLB's modes: each is a way of translating data addresses.</summary>
public static class MmuMode
{
    public const int User = 0;
    /// <summary>Supervisor with SUM = 0; also all fetches in S-mode.</summary>
    public const int Supervisor = 1;
    /// <summary>Supervisor with SUM = 1: user pages can be read and written.</summary>
    public const int SupervisorUserMemory = 2;
    /// <summary>Physical addresses.</summary>
    public const int Machine = 3;
    public const int Count = 4;
}

/// <summary>Bits of <c>JitContext.ExitRequest</c>.</summary>
[Flags]
public enum ExitRequests
{
    None = 0,
    /// <summary>An interrupt may be pending.</summary>
    Interrupt = 1,
    /// <summary>Return from Run.</summary>
    Kick = 2,
    /// <summary>Other harts or the machine left something to do.</summary>
    Request = 4,
    /// <summary>The hart waits for an interrupt or has stopped.</summary>
    Wait = 8,
    /// <summary>A watchpoint was hit.</summary>
    Debug = 16,
}
