using Myna.Host;
using Myna.Linux.Memory;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Calls that change or ask about mappings.</summary>
internal static class MemoryCalls
{
    private const ulong PageSize = AddressSpace.PageSize;

    public static long Map(in Call call)
    {
        int file = ((MapFlags)call.A3 & MapFlags.Anonymous) != 0 ? -1 : (int)call.A4;
        if (call.Process.Descriptors.IsHidden(file))
            return -EBADF;
        return call.Process.Memory.Map(call.A0, call.A1, (Protection)(uint)call.A2, (MapFlags)(uint)call.A3, file, (long)call.A5);
    }

    public static long Unmap(in Call call) => call.Process.Memory.Unmap(call.A0, call.A1);

    public static long Protect(in Call call) => call.Process.Memory.Protect(call.A0, call.A1, (Protection)(uint)call.A2);

    public static long ProtectWithKey(in Call call) => (int)call.A3 == -1 ? Protect(call) : -EINVAL;

    /// <summary>pkey_alloc on a processor without protection keys.</summary>
    public static long NoKeys(in Call call) => -ENOSPC;

    public static long NoSuchKey(in Call call) => -EINVAL;

    public static long Remap(in Call call) => call.Process.Memory.Remap(call.A0, call.A1, call.A2, (RemapFlags)(uint)call.A3, call.A4);

    public static long Break(in Call call) => call.Process.Memory.Break(call.A0);

    /// <summary>A call on a range of the guest's memory.</summary>
    public static long Ranged(in Call call) => IsInside(call, call.A0, call.A1) ? call.Pass() : -ENOMEM;

    public static long Advise(in Call call)
    {
        const int MADV_DONTNEED = 4, MADV_FREE = 8, MADV_REMOVE = 9, MADV_HWPOISON = 100, MADV_SOFT_OFFLINE = 101;
        const int MADV_GUARD_INSTALL = 102, MADV_DONTNEED_LOCKED = 24;
        int advice = (int)call.A2;
        if (!IsInside(call, call.A0, call.A1))
            return -ENOMEM;
        if (advice is MADV_HWPOISON or MADV_SOFT_OFFLINE or MADV_GUARD_INSTALL)
            return -EINVAL;
        AddressSpace memory = call.Process.Memory;
        if (advice is not (MADV_DONTNEED or MADV_FREE or MADV_REMOVE or MADV_DONTNEED_LOCKED))
            return call.Pass();
        lock (memory.Sync)
        {
            long result = call.PassAtOnce();
            memory.Translator?.Forget(call.A0 & ~(PageSize - 1), AddressSpace.RoundUp(call.A1));
            return result;
        }
    }

    /// <summary>mlockall(2), of the guest's mappings alone: the host's call would lock Myna's runtime too, with all that it reserves.</summary>
    public static long LockAll(in Call call)
    {
        const ulong MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4;
        const long SysMlock2 = 325, MLOCK_ONFAULT = 1, SysGeteuid = 107;
        const int RLIMIT_MEMLOCK = 8;
        AddressSpace memory = call.Process.Memory;
        if (call.A0 is 0 or MCL_ONFAULT || (call.A0 & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0)
            return -EINVAL;
        ulong limit = ResourceLimits.OfHost(RLIMIT_MEMLOCK).Soft;
        // can_do_mlock; CAP_IPC_LOCK is taken for root's.
        if (HostSyscall.Invoke(SysGeteuid) != 0)
        {
            if (limit == 0)
                return -EPERM;
            if ((call.A0 & MCL_CURRENT) != 0 && memory.Size > limit)
                return -ENOMEM;
        }
        lock (memory.Sync)
        {
            memory.LocksFuture = (call.A0 & MCL_FUTURE) != 0;
            if ((call.A0 & MCL_CURRENT) == 0)
                return 0;
            foreach (Region region in memory.Regions())
            {
                if (region.Rights != Protection.None)
                    _ = HostSyscall.Invoke(SysMlock2, (long)region.Start, (long)region.Length, (call.A0 & MCL_ONFAULT) != 0 ? MLOCK_ONFAULT : 0);
            }
        }
        return 0;
    }

    public static long UnlockAll(in Call call)
    {
        const long SysMunlock = 150;
        AddressSpace memory = call.Process.Memory;
        lock (memory.Sync)
        {
            memory.LocksFuture = false;
            foreach (Region region in memory.Regions())
                _ = HostSyscall.Invoke(SysMunlock, (long)region.Start, (long)region.Length);
        }
        return 0;
    }

    public static long Attach(in Call call)
    {
        const int SHM_RDONLY = 0x1000, SHM_RND = 0x2000, SHM_REMAP = 0x4000, SHM_EXEC = 0x8000, IPC_STAT = 2;
        const long SysShmctl = 31, SysShmat = 30;
        AddressSpace memory = call.Process.Memory;
        // struct shmid64_ds: the size is behind ipc64_perm's 48 bytes.
        Span<byte> status = call.Scratch.Take(112, out long address);
        long result = HostSyscall.Invoke(SysShmctl, (long)call.A0, IPC_STAT, address);
        if (result < 0)
            return result;
        ulong size = AddressSpace.RoundUp(BitConverter.ToUInt64(status[48..]));
        int flags = (int)call.A2;
        ulong place = call.A1;
        lock (memory.Sync)
        {
            if (place == 0)
            {
                place = memory.Place(0, size, 0);
                if (place == 0)
                    return -ENOMEM;
            }
            else
            {
                if ((flags & SHM_RND) != 0)
                    place &= ~(PageSize - 1);
                if ((place & (PageSize - 1)) != 0 || place < AddressSpace.Lowest || !IsInside(call, place, size))
                    return -EINVAL;
            }
            // The host's mapping is never executable; it refuses to replace others unless asked to.
            result = HostSyscall.Invoke(SysShmat, (long)call.A0, (long)place, flags & ~(SHM_EXEC | SHM_RND));
            if (result < 0)
                return result;
            Protection rights = Protection.Read | ((flags & SHM_RDONLY) == 0 ? Protection.Write : 0) | ((flags & SHM_EXEC) != 0 ? Protection.Execute : 0);
            memory.Note(place, size, rights, (uint)call.A0 | 1UL << 62);
            memory.Segments[place] = size;
            if ((flags & SHM_REMAP) != 0)
                memory.Translator?.Forget(place, size);
            return result;
        }
    }

    public static long Detach(in Call call)
    {
        const long SysShmdt = 67;
        AddressSpace memory = call.Process.Memory;
        lock (memory.Sync)
        {
            if (!memory.Segments.Remove(call.A0, out ulong size))
                return -EINVAL;
            long result = HostSyscall.Invoke(SysShmdt, (long)call.A0);
            if (result == 0)
            {
                memory.Note(call.A0, size, null);
                memory.Translator?.Forget(call.A0, size);
            }
            return result;
        }
    }

    /// <summary>membarrier(2). There are no restartable sequences; instructions are coherent by page, whatever a core does.</summary>
    public static long Barrier(in Call call)
    {
        const int Query = 0, RegisterGlobal = 1 << 2, Private = 1 << 3, RegisterPrivate = 1 << 4, SyncCore = 1 << 5, RegisterSyncCore = 1 << 6,
            Rseq = 1 << 7, RegisterRseq = 1 << 8, Registrations = 1 << 9;
        int command = (int)call.A0;
        LinuxProcess process = call.Process;
        switch (command)
        {
            case Query:
                long known = call.Pass();
                return known < 0 ? known : known & ~(Rseq | RegisterRseq);
            case Rseq or RegisterRseq:
                return -EINVAL;
            // The runtime has registered the process for itself.
            case Private when (process.Barriers & RegisterPrivate) == 0:
            case SyncCore when (process.Barriers & RegisterSyncCore) == 0:
                return (uint)call.A1 == 0 ? -EPERM : -EINVAL;
            case Registrations when (uint)call.A1 == 0:
                return process.Barriers;
            default:
                long result = call.Pass();
                if (result == 0 && command is RegisterGlobal or RegisterPrivate or RegisterSyncCore)
                    process.Barriers |= command;
                return result;
        }
    }

    /// <summary>msync(2): what is wrong with the arguments comes first.</summary>
    public static long Synchronize(in Call call)
    {
        const ulong MS_ASYNC = 1, MS_INVALIDATE = 2, MS_SYNC = 4;
        if ((call.A0 & (PageSize - 1)) != 0 || (call.A2 & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 || (call.A2 & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
            return -EINVAL;
        return Ranged(call);
    }

    /// <summary>riscv_flush_icache(start, end, flags): Documentation/arch/riscv/uabi; all harts or this one, it is the same here.</summary>
    public static long FlushInstructions(in Call call)
    {
        if ((call.A2 & ~1UL) != 0)
            return -EINVAL;
        if (call.A1 > call.A0)
            call.Process.Memory.Translator?.FlushInstructions(call.A0, call.A1 - call.A0);
        return 0;
    }

    private static bool IsInside(in Call call, ulong start, ulong length)
    {
        ulong end = call.Process.Memory.End;
        return start <= end && length <= end - start;
    }
}
