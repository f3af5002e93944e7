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

    /// <summary>Calls <paramref name="ready"/> whenever one of <paramref name="events"/> is signalled, until <paramref name="ended"/> is true, which is asked after <paramref name="wake"/>.</summary>
    public static void Wait(KvmEvent wake, KvmEvent[] events, Func<bool> ended, Action ready)
    {
        var entries = new PollEntry[events.Length + 1];
        entries[0] = new PollEntry { Descriptor = wake.Descriptor, Events = POLLIN };
        for (int i = 0; i < events.Length; i++)
            entries[i + 1] = new PollEntry { Descriptor = events[i].Descriptor, Events = POLLIN };
        while (!ended())
        {
            int count;
            fixed (PollEntry* p = entries)
            {
                // SAFETY: the array stays where it is during the call.
                count = poll(p, (ulong)entries.Length, -1);
            }
            if (entries[0].Returned != 0)
                _ = wake.Take();
            else if (count > 0)
                ready();
        }
    }

    public void Dispose() => _ = Libc.close(Descriptor);

    private const short POLLIN = 1;

    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int poll(PollEntry* entries, ulong count, int timeout);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, void* buffer, nuint count);
}
