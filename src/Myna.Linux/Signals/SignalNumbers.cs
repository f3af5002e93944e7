namespace Myna.Linux.Signals;

/// <summary>
/// Signal numbers of the guest and of the host. They are the same, save that the runtime keeps one real-time signal to
/// itself: the guest's 34 is the host's 64.
/// LIMIT: the guest has no signal 64.
/// </summary>
public static class SignalNumbers
{
    /// <summary>Highest number (SIGRTMAX).</summary>
    public const int Count = 64;

    private const int Runtime = 34, Substitute = 64;

    public static int ToHost(int guest) => Swap(guest);

    public static int ToGuest(int host) => Swap(host);

    /// <summary>A set with bit n-1 for signal n. Never contains the runtime's own signal.</summary>
    public static ulong ToHostMask(ulong guest) => SwapMask(guest) & ~Bit(Runtime);

    /// <inheritdoc cref="ToHostMask"/>
    public static ulong ToGuestMask(ulong host) => SwapMask(host & ~Bit(Runtime));

    /// <summary>A signal's bit in a set.</summary>
    public static ulong Bit(int signal) => 1UL << (signal - 1);

    /// <summary>A wait status (wait(2)) whose signal is the host's, as the guest should see it.</summary>
    public static int ToGuestStatus(int status)
    {
        int signal = status & 0x7F;
        // 0x7F says stopped, with the signal above.
        if (signal == 0x7F)
            return status & ~0xFF00 | Swap(status >> 8 & 0xFF) << 8;
        return signal == 0 ? status : status & ~0x7F | Swap(signal);
    }

    private static int Swap(int signal) => signal switch { Runtime => Substitute, Substitute => Runtime, _ => signal };

    private static ulong SwapMask(ulong mask)
    {
        ulong both = Bit(Runtime) | Bit(Substitute);
        ulong swapped = mask & ~both;
        if ((mask & Bit(Runtime)) != 0)
            swapped |= Bit(Substitute);
        if ((mask & Bit(Substitute)) != 0)
            swapped |= Bit(Runtime);
        return swapped;
    }
}
