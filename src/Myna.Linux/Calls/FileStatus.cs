using System.Buffers.Binary;
using Myna.Host;
using Myna.Linux.Loading;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>struct stat, the one structure of files that x86-64 has for itself.</summary>
internal static class FileStatus
{
    private const int HostSize = 144, GenericSize = 128;

    public static long FStat(in Call call)
    {
        if (call.Process.Descriptors.IsHidden((int)call.A0))
            return -EBADF;
        if (call.Abi == AbiKind.X64)
            return call.Pass();
        Span<byte> host = call.Scratch.Take(HostSize, out long address);
        long result = call.Host((long)call.A0, address);
        return result < 0 ? result : Write(host, call.A1);
    }

    public static long FStatAt(in Call call)
    {
        if (call.Abi == AbiKind.X64)
            return Paths.Pass(call);
        long result = Paths.Translate(call, call.A1, (call.A3 & 0x100) == 0, out long path);
        if (result < 0)
            return result;
        Span<byte> host = call.Scratch.Take(HostSize, out long address);
        result = call.Host((int)call.A0, path, address, (long)call.A3);
        return result < 0 ? result : Write(host, call.A2);
    }

    private static long Write(ReadOnlySpan<byte> host, ulong to)
    {
        Span<byte> generic = stackalloc byte[GenericSize];
        ToGeneric(host, generic);
        return GuestMemory.TryWrite(to, generic) ? 0 : -EFAULT;
    }

    /// <summary>From arch/x86/include/uapi/asm/stat.h to asm-generic/stat.h.</summary>
    internal static void ToGeneric(ReadOnlySpan<byte> host, Span<byte> generic)
    {
        generic.Clear();
        host[..16].CopyTo(generic);                                                               // st_dev, st_ino
        host.Slice(24, 4).CopyTo(generic[16..]);                                                  // st_mode
        ulong links = BinaryPrimitives.ReadUInt64LittleEndian(host[16..]);
        BinaryPrimitives.WriteUInt32LittleEndian(generic[20..], (uint)Math.Min(links, uint.MaxValue)); // st_nlink
        host.Slice(28, 8).CopyTo(generic[24..]);                                                  // st_uid, st_gid
        host.Slice(40, 8).CopyTo(generic[32..]);                                                  // st_rdev
        host.Slice(48, 8).CopyTo(generic[48..]);                                                  // st_size
        host.Slice(56, 4).CopyTo(generic[56..]);                                                  // st_blksize
        host.Slice(64, 56).CopyTo(generic[64..]);                                                 // st_blocks, st_atime .. st_ctime_nsec
    }
}
