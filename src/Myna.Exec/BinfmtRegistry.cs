using System.Buffers.Binary;
using System.Text;
using Myna.Host;
using Myna.Linux.Loading;

namespace Myna.Exec;

/// <summary>The kernel's register of interpreters (Documentation/admin-guide/binfmt-misc.rst).</summary>
internal static class BinfmtRegistry
{
    private const string Folder = "/proc/sys/fs/binfmt_misc", RegisterFile = Folder + "/register";

    /// <summary>
    /// F: the program is opened now, so that a chroot need not have it. P: the foreign program's argv[0] is kept.
    /// LIMIT: not C: foreign programs get no set-user-ID; it would have a program of Myna's raised by every user's.
    /// </summary>
    private const string Flags = "PF";

    /// <summary>Makes the register accessible.</summary>
    /// <exception cref="UserException">The kernel or the user's rights do not allow it.</exception>
    public static void Mount()
    {
        const long SysMount = 165;
        const int EPERM = 1, ENOENT = 2;
        if (File.Exists(RegisterFile))
            return;
        using var scratch = new HostScratch(4096);
        long type = scratch.Put("binfmt_misc");
        int error = (int)-HostSyscall.Invoke(SysMount, type, scratch.Put(Folder), type, 0, 0);
        if (File.Exists(RegisterFile))
            return;
        throw error switch
        {
            EPERM => NotAllowed(),
            ENOENT => new UserException($"the kernel has no {Folder}\nload its module: modprobe binfmt_misc"),
            _ => new UserException($"{Folder} cannot be mounted ({Linux.Errno.Name(error)})"),
        };
    }

    /// <exception cref="UserException">The kernel refuses.</exception>
    public static void Register(Target target, string interpreter)
    {
        // Any character may stand between the fields.
        char between = ":|,;!".FirstOrDefault(c => !interpreter.Contains(c, StringComparison.Ordinal));
        (byte[] magic, byte[] mask) = Pattern(target);
        string row = string.Join(between, "", Name(target), "M", "", Escape(magic), Escape(mask), interpreter, Flags);
        Write(RegisterFile, row, $"{target.Name} cannot be registered");
    }

    /// <returns>False if it was not registered.</returns>
    /// <exception cref="UserException">The kernel refuses.</exception>
    public static bool Remove(Target target)
    {
        string file = $"{Folder}/{Name(target)}";
        if (!File.Exists(file))
            return false;
        Write(file, "-1", $"{target.Name} cannot be removed");
        return true;
    }

    /// <summary>A line for the user.</summary>
    public static string Describe(Target target)
    {
        if (!File.Exists(RegisterFile))
            return $"not installed ({Folder} is not mounted)";
        string file = $"{Folder}/{Name(target)}";
        if (!File.Exists(file))
            return "not installed";
        string[] lines = File.ReadAllLines(file);
        string interpreter = Value(lines, "interpreter ");
        return $"installed{(lines[0] == "enabled" ? "" : ", " + lines[0])}: {interpreter}{(File.Exists(interpreter) ? "" : " (which has been deleted since; it goes on working)")}";
    }

    /// <summary>The first 20 bytes of an executable or position-independent ELF file for this processor, and which of their bits count.</summary>
    public static (byte[] Magic, byte[] Mask) Pattern(Target target)
    {
        const byte ET_EXEC = 2, EITHER = 0xfe;
        const int OsAbi = 7, AbiVersion = 8, Type = 16, Machine = 18;
        byte[] magic = new byte[20], mask = new byte[20];
        "\u007fELF"u8.CopyTo(magic);
        magic[4] = target.Is64Bit ? (byte)2 : (byte)1;
        magic[5] = magic[6] = 1;
        magic[Type] = ET_EXEC;
        BinaryPrimitives.WriteUInt16LittleEndian(magic.AsSpan(Machine), target.Machine);
        mask.AsSpan().Fill(0xff);
        // GNU/Linux (3) is marked in programs with indirect functions.
        mask[OsAbi] = 0xfc;
        mask[AbiVersion] = 0;
        // ET_DYN is 3.
        mask[Type] = EITHER;
        return (magic, mask);
    }

    private static string Name(Target target) => "myna-" + target.Name;

    private static string Value(string[] lines, string key) => lines.FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal))?[key.Length..] ?? "";

    private static string Escape(byte[] bytes)
    {
        var text = new StringBuilder();
        foreach (byte b in bytes)
            text.Append($"\\x{b:x2}");
        return text.ToString();
    }

    private static void Write(string file, string text, string what)
    {
        try
        {
            // At once, and without the truncation that other ways of writing ask for.
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (UnauthorizedAccessException)
        {
            throw NotAllowed();
        }
        catch (IOException e)
        {
            throw new UserException($"{what}: {e.Message}");
        }
    }

    private static UserException NotAllowed() => new("only root may say what the kernel starts programs with\nrun it again with sudo");
}
