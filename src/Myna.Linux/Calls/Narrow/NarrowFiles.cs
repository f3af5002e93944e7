using Myna.Host;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>Files for 32-bit ABIs: structures, and 64-bit numbers in two registers.</summary>
internal static class NarrowFiles
{
    private const long SysNewFStatAt = 262, SysFStat = 5, SysStatFs = 137, SysFStatFs = 138;
    private const int AT_FDCWD = -100;
    private const ulong AT_SYMLINK_NOFOLLOW = 0x100;

    // Status.

    public static long Stat64(in Call call) => StatPath(call, AT_FDCWD, call.A0, 0, call.A1, old: false);
    public static long LStat64(in Call call) => StatPath(call, AT_FDCWD, call.A0, AT_SYMLINK_NOFOLLOW, call.A1, old: false);
    public static long FStatAt64(in Call call) => StatPath(call, (int)call.A0, call.A1, call.A3, call.A2, old: false);
    public static long FStat64(in Call call) => StatDescriptor(call, old: false);
    public static long Stat(in Call call) => StatPath(call, AT_FDCWD, call.A0, 0, call.A1, old: true);
    public static long LStat(in Call call) => StatPath(call, AT_FDCWD, call.A0, AT_SYMLINK_NOFOLLOW, call.A1, old: true);
    public static long FStat(in Call call) => StatDescriptor(call, old: true);

    private static long StatPath(in Call call, int directory, ulong pathAddress, ulong flags, ulong to, bool old)
    {
        long result = Paths.Translate(call, pathAddress, (flags & AT_SYMLINK_NOFOLLOW) == 0, out long path);
        if (result < 0)
            return result;
        Span<byte> host = call.Scratch.Take(144, out long address);
        result = HostSyscall.InvokeInterruptible(SysNewFStatAt, directory, path, address, (long)flags);
        return result < 0 ? result : WriteStat(call, host, to, old);
    }

    private static long StatDescriptor(in Call call, bool old)
    {
        if (call.Process.Descriptors.IsHidden((int)call.A0))
            return -EBADF;
        Span<byte> host = call.Scratch.Take(144, out long address);
        long result = HostSyscall.InvokeInterruptible(SysFStat, (int)call.A0, address);
        return result < 0 ? result : WriteStat(call, host, call.A1, old);
    }

    private static long WriteStat(in Call call, ReadOnlySpan<byte> host, ulong to, bool old)
    {
        Span<byte> narrow = stackalloc byte[112];
        narrow.Clear();
        int size;
        if (old)
        {
            if (Wide(host, 48) > int.MaxValue || Wide(host, 8) > uint.MaxValue || Wide(host, 16) > ushort.MaxValue)
                return -EOVERFLOW;
            size = OldStat(call, host, narrow);
        }
        else
        {
            size = Stat64(call, host, narrow);
        }
        return GuestMemory.TryWrite(to, narrow[..size]) ? 0 : -EFAULT;
    }

    /// <summary>struct stat64 of arch/x86/include/uapi/asm/stat.h, which arm has too; the host's offsets are x86-64's.</summary>
    internal static int Stat64(in Call call, ReadOnlySpan<byte> host, Span<byte> narrow)
    {
        var w = new FieldWriter(narrow, call.Abi);
        w.Wide(Wide(host, 0));              // st_dev
        w.Skip(4);
        w.Word(Wide(host, 8));              // __st_ino
        w.Word(Word(host, 24));             // st_mode
        w.Word(Wide(host, 16));             // st_nlink
        w.Word(Word(host, 28));             // st_uid
        w.Word(Word(host, 32));             // st_gid
        w.Wide(Wide(host, 40));             // st_rdev
        w.Skip(4);
        w.Wide(Wide(host, 48));             // st_size
        w.Word(Wide(host, 56));             // st_blksize
        w.Wide(Wide(host, 64));             // st_blocks
        for (int at = 72; at < 120; at += 8)
            w.Word(Wide(host, at));         // st_atime .. st_ctime_nsec
        w.Wide(Wide(host, 8));              // st_ino
        return w.At;
    }

    // struct stat of the same file.
    private static int OldStat(in Call call, ReadOnlySpan<byte> host, Span<byte> narrow)
    {
        var w = new FieldWriter(narrow, call.Abi);
        w.Word(Wide(host, 0));
        w.Word(Wide(host, 8));
        w.Half(Word(host, 24));
        w.Half(Wide(host, 16));
        w.Half(NarrowIds.ToHalf(Word(host, 28)));
        w.Half(NarrowIds.ToHalf(Word(host, 32)));
        w.Word(Wide(host, 40));
        w.Word(Wide(host, 48));
        w.Word(Wide(host, 56));
        w.Word(Wide(host, 64));
        for (int at = 72; at < 120; at += 8)
            w.Word(Wide(host, at));
        w.Skip(8);
        return w.At;
    }

    public static long StatFs(in Call call) => StatFs(call, call.A0, isPath: true, call.A1, wide: false);
    public static long FStatFs(in Call call) => StatFs(call, call.A0, isPath: false, call.A1, wide: false);
    public static long StatFs64(in Call call) => StatFs(call, call.A0, isPath: true, call.A2, wide: true);
    public static long FStatFs64(in Call call) => StatFs(call, call.A0, isPath: false, call.A2, wide: true);

    private static long StatFs(in Call call, ulong what, bool isPath, ulong to, bool wide)
    {
        // sizeof(struct statfs64): i386 has no padding at its end.
        if (wide && call.A1 != (NarrowLayout.WideAlignment(call.Abi) == 4 ? 84u : 88))
            return -EINVAL;
        long name = (long)what, result = isPath ? Paths.Translate(call, what, true, out name) : 0;
        if (result < 0)
            return result;
        Span<byte> host = call.Scratch.Take(120, out long address);
        result = HostSyscall.InvokeInterruptible(isPath ? SysStatFs : SysFStatFs, name, address);
        if (result < 0)
            return result;
        Span<byte> narrow = stackalloc byte[96];
        narrow.Clear();
        var w = new FieldWriter(narrow, call.Abi);
        w.Word(Wide(host, 0));
        w.Word(Wide(host, 8));
        for (int at = 16; at < 56; at += 8)     // f_blocks, f_bfree, f_bavail, f_files, f_ffree
        {
            ulong value = Wide(host, at);
            if (wide)
                w.Wide(value);
            else if (value > uint.MaxValue && value != ulong.MaxValue)
                return -EOVERFLOW;
            else
                w.Word(value);
        }
        w.Word(Word(host, 56));                 // f_fsid
        w.Word(Word(host, 60));
        for (int at = 64; at < 88; at += 8)     // f_namelen, f_frsize, f_flags
            w.Word(Wide(host, at));
        w.Skip(16);
        return GuestMemory.TryWrite(to, narrow[..w.At]) ? 0 : -EFAULT;
    }

    // Offsets of 64 bits in two registers, the low half first.

    private static long Pair(ulong low, ulong high) => (long)((uint)low | high << 32);

    public static long PRead(in Call call) => Guarded(call) ?? call.Host((int)call.A0, (long)call.A1, (long)call.A2, Pair(call.A3, call.A4));
    public static long Truncate64(in Call call)
    {
        long result = Paths.Translate(call, call.A0, true, out long path);
        return result < 0 ? result : call.Host(path, Pair(call.A1, call.A2));
    }

    public static long FTruncate64(in Call call) => Guarded(call) ?? call.Host((int)call.A0, Pair(call.A1, call.A2));
    public static long ReadAhead(in Call call) => call.Host((int)call.A0, Pair(call.A1, call.A2), (long)call.A3);
    public static long Advise(in Call call) => call.Host((int)call.A0, Pair(call.A1, call.A2), (long)call.A3, (int)call.A4);
    public static long Advise64(in Call call) => call.Host((int)call.A0, Pair(call.A1, call.A2), Pair(call.A3, call.A4), (int)call.A5);
    public static long SyncRange(in Call call) => call.Host((int)call.A0, Pair(call.A1, call.A2), Pair(call.A3, call.A4), (long)call.A5);
    public static long Allocate(in Call call) => call.Host((int)call.A0, (int)call.A1, Pair(call.A2, call.A3), Pair(call.A4, call.A5));

    private static long? Guarded(in Call call) => call.Process.Descriptors.IsHidden((int)call.A0) ? -EBADF : null;

    public static long Mark(in Call call)
    {
        long result = Paths.Translate(call, call.A5, true, out long path);
        return result < 0 ? result : call.Host((int)call.A0, (long)call.A1, Pair(call.A2, call.A3), (int)call.A4, path);
    }

    public static long Seek(in Call call)
    {
        long result = call.Host((int)call.A0, (int)call.A1, (int)call.A2);
        return result > int.MaxValue ? -EOVERFLOW : result;
    }

    /// <summary>_llseek(2): the high half comes first, and the result goes to memory.</summary>
    public static long SeekFar(in Call call)
    {
        long result = call.Host((int)call.A0, Pair(call.A2, call.A1), (int)call.A4);
        return result < 0 ? result : GuestMemory.TryWrite(call.A3, result) ? 0 : -EFAULT;
    }

    public static long SendFile(in Call call)
    {
        if (call.A2 == 0)
            return call.Pass();
        if (!GuestMemory.TryRead(call.A2, out int offset))
            return -EFAULT;
        ref long wide = ref call.Scratch.Take<long>(out long address);
        wide = offset;
        long result = call.Host((int)call.A0, (int)call.A1, address, (long)call.A3);
        return result < 0 || GuestMemory.TryWrite(call.A2, (int)wide) ? result : -EFAULT;
    }

    // Vectors.

    /// <summary>readv and its like with two arguments behind the descriptor.</summary>
    public static long Vector(in Call call)
    {
        long result = NarrowVectors.Read(call, call.A1, (int)call.A2, out long vector);
        return result < 0 ? result : call.Host((int)call.A0, vector, (int)call.A2);
    }

    /// <summary>preadv and pwritev: the host takes the offset whole in its fourth argument.</summary>
    public static long VectorAt(in Call call)
    {
        long result = NarrowVectors.Read(call, call.A1, (int)call.A2, out long vector);
        return result < 0 ? result : call.Host((int)call.A0, vector, (int)call.A2, Pair(call.A3, call.A4), 0, (long)call.A5);
    }

    public static long Splice(in Call call)
    {
        long result = NarrowVectors.Read(call, call.A1, (int)call.A2, out long vector);
        return result < 0 ? result : call.Host((int)call.A0, vector, (long)call.A2, (long)call.A3);
    }

    /// <summary>process_vm_readv and process_vm_writev.</summary>
    public static long ProcessVectors(in Call call)
    {
        long result = NarrowVectors.Read(call, call.A1, (int)call.A2, out long local);
        if (result < 0 || (result = NarrowVectors.Read(call, call.A3, (int)call.A4, out long remote)) < 0)
            return result;
        return call.Host((int)call.A0, local, (long)call.A2, remote, (long)call.A4, (long)call.A5);
    }

    // Directories.

    /// <summary>getdents(2): struct linux_dirent has 32-bit numbers; the record's kind is its last byte. Both 64-bit calls serve as source.</summary>
    public static long Entries(in Call call)
    {
        const long SysGetdents64 = 217;
        const int HeaderHost = 19, HeaderNarrow = 10;
        if (call.Process.Descriptors.IsHidden((int)call.A0))
            return -EBADF;
        int room = (int)Math.Min(call.A2, 32 * 1024);
        // A narrow record is never longer than the host's.
        Span<byte> host = call.Scratch.Take(room, out long address);
        long count = HostSyscall.InvokeInterruptible(SysGetdents64, (int)call.A0, address, room);
        if (count <= 0)
            return count;
        Span<byte> to = call.Scratch.Take(room, out _);
        int used = 0;
        for (int at = 0; at < count;)
        {
            int length = host[at + 16] | host[at + 17] << 8;
            ReadOnlySpan<byte> name = host.Slice(at + HeaderHost, length - HeaderHost);
            name = name[..name.IndexOf((byte)0)];
            int size = (HeaderNarrow + name.Length + 2 + 3) & ~3;
            Span<byte> record = to.Slice(used, size);
            PutWord(record, 0, Wide(host, at));
            PutWord(record, 4, Wide(host, at + 8));
            record[8] = (byte)size;
            record[9] = (byte)(size >> 8);
            name.CopyTo(record[HeaderNarrow..]);
            record[size - 1] = host[at + 18];
            used += size;
            at += length;
        }
        return GuestMemory.TryWrite(call.A1, to[..used]) ? used : -EFAULT;
    }

    // Locks.

    /// <summary>fcntl(2) with struct flock of 32-bit offsets.</summary>
    public static long Control(in Call call) => Control(call, wide: false);

    /// <summary>fcntl64(2): F_GETLK64 and its like have struct flock64; the old commands the old structure.</summary>
    public static long Control64(in Call call) => Control(call, wide: true);

    private static long Control(in Call call, bool wide)
    {
        const int F_GETLK = 5, F_SETLK = 6, F_SETLKW = 7, F_GETLK64 = 12, F_SETLK64 = 13, F_SETLKW64 = 14, F_OFD_GETLK = 36, F_OFD_SETLKW = 38;
        if (call.Process.Descriptors.IsHidden((int)call.A0))
            return -EBADF;
        int command = (int)call.A1;
        bool is64 = command is F_GETLK64 or F_SETLK64 or F_SETLKW64 or >= F_OFD_GETLK and <= F_OFD_SETLKW;
        if (!is64 && command is not (F_GETLK or F_SETLK or F_SETLKW))
            return call.Host((int)call.A0, command, (long)call.A2);
        if (is64 && !wide)
            return -EINVAL;
        Span<byte> narrow = stackalloc byte[32];
        narrow.Clear();
        var sized = new FieldWriter(narrow, call.Abi);
        WriteLock(ref sized, 0, 0, 0, 0, 0, is64);
        narrow = narrow[..sized.At];
        if (!GuestMemory.TryRead(call.A2, narrow))
            return -EFAULT;
        Span<byte> host = call.Scratch.Take(32, out long address);
        var r = new FieldReader(narrow, call.Abi);
        narrow[..4].CopyTo(host);
        _ = r.Half();
        _ = r.Half();
        Put(host, 8, is64 ? r.Wide() : r.Signed());
        Put(host, 16, is64 ? r.Wide() : r.Signed());
        PutWord(host, 24, r.Word());
        bool get = command is F_GETLK or F_GETLK64 or F_OFD_GETLK;
        int native = command is >= F_GETLK64 and <= F_SETLKW64 ? command - F_GETLK64 + F_GETLK : command;
        long result = call.Host((int)call.A0, native, address);
        if (result < 0 || !get)
            return result;
        if (!is64 && (Wide(host, 8) > int.MaxValue || Wide(host, 16) > int.MaxValue))
            return -EOVERFLOW;
        var w = new FieldWriter(narrow, call.Abi);
        WriteLock(ref w, Word(host, 0) & 0xFFFF, Word(host, 0) >> 16, Wide(host, 8), Wide(host, 16), Word(host, 24), is64);
        return GuestMemory.TryWrite(call.A2, narrow) ? result : -EFAULT;
    }

    private static void WriteLock(ref FieldWriter w, ulong type, ulong whence, ulong start, ulong length, ulong pid, bool wide)
    {
        w.Half(type);
        w.Half(whence);
        if (wide)
        {
            w.Wide(start);
            w.Wide(length);
        }
        else
        {
            w.Word(start);
            w.Word(length);
        }
        w.Word(pid);
    }

    /// <summary>ioctl(2): the structures of terminals, files and block devices are the same; those with pointers are translated.</summary>
    /// <remarks>LIMIT: others that hold longs or pointers are handed over as they are.</remarks>
    public static long Device(in Call call)
    {
        const uint SIOCGIFCONF = 0x8912, FS_IOC32_GETFLAGS = 0x8004_6601, FS_IOC32_SETFLAGS = 0x4004_6602, FS_IOC_GETFLAGS = 0x8008_6601, FS_IOC_SETFLAGS = 0x4008_6602,
            BLKGETSIZE = 0x1260, SIOCGSTAMP_OLD = 0x8906;
        if (call.Process.Descriptors.IsHidden((int)call.A0))
            return -EBADF;
        switch ((uint)call.A1)
        {
            case FS_IOC32_GETFLAGS:
                return call.Host((int)call.A0, FS_IOC_GETFLAGS, (long)call.A2);
            case FS_IOC32_SETFLAGS:
                return call.Host((int)call.A0, FS_IOC_SETFLAGS, (long)call.A2);
            case SIOCGIFCONF:
                return NarrowSockets.Interfaces(call);
            case BLKGETSIZE:
            {
                ref ulong size = ref call.Scratch.Take<ulong>(out long address);
                long result = call.Host((int)call.A0, BLKGETSIZE, address);
                return result < 0 ? result : size > uint.MaxValue ? -EFBIG : GuestMemory.TryWrite(call.A2, (uint)size) ? result : -EFAULT;
            }
            case SIOCGSTAMP_OLD:
            {
                Span<byte> time = call.Scratch.Take(16, out long address);
                long result = call.Host((int)call.A0, SIOCGSTAMP_OLD, address);
                return result < 0 ? result : NarrowTime.WriteTimeOld(call.A2, time) ? result : -EFAULT;
            }
            default:
                return call.Host((int)call.A0, (long)(uint)call.A1, (long)call.A2);
        }
    }
}
