using Myna.Host.User;
using Myna.Linux.Calls;
using static Myna.Linux.Errno;

namespace Myna.Linux.Threads;

/// <summary>
/// The robust futexes of a thread (Documentation/locking/robust-futex-ABI.rst). The host's kernel knows the list of a 64-bit
/// ABI as well, for a process that ends otherwise; the thread of the host ends later than the guest's.
/// LIMIT: a 32-bit process that a signal ends leaves those it shares with others locked: pointers of its list have 32 bits.
/// </summary>
internal static class RobustFutexes
{
    private const int MaxEntries = 2048;
    private const uint OwnerDied = 0x4000_0000, Waiters = 0x8000_0000, TidMask = 0x3FFF_FFFF;
    private const long SysFutex = 202, SysSetRobustList = 273;

    /// <summary>Bytes of struct robust_list_head: three words.</summary>
    public static int HeadSize(bool narrow) => narrow ? 12 : 24;

    /// <summary>set_robust_list(2).</summary>
    public static long Set(in Call call)
    {
        bool narrow = !call.Process.Target.Is64Bit;
        if (call.A1 != (ulong)HeadSize(narrow))
            return -EINVAL;
        long result = narrow ? 0 : call.Pass();
        if (result == 0)
            call.Thread.RobustList = call.A0;
        return result;
    }

    /// <summary>What the kernel does at the end of a thread. On that thread.</summary>
    public static void Release(GuestThread thread)
    {
        ulong head = thread.RobustList;
        bool narrow = !thread.Process.Target.Is64Bit;
        if (head == 0)
            return;
        thread.RobustList = 0;
        if (!narrow)
            _ = HostCalls.Plain(SysSetRobustList, 0, HeadSize(false));
        ulong word = narrow ? 4u : 8u;
        if (!TryWord(head, narrow, out ulong next) || !TryWord(head + word, narrow, out ulong offset) || !TryWord(head + (2 * word), narrow, out ulong pending))
            return;
        for (int i = 0; i < MaxEntries && (next & ~1UL) != head; i++)
        {
            ulong entry = next & ~1UL;
            // Bit 0 of a pointer says that what it points to is a futex with priority inheritance.
            bool inherits = (next & 1) != 0;
            // Read on first: whoever is woken may take the entry away.
            bool more = TryWord(entry, narrow, out next);
            if (entry != (pending & ~1UL))
                ReleaseOne(thread, Address(entry + offset), isPending: false, inherits);
            if (!more)
                break;
        }
        if ((pending & ~1UL) != 0)
            ReleaseOne(thread, Address((pending & ~1UL) + offset), isPending: true, (pending & 1) != 0);

        ulong Address(ulong sum) => narrow ? (uint)sum : sum;
    }

    private static void ReleaseOne(GuestThread thread, ulong address, bool isPending, bool inherits)
    {
        const int Wake = 1;
        if ((address & 3) != 0 || !SafeMemory.TryLoad(address, 2, out ulong wide))
            return;
        uint value = (uint)wide;
        // The thread may have unlocked it and not yet woken who waits (handle_futex_death).
        if (isPending && !inherits && value == 0)
            _ = HostCalls.Plain(SysFutex, (long)address, Wake, 1);
        while ((value & TidMask) == (uint)thread.Tid)
        {
            if (!SafeMemory.TryExchange(address, 2, value, (value & Waiters) | OwnerDied, out ulong seen))
                return;
            if ((uint)seen == value)
            {
                if ((value & Waiters) != 0 && !inherits)
                    _ = HostCalls.Plain(SysFutex, (long)address, Wake, 1);
                return;
            }
            value = (uint)seen;
        }
    }

    private static bool TryWord(ulong address, bool narrow, out ulong value) => SafeMemory.TryLoad(address, narrow ? 2 : 3, out value);
}
