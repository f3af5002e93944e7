using Myna.Host;

namespace Myna.Linux.Threads;

/// <summary>A thread of the guest.</summary>
public sealed partial class GuestThread(LinuxProcess process)
{
    public LinuxProcess Process { get; } = process;

    /// <summary>For the structures of the system call that the thread is in.</summary>
    internal HostScratch Scratch { get; } = new();
}
