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
