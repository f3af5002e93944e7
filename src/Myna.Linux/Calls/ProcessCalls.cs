using Myna.Host;
using Myna.Linux.Signals;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls;

/// <summary>Processes as others see them, limits, prctl.</summary>
internal static class ProcessCalls
{
    /// <summary>A call that this system does not have: programs do without.</summary>
    public static long NotThere(in Call call) => -ENOSYS;

    public static long NotPermitted(in Call call) => -EPERM;

    public static long Invalid(in Call call) => -EINVAL;

    public static long Interrupted(in Call call) => -EINTR;

    public static long Wait4(in Call call)
    {
        Span<byte> status = call.Scratch.Take(4, out long address);
        long result = call.Host((int)call.A0, call.A1 == 0 ? 0 : address, (long)call.A2, (long)call.A3);
        if (result > 0 && call.A1 != 0 && !GuestMemory.TryWrite(call.A1, SignalNumbers.ToGuestStatus(BitConverter.ToInt32(status))))
            return -EFAULT;
        return result;
    }

    public static long WaitId(in Call call)
    {
        const int CLD_EXITED = 1, Code = 8, Status = 24;
        long result = call.Pass();
        // si_status is a signal's number unless the child exited.
        if (result == 0 && call.A2 != 0 && GuestMemory.TryRead(call.A2 + Code, out int code) && code > CLD_EXITED
            && GuestMemory.TryRead(call.A2 + Status, out int signal))
            _ = GuestMemory.TryWrite(call.A2 + Status, SignalNumbers.ToGuest(signal));
        return result;
    }

    public static long Kill(in Call call) => call.Host((int)call.A0, SignalNumbers.ToHost((int)call.A1));

    public static long ThreadKill(in Call call) => call.Host((int)call.A0, (int)call.A1, SignalNumbers.ToHost((int)call.A2));

    public static long Queue(in Call call)
    {
        int signal = SignalNumbers.ToHost((int)call.A1);
        long result = Info(call, call.A2, signal, out long info);
        return result < 0 ? result : call.Host((int)call.A0, signal, info);
    }

    public static long ThreadQueue(in Call call)
    {
        int signal = SignalNumbers.ToHost((int)call.A2);
        long result = Info(call, call.A3, signal, out long info);
        return result < 0 ? result : call.Host((int)call.A0, (int)call.A1, signal, info);
    }

    public static long DescriptorKill(in Call call)
    {
        int signal = SignalNumbers.ToHost((int)call.A1);
        long info = 0, result = call.A2 == 0 ? 0 : Info(call, call.A2, signal, out info);
        if (result == 0 && call.A2 != 0 && GuestMemory.TryRead(call.A2, out int named) && named != (int)call.A1)
            return -EINVAL;
        return result < 0 ? result : call.Host((int)call.A0, signal, info, (long)call.A3);
    }

    private static long Info(in Call call, ulong guest, int signal, out long host)
    {
        Span<byte> info = call.Scratch.Take(128, out host);
        if (!GuestMemory.TryRead(guest, info))
            return -EFAULT;
        BitConverter.TryWriteBytes(info, signal);
        return 0;
    }

    public static long GetLimit(in Call call) => Limit(call, 0, (int)call.A0, 0, call.A1);

    public static long SetLimit(in Call call) => Limit(call, 0, (int)call.A0, call.A1, 0);

    public static long Limit(in Call call) => Limit(call, (int)call.A0, (int)call.A1, call.A2, call.A3);

    private static long Limit(in Call call, int pid, int resource, ulong newLimit, ulong oldLimit)
    {
        const long SysPrlimit64 = 302, SysGetpid = 39;
        if (!ResourceLimits.IsKept(resource) || (pid != 0 && pid != HostSyscall.Invoke(SysGetpid)))
            return HostSyscall.Invoke(SysPrlimit64, pid, resource, (long)newLimit, (long)oldLimit);
        ResourceLimits limits = call.Process.Limits;
        (ulong soft, ulong hard) = limits.Get(resource);
        if (newLimit != 0)
        {
            if (!GuestMemory.TryRead(newLimit, out ulong newSoft) || !GuestMemory.TryRead(newLimit + 8, out ulong newHard))
                return -EFAULT;
            long result = call.Process.SetLimit(resource, newSoft, newHard);
            if (result < 0)
                return result;
        }
        return oldLimit == 0 || (GuestMemory.TryWrite(oldLimit, soft) && GuestMemory.TryWrite(oldLimit + 8, hard)) ? 0 : -EFAULT;
    }

    public static long Control(in Call call)
    {
        const int PR_SET_PDEATHSIG = 1, PR_GET_PDEATHSIG = 2, PR_SET_DUMPABLE = 4, PR_GET_SECCOMP = 21, PR_SET_SECCOMP = 22, PR_GET_TSC = 25, PR_SET_TSC = 26,
            PR_SET_MM = 35, PR_GET_TID_ADDRESS = 40, PR_SET_SYSCALL_USER_DISPATCH = 59, PR_RISCV_V_SET_CONTROL = 69, PR_RISCV_V_GET_CONTROL = 70,
            PR_RISCV_SET_ICACHE_FLUSH_CTX = 71, PR_SET_SHADOW_STACK_STATUS = 75;
        switch ((int)call.A0)
        {
            case PR_SET_PDEATHSIG:
                return call.Host(PR_SET_PDEATHSIG, SignalNumbers.ToHost((int)call.A1));
            case PR_GET_PDEATHSIG:
                Span<byte> signal = call.Scratch.Take(4, out long address);
                long result = call.Host(PR_GET_PDEATHSIG, address);
                return result < 0 ? result : GuestMemory.TryWrite(call.A1, SignalNumbers.ToGuest(BitConverter.ToInt32(signal))) ? 0 : -EFAULT;
            case PR_SET_DUMPABLE when call.A1 > 1:
                return -EINVAL;
            case PR_GET_SECCOMP:
                return 0;
            case PR_RISCV_SET_ICACHE_FLUSH_CTX:
                // Instructions are kept coherent by page; a thread's own fence.i is not trapped.
                return 0;
            case PR_SET_SECCOMP or PR_GET_TSC or PR_SET_TSC or PR_SET_SYSCALL_USER_DISPATCH or PR_RISCV_V_SET_CONTROL or PR_RISCV_V_GET_CONTROL
                or PR_SET_SHADOW_STACK_STATUS or PR_GET_TID_ADDRESS:
                return -EINVAL;
            case PR_SET_MM:
                return -EPERM;
            default:
                return call.Pass();
        }
    }

    /// <remarks>LIMIT: of what the value asks for, only this is done: UNAME26, SHORT_INODE, WHOLE_SECONDS and STICKY_TIMEOUTS.</remarks>
    public static long Personality(in Call call)
    {
        const uint PassedOn = 0x2_0000 | 0x100_0000 | 0x200_0000 | 0x400_0000, Ask = uint.MaxValue;
        uint host = (uint)call.Host(Ask), old = (call.Process.Personality & ~PassedOn) | (host & PassedOn);
        if ((uint)call.A0 != Ask)
        {
            call.Process.Personality = (uint)call.A0;
            _ = call.Host((host & ~PassedOn) | ((uint)call.A0 & PassedOn));
        }
        return old;
    }

    /// <summary>LIMIT: there are no filters; programs that only ask find none.</summary>
    public static long Seccomp(in Call call) => -EINVAL;
}
