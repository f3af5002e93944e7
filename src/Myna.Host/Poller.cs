using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>What to wait for on a descriptor, and what came; the values are poll(2)'s.</summary>
[Flags]
public enum PollEvents : short
{
    None = 0,
    In = 1,
    Out = 4,
    Error = 8,
    HangUp = 16,
}

/// <summary>
/// Waits for many descriptors at once (poll(2)). One thread adds, removes and waits; any thread may <see cref="Wake"/> it.
/// A descriptor without interest is not watched at all, not even for errors.
/// </summary>
public sealed unsafe class Poller : IDisposable
{
    readonly int _wakeFd;
    readonly Stack<int> _free = new();
    PollFd[] _fds = new PollFd[16];
    SafeHandle?[] _handles = new SafeHandle?[16];
    int _count = 1;
    int _disposed;

    [StructLayout(LayoutKind.Sequential)]
    internal struct PollFd
    {
        public int Fd;
        public PollEvents Events;
        public PollEvents Returned;
    }

    /// <summary>A poller that watches nothing yet.</summary>
    /// <exception cref="IOException">The system has no descriptor left.</exception>
    public Poller()
    {
        _wakeFd = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);
        if (_wakeFd < 0)
            throw Libc.Error("eventfd");
        _fds[0] = new PollFd { Fd = _wakeFd, Events = PollEvents.In };
    }

    /// <summary>One more than the highest slot in use.</summary>
    public int SlotLimit => _count;

    /// <summary>Adds a descriptor without interest, keeping it open until <see cref="Remove"/>; returns its slot.</summary>
    public int Add(SafeHandle handle)
    {
        if (!_free.TryPop(out int slot))
        {
            slot = _count++;
            if (slot == _fds.Length)
            {
                Array.Resize(ref _fds, slot * 2);
                Array.Resize(ref _handles, slot * 2);
            }
        }
        bool added = false;
        handle.DangerousAddRef(ref added);
        _handles[slot] = handle;
        _fds[slot] = new PollFd { Fd = -1 };
        return slot;
    }

    /// <summary>Replaces the events that the slot is watched for.</summary>
    public void SetInterest(int slot, PollEvents events)
    {
        // poll(2) skips negative descriptors; with Events 0 it would still report errors, for ever.
        _fds[slot].Fd = events == PollEvents.None ? -1 : (int)_handles[slot]!.DangerousGetHandle();
        _fds[slot].Events = events;
        if (events == PollEvents.None)
            _fds[slot].Returned = PollEvents.None;
    }

    /// <summary>Forgets a descriptor; call it before closing the descriptor.</summary>
    public void Remove(int slot)
    {
        _handles[slot]!.DangerousRelease();
        _handles[slot] = null;
        _fds[slot] = new PollFd { Fd = -1 };
        _free.Push(slot);
    }

    /// <summary>What <see cref="Wait"/> saw on the slot.</summary>
    public PollEvents Ready(int slot) => _fds[slot].Returned;

    /// <summary>Waits until a descriptor is ready, someone calls <see cref="Wake"/> or the time is over.</summary>
    /// <param name="timeout">Milliseconds; 0 returns at once, negative waits for ever.</param>
    /// <returns>Whether any descriptor is ready.</returns>
    public bool Wait(int timeout)
    {
        int ready;
        // SAFETY: the array has at least _count entries and is pinned for the call.
        fixed (PollFd* fds = _fds)
            ready = Libc.poll(fds, (nuint)_count, timeout);
        if (ready <= 0)
        {
            // Interrupted or timed out: the array still holds an earlier call's answers.
            for (int i = 0; i < _count; i++)
                _fds[i].Returned = PollEvents.None;
            return false;
        }
        if (_fds[0].Returned == PollEvents.None)
            return true;
        ulong ignored;
        // SAFETY: reads eight bytes into a local of eight bytes.
        _ = Libc.read(_wakeFd, &ignored, sizeof(ulong));
        return ready > 1;
    }

    /// <summary>Ends a <see cref="Wait"/> now or the next one. Thread-safe.</summary>
    public void Wake()
    {
        if (Volatile.Read(ref _disposed) != 0)
            return;
        ulong one = 1;
        // SAFETY: writes eight bytes from a local of eight bytes.
        _ = Libc.write(_wakeFd, &one, sizeof(ulong));
    }

    /// <summary>Closes the poller; no thread may be waiting.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        for (int i = 1; i < _count; i++)
        {
            _handles[i]?.DangerousRelease();
            _handles[i] = null;
        }
        _ = Libc.close(_wakeFd);
    }
}
