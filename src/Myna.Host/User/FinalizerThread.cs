using System.Text;

namespace Myna.Host.User;

/// <summary>
/// The runtime's thread that executes finalizers. A fork finds it asleep: a child in which it seems to be in C# for ever could
/// not collect garbage.
/// </summary>
internal static unsafe class FinalizerThread
{
    private const long SchedYield = 24, OpenAt = 257, Read = 0, Close = 3;
    private const int Tries = 100_000;

    private static int s_collections;
    private static bool s_isGone;
    private static byte[]? s_stat;

    /// <summary>Waits until it rests. No other thread may allocate meanwhile.</summary>
    public static void Rest()
    {
        // Only collections give it work; what happens here may cause one more.
        while (!s_isGone && GC.CollectionCount(0) is int collections && collections != s_collections)
        {
            s_collections = collections;
            GC.WaitForPendingFinalizers();
            // It is still in C# then, for some instructions.
            s_stat ??= Find();
            for (int i = 0; i < Tries && s_stat.Length > 0 && !Sleeps(s_stat); i++)
                _ = HostCalls.Plain(SchedYield);
        }
    }

    /// <summary>In a forked child, which does not have it.</summary>
    public static void Forget() => s_isGone = true;

    // The path with its final null.
    private static byte[] Find()
    {
        const string name = ".NET Finalizer";
        if (!Directory.Exists("/proc/self/task"))
            return [];
        string? folder = Directory.GetDirectories("/proc/self/task").FirstOrDefault(d => File.ReadAllText(d + "/comm").TrimEnd() == name);
        return folder is null ? [] : Encoding.ASCII.GetBytes($"{folder}/stat\0");
    }

    // proc_pid_stat(5): the state stands behind the name in parentheses. Without allocations.
    private static bool Sleeps(byte[] path)
    {
        const int AT_FDCWD = -100;
        Span<byte> text = stackalloc byte[64];
        // SAFETY: both are pinned for the calls.
        fixed (byte* name = path, buffer = text)
        {
            long file = HostCalls.Plain(OpenAt, AT_FDCWD, (long)name, 0);
            if (file < 0)
                return true;
            long count = HostCalls.Plain(Read, file, (long)buffer, text.Length);
            _ = HostCalls.Plain(Close, file);
            return count <= 0 || text[..(int)count].IndexOf(") S"u8) >= 0;
        }
    }
}
