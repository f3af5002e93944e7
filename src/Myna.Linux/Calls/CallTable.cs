namespace Myna.Linux.Calls;

/// <summary>
/// Every system call that a guest can make, once. A row without handler is the host's own call with the same arguments:
/// host and guest are 64-bit little-endian Linux, and share all structures and flags that no handler translates.
/// </summary>
/// <remarks>Numbers: asm-generic/unistd.h (riscv64), arch/x86/entry/syscalls/syscall_64.tbl.</remarks>
public static partial class CallTable
{
    private const int None = -1;
    private const CallFlags Restarts = CallFlags.Restarts;

    public static IReadOnlyList<CallRow> Rows { get; } = [.. Files, .. FileSystems, .. Descriptors, .. Memory, .. Processes, .. Threads, .. Ipc, .. Sockets, .. Time, .. Machine];
}
