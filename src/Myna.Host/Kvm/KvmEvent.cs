using System.Runtime.InteropServices;

namespace Myna.Host.Kvm;

/// <summary>An eventfd that the kernel signals or listens to.</summary>
public sealed unsafe partial class KvmEvent : IDisposable
{
    private const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;

    /// <exception cref="IOException">The host gives no more descriptors.</exception>
    public KvmEvent()
    {
        Descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (Descriptor < 0)
            throw Libc.Error("cannot create an event");
    }

    public int Descriptor { get; }

    /// <summary>Signals it.</summary>
    public void Set()
    {
        ulong one = 1;
        // SAFETY: eight bytes of a local.
        _ = write(Descriptor, &one, 8);
    }

    /// <summary>Signals since the last call.</summary>
    public ulong Take()
    {
        ulong count = 0;
        // SAFETY: eight bytes of a local; without a signal (EAGAIN) it stays 0.
        _ = read(Descriptor, &count, 8);
        return count;
    }

    public void Dispose() => _ = Libc.close(Descriptor);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, void* buffer, nuint count);
}
