using System.Globalization;

namespace Myna.Host.User;

/// <summary>
/// The runtime's thread that executes finalizers. A fork finds it asleep: a child in which it seems to be in C# for ever could
/// not collect garbage.
/// </summary>
internal static class FinalizerThread
{
    private const long SchedYield = 24;
    private const int Tries = 100_000;

    private static int s_collections;
    private static bool s_isGone;
    private static string? s_stat;

    /// <summary>Waits until it rests. No other thread may allocate meanwhile.</summary>
    public static void Rest()
    {
        // Only collections give it work.
        int collections = GC.CollectionCount(0);
        if (s_isGone || collections == s_collections)
            return;
        s_collections = collections;
        GC.WaitForPendingFinalizers();
        // It is still in C# then, for some instructions.
        s_stat ??= Find();
        for (int i = 0; i < Tries && s_stat.Length > 0 && !Sleeps(s_stat); i++)
            _ = HostCalls.Plain(SchedYield);
    }

    /// <summary>In a forked child, which does not have it.</summary>
    public static void Forget() => s_isGone = true;

    private static string Find()
    {
        const string name = ".NET Finalizer";
        if (!Directory.Exists("/proc/self/task"))
            return "";
        string? folder = Directory.GetDirectories("/proc/self/task").FirstOrDefault(d => File.ReadAllText(d + "/comm").TrimEnd() == name);
        return folder is null ? "" : string.Create(CultureInfo.InvariantCulture, $"/proc/self/task/{Path.GetFileName(folder)}/stat");
    }

    // proc_pid_stat(5): the state stands behind the name in parentheses.
    private static bool Sleeps(string stat)
    {
        try
        {
            string text = File.ReadAllText(stat);
            return text.LastIndexOf(") S", StringComparison.Ordinal) > 0;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
