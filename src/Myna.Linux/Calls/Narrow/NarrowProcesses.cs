using Myna.Host;
using Myna.Linux.Abis;
using Myna.Linux.Signals;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>Processes, limits and the system for 32-bit ABIs.</summary>
internal static class NarrowProcesses
{
    private const long SysWait4 = 61, SysPrlimit64 = 302, SysGetpriority = 140, SysSetpriority = 141;

    // struct rusage: two times and fourteen longs.
    private const int UsageLongs = 18;

    public static long WaitPid(in Call call) => Wait(call, 0);

    public static long Wait4(in Call call) => Wait(call, call.A3);

    private static long Wait(in Call call, ulong usage)
    {
        Span<byte> status = call.Scratch.Take(4, out long address), host = call.Scratch.Take(8 * UsageLongs, out long usageAddress);
        long result = HostSyscall.InvokeInterruptible(SysWait4, (int)call.A0, call.A1 == 0 ? 0 : address, (int)call.A2, usage == 0 ? 0 : usageAddress);
        if (result <= 0)
            return result;
        if (call.A1 != 0 && !GuestMemory.TryWrite(call.A1, SignalNumbers.ToGuestStatus((int)Word(status, 0))))
            return -EFAULT;
        return usage == 0 || NarrowTime.WriteLongs(usage, host, UsageLongs) ? result : -EFAULT;
    }

    public static long WaitId(in Call call)
    {
        const int CLD_EXITED = 1, Code = 8, Status = 24;
        Span<byte> info = call.Scratch.Take(SignalInfo32.Size, out long address), usage = call.Scratch.Take(8 * UsageLongs, out long usageAddress);
        long result = call.Host((int)call.A0, (int)call.A1, address, (int)call.A3, call.A4 == 0 ? 0 : usageAddress);
        if (result < 0)
            return result;
        if ((int)Word(info, Code) > CLD_EXITED)
            PutWord(info, Status, (ulong)SignalNumbers.ToGuest((int)Word(info, Status)));
        if (call.A2 != 0 && !NarrowSignals.WriteInfo(call.A2, info))
            return -EFAULT;
        return call.A4 == 0 || NarrowTime.WriteLongs(call.A4, usage, UsageLongs) ? result : -EFAULT;
    }

    public static long Usage(in Call call)
    {
        Span<byte> usage = call.Scratch.Take(8 * UsageLongs, out long address);
        long result = call.Host((int)call.A0, address);
        return result < 0 || NarrowTime.WriteLongs(call.A1, usage, UsageLongs) ? result : -EFAULT;
    }

    // Limits: what does not fit is infinite; the older call knows 2 GiB at most.

    public static long OldGetLimit(in Call call) => GetLimit(call, int.MaxValue);

    public static long GetLimit(in Call call) => GetLimit(call, uint.MaxValue);

    private static long GetLimit(in Call call, uint infinity)
    {
        Span<byte> host = call.Scratch.Take(16, out long address);
        int resource = (int)call.A0;
        if (ResourceLimits.IsKept(resource))
        {
            (ulong soft, ulong hard) = call.Process.Limits.Get(resource);
            Put(host, 0, soft);
            Put(host, 8, hard);
        }
        else
        {
            long result = HostSyscall.Invoke(SysPrlimit64, 0, resource, 0, address);
            if (result < 0)
                return result;
        }
        Span<byte> narrow = stackalloc byte[8];
        PutWord(narrow, 0, Math.Min(Wide(host, 0), infinity));
        PutWord(narrow, 4, Math.Min(Wide(host, 8), infinity));
        return GuestMemory.TryWrite(call.A1, narrow) ? 0 : -EFAULT;
    }

    public static long SetLimit(in Call call)
    {
        Span<byte> narrow = stackalloc byte[8];
        if (!GuestMemory.TryRead(call.A1, narrow))
            return -EFAULT;
        Span<byte> host = call.Scratch.Take(16, out long address);
        for (int i = 0; i < 2; i++)
            Put(host, 8 * i, Word(narrow, 4 * i) == uint.MaxValue ? ulong.MaxValue : Word(narrow, 4 * i));
        int resource = (int)call.A0;
        return ResourceLimits.IsKept(resource)
            ? call.Process.SetLimit(resource, Wide(host, 0), Wide(host, 8))
            : HostSyscall.Invoke(SysPrlimit64, 0, resource, address, 0);
    }

    // Times, priorities, affinity.

    public static long Nice(in Call call)
    {
        long now = 20 - HostSyscall.Invoke(SysGetpriority, 0, 0);
        return HostSyscall.Invoke(SysSetpriority, 0, 0, Math.Clamp(now + (int)call.A0, -20, 19));
    }

    /// <summary>The host's kernel wants sets in words of 64 bits.</summary>
    public static long SetAffinity(in Call call)
    {
        int size = (int)Math.Min(call.A1, 1024);
        Span<byte> set = call.Scratch.Take(1024, out long address);
        return GuestMemory.TryRead(call.A2, set[..size]) ? call.Host((int)call.A0, size + 7 & ~7, address) : -EFAULT;
    }

    public static long GetAffinity(in Call call)
    {
        if ((call.A1 & 3) != 0)
            return -EINVAL;
        Span<byte> set = call.Scratch.Take(1024, out long address);
        long result = call.Host((int)call.A0, set.Length, address);
        if (result < 0)
            return result;
        int size = (int)Math.Min((ulong)result, call.A1);
        if (set[size..].ContainsAnyExcept((byte)0))
            return -EINVAL;
        return GuestMemory.TryWrite(call.A2, set[..size]) ? size : -EFAULT;
    }

    // The system.

    /// <summary>struct sysinfo: sizes that do not fit into 32 bits are in pages.</summary>
    public static long Information(in Call call)
    {
        Span<byte> host = call.Scratch.Take(112, out long address);
        long result = call.Host(address);
        if (result < 0)
            return result;
        ulong unit = Math.Max(Word(host, 104), 1);
        int shift = 0;
        bool large = Wide(host, 32) > uint.MaxValue || Wide(host, 64) > uint.MaxValue;
        while (large && unit < AddressUnit)
        {
            unit <<= 1;
            shift++;
        }
        Span<byte> narrow = stackalloc byte[64];
        narrow.Clear();
        var w = new FieldWriter(narrow, call.Abi);
        w.Word(Wide(host, 0));                                  // uptime
        for (int at = 8; at < 32; at += 8)                      // loads
            w.Word(Wide(host, at));
        for (int at = 32; at < 80; at += 8)                     // totalram .. freeswap
            w.Word(Wide(host, at) >> shift);
        w.Half(Word(host, 80));                                 // procs, pad
        w.Half(0);
        w.Word(Wide(host, 88) >> shift);                        // totalhigh, freehigh
        w.Word(Wide(host, 96) >> shift);
        w.Word(unit);
        w.Skip(8);
        return GuestMemory.TryWrite(call.A0, narrow[..w.At]) ? 0 : -EFAULT;
    }

    private const ulong AddressUnit = Memory.AddressSpace.PageSize;

    /// <summary>olduname(2): five fields of 65 bytes; oldolduname(2): of 9.</summary>
    public static long OldName(in Call call)
    {
        const int Field = 65, Fields = 5, Size = Fields * Field;
        int field = call.Row.Name == "oldolduname" ? 9 : Field;
        Span<byte> names = call.Scratch.Take(6 * Field, out long address);
        long result = call.Host(address);
        if (result < 0)
            return result;
        Span<byte> machine = names.Slice(4 * Field, Field);
        machine.Clear();
        GuestText.Encode(call.Process.Target.Uname).CopyTo(machine);
        Span<byte> narrow = stackalloc byte[Size];
        narrow.Clear();
        for (int i = 0; i < Fields; i++)
            names.Slice(i * Field, field - 1).CopyTo(narrow[(i * field)..]);
        return GuestMemory.TryWrite(call.A0, narrow[..(5 * field)]) ? 0 : -EFAULT;
    }

    public static long UnixStat(in Call call)
    {
        // struct ustat: a long, an int, two names of six.
        Span<byte> host = call.Scratch.Take(32, out long address);
        long result = call.Host((long)call.A0, address);
        if (result < 0)
            return result;
        Span<byte> narrow = stackalloc byte[20];
        PutWord(narrow, 0, Wide(host, 0));
        PutWord(narrow, 4, Wide(host, 8));
        host.Slice(16, 12).CopyTo(narrow[8..]);
        return GuestMemory.TryWrite(call.A1, narrow) ? 0 : -EFAULT;
    }

    // Threads.

    public static long SetThreadArea(in Call call) => call.Thread.Cpu is I386UserCpu cpu ? cpu.SetThreadArea(call.A0, choose: true) : -ENOSYS;

    public static long GetThreadArea(in Call call) => call.Thread.Cpu is I386UserCpu cpu ? cpu.GetThreadArea(call.A0) : -ENOSYS;

    /// <summary>modify_ldt(2): 0 reads, 1 and 17 write an entry, 2 reads the default one.</summary>
    public static long LocalDescriptors(in Call call) => LocalDescriptorTable.Call(call);

    public static long GetRobustList(in Call call)
    {
        if (call.A0 != 0 && (int)call.A0 != call.Thread.Tid)
            return -EPERM;
        return GuestMemory.TryWrite(call.A1, (uint)call.Thread.RobustList) && GuestMemory.TryWrite(call.A2, Threads.RobustFutexes.HeadSize(narrow: true)) ? 0 : -EFAULT;
    }

    /// <summary>mmap2(2): the offset is in pages.</summary>
    public static long Map2(in Call call) => MemoryCalls.Map(call.With(call.A0, call.A1, call.A2, call.A3, call.A4, call.A5 << 12));

    /// <summary>mmap(2) of i386: six words in memory.</summary>
    public static long OldMap(in Call call)
    {
        Span<byte> six = stackalloc byte[24];
        return GuestMemory.TryRead(call.A0, six)
            ? MemoryCalls.Map(call.With(Word(six, 0), Word(six, 4), Word(six, 8), Word(six, 12), (ulong)(int)Word(six, 16), Word(six, 20)))
            : -EFAULT;
    }

    public static long OldUnmount(in Call call)
    {
        long result = Paths.Translate(call, call.A0, true, out long path);
        return result < 0 ? result : call.Host(path, 0);
    }
}
