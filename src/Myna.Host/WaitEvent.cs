using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>
/// An auto-reset event on an eventfd whose timeouts have nanosecond resolution (the runtime's own waits round up to
/// milliseconds, which guests notice in their timers).
/// </summary>
public sealed unsafe partial class WaitEvent : IDisposable
{
    private const int EFD_CLOEXEC = 0x80000, EFD_NONBLOCK = 0x800;
    private const short POLLIN = 1;
    // Made by the first wait: the CPUs of user programs never wait, and their descriptors would be seen among the program's.
    private volatile int _descriptor = -1;
    /// <summary>1 when it was set before that.</summary>
    private int _setBefore;

    /// <summary>Wakes the waiting thread, or lets its next wait return at once.</summary>
    public void Set()
    {
        if (_descriptor < 0)
        {
            _ = Interlocked.Exchange(ref _setBefore, 1);
            // Either this sees the descriptor, or the wait that makes it sees the word.
            if (_descriptor < 0)
                return;
        }
        ulong one = 1;
        // SAFETY: writes eight bytes from a local. A full counter (EAGAIN) means that it is set already.
        _ = write(_descriptor, &one, 8);
    }

    /// <summary>Waits until set, at most so many nanoseconds (-1: for ever). May return early. One thread waits.</summary>
    /// <exception cref="IOException">The host gives no more descriptors.</exception>
    public void Wait(long nanoseconds)
    {
        if (_descriptor < 0)
        {
            int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
            if (made < 0)
                throw Libc.Error("cannot create an event");
            _descriptor = made;
            if (Interlocked.Exchange(ref _setBefore, 0) != 0)
                return;
        }
        var entry = new PollEntry { Descriptor = _descriptor, Events = POLLIN };
        var timeout = new TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
        ulong count;
        // SAFETY: pointers to locals that outlive the calls; an interrupted wait returns early, which callers allow for.
        if (ppoll(&entry, 1, nanoseconds < 0 ? null : &timeout, null) > 0)
            _ = read(_descriptor, &count, 8);
    }

    public void Dispose()
    {
        if (_descriptor >= 0)
            _ = Libc.close(_descriptor);
    }

    private struct PollEntry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ppoll(PollEntry* entries, ulong count, TimeSpec* timeout, void* mask);
}
