using Myna.Host;
using Myna.Linux.Loading;
using Myna.Linux.Threads;

namespace Myna.Linux.Calls;

/// <summary>One system call of a guest thread.</summary>
/// <param name="row">What is called.</param>
/// <param name="a0">Arguments as the guest gave them; what the call does not have is whatever its registers hold.</param>
public readonly ref struct Call(GuestThread thread, CallRow row, AbiKind abi, ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5)
{
    public GuestThread Thread { get; } = thread;
    public CallRow Row { get; } = row;
    public ulong A0 { get; } = a0;
    public ulong A1 { get; } = a1;
    public ulong A2 { get; } = a2;
    public ulong A3 { get; } = a3;
    public ulong A4 { get; } = a4;
    public ulong A5 { get; } = a5;

    public LinuxProcess Process => Thread.Process;

    /// <summary>Whose numbers and structures it has.</summary>
    public AbiKind Abi { get; } = abi;

    /// <summary>The thread's memory for the host's structures, empty at the call's beginning.</summary>
    internal HostScratch Scratch => Thread.Scratch;

    public ulong this[int index] => index switch { 0 => A0, 1 => A1, 2 => A2, 3 => A3, 4 => A4, _ => A5 };

    /// <summary>The host's call of the same name with the guest's own arguments.</summary>
    public long Pass() => HostSyscall.InvokeInterruptible(Row.X64, (long)A0, (long)A1, (long)A2, (long)A3, (long)A4, (long)A5);

    /// <summary>The same of a call that does not wait, and goes on whatever signal comes: the only kind while locks are held.</summary>
    public long PassAtOnce() => HostSyscall.Invoke(Row.X64, (long)A0, (long)A1, (long)A2, (long)A3, (long)A4, (long)A5);

    /// <summary>The host's call of the same name with other arguments.</summary>
    public long Host(long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
        => HostSyscall.InvokeInterruptible(Row.X64, a0, a1, a2, a3, a4, a5);

    public Call With(ulong a0, ulong a1, ulong a2, ulong a3, ulong a4, ulong a5) => new(Thread, Row, Abi, a0, a1, a2, a3, a4, a5);
}

/// <summary>What a system call does. Answers its result or -errno.</summary>
public delegate long CallHandler(in Call call);
