using Myna.Host;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>Sockets for 32-bit ABIs: message headers of 28 bytes, control messages behind headers of 12, times in options.</summary>
internal static class NarrowSockets
{
    private const long SysSocket = 41, SysConnect = 42, SysAccept = 43, SysSendto = 44, SysRecvfrom = 45, SysSendmsg = 46, SysRecvmsg = 47, SysShutdown = 48,
        SysBind = 49, SysListen = 50, SysGetsockname = 51, SysGetpeername = 52, SysSocketpair = 53, SysAccept4 = 288, SysSendmmsg = 307;
    private const int HeaderSize = 28, HostHeaderSize = 56, ControlHeader = 12, HostControlHeader = 16, MaxControl = 16 * 1024, SOL_SOCKET = 1, MaxMessages = 64;
    private const int MultipleSize = HeaderSize + 4, HostMultipleSize = 64;

    /// <summary>socketcall(2): a number and its arguments in memory.</summary>
    public static long Multiplexed(in Call call)
    {
        ReadOnlySpan<byte> counts = [0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4];
        int which = (int)call.A0;
        if (which < 1 || which >= counts.Length)
            return -EINVAL;
        Span<byte> words = stackalloc byte[24];
        words.Clear();
        if (!GuestMemory.TryRead(call.A1, words[..(4 * counts[which])]))
            return -EFAULT;
        Call inner = call.With(Word(words, 0), Word(words, 4), Word(words, 8), Word(words, 12), Word(words, 16), Word(words, 20));
        long fd = (int)inner.A0;
        // The kernel may store into a buffer of a receiving call.
        if (which is 10 or 12)
            call.Process.Memory.Translator?.PrepareWrite(inner.A1, inner.A2);
        return which switch
        {
            1 => Host(SysSocket, fd, (int)inner.A1, (int)inner.A2),
            2 => SocketCalls.Address(inner, SysBind),
            3 => SocketCalls.Address(inner, SysConnect),
            4 => Host(SysListen, fd, (int)inner.A1),
            5 => Host(SysAccept, fd, (long)inner.A1, (long)inner.A2),
            6 => Host(SysGetsockname, fd, (long)inner.A1, (long)inner.A2),
            7 => Host(SysGetpeername, fd, (long)inner.A1, (long)inner.A2),
            8 => Host(SysSocketpair, fd, (int)inner.A1, (int)inner.A2, (long)inner.A3),
            9 => Host(SysSendto, fd, (long)inner.A1, (long)inner.A2, (long)inner.A3),
            10 => Host(SysRecvfrom, fd, (long)inner.A1, (long)inner.A2, (long)inner.A3),
            11 => Host(SysSendto, fd, (long)inner.A1, (long)inner.A2, (long)inner.A3, (long)inner.A4, (long)inner.A5),
            12 => Host(SysRecvfrom, fd, (long)inner.A1, (long)inner.A2, (long)inner.A3, (long)inner.A4, (long)inner.A5),
            13 => Host(SysShutdown, fd, (int)inner.A1),
            14 => SetOption(inner),
            15 => GetOption(inner),
            16 => Send(inner),
            17 => Receive(inner),
            18 => Host(SysAccept4, fd, (long)inner.A1, (long)inner.A2, (long)inner.A3),
            19 => ReceiveMany(inner),
            _ => SendMany(inner),
        };
    }

    private static long Host(long number, long a0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
        => HostSyscall.InvokeInterruptible(number, a0, a1, a2, a3, a4, a5);

    // Headers.

    public static long Send(in Call call)
    {
        Span<byte> host = call.Scratch.Take(HostHeaderSize, out long address);
        long result = ReadHeader(call, call.A1, host, sending: true);
        return result < 0 ? result : Host(SysSendmsg, (int)call.A0, address, (long)call.A2);
    }

    public static long Receive(in Call call)
    {
        Span<byte> host = call.Scratch.Take(HostHeaderSize, out long address);
        long result = ReadHeader(call, call.A1, host, sending: false);
        if (result < 0)
            return result;
        result = Host(SysRecvmsg, (int)call.A0, address, (long)call.A2);
        return result < 0 || WriteHeader(call.A1, host) ? result : -EFAULT;
    }

    public static long SendMany(in Call call)
    {
        int count = (int)Math.Min(call.A2, MaxMessages);
        Span<byte> host = call.Scratch.Take(Math.Max(count, 1) * HostMultipleSize, out long address);
        for (int i = 0; i < count; i++)
        {
            long result = ReadHeader(call, call.A1 + (ulong)(i * MultipleSize), host[(i * HostMultipleSize)..], sending: true);
            if (result < 0)
                return result;
        }
        long sent = Host(SysSendmmsg, (int)call.A0, address, count, (long)call.A3);
        for (int i = 0; i < sent; i++)
        {
            if (!GuestMemory.TryWrite(call.A1 + (ulong)((i * MultipleSize) + HeaderSize), Word(host, (i * HostMultipleSize) + HostHeaderSize)))
                return -EFAULT;
        }
        return sent;
    }

    public static long ReceiveMany(in Call call) => ReceiveMany(call, wide: false);

    public static long ReceiveMany64(in Call call) => ReceiveMany(call, wide: true);

    private static long ReceiveMany(in Call call, bool wide)
    {
        const long SysRecvmmsg = 299;
        int count = (int)Math.Min(call.A2, MaxMessages);
        Span<byte> host = call.Scratch.Take(Math.Max(count, 1) * HostMultipleSize, out long address);
        for (int i = 0; i < count; i++)
        {
            long result = ReadHeader(call, call.A1 + (ulong)(i * MultipleSize), host[(i * HostMultipleSize)..], sending: false, MaxControl / count);
            if (result < 0)
                return result;
        }
        long time = (long)call.A4;
        if (!wide && !NarrowTime.TryRead(call, call.A4, out time))
            return -EFAULT;
        long received = Host(SysRecvmmsg, (int)call.A0, address, count, (long)call.A3, time);
        for (int i = 0; i < received; i++)
        {
            Span<byte> one = host[(i * HostMultipleSize)..];
            if (!WriteHeader(call.A1 + (ulong)(i * MultipleSize), one)
                || !GuestMemory.TryWrite(call.A1 + (ulong)((i * MultipleSize) + HeaderSize), Word(one, HostHeaderSize)))
                return -EFAULT;
        }
        return received;
    }

    // struct msghdr: name, its length, vector, its length, control, its length, flags.
    private static long ReadHeader(in Call call, ulong guest, Span<byte> host, bool sending, int maxControl = MaxControl)
    {
        Span<byte> narrow = stackalloc byte[HeaderSize];
        if (!GuestMemory.TryRead(guest, narrow))
            return -EFAULT;
        ulong name = Word(narrow, 0), control = Word(narrow, 16);
        uint nameLength = Word(narrow, 4);
        int controlLength = (int)Math.Min(Word(narrow, 20), (uint)maxControl);
        long result = NarrowVectors.Read(call, Word(narrow, 8), (int)Word(narrow, 12), out long vector);
        if (result < 0)
            return result == -EINVAL ? -EMSGSIZE : result;
        if (sending && name != 0 && SocketCalls.TranslateName(call, name, (int)nameLength, out long translated, out int length))
        {
            name = (ulong)translated;
            nameLength = (uint)length;
        }
        Put(host, 0, name);
        PutWord(host, 8, nameLength);
        Put(host, 16, (ulong)vector);
        Put(host, 24, Word(narrow, 12));
        PutWord(host, 48, Word(narrow, 24));
        if (control == 0 || controlLength == 0)
            return 0;
        // A header grows by four bytes, and each message is aligned to eight.
        Span<byte> wide = call.Scratch.Take(2 * controlLength + 64, out long wideAddress);
        Put(host, 32, (ulong)wideAddress);
        int used = 2 * controlLength;
        if (sending)
        {
            Span<byte> messages = call.Scratch.Take(controlLength, out _);
            if (!GuestMemory.TryRead(control, messages))
                return -EFAULT;
            used = ToHost(messages, wide);
            if (used < 0)
                return used;
        }
        Put(host, 40, (ulong)used);
        return 0;
    }

    private static int ToHost(ReadOnlySpan<byte> messages, Span<byte> wide)
    {
        int used = 0;
        for (int at = 0; at + ControlHeader <= messages.Length;)
        {
            uint length = Word(messages, at);
            if (length < ControlHeader || length > (uint)(messages.Length - at))
                return -EINVAL;
            int data = (int)length - ControlHeader;
            if (used + HostControlHeader + data > wide.Length)
                return -ENOBUFS;
            Put(wide, used, (ulong)(data + HostControlHeader));
            messages.Slice(at + 4, 8).CopyTo(wide[(used + 8)..]);
            messages.Slice(at + ControlHeader, data).CopyTo(wide[(used + HostControlHeader)..]);
            used += HostControlHeader + (data + 7 & ~7);
            at += (int)(length + 3 & ~3u);
        }
        return Math.Min(used, wide.Length);
    }

    // What the kernel has changed: lengths, flags, control messages.
    private static bool WriteHeader(ulong guest, ReadOnlySpan<byte> host)
    {
        const int SO_TIMESTAMP_OLD = 29, SO_TIMESTAMPNS_OLD = 35, MSG_CTRUNC = 8;
        Span<byte> narrow = stackalloc byte[HeaderSize];
        if (!GuestMemory.TryRead(guest, narrow))
            return false;
        uint flags = Word(host, 48);
        int room = (int)Word(narrow, 20), used = 0;
        ulong control = Word(narrow, 16);
        int length = (int)Wide(host, 40);
        if (control != 0 && length > 0)
        {
            byte[] wide = new byte[length], to = new byte[length + 64];
            _ = Myna.Host.User.SafeMemory.Read(Wide(host, 32), wide);
            for (int at = 0; at + HostControlHeader <= length;)
            {
                int whole = (int)Wide(wide, at), data = whole - HostControlHeader;
                if (data < 0 || at + whole > length)
                    break;
                bool times = Word(wide, at + 8) == SOL_SOCKET && (int)Word(wide, at + 12) is SO_TIMESTAMP_OLD or SO_TIMESTAMPNS_OLD && data == 16;
                int narrowData = times ? 8 : data;
                if (used + ControlHeader > room)
                {
                    flags |= MSG_CTRUNC;
                    break;
                }
                if (used + ControlHeader + narrowData > room)
                {
                    narrowData = room - used - ControlHeader;
                    flags |= MSG_CTRUNC;
                }
                PutWord(to, used, (ulong)(narrowData + ControlHeader));
                wide.AsSpan(at + 8, 8).CopyTo(to.AsSpan(used + 4));
                if (times && narrowData == 8)
                {
                    PutWord(to, used + ControlHeader, Wide(wide, at + HostControlHeader));
                    PutWord(to, used + ControlHeader + 4, Wide(wide, at + HostControlHeader + 8));
                }
                else
                {
                    wide.AsSpan(at + HostControlHeader, narrowData).CopyTo(to.AsSpan(used + ControlHeader));
                }
                used = Math.Min(used + ControlHeader + (narrowData + 3 & ~3), room);
                at += whole + 7 & ~7;
            }
            if (!GuestMemory.TryWrite(control, to.AsSpan(0, used)))
                return false;
        }
        PutWord(narrow, 4, Word(host, 8));
        PutWord(narrow, 20, (ulong)used);
        PutWord(narrow, 24, flags);
        return GuestMemory.TryWrite(guest, narrow);
    }

    // Options.

    private static bool IsTime(in Call call) => (int)call.A1 == SOL_SOCKET && (int)call.A2 is 20 or 21;

    /// <summary>setsockopt: SO_RCVTIMEO and SO_SNDTIMEO have a timeval of longs, SO_ATTACH_FILTER a pointer.</summary>
    public static long SetOption(in Call call)
    {
        const int SO_ATTACH_FILTER = 26;
        if (IsTime(call))
        {
            if (call.A4 < 8)
                return -EINVAL;
            return NarrowTime.TryRead(call, call.A3, out long time) ? Host(54, (int)call.A0, (int)call.A1, (int)call.A2, time, 16) : -EFAULT;
        }
        if ((int)call.A1 == SOL_SOCKET && (int)call.A2 == SO_ATTACH_FILTER && call.A4 == 8)
        {
            Span<byte> program = stackalloc byte[8];
            if (!GuestMemory.TryRead(call.A3, program))
                return -EFAULT;
            Span<byte> host = call.Scratch.Take(16, out long address);
            program[..2].CopyTo(host);
            Put(host, 8, Word(program, 4));
            return Host(54, (int)call.A0, SOL_SOCKET, SO_ATTACH_FILTER, address, 16);
        }
        return Host(54, (int)call.A0, (int)call.A1, (int)call.A2, (long)call.A3, (int)call.A4);
    }

    public static long GetOption(in Call call)
    {
        if (!IsTime(call))
            return Host(55, (int)call.A0, (int)call.A1, (int)call.A2, (long)call.A3, (long)call.A4);
        if (!GuestMemory.TryRead(call.A4, out int length))
            return -EFAULT;
        if (length < 8)
            return -EINVAL;
        Span<byte> time = call.Scratch.Take(16, out long address);
        long result = Host(55, (int)call.A0, (int)call.A1, (int)call.A2, address, call.Scratch.Put(16));
        return result < 0 ? result : NarrowTime.WriteLongs(call.A3, time, 2) && GuestMemory.TryWrite(call.A4, 8) ? result : -EFAULT;
    }

    /// <summary>SIOCGIFCONF: struct ifconf is a length and a pointer to struct ifreq, of 32 bytes here and 40 on the host.</summary>
    public static long Interfaces(in Call call)
    {
        const int Narrow = 32, Wide40 = 40, SIOCGIFCONF = 0x8912;
        Span<byte> pair = stackalloc byte[8];
        if (!GuestMemory.TryRead(call.A2, pair))
            return -EFAULT;
        int count = (int)Math.Min(Word(pair, 0) / Narrow, 256u);
        ulong list = Word(pair, 4);
        Span<byte> host = call.Scratch.Take(16, out long address), all = call.Scratch.Take(Math.Max(count, 1) * Wide40, out long allAddress);
        PutWord(host, 0, (ulong)(count * Wide40));
        Put(host, 8, list == 0 ? 0 : (ulong)allAddress);
        long result = HostSyscall.InvokeInterruptible(16, (int)call.A0, SIOCGIFCONF, address);
        if (result < 0)
            return result;
        int found = (int)Word(host, 0) / Wide40;
        for (int i = 0; i < found && list != 0; i++)
        {
            if (!GuestMemory.TryWrite(list + (ulong)(i * Narrow), all.Slice(i * Wide40, Narrow)))
                return -EFAULT;
        }
        return GuestMemory.TryWrite(call.A2, found * Narrow) ? result : -EFAULT;
    }
}
