using System.Globalization;
using System.Text;
using Myna.Host;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Writes each system call with its arguments and its result, one line each, much as strace does.</summary>
public sealed class SystemCallTrace
{
    private const int ShownBytes = 32;
    private const long SysWrite = 1, SysFcntl = 72, SysGettid = 186;
    private const int F_DUPFD_CLOEXEC = 1030, FirstDescriptor = 900;

    private readonly int _descriptor;

    /// <param name="descriptor">Written to; a copy under a high number is taken, which the guest does not get at.</param>
    public SystemCallTrace(int descriptor)
    {
        long copy = HostSyscall.Invoke(SysFcntl, descriptor, F_DUPFD_CLOEXEC, FirstDescriptor);
        _descriptor = copy >= 0 ? (int)copy : descriptor;
    }

    /// <summary>To be hidden from the guest.</summary>
    public int Descriptor => _descriptor;

    internal long Invoke(in Call call)
    {
        var text = new StringBuilder();
        _ = text.Append(CultureInfo.InvariantCulture, $"{HostSyscall.Invoke(SysGettid)} {call.Row.Name}(");
        CallArgument[] kinds = call.Row.Kinds;
        // What the call fills in is shown behind it, all else before: an execve that succeeds never comes back.
        int outputs = text.Length;
        Arguments(text, call, kinds, 0);
        if ((call.Row.Flags & CallFlags.NoReturn) != 0)
            Write(text.ToString() + ") ...\n");
        long result = SystemCalls.Invoke(call);
        text.Length = outputs;
        Arguments(text, call, kinds, result);
        _ = text.Append(") = ");
        if (result == SystemCalls.NoResult)
            _ = text.Append('?');
        else if (result is < 0 and >= -4095)
            _ = text.Append("-1 ").Append(result == -512 ? "ERESTARTSYS" : Name((int)-result));
        else if (call.Row.Name is "mmap" or "mremap" or "brk" or "shmat")
            _ = text.Append("0x").Append(result.ToString("x", CultureInfo.InvariantCulture));
        else
            _ = text.Append(result);
        Write(text.Append('\n').ToString());
        return result;
    }

    /// <summary>Writes a line of another kind.</summary>
    internal void Line(string text) => Write(string.Create(CultureInfo.InvariantCulture, $"{HostSyscall.Invoke(SysGettid)} {text}\n"));

    private static void Arguments(StringBuilder text, in Call call, CallArgument[] kinds, long result)
    {
        for (int i = 0; i < kinds.Length; i++)
        {
            if (i > 0)
                _ = text.Append(", ");
            Argument(text, call, kinds[i], call[i], result);
        }
    }

    private static void Argument(StringBuilder text, in Call call, CallArgument argument, ulong value, long result)
    {
        switch (argument.Kind)
        {
            case ArgumentKind.Int:
                _ = text.Append((int)(value >> 32) is 0 or -1 ? (int)value : (long)value);
                break;
            case ArgumentKind.Descriptor:
                _ = text.Append((int)value);
                break;
            case ArgumentKind.DirectoryDescriptor:
                _ = (int)value == -100 ? text.Append("AT_FDCWD") : text.Append((int)value);
                break;
            case ArgumentKind.Unsigned:
                _ = text.Append(value);
                break;
            case ArgumentKind.Octal:
                _ = text.Append('0').Append(Convert.ToString((long)(value & 0xFFFF), 8));
                break;
            case ArgumentKind.Signal:
                _ = text.Append(SignalName((int)value));
                break;
            case ArgumentKind.OpenFlags:
                OpenFlags(text, (uint)value);
                break;
            case ArgumentKind.Path or ArgumentKind.LinkPath or ArgumentKind.Text when value != 0:
                Text(text, value);
                break;
            case ArgumentKind.In when argument.Related >= 0 && value != 0:
                Bytes(text, value, (long)call[argument.Related]);
                break;
            case ArgumentKind.Out when argument.Related >= 0 && result > 0 && value != 0:
                Bytes(text, value, result);
                break;
            default:
                _ = value == 0 ? text.Append(argument.Kind == ArgumentKind.Hex ? "0" : "NULL") : text.Append("0x").Append(value.ToString("x", CultureInfo.InvariantCulture));
                break;
        }
    }

    private static void Text(StringBuilder text, ulong address)
    {
        if (Paths.Read(address, out string path) < 0)
        {
            _ = text.Append("0x").Append(address.ToString("x", CultureInfo.InvariantCulture));
            return;
        }
        Quote(text, path);
    }

    private static void Bytes(StringBuilder text, ulong address, long length)
    {
        Span<byte> buffer = stackalloc byte[ShownBytes];
        buffer = buffer[..(int)Math.Clamp(length, 0, ShownBytes)];
        if (!GuestMemory.TryRead(address, buffer))
        {
            _ = text.Append("0x").Append(address.ToString("x", CultureInfo.InvariantCulture));
            return;
        }
        Quote(text, GuestText.Decode(buffer));
        if (length > ShownBytes)
            _ = text.Append("...");
    }

    private static void Quote(StringBuilder text, string bytes)
    {
        _ = text.Append('"');
        foreach (char c in bytes)
        {
            _ = c switch
            {
                '\n' => text.Append("\\n"),
                '\t' => text.Append("\\t"),
                '\r' => text.Append("\\r"),
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                >= ' ' and < (char)127 => text.Append(c),
                _ => text.Append('\\').Append(Convert.ToString(c, 8)),
            };
        }
        _ = text.Append('"');
    }

    private static void OpenFlags(StringBuilder text, uint flags)
    {
        _ = text.Append((flags & 3) switch { 0 => "O_RDONLY", 1 => "O_WRONLY", 2 => "O_RDWR", _ => "3" });
        (uint Bit, string Name)[] names =
        [
            (0x40, "O_CREAT"), (0x80, "O_EXCL"), (0x100, "O_NOCTTY"), (0x200, "O_TRUNC"), (0x400, "O_APPEND"), (0x800, "O_NONBLOCK"),
            (0x4000, "O_DIRECT"), (0x8000, "O_LARGEFILE"), (0x10000, "O_DIRECTORY"), (0x20000, "O_NOFOLLOW"), (0x80000, "O_CLOEXEC"), (0x200000, "O_PATH"),
        ];
        uint rest = flags & ~3u;
        foreach ((uint bit, string name) in names)
        {
            if ((rest & bit) != 0)
                _ = text.Append('|').Append(name);
            rest &= ~bit;
        }
        if (rest != 0)
            _ = text.Append("|0x").Append(rest.ToString("x", CultureInfo.InvariantCulture));
    }

    private static string SignalName(int signal)
    {
        string[] names =
        [
            "0", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE",
            "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM",
            "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
        ];
        return (uint)signal < (uint)names.Length ? names[signal] : string.Create(CultureInfo.InvariantCulture, $"SIGRT_{signal - 32}");
    }

    private void Write(string line)
    {
        byte[] bytes = GuestText.Encode(line);
        using var scratch = new HostScratch(bytes.Length + 64);
        bytes.CopyTo(scratch.Take(bytes.Length, out long address));
        _ = HostSyscall.Invoke(SysWrite, _descriptor, address, bytes.Length);
    }
}
