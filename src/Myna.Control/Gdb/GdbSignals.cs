namespace Myna.Control.Gdb;

/// <summary>gdb's own numbers of signals (gdb's include/gdb/signals.def), which the protocol uses, and Linux's.</summary>
public static class GdbSignals
{
    // By Linux's number, from SIGHUP = 1 to SIGSYS = 31.
    private static ReadOnlySpan<byte> Table => [0, 1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 143, 20, 19, 17, 18, 21, 22, 16, 24, 25, 26, 27, 28, 23, 32, 12];

    /// <returns>143 (GDB_SIGNAL_UNKNOWN) for what is no signal.</returns>
    public static int FromLinux(int signal) => signal switch
    {
        >= 0 and < 32 => Table[signal],
        32 => 77,
        < 64 and > 32 => signal + 12,
        64 => 78,
        _ => 143,
    };

    /// <returns>0 for what is no signal of Linux's.</returns>
    public static int ToLinux(int signal)
    {
        for (int i = 1; i <= 64; i++)
        {
            if (FromLinux(i) == signal)
                return i;
        }
        return 0;
    }
}
