namespace Myna.Cpu.RiscV.Sbi;

/// <summary>HSM hart states (SBI 2.0, chapter 9, table "HSM Hart States"); the values are the ABI's.</summary>
public enum HartState { Started = 0, Stopped = 1, StartPending = 2, StopPending = 3, Suspended = 4, SuspendPending = 5, ResumePending = 6 }

/// <summary>What a remote fence does on its target.</summary>
public enum RemoteFenceKind { FenceI, SfenceVma, SfenceVmaAsid }

/// <summary>A fence that one hart asks others to perform. Start 0 with size 0, or size 2^64-1, means all addresses.</summary>
public sealed record RemoteFence(RemoteFenceKind Kind, ulong Start, ulong Size, ulong Asid)
{
    /// <summary>The whole address space is meant.</summary>
    public bool IsFull => (Start == 0 && Size == 0) || Size == ulong.MaxValue;
}

/// <summary>
/// A hart as the built-in SBI sees it. Members marked "any hart" are called from other harts' threads; the rest
/// only on the hart's own thread, inside <see cref="SbiFirmware.Call"/>.
/// </summary>
public interface ISbiHart
{
    int HartId { get; }

    /// <summary>Integer register a0 to a7.</summary>
    ulong GetArgument(int index);
    void SetArgument(int index, ulong value);

    ulong VendorId { get; }
    ulong ArchitectureId { get; }
    ulong ImplementationId { get; }

    /// <summary>Programs stimecmp: the supervisor timer interrupt is pending from then on; ulong.MaxValue means never.</summary>
    void SetTimer(ulong time);

    /// <summary>Sets or clears SSIP. Any hart.</summary>
    void SetSupervisorSoftwareInterrupt(bool pending);

    /// <summary>Any hart.</summary>
    HartState HsmState { get; }

    /// <summary>From Stopped: start in S-mode at <paramref name="address"/> with a0 = hartid, a1 = <paramref name="opaque"/>, satp = 0, SIE = 0. Any hart.</summary>
    /// <returns>False when the hart was not stopped.</returns>
    bool TryStart(ulong address, ulong opaque);

    /// <summary>The hart executes nothing more until it is started.</summary>
    void Stop();

    /// <summary>Waits for an interrupt that is pending and enabled in sie, then goes on behind the call (retentive).</summary>
    void SuspendRetentive();

    /// <summary>Waits likewise, then starts at <paramref name="address"/> as by <see cref="TryStart"/>.</summary>
    void SuspendNonRetentive(ulong address, ulong opaque);

    /// <summary>Performs a fence at once, on this hart.</summary>
    void Perform(RemoteFence fence);

    /// <summary>The hart performs the fence before it executes another guest instruction. Any hart.</summary>
    void Post(RemoteFence fence);

    /// <summary>Performs what other harts posted to this one.</summary>
    void PerformPosted();

    /// <summary>False once the fence is performed, or while the hart executes no guest code. Any hart.</summary>
    bool IsExecutingWithPending(RemoteFence fence);

    /// <summary>Starts or inhibits mcycle (0) or minstret (2).</summary>
    void EnableCounter(int counter, bool on);
    bool IsCounterEnabled(int counter);
    void WriteCounter(int counter, ulong value);

    /// <summary>Reads guest virtual memory with the hart's present translation (legacy hart masks).</summary>
    bool TryReadVirtual(ulong address, out ulong value);
}

/// <summary>How a guest asked the system to end (SBI 2.0, chapter 10).</summary>
public enum SystemResetType { Shutdown = 0, ColdReboot = 1, WarmReboot = 2 }

/// <summary>What the firmware needs of the machine.</summary>
public interface ISbiPlatform
{
    IReadOnlyList<ISbiHart> Harts { get; }

    /// <summary>Copies from guest physical RAM.</summary>
    bool ReadPhysical(ulong address, Span<byte> destination);
    bool WritePhysical(ulong address, ReadOnlySpan<byte> source);

    void ConsoleWrite(ReadOnlySpan<byte> bytes);

    /// <returns>How many bytes were there.</returns>
    int ConsoleRead(Span<byte> bytes);

    /// <summary>Asks the machine to end or restart; returns at once. <paramref name="failure"/>: the guest gave "system failure" as its reason.</summary>
    void SystemReset(SystemResetType type, bool failure);
}
