using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Myna.Host;

/// <summary>What a file system did with a request about a file's blocks.</summary>
public enum FileSpaceResult { Done, NotSupported, NoSpace, Failed }

/// <summary>Deallocates and zeroes parts of files, and sizes what has no length of its own.</summary>
public static class FileSpace
{
    private const int ENOSPC = 28, EOPNOTSUPP = 95, ENOSYS = 38, ENODEV = 19;

    /// <summary>Makes the range a hole that reads as zeroes; the file keeps its length.</summary>
    public static FileSpaceResult Punch(SafeFileHandle file, ulong offset, ulong length)
        => Allocate(file, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, offset, length);

    /// <summary>Makes the range read as zeroes with blocks reserved for it.</summary>
    public static FileSpaceResult Zero(SafeFileHandle file, ulong offset, ulong length)
        => Allocate(file, Libc.FALLOC_FL_ZERO_RANGE, offset, length);

    /// <summary>Whether a path names a pipe or the like, which has no positions. An ordinary open would wait for its other end.</summary>
    public static bool IsPipe(string path)
    {
        int file = Libc.open(path, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_CLOEXEC);
        if (file < 0)
            return false;
        bool pipe = Libc.lseek(file, 0, Libc.SEEK_END) < 0 && Marshal.GetLastPInvokeError() == Libc.ESPIPE;
        _ = Libc.close(file);
        return pipe;
    }

    /// <summary>Length in bytes of a file or a block device.</summary>
    /// <exception cref="IOException">It cannot be sized (a pipe, a terminal).</exception>
    public static ulong Length(SafeFileHandle file)
    {
        bool held = false;
        try
        {
            file.DangerousAddRef(ref held);
            long end = Libc.lseek((int)file.DangerousGetHandle(), 0, Libc.SEEK_END);
            return end < 0 ? throw Libc.Error("cannot find out the length") : (ulong)end;
        }
        finally
        {
            if (held)
                file.DangerousRelease();
        }
    }

    private static FileSpaceResult Allocate(SafeFileHandle file, int mode, ulong offset, ulong length)
    {
        bool held = false;
        try
        {
            file.DangerousAddRef(ref held);
            if (Libc.fallocate((int)file.DangerousGetHandle(), mode, (long)offset, (long)length) == 0)
                return FileSpaceResult.Done;
            return Marshal.GetLastPInvokeError() switch
            {
                EOPNOTSUPP or ENOSYS or ENODEV => FileSpaceResult.NotSupported,
                ENOSPC => FileSpaceResult.NoSpace,
                _ => FileSpaceResult.Failed,
            };
        }
        finally
        {
            if (held)
                file.DangerousRelease();
        }
    }
}
