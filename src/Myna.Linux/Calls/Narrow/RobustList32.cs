using Myna.Host.User;
using Myna.Linux.Threads;

namespace Myna.Linux.Calls.Narrow;

/// <summary>
/// The robust futexes of a thread that ends (Documentation/locking/robust-futex-ABI.rst), which the host's kernel cannot find: the
/// pointers of the list have 32 bits. LIMIT: a process that a signal ends leaves those it shares with others locked.
/// </summary>
internal static class RobustList32
{
    public const int HeadSize = 12;
    private const int MaxEntries = 2048;
    private const uint OwnerDied = 0x4000_0000, Waiters = 0x8000_0000, TidMask = 0x3FFF_FFFF;
    private const long SysFutex = 202;

    public static void Release(GuestThread thread)
    {
        ulong head = thread.NarrowRobustList;
        if (head == 0 || !TryWord(head, out uint next) || !TryWord(head + 4, out uint offset) || !TryWord(head + 8, out uint pending))
            return;
        for (int i = 0; i < MaxEntries && (next & ~1u) != head; i++)
        {
            uint entry = next & ~1u;
            // Read on first: whoever is woken may take the entry away.
            bool more = TryWord(entry, out next);
            if (entry != (pending & ~1u))
                ReleaseOne(thread, entry + offset);
            if (!more)
                break;
        }
        if ((pending & ~1u) != 0)
            ReleaseOne(thread, (pending & ~1u) + offset);
    }

    private static void ReleaseOne(GuestThread thread, uint address)
    {
        const int Wake = 1;
        if ((address & 3) != 0 || !TryWord(address, out uint value))
            return;
        while ((value & TidMask) == (uint)thread.Tid)
        {
            if (!SafeMemory.TryExchange(address, 2, value, (value & Waiters) | OwnerDied, out ulong seen))
                return;
            if ((uint)seen == value)
            {
                if ((value & Waiters) != 0)
                    _ = HostCalls.Plain(SysFutex, address, Wake, 1);
                return;
            }
            value = (uint)seen;
        }
    }

    private static bool TryWord(ulong address, out uint value)
    {
        bool done = SafeMemory.TryLoad(address, 2, out ulong wide);
        value = (uint)wide;
        return done;
    }
}
