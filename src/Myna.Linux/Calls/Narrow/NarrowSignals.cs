using Myna.Host;
using Myna.Host.User;
using Myna.Linux.Abis;
using Myna.Linux.Signals;
using static Myna.Linux.Calls.Narrow.HostField;
using static Myna.Linux.Errno;

namespace Myna.Linux.Calls.Narrow;

/// <summary>Signals for 32-bit ABIs: the real-time calls with narrow structures, and i386's first ones with sets of one word.</summary>
internal static class NarrowSignals
{
    private const int SIGKILL = 9, SIGSTOP = 19;
    private const ulong Unblockable = 1UL << (SIGKILL - 1) | 1UL << (SIGSTOP - 1);

    /// <summary>rt_sigaction(2): handler, flags, restorer, set.</summary>
    public static long Action(in Call call)
    {
        if (call.A3 != 8)
            return -EINVAL;
        Span<byte> b = stackalloc byte[20];
        SignalAction? action = null;
        if (call.A1 != 0)
        {
            if (!GuestMemory.TryRead(call.A1, b))
                return -EFAULT;
            action = new SignalAction { Handler = Word(b, 0), Flags = Word(b, 4), Restorer = Word(b, 8), Mask = Wide(b, 12) & ~Unblockable };
        }
        long result = Exchange(call, (int)call.A0, action, out SignalAction old);
        if (result < 0 || call.A2 == 0)
            return result;
        PutWord(b, 0, old.Handler);
        PutWord(b, 4, old.Flags);
        PutWord(b, 8, old.Restorer);
        Put(b, 12, old.Mask);
        return GuestMemory.TryWrite(call.A2, b) ? 0 : -EFAULT;
    }

    /// <summary>sigaction(2): handler, set of one word, flags, restorer.</summary>
    public static long OldAction(in Call call)
    {
        Span<byte> b = stackalloc byte[16];
        SignalAction? action = null;
        if (call.A1 != 0)
        {
            if (!GuestMemory.TryRead(call.A1, b))
                return -EFAULT;
            action = new SignalAction { Handler = Word(b, 0), Mask = Word(b, 4) & ~Unblockable, Flags = Word(b, 8), Restorer = Word(b, 12) };
        }
        long result = Exchange(call, (int)call.A0, action, out SignalAction old);
        if (result < 0 || call.A2 == 0)
            return result;
        PutWord(b, 0, old.Handler);
        PutWord(b, 4, old.Mask);
        PutWord(b, 8, old.Flags);
        PutWord(b, 12, old.Restorer);
        return GuestMemory.TryWrite(call.A2, b) ? 0 : -EFAULT;
    }

    /// <summary>signal(2): the handler is used up by its signal, which stays open.</summary>
    public static long Signal(in Call call)
    {
        long result = Exchange(call, (int)call.A0, new SignalAction { Handler = call.A1, Flags = SignalAction.ResetHandler | SignalAction.NoDefer }, out SignalAction old);
        return result < 0 ? result : (long)old.Handler;
    }

    private static long Exchange(in Call call, int signal, SignalAction? action, out SignalAction old)
    {
        old = default;
        if (signal is < 1 or > SignalNumbers.Count || (action is not null && signal is SIGKILL or SIGSTOP))
            return -EINVAL;
        old = call.Process.Signals.Get(signal);
        return action is { } next ? call.Process.Signals.Set(signal, next) : 0;
    }

    /// <summary>sigprocmask(2): one word of the set is the caller's.</summary>
    public static long OldMask(in Call call)
    {
        ulong before = call.Thread.Mask;
        if (call.A1 != 0)
        {
            if (!GuestMemory.TryRead(call.A1, out uint set))
                return -EFAULT;
            // SIG_SETMASK leaves the other word as it is.
            ulong mask = set | ((int)call.A0 == 2 ? before & ~(ulong)uint.MaxValue : 0);
            long result = call.Thread.ChangeMask((int)call.A0, (ulong)call.Scratch.Put(mask), 0, 8);
            if (result != 0)
                return result;
        }
        return call.A2 == 0 || GuestMemory.TryWrite(call.A2, (uint)before) ? 0 : -EFAULT;
    }

    public static long GetMask(in Call call) => (uint)call.Thread.Mask;

    public static long SetMask(in Call call)
    {
        uint before = (uint)call.Thread.Mask;
        long result = call.Thread.ChangeMask(2, (ulong)call.Scratch.Put((ulong)(uint)call.A0), 0, 8);
        return result < 0 ? result : before;
    }

    /// <summary>sigpending(2) and, with a size, rt_sigpending(2).</summary>
    public static long OldPending(in Call call)
    {
        ref ulong set = ref call.Scratch.Take<ulong>(out long address);
        long result = call.Host(address, 8);
        return result < 0 || GuestMemory.TryWrite(call.A0, (uint)SignalNumbers.ToGuestMask(set)) ? result : -EFAULT;
    }

    /// <summary>sigsuspend(2): the mask is the third argument.</summary>
    public static long OldSuspend(in Call call) => call.Thread.SuspendWith((uint)call.A2);

    public static long OldReturn(in Call call)
    {
        call.Thread.ReturnFromHandler(old: true);
        return SystemCalls.NoResult;
    }

    public static long Stack(in Call call) => call.Thread.SetAlternateStack(call.A0, call.A1, narrow: true);

    public static long Wait(in Call call) => Wait(call, wide: false);

    public static long Wait64(in Call call) => Wait(call, wide: true);

    private static long Wait(in Call call, bool wide)
    {
        const long SysRtSigtimedwait = 128;
        if (call.A3 != 8)
            return -EINVAL;
        if (!GuestMemory.TryRead(call.A0, out ulong mask))
            return -EFAULT;
        long time = (long)call.A2;
        if (!wide && !NarrowTime.TryRead(call, call.A2, out time))
            return -EFAULT;
        ref ulong set = ref call.Scratch.Take<ulong>(out long address);
        set = SignalNumbers.ToHostMask(mask);
        Span<byte> info = call.Scratch.Take(SignalSlot.InfoSize, out long infoAddress);
        long result = HostSyscall.InvokeInterruptible(SysRtSigtimedwait, address, infoAddress, time, 8);
        if (result <= 0)
            return result;
        int signal = SignalNumbers.ToGuest((int)result);
        PutWord(info, 0, (ulong)signal);
        return call.A1 == 0 || WriteInfo(call.A1, info) ? signal : -EFAULT;
    }

    /// <summary>siginfo_t for the guest.</summary>
    public static bool WriteInfo(ulong to, ReadOnlySpan<byte> host)
    {
        Span<byte> narrow = stackalloc byte[SignalInfo32.Size];
        SignalInfo32.FromHost(host, narrow);
        return GuestMemory.TryWrite(to, narrow);
    }

    public static long Queue(in Call call)
    {
        int signal = SignalNumbers.ToHost((int)call.A1);
        return TryReadInfo(call, call.A2, signal, out long info) ? call.Host((int)call.A0, signal, info) : -EFAULT;
    }

    public static long ThreadQueue(in Call call)
    {
        int signal = SignalNumbers.ToHost((int)call.A2);
        return TryReadInfo(call, call.A3, signal, out long info) ? call.Host((int)call.A0, (int)call.A1, signal, info) : -EFAULT;
    }

    public static long DescriptorKill(in Call call)
    {
        int signal = SignalNumbers.ToHost((int)call.A1);
        long info = 0;
        return call.A2 == 0 || TryReadInfo(call, call.A2, signal, out info) ? call.Host((int)call.A0, signal, info, (long)call.A3) : -EFAULT;
    }

    private static bool TryReadInfo(in Call call, ulong guest, int signal, out long host)
    {
        Span<byte> narrow = stackalloc byte[SignalInfo32.Size], wide = call.Scratch.Take(SignalInfo32.Size, out host);
        if (!GuestMemory.TryRead(guest, narrow))
            return false;
        SignalInfo32.ToHost(narrow, wide);
        PutWord(wide, 0, (ulong)signal);
        return true;
    }

    /// <summary>struct sigevent: sigval of four bytes, signal, kind, thread.</summary>
    public static bool TryReadEvent(in Call call, ulong guest, out long host)
    {
        const int SIGEV_NONE = 1;
        host = 0;
        if (guest == 0)
            return true;
        Span<byte> narrow = stackalloc byte[16];
        if (!GuestMemory.TryRead(guest, narrow))
            return false;
        Span<byte> wide = call.Scratch.Take(64, out host);
        Put(wide, 0, Word(narrow, 0));
        int kind = (int)Word(narrow, 8);
        PutWord(wide, 8, kind == SIGEV_NONE ? Word(narrow, 4) : (ulong)SignalNumbers.ToHost((int)Word(narrow, 4)));
        PutWord(wide, 12, (ulong)kind);
        PutWord(wide, 16, Word(narrow, 12));
        return true;
    }
}
