using Myna.Host;
using Myna.Linux.Loading;
using Myna.Linux.Signals;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

internal static class SocketCalls
{
    /// <summary>bind and connect: a UNIX socket's path may be one of the sysroot's.</summary>
    public static long Address(in Call call) => Address(call, call.Row.X64);

    /// <param name="number">The host's call.</param>
    public static long Address(in Call call, long number)
        => TranslateName(call, call.A1, (int)call.A2, out long address, out int length)
            ? HostSyscall.InvokeInterruptible(number, (int)call.A0, address, length)
            : HostSyscall.InvokeInterruptible(number, (int)call.A0, (long)call.A1, (int)call.A2);

    /// <summary>The host's address for a socket's name.</summary>
    /// <returns>False: it is the guest's own.</returns>
    public static bool TranslateName(in Call call, ulong guest, int length, out long address, out int hostLength)
    {
        const ushort AF_UNIX = 1;
        const int PathAt = 2, MaxPath = 108;
        address = 0;
        hostLength = 0;
        if (call.Process.Sysroot is not { } sysroot || length is <= PathAt + 1 or > PathAt + MaxPath
            || !GuestMemory.TryRead(guest, out ushort family) || family != AF_UNIX)
            return false;
        Span<byte> name = stackalloc byte[length];
        if (!GuestMemory.TryRead(guest, name))
            return false;
        ReadOnlySpan<byte> path = name[PathAt..];
        int end = path.IndexOf((byte)0);
        string text = GuestText.Decode(end < 0 ? path : path[..end]);
        string host = sysroot.Translate(call.Scratch, text);
        if (host == text || host.Length >= MaxPath)
            return false;
        Span<byte> translated = call.Scratch.Take(PathAt + MaxPath, out address);
        BitConverter.TryWriteBytes(translated, AF_UNIX);
        GuestText.Encode(host).CopyTo(translated[PathAt..]);
        hostLength = PathAt + host.Length + 1;
        return true;
    }
}

internal static class TimeCalls
{
    /// <summary>struct sigevent: the signal's number at 8.</summary>
    public static long CreateTimer(in Call call)
    {
        long result = SignalEvents.Translate(call, call.A1, out long host);
        return result < 0 ? result : call.Host((long)call.A0, host, (long)call.A2);
    }
}

internal static class SignalEvents
{
    private const int Size = 64, Signal = 8, Notify = 12, SIGEV_NONE = 1;

    /// <summary>A struct sigevent with the host's signal number; 0 for a null pointer.</summary>
    public static long Translate(in Call call, ulong guest, out long host)
    {
        host = 0;
        if (guest == 0)
            return 0;
        Span<byte> copy = call.Scratch.Take(Size, out host);
        if (!GuestMemory.TryRead(guest, copy))
            return -EFAULT;
        if (BitConverter.ToInt32(copy[Notify..]) != SIGEV_NONE)
            BitConverter.TryWriteBytes(copy[Signal..], SignalNumbers.ToHost(BitConverter.ToInt32(copy[Signal..])));
        return 0;
    }
}

internal static class IpcCalls
{
    public static long MessageNotify(in Call call)
    {
        long result = SignalEvents.Translate(call, call.A1, out long host);
        return result < 0 ? result : call.Host((long)call.A0, host);
    }

    /// <summary>struct semid64_ds: x86 has a reserved word behind each time (asm/sembuf.h), the generic one has them at its end.</summary>
    public static long SemaphoreControl(in Call call)
    {
        const int IPC_SET = 1, IPC_STAT = 2, SEM_STAT = 18, SEM_STAT_ANY = 20, Permissions = 48, HostSize = 104, GenericSize = 88;
        int command = (int)call.A2 & ~0x100;
        if (call.Abi == AbiKind.X64 || command is not (IPC_SET or IPC_STAT or SEM_STAT or SEM_STAT_ANY))
            return call.Pass();
        Span<byte> host = call.Scratch.Take(HostSize, out long address);
        if (command == IPC_SET && !GuestMemory.TryRead(call.A3, host[..Permissions]))
            return -EFAULT;
        long result = call.Host((long)call.A0, (long)call.A1, (long)call.A2, address);
        if (result < 0 || command == IPC_SET)
            return result;
        Span<byte> generic = stackalloc byte[GenericSize];
        generic.Clear();
        host[..(Permissions + 8)].CopyTo(generic);                     // sem_perm, sem_otime
        host.Slice(Permissions + 16, 8).CopyTo(generic[56..]);         // sem_ctime
        host.Slice(Permissions + 32, 8).CopyTo(generic[64..]);         // sem_nsems
        return GuestMemory.TryWrite(call.A3, generic) ? result : -EFAULT;
    }
}

internal static class SystemInformation
{
    private const int FieldLength = 65;

    /// <summary>struct new_utsname: six fields of 65 bytes; the fifth is the machine.</summary>
    public static long Name(in Call call)
    {
        Span<byte> names = call.Scratch.Take(6 * FieldLength, out long address);
        long result = call.Host(address);
        if (result < 0)
            return result;
        Span<byte> machine = names.Slice(4 * FieldLength, FieldLength);
        machine.Clear();
        GuestText.Encode(call.Process.Target.Uname).CopyTo(machine);
        return GuestMemory.TryWrite(call.A0, names) ? 0 : -EFAULT;
    }

    /// <summary>riscv_hwprobe(2): Documentation/arch/riscv/hwprobe.rst.</summary>
    public static long HardwareProbe(in Call call)
    {
        const ulong WhichCpus = 1;
        if (call.A4 == WhichCpus)
            return -EOPNOTSUPP;
        if (call.A4 != 0)
            return -EINVAL;
        for (ulong i = 0; i < call.A1; i++)
        {
            ulong pair = call.A0 + 16 * i;
            if (!GuestMemory.TryRead(pair, out long key))
                return -EFAULT;
            long value = Probe(call.Process, ref key);
            if (!GuestMemory.TryWrite(pair, key) || !GuestMemory.TryWrite(pair + 8, value))
                return -EFAULT;
        }
        return 0;
    }

    private static long Probe(LinuxProcess process, ref long key)
    {
        const int Vendor = 0, Architecture = 1, Implementation = 2, BaseBehaviour = 3, ImaExtensions = 4, MisalignedPerformance = 5,
            CacheBlockSize = 6, HighestVirtualAddress = 7, TimeFrequency = 8, MisalignedScalar = 9;
        const long ImaBase = 1, Fast = 3;
        switch (key)
        {
            case Vendor or Architecture or Implementation:
                return 0;
            case BaseBehaviour:
                return ImaBase;
            case ImaExtensions:
                return process.HardwareExtensions;
            case MisalignedPerformance or MisalignedScalar:
                return Fast;
            case CacheBlockSize:
                return 0;
            case HighestVirtualAddress:
                return (long)Memory.AddressSpace.Limit - 1;
            case TimeFrequency:
                return 10_000_000;
            default:
                key = -1;
                return 0;
        }
    }
}
