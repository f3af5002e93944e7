using Myna.Host;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>System V's IPC and POSIX message queues for 32-bit ABIs (asm/ipcbuf.h, shmbuf.h, sembuf.h, msgbuf.h).</summary>
internal static class NarrowIpc
{
    private const long SysShmget = 29, SysShmctl = 31, SysSemget = 64, SysSemop = 65, SysSemctl = 66, SysMsgget = 68, SysMsgsnd = 69, SysMsgrcv = 70,
        SysMsgctl = 71, SysSemtimedop = 220;
    private const int IPC_RMID = 0, IPC_SET = 1, IPC_STAT = 2, IPC_INFO = 3, IPC_64 = 0x100;

    /// <summary>ipc(2): all of System V's calls by a number.</summary>
    public static long Multiplexed(in Call call)
    {
        const int SEMOP = 1, SEMGET = 2, SEMCTL = 3, SEMTIMEDOP = 4, MSGSND = 11, MSGRCV = 12, MSGGET = 13, MSGCTL = 14, SHMAT = 21, SHMDT = 22, SHMGET = 23, SHMCTL = 24;
        uint first = (uint)call.A1, second = (uint)call.A2, third = (uint)call.A3, pointer = (uint)call.A4, fifth = (uint)call.A5;
        int version = (int)(call.A0 >> 16);
        switch ((int)call.A0 & 0xFFFF)
        {
            case SEMOP:
                return HostSyscall.InvokeInterruptible(SysSemop, (int)first, pointer, second);
            case SEMTIMEDOP:
                return TimedOperation(call, (int)first, pointer, second, fifth, wide: false);
            case SEMGET:
                return HostSyscall.InvokeInterruptible(SysSemget, (int)first, (int)second, (int)third);
            case SEMCTL:
                return GuestMemory.TryRead(pointer, out uint argument) ? SemaphoreControl(call, (int)first, (int)second, (int)third, argument) : -EFAULT;
            case MSGSND:
                return Send(call, (int)first, pointer, second, (int)third);
            case MSGRCV when version == 0:
            {
                // struct ipc_kludge: buffer and type.
                Span<byte> pair = stackalloc byte[8];
                return GuestMemory.TryRead(pointer, pair) ? Receive(call, (int)first, Word(pair, 0), second, (int)Word(pair, 4), (int)third) : -EFAULT;
            }
            case MSGRCV:
                return Receive(call, (int)first, pointer, second, (int)fifth, (int)third);
            case MSGGET:
                return HostSyscall.InvokeInterruptible(SysMsgget, (int)first, (int)second);
            case MSGCTL:
                return MessageControl(call, (int)first, (int)second, pointer);
            case SHMAT when version == 1:
                return -EINVAL;
            case SHMAT:
            {
                long place = MemoryCalls.Attach(call.With(first, pointer, second, 0, 0, 0));
                return place < 0 ? place : GuestMemory.TryWrite(third, (uint)place) ? 0 : -EFAULT;
            }
            case SHMDT:
                return MemoryCalls.Detach(call.With(pointer, 0, 0, 0, 0, 0));
            case SHMGET:
                return HostSyscall.InvokeInterruptible(SysShmget, (int)first, second, (int)third);
            case SHMCTL:
                return MemoryControl(call, (int)first, (int)second, pointer);
            default:
                return -ENOSYS;
        }
    }

    public static long Send(in Call call) => Send(call, (int)call.A0, call.A1, call.A2, (int)call.A3);
    public static long Receive(in Call call) => Receive(call, (int)call.A0, call.A1, call.A2, (int)call.A3, (int)call.A4);
    public static long MessageControl(in Call call) => MessageControl(call, (int)call.A0, (int)call.A1, call.A2);
    public static long SemaphoreControl(in Call call) => SemaphoreControl(call, (int)call.A0, (int)call.A1, (int)call.A2, call.A3);
    public static long MemoryControl(in Call call) => MemoryControl(call, (int)call.A0, (int)call.A1, call.A2);
    public static long TimedOperation(in Call call) => TimedOperation(call, (int)call.A0, call.A1, call.A2, call.A3, wide: true);

    private static long TimedOperation(in Call call, int id, ulong operations, ulong count, ulong limit, bool wide)
    {
        long time = (long)limit;
        if (!wide && !NarrowTime.TryRead(call, limit, out time))
            return -EFAULT;
        return HostSyscall.InvokeInterruptible(SysSemtimedop, id, (long)operations, (long)count, time);
    }

    // struct msgbuf: a long, then the text.
    private static long Send(in Call call, int id, ulong message, ulong size, int flags)
    {
        if (size > 65536)
            return -EINVAL;
        Span<byte> host = call.Scratch.Take((int)size + 8, out long address);
        if (!GuestMemory.TryRead(message, out int type) || !GuestMemory.TryRead(message + 4, host[8..]))
            return -EFAULT;
        Put(host, 0, (ulong)type);
        return HostSyscall.InvokeInterruptible(SysMsgsnd, id, address, (long)size, flags);
    }

    private static long Receive(in Call call, int id, ulong message, ulong size, int type, int flags)
    {
        if (size > int.MaxValue)
            return -EINVAL;
        size = Math.Min(size, 65536);
        Span<byte> host = call.Scratch.Take((int)size + 8, out long address);
        long result = HostSyscall.InvokeInterruptible(SysMsgrcv, id, address, (long)size, type, flags);
        if (result < 0)
            return result;
        return GuestMemory.TryWrite(message, (uint)Wide(host, 0)) && GuestMemory.TryWrite(message + 4, host.Slice(8, (int)result)) ? result : -EFAULT;
    }

    // struct ipc64_perm: key, uid, gid, cuid, cgid, mode (32 bits on the host as well), seq; the reserved rest differs.
    private static void WritePermissions(ref FieldWriter w, ReadOnlySpan<byte> host)
    {
        for (int at = 0; at < 20; at += 4)
            w.Word(Word(host, at));
        w.Word(Word(host, 20));
        w.Half(Word(host, 24));
        w.Skip(2);
        w.Skip(8);
    }

    // What IPC_SET looks at: uid, gid, mode.
    private static bool TryReadPermissions(ulong guest, Span<byte> host)
    {
        Span<byte> narrow = stackalloc byte[28];
        if (!GuestMemory.TryRead(guest, narrow))
            return false;
        narrow[..24].CopyTo(host);
        return true;
    }

    private static long SemaphoreControl(in Call call, int id, int number, int command, ulong argument)
    {
        const int GETALL = 13, SETVAL = 16, SETALL = 17, SEM_STAT = 18, SEM_STAT_ANY = 20;
        command &= ~IPC_64;
        if (command == SETVAL)
            return HostSyscall.InvokeInterruptible(SysSemctl, id, number, command, (int)argument);
        if (command is GETALL or SETALL || command is not (IPC_SET or IPC_STAT or SEM_STAT or SEM_STAT_ANY))
            return HostSyscall.InvokeInterruptible(SysSemctl, id, number, command, (long)argument);
        Span<byte> host = call.Scratch.Take(104, out long address);
        if (command == IPC_SET && !TryReadPermissions(argument, host))
            return -EFAULT;
        long result = HostSyscall.InvokeInterruptible(SysSemctl, id, number, command, address);
        if (result < 0 || command == IPC_SET)
            return result;
        Span<byte> narrow = stackalloc byte[64];
        narrow.Clear();
        var w = new FieldWriter(narrow, call.Abi);
        WritePermissions(ref w, host);
        w.Word(Wide(host, 48));             // sem_otime and its upper half
        w.Word(Wide(host, 48) >> 32);
        w.Word(Wide(host, 64));             // sem_ctime
        w.Word(Wide(host, 64) >> 32);
        w.Word(Wide(host, 80));             // sem_nsems
        w.Skip(8);
        return GuestMemory.TryWrite(argument, narrow[..w.At]) ? result : -EFAULT;
    }

    private static long MessageControl(in Call call, int id, int command, ulong buffer)
    {
        const int MSG_STAT = 11, MSG_STAT_ANY = 13;
        command &= ~IPC_64;
        if (command is not (IPC_SET or IPC_STAT or MSG_STAT or MSG_STAT_ANY))
            return HostSyscall.InvokeInterruptible(SysMsgctl, id, command, (long)buffer);
        Span<byte> host = call.Scratch.Take(120, out long address);
        if (command == IPC_SET)
        {
            Span<byte> given = stackalloc byte[88];
            if (!GuestMemory.TryRead(buffer, given))
                return -EFAULT;
            _ = TryReadPermissions(buffer, host);
            Put(host, 88, Word(given, 68));
        }
        long result = HostSyscall.InvokeInterruptible(SysMsgctl, id, command, address);
        if (result < 0 || command == IPC_SET)
            return result;
        Span<byte> narrow = stackalloc byte[96];
        narrow.Clear();
        var w = new FieldWriter(narrow, call.Abi);
        WritePermissions(ref w, host);
        for (int at = 48; at < 72; at += 8)     // msg_stime, msg_rtime, msg_ctime
        {
            w.Word(Wide(host, at));
            w.Word(Wide(host, at) >> 32);
        }
        for (int at = 72; at < 96; at += 8)     // msg_cbytes, msg_qnum, msg_qbytes
            w.Word(Wide(host, at));
        w.Word(Word(host, 96));                 // msg_lspid, msg_lrpid
        w.Word(Word(host, 100));
        w.Skip(8);
        return GuestMemory.TryWrite(buffer, narrow[..w.At]) ? result : -EFAULT;
    }

    private static long MemoryControl(in Call call, int id, int command, ulong buffer)
    {
        const int SHM_STAT = 13, SHM_INFO = 14, SHM_STAT_ANY = 15;
        command &= ~IPC_64;
        if (command is not (IPC_SET or IPC_STAT or IPC_INFO or SHM_INFO or SHM_STAT or SHM_STAT_ANY))
            return HostSyscall.InvokeInterruptible(SysShmctl, id, command, (long)buffer);
        Span<byte> host = call.Scratch.Take(112, out long address);
        if (command == IPC_SET && !TryReadPermissions(buffer, host))
            return -EFAULT;
        long result = HostSyscall.InvokeInterruptible(SysShmctl, id, command, address);
        if (result < 0 || command == IPC_SET)
            return result;
        Span<byte> narrow = stackalloc byte[96];
        narrow.Clear();
        var w = new FieldWriter(narrow, call.Abi);
        switch (command)
        {
            case IPC_INFO:                              // struct shminfo64: five longs, four reserved
                for (int at = 0; at < 40; at += 8)
                    w.Word(Math.Min(Wide(host, at), int.MaxValue));
                w.Skip(16);
                break;
            case SHM_INFO:                              // struct shm_info: an int, five longs
                w.Word(Word(host, 0));
                for (int at = 8; at < 48; at += 8)
                    w.Word(Wide(host, at));
                break;
            default:
                WritePermissions(ref w, host);
                w.Word(Wide(host, 48));                 // shm_segsz
                for (int at = 56; at < 80; at += 8)     // shm_atime, shm_dtime, shm_ctime
                {
                    w.Word(Wide(host, at));
                    w.Word(Wide(host, at) >> 32);
                }
                w.Word(Word(host, 80));                 // shm_cpid, shm_lpid, shm_nattch
                w.Word(Word(host, 84));
                w.Word(Wide(host, 88));
                w.Skip(8);
                break;
        }
        return GuestMemory.TryWrite(buffer, narrow[..w.At]) ? result : -EFAULT;
    }

    // Message queues: struct mq_attr has four longs and four reserved ones.

    public static long OpenQueue(in Call call)
        => NarrowTime.TryRead(call, call.A3, out long attributes, 8) ? call.Host((long)call.A0, (int)call.A1, (long)call.A2, attributes) : -EFAULT;

    public static long QueueAttributes(in Call call)
    {
        if (!NarrowTime.TryRead(call, call.A1, out long set, 8))
            return -EFAULT;
        Span<byte> old = call.Scratch.Take(64, out long address);
        long result = call.Host((int)call.A0, set, call.A2 == 0 ? 0 : address);
        return result < 0 || call.A2 == 0 || NarrowTime.WriteLongs(call.A2, old, 8) ? result : -EFAULT;
    }

    public static long QueueNotify(in Call call)
        => NarrowSignals.TryReadEvent(call, call.A1, out long host) ? call.Host((int)call.A0, host) : -EFAULT;
}
