using Myna.Host;

namespace Myna.Linux.Loading;

/// <summary>A host file that is opened to be executed.</summary>
internal sealed class HostFile : IDisposable
{
    private const long SysPread64 = 17, SysOpenAt = 257, SysClose = 3, SysFstat = 5, SysFaccessAt2 = 439;
    private const long AT_FDCWD = -100, O_CLOEXEC = 0x80000, AT_EACCESS = 0x200;
    private const uint S_IFMT = 0xF000, S_IFREG = 0x8000, S_IFDIR = 0x4000;

    private readonly HostScratch _scratch = new(72 * 1024);

    private HostFile(string path) => Path = path;

    public string Path { get; }
    public int Descriptor { get; private set; } = -1;
    public long Length { get; private set; }

    /// <param name="path">Bytes as in <see cref="GuestText"/>.</param>
    /// <param name="shown">For messages.</param>
    /// <exception cref="LoadException">It is not there, is no regular file or may not be executed.</exception>
    public static HostFile Open(string path, string shown)
    {
        var file = new HostFile(path);
        try
        {
            HostScratch scratch = file._scratch;
            long name = scratch.Put(path);
            long fd = HostSyscall.Invoke(SysOpenAt, AT_FDCWD, name, O_CLOEXEC);
            if (fd < 0)
                throw Failure(shown, (int)-fd);
            file.Descriptor = (int)fd;
            // struct stat of x86-64: st_mode at 24, st_size at 48.
            Span<byte> stat = scratch.Take(144, out long statAddress);
            long result = HostSyscall.Invoke(SysFstat, fd, statAddress);
            if (result < 0)
                throw Failure(shown, (int)-result);
            uint mode = BitConverter.ToUInt32(stat[24..]) & S_IFMT;
            if (mode != S_IFREG)
                throw new LoadException(mode == S_IFDIR ? $"{shown} is a directory; give the program inside it" : $"{shown} is no regular file and cannot be executed", Errno.EACCES);
            result = HostSyscall.Invoke(SysFaccessAt2, AT_FDCWD, name, 1, AT_EACCESS);
            if (result == -Errno.EACCES)
                throw new LoadException($"{shown} may not be executed; chmod +x makes it a program", Errno.EACCES);
            file.Length = BitConverter.ToInt64(stat[48..]);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static LoadException Failure(string shown, int errno) => errno switch
    {
        Errno.ENOENT or Errno.ENOTDIR => new($"{shown}: there is no such program", errno),
        Errno.EACCES => new($"{shown} may not be read; Myna needs that to execute it", errno),
        Errno.ELOOP => new($"{shown}: its symbolic links go round in a circle", errno),
        Errno.EMFILE => new($"{shown} cannot be opened: this process may have no more files open; raise the limit, as in: ulimit -n 1024", errno),
        _ => new($"{shown} cannot be opened ({Errno.Name(errno)})", errno),
    };

    /// <summary>Reads bytes at an offset, fewer at the file's end.</summary>
    /// <param name="length">At most 64 KiB.</param>
    public byte[] Read(long offset, int length)
    {
        _scratch.Reset();
        Span<byte> buffer = _scratch.Take(length, out long address);
        int done = 0;
        while (done < length)
        {
            long n = HostSyscall.Invoke(SysPread64, Descriptor, address + done, length - done, offset + done);
            if (n == -Errno.EINTR)
                continue;
            if (n <= 0)
                break;
            done += (int)n;
        }
        return buffer[..done].ToArray();
    }

    public void Dispose()
    {
        if (Descriptor >= 0)
            _ = HostSyscall.Invoke(SysClose, Descriptor);
        Descriptor = -1;
        _scratch.Dispose();
    }
}
