namespace Myna.Host.User;

/// <summary>
/// Accesses of any address of this process that end in false, not in a crash, where nothing is mapped or the mapping does
/// not allow it. Only a guest's own addresses may be given. Handlers must be installed (<see cref="HostSignals.Initialize"/>).
/// </summary>
public static unsafe class SafeMemory
{
    // A store that another thread's translation protects the page from again and again; what has nothing behind it fails after so many.
    private const int Races = 32;

    /// <summary>
    /// Asked when a store failed: true to try again, the page having been made writable; null when another thread may just have
    /// done so, or there is nothing behind the page.
    /// </summary>
    public static Func<ulong, ulong, bool?>? Unprotect { get; set; }

    private static bool TryAgain(ulong address, ulong length, ref int races)
        => Unprotect is { } unprotect && (unprotect(address, length) ?? races++ < Races);

    // SAFETY (whole file): the routines survive faults at the guest's addresses; the other pointers are to locals or pinned spans.

    /// <summary>Loads 1, 2, 4 or 8 bytes, zero-extended.</summary>
    /// <param name="size">The number of bytes as a power of two.</param>
    public static bool TryLoad(ulong address, int size, out ulong value)
    {
        ulong loaded = 0;
        bool done = NativeStubs.Load(size & 3)(address, &loaded) == 0;
        value = loaded;
        return done;
    }

    /// <inheritdoc cref="TryLoad"/>
    public static bool TryStore(ulong address, int size, ulong value)
    {
        int races = 0;
        while (NativeStubs.Store(size & 3)(address, value) != 0)
        {
            if (!TryAgain(address, 1UL << (size & 3), ref races))
                return false;
        }
        return true;
    }

    public static bool TryLoad16(ulong address, out ulong low, out ulong high)
    {
        ulong* pair = stackalloc ulong[2];
        bool done = NativeStubs.Load16(address, pair) == 0;
        low = pair[0];
        high = pair[1];
        return done;
    }

    public static bool TryStore16(ulong address, ulong low, ulong high)
    {
        ulong* pair = stackalloc ulong[2];
        pair[0] = low;
        pair[1] = high;
        int races = 0;
        while (NativeStubs.Store16(address, pair) != 0)
        {
            if (!TryAgain(address, 16, ref races))
                return false;
        }
        return true;
    }

    /// <summary>An atomic compare-and-exchange of 1, 2, 4 or 8 bytes.</summary>
    /// <param name="old">What was there, zero-extended; the exchange happened when it is what was expected.</param>
    public static bool TryExchange(ulong address, int size, ulong expected, ulong desired, out ulong old)
    {
        int races = 0;
        while (true)
        {
            ulong value = expected;
            if (NativeStubs.Exchange(size & 3)(address, &value, desired) == 0)
            {
                old = value;
                return true;
            }
            if (!TryAgain(address, 1UL << (size & 3), ref races))
            {
                old = 0;
                return false;
            }
        }
    }

    /// <summary>Copies from the guest.</summary>
    /// <returns>Bytes copied: fewer when the rest cannot be read.</returns>
    public static int Read(ulong address, Span<byte> destination)
    {
        fixed (byte* p = destination)
            return destination.Length - (int)NativeStubs.Copy(p, (void*)address, destination.Length);
    }

    /// <summary>Copies to the guest.</summary>
    /// <returns>Bytes copied: fewer when the rest cannot be written.</returns>
    public static int Write(ulong address, ReadOnlySpan<byte> source)
    {
        int done = 0, races = 0;
        fixed (byte* p = source)
        {
            while (true)
            {
                done = source.Length - (int)NativeStubs.Copy((void*)(address + (ulong)done), p + done, source.Length - done);
                if (done == source.Length || !TryAgain(address + (ulong)done, 1, ref races))
                    return done;
            }
        }
    }

    /// <summary>mprotect(2) of whole pages.</summary>
    public static bool TryProtect(ulong start, ulong length, bool read, bool write)
    {
        long result = HostCalls.Plain(10, (long)start, (long)length, (read ? Libc.PROT_READ : 0) | (write ? Libc.PROT_WRITE : 0));
        return result == 0;
    }

    /// <summary>Writes as a debugger does (proc(5), /proc/pid/mem): mappings that forbid it too.</summary>
    /// <returns>False when not all could be written.</returns>
    public static bool ForceWrite(ulong address, ReadOnlySpan<byte> bytes)
    {
        const long Open = 2, Close = 3, Pwrite = 18;
        const int O_RDWR = 2, O_CLOEXEC = 0x80000;
        fixed (byte* path = "/proc/self/mem\0"u8, data = bytes)
        {
            long file = HostCalls.Plain(Open, (long)path, O_RDWR | O_CLOEXEC);
            if (file < 0)
                return false;
            long count = HostCalls.Plain(Pwrite, file, (long)data, bytes.Length, (long)address);
            _ = HostCalls.Plain(Close, file);
            return count == bytes.Length;
        }
    }
}
