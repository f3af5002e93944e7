using System.Runtime.InteropServices;
using System.Text;

namespace Myna.Host.User;

/// <summary>
/// What the kernel put on the first thread's stack when this process began (System V ABI for x86-64, 3.4.1): arguments and
/// environment as bytes, where .NET has only text, and in a chroot without /proc too.
/// </summary>
public static unsafe partial class InitialStrings
{
    private const ulong AT_FLAGS = 8, AT_EXECFN = 31, AT_RANDOM = 25, LargestType = 64;

    // Towards lower addresses: auxiliary vector, null, environment, null, arguments, their count.
    private static readonly ulong* s_auxiliary = FindAuxiliary();

    /// <summary>argv, a char per byte. With the runtime's own words, where it is a program of its own.</summary>
    public static List<string> Arguments()
    {
        ulong* end = Begin(s_auxiliary - 1) - 1;
        return Strings(Begin(end), end);
    }

    /// <summary>The environment, a char per byte.</summary>
    public static List<string> Environment()
    {
        ulong* end = s_auxiliary - 1;
        return Strings(Begin(end), end);
    }

    /// <summary>The path that execve(2) was given for this program.</summary>
    public static string Path => Text((byte*)getauxval(AT_EXECFN));

    /// <summary>Whether the kernel started this program as the interpreter of another, with that one's argv[0] kept (binfmt_misc, flag P).</summary>
    public static bool KeepsArgument0 => (getauxval(AT_FLAGS) & 1) != 0;

    // SAFETY (whole file): all of it is the kernel's, lies on the stack of the first thread, and stays there.
    private static ulong* FindAuxiliary()
    {
        ulong random = getauxval(AT_RANDOM);
        ulong* entry = (ulong*)(random & ~7UL);
        do
            entry--;
        while (entry[0] != AT_RANDOM || entry[1] != random);
        while (entry[-2] is > 0 and < LargestType)
            entry -= 2;
        return entry;
    }

    /// <summary>The first pointer of a list that ends before a null: it stands behind another null or behind a count.</summary>
    private static ulong* Begin(ulong* end)
    {
        ulong* first = end;
        while (first[-1] != 0 && first[-1] != (ulong)(end - first))
            first--;
        return first;
    }

    private static List<string> Strings(ulong* first, ulong* end)
    {
        var all = new List<string>((int)(end - first));
        for (; first < end; first++)
            all.Add(Text((byte*)*first));
        return all;
    }

    private static string Text(byte* start)
        => start == null ? "" : Encoding.Latin1.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(start));

    [LibraryImport("libc")]
    private static partial ulong getauxval(ulong type);
}
