using Myna.Host;
using Myna.Linux.Loading;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>
/// execve(2): a guest program is executed by Myna again, in the same process; a program for the host as it is.
/// LIMIT: on the .NET runtime, a guest program's start knows nothing of a SIGPIPE that was ignored.
/// </summary>
internal static class ExecCalls
{
    private const int StringLimit = 128 * 1024, TotalLimit = 8 << 20, AT_FDCWD = -100;
    private const ulong AT_EMPTY_PATH = 0x1000;

    public static long Execute(in Call call) => Execute(call, AT_FDCWD, call.A0, call.A1, call.A2, 0);

    public static long ExecuteAt(in Call call) => Execute(call, (int)call.A0, call.A1, call.A2, call.A3, call.A4);

    private static long Execute(in Call call, int directory, ulong pathAddress, ulong argv, ulong envp, ulong flags)
    {
        const ulong AT_SYMLINK_NOFOLLOW = 0x100;
        const long SysFcntl = 72, F_GETFD = 1;
        LinuxProcess process = call.Process;
        if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0)
            return -EINVAL;
        long result = Paths.Read(pathAddress, out string path);
        if (result < 0)
            return result;
        if (path.Length == 0 && (flags & AT_EMPTY_PATH) == 0)
            return -ENOENT;
        if (directory != AT_FDCWD && !path.StartsWith('/'))
        {
            if (process.Descriptors.IsHidden(directory) || HostSyscall.Invoke(SysFcntl, directory, F_GETFD) < 0)
                return -EBADF;
            string link = $"/proc/self/fd/{directory}";
            // The descriptor may be one that execve closes: its file's name is what lasts.
            string folder = new FileInfo(link).LinkTarget is ['/', ..] file ? GuestText.FromHost(file) : link;
            path = path.Length == 0 ? folder : $"{folder}/{path}";
        }
        if ((flags & AT_SYMLINK_NOFOLLOW) != 0 && path.Length != 0 && ProcFiles.LinkOf(call.Scratch, Paths.ToHost(call, path, follow: false)) is not null)
            return -ELOOP;
        int total = 0;
        int pointer = call.Abi == AbiKind.I386 ? 4 : 8;
        if ((result = ReadStrings(argv, pointer, ref total, out List<string> arguments)) < 0
            || (result = ReadStrings(envp, pointer, ref total, out List<string> environment)) < 0)
            return result;
        Target target;
        bool self = process.ProcFiles.IsExecutableLink(path);
        try
        {
            target = self ? process.Target : Loader.TargetOf(process.Sysroot, path);
        }
        catch (LoadException e)
        {
            return -e.Errno;
        }
        if (self)
            path = process.Image.Path;
        IReadOnlyList<string> relaunch = process.Options.Relaunch;
        if ((target == Target.X64 && process.Target != Target.X64) || relaunch.Count == 0)
            return Replace(Paths.ToHost(call, path, follow: true), arguments, environment);
        List<string> words = [.. relaunch, "--arch", target.Name, "--argv0", arguments.Count == 0 ? "" : arguments[0], "--", path, .. arguments.Skip(1)];
        if (process.Options.RelaunchDescriptor >= 0)
            return Replace(process.Options.RelaunchDescriptor, "", words, environment);
        environment = RuntimeSettings.EnvironmentFor(environment);
        words = RuntimeSettings.WithPlaceholders(words, environment);
        return Replace(words[0], words, environment);
    }

    private static long ReadStrings(ulong address, int pointerSize, ref int total, out List<string> strings)
    {
        strings = [];
        if (address == 0)
            return 0;
        byte[] buffer = new byte[StringLimit];
        for (; ; address += (ulong)pointerSize)
        {
            ulong pointer = 0;
            if (!GuestMemory.TryRead(address, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<ulong>(ref pointer))[..pointerSize]))
                return -EFAULT;
            if (pointer == 0)
                return 0;
            int length = GuestMemory.ReadString(pointer, buffer, StringLimit);
            if (length < 0)
                return length == -ENAMETOOLONG ? -E2BIG : length;
            total += length + 1 + 8;
            if (total > TotalLimit)
                return -E2BIG;
            strings.Add(GuestText.Decode(buffer.AsSpan(0, length)));
        }
    }

    // Comes back only when it fails.
    private static long Replace(string path, List<string> arguments, List<string> environment) => Replace(AT_FDCWD, path, arguments, environment);

    private static long Replace(int directory, string path, List<string> arguments, List<string> environment)
    {
        const long SysExecveAt = 322;
        int size = path.Length + 64;
        foreach (string s in arguments.Concat(environment))
            size += s.Length + 32;
        size += 8 * (arguments.Count + environment.Count + 2);
        using var scratch = new HostScratch(size + 4096);
        long file = scratch.Put(path);
        long argv = Vector(scratch, arguments), envp = Vector(scratch, environment);
        return HostSyscall.Invoke(SysExecveAt, directory, file, argv, envp, directory == AT_FDCWD ? 0 : (long)AT_EMPTY_PATH);
    }

    private static long Vector(HostScratch scratch, List<string> strings)
    {
        long[] addresses = new long[strings.Count + 1];
        for (int i = 0; i < strings.Count; i++)
            addresses[i] = scratch.Put(strings[i]);
        Span<byte> vector = scratch.Take(8 * addresses.Length, out long address);
        for (int i = 0; i < addresses.Length; i++)
            _ = BitConverter.TryWriteBytes(vector[(8 * i)..], addresses[i]);
        return address;
    }
}
