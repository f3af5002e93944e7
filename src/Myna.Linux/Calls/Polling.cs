using System.Buffers.Binary;
using Myna.Host;
using Myna.Linux.Loading;
using Myna.Linux.Signals;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Waiting for descriptors: struct epoll_event, which x86 packs, and signal masks, whose numbers are the host's.</summary>
internal static class Polling
{
    private const int Packed = 12, Aligned = 16;
    private const int MaxEvents = 4096;

    // x86-64 says so; i386 aligns 64-bit numbers to 4 bytes anyway.
    private static bool IsPacked(AbiKind abi) => abi is AbiKind.X64 or AbiKind.I386;

    public static long EpollControl(in Call call)
    {
        if (call.Process.Descriptors.IsHidden((int)call.A0) || call.Process.Descriptors.IsHidden((int)call.A2))
            return -EBADF;
        if (IsPacked(call.Abi) || call.A3 == 0)
            return call.Pass();
        Span<byte> packed = call.Scratch.Take(Packed, out long address);
        // The kernel reads the event for all operations but EPOLL_CTL_DEL (2).
        if ((int)call.A1 != 2)
        {
            Span<byte> aligned = stackalloc byte[Aligned];
            if (!GuestMemory.TryRead(call.A3, aligned))
                return -EFAULT;
            aligned[..4].CopyTo(packed);
            aligned[8..].CopyTo(packed[4..]);
        }
        return call.Host((long)call.A0, (long)call.A1, (long)call.A2, address);
    }

    /// <summary>epoll_wait, epoll_pwait and epoll_pwait2: the first three arguments and the mask's place are the same.</summary>
    public static long EpollWait(in Call call)
    {
        long mask = 0;
        bool masked = call.Row.RiscV64 >= 0;
        if (masked && call.A4 != 0)
        {
            long result = Mask(call, call.A4, call.A5, out mask);
            if (result < 0)
                return result;
        }
        int max = (int)call.A2;
        if (max <= 0)
            return -EINVAL;
        if (IsPacked(call.Abi))
            return call.Host((long)call.A0, (long)call.A1, max, (long)call.A3, mask, 8);
        max = Math.Min(max, MaxEvents);
        Span<byte> packed = call.Scratch.Take(max * Packed, out long address);
        long count = call.Host((long)call.A0, address, max, (long)call.A3, mask, 8);
        Span<byte> aligned = stackalloc byte[Aligned];
        aligned.Clear();
        for (int i = 0; i < count; i++)
        {
            Span<byte> one = packed.Slice(i * Packed, Packed);
            one[..4].CopyTo(aligned);
            one[4..].CopyTo(aligned[8..]);
            if (!GuestMemory.TryWrite(call.A1 + (ulong)(i * Aligned), aligned))
                return -EFAULT;
        }
        return count;
    }

    public static long PPoll(in Call call)
    {
        long mask = 0, result = call.A3 == 0 ? 0 : Mask(call, call.A3, call.A4, out mask);
        return result < 0 ? result : call.Host((long)call.A0, (long)call.A1, (long)call.A2, mask, 8);
    }

    /// <summary>The sixth argument points to the mask's address and its size.</summary>
    public static long PSelect(in Call call)
    {
        if (call.A5 == 0)
            return call.Pass();
        if (!GuestMemory.TryRead(call.A5, out ulong address) || !GuestMemory.TryRead(call.A5 + 8, out ulong size))
            return -EFAULT;
        if (address == 0)
            return call.Pass();
        long result = Mask(call, address, size, out long mask);
        if (result < 0)
            return result;
        Span<byte> pair = call.Scratch.Take(16, out long pairAddress);
        BinaryPrimitives.WriteInt64LittleEndian(pair, mask);
        BinaryPrimitives.WriteInt64LittleEndian(pair[8..], 8);
        return call.Host((long)call.A0, (long)call.A1, (long)call.A2, (long)call.A3, (long)call.A4, pairAddress);
    }

    /// <remarks>LIMIT: a record read from the descriptor names signal 34 as 64.</remarks>
    public static long SignalDescriptor(in Call call)
    {
        long result = Mask(call, call.A1, call.A2, out long mask);
        return result < 0 ? result : call.Host((int)call.A0, mask, 8, (long)call.A3);
    }

    internal static long Mask(in Call call, ulong guest, ulong size, out long host)
    {
        // SIGILL, SIGTRAP, SIGBUS, SIGFPE and SIGSEGV of the host tell Myna of the guest's faults: never blocked.
        const ulong faults = 1UL << 3 | 1UL << 4 | 1UL << 6 | 1UL << 7 | 1UL << 10;
        host = 0;
        if (size != 8)
            return -EINVAL;
        if (!GuestMemory.TryRead(guest, out ulong mask))
            return -EFAULT;
        host = call.Scratch.Put(SignalNumbers.ToHostMask(mask) & ~faults);
        return 0;
    }
}
