using System.Buffers.Binary;
using Myna.Host.User;
using Myna.Linux.Abis;
using Myna.Linux.Signals;

namespace Myna.Linux.Threads;

public sealed partial class GuestThread
{
    private const long RtSigprocmask = 14, RtSigsuspend = 130;
    private const int SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2, SIGSEGV = 11;

    /// <summary>The mask as it was while a call ran with one of its own (rt_sigsuspend): the frame restores it.</summary>
    private ulong? _savedMask;
    /// <summary>The call that a signal has just interrupted begins again unless the handler's action says otherwise.</summary>
    private bool _restarts;
    private AlternateStack _alternate = new() { Flags = AlternateStack.Disabled };

    /// <summary>The guest's signal mask, in its numbers.</summary>
    public ulong Mask { get; private set; }

    private static ulong SignalNumbersOf(ulong hostMask) => SignalNumbers.ToGuestMask(hostMask);

    private static void SetHostMask(ulong guest) => HostSignals.SetMask(SignalNumbers.ToHostMask(guest));

    // The handler has blocked all signals: none comes before the mask is set here.
    private void DeliverPending()
    {
        int signal = SignalNumbers.ToGuest(_slot.Pending);
        Span<byte> info = stackalloc byte[SignalSlot.InfoSize];
        _slot.Info.CopyTo(info);
        BinaryPrimitives.WriteInt32LittleEndian(info, signal);
        bool restarts = _restarts;
        _restarts = false;
        if (Tracing is { } tracing)
        {
            signal = tracing.Stop(signal, info);
            if (signal == 0)
            {
                Resume(restarts);
                return;
            }
            BinaryPrimitives.WriteInt32LittleEndian(info, signal);
        }
        _slot.Clear();
        SignalAction action = Process.Signals.Take(signal);
        if (action.Handler == SignalAction.Default && !SignalActions.IsIgnoredByDefault(signal))
            Die(signal);
        if (action.Handler <= SignalAction.Ignore)
        {
            Resume(restarts);
            return;
        }
        if (restarts && (action.Flags & SignalAction.Restart) != 0)
            Cpu.Restart();
        Enter(signal, action, info);
    }

    // Nothing comes of the signal: the kernel would not have disturbed the call.
    private void Resume(bool restarts)
    {
        _slot.Clear();
        if (restarts)
            Cpu.Restart();
        _savedMask = null;
        SetHostMask(Mask);
    }

    /// <summary>A signal that an instruction raised: it cannot be blocked or ignored.</summary>
    private void Raise(in SignalFault fault)
    {
        int signal = fault.Signal;
        Span<byte> info = stackalloc byte[SignalSlot.InfoSize];
        info.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(info, signal);
        BinaryPrimitives.WriteInt32LittleEndian(info[8..], fault.Code);
        BinaryPrimitives.WriteUInt64LittleEndian(info[16..], fault.Address);
        if (Tracing is { } tracing)
        {
            signal = tracing.Stop(signal, info);
            if (signal == 0)
                return;
            BinaryPrimitives.WriteInt32LittleEndian(info, signal);
        }
        SignalAction action = Process.Signals.Take(signal);
        if (action.Handler <= SignalAction.Ignore || (Mask & SignalNumbers.Bit(signal)) != 0)
            Die(signal);
        Enter(signal, action, info);
    }

    private void Enter(int signal, in SignalAction action, ReadOnlySpan<byte> info)
    {
        var delivery = new SignalDelivery(signal, action, info, _savedMask ?? Mask, _alternate);
        if (!Cpu.TryEnterHandler(delivery))
            Die(SIGSEGV);
        Tracing?.EnteredHandler();
        if ((_alternate.Flags & AlternateStack.AutoDisarm) != 0)
            _alternate = new AlternateStack { Flags = AlternateStack.Disabled };
        _savedMask = null;
        Mask |= action.Mask | ((action.Flags & SignalAction.NoDefer) != 0 ? 0 : SignalNumbers.Bit(signal));
        // A signal that came after the instruction's own blocks everything until it is delivered, which is next.
        if (_slot.Pending == 0)
            SetMaskUnlessPending(Mask);
    }

    // Returns without having done anything when a signal waits: its delivery sets the mask.
    private void SetMaskUnlessPending(ulong guest)
    {
        ref ulong host = ref Scratch.Take<ulong>(out long address);
        host = SignalNumbers.ToHostMask(guest) & ~HostSignals.Unblockable;
        _ = HostCalls.Interruptible(RtSigprocmask, SIG_SETMASK, address, 0, 8);
    }

    private void Die(int signal)
    {
        Process.Debugger?.End(0, signal);
        Process.Log($"killed by signal {signal} at pc 0x{Cpu.Pc:x}");
        HostSignals.Die(SignalNumbers.ToHost(signal));
    }

    /// <summary>rt_sigprocmask(2).</summary>
    internal long ChangeMask(int how, ulong set, ulong old, ulong size)
    {
        if (size != 8)
            return -Errno.EINVAL;
        ulong before = Mask;
        if (set != 0)
        {
            if (!SafeMemory.TryLoad(set, 3, out ulong value))
                return -Errno.EFAULT;
            ulong mask = how switch { SIG_BLOCK => Mask | value, SIG_UNBLOCK => Mask & ~value, _ => value };
            if (how is not (SIG_BLOCK or SIG_UNBLOCK or SIG_SETMASK))
                return -Errno.EINVAL;
            // SIGKILL and SIGSTOP.
            mask &= ~(SignalNumbers.Bit(9) | SignalNumbers.Bit(19));
            ref ulong host = ref Scratch.Take<ulong>(out long address);
            host = SignalNumbers.ToHostMask(mask) & ~HostSignals.Unblockable;
            long result = HostCalls.Interruptible(RtSigprocmask, SIG_SETMASK, address, 0, 8);
            if (result != 0)
                return result;
            Mask = mask;
        }
        return old == 0 || SafeMemory.TryStore(old, 3, before) ? 0 : -Errno.EFAULT;
    }

    /// <summary>rt_sigsuspend(2).</summary>
    internal long Suspend(ulong set) => SafeMemory.TryLoad(set, 3, out ulong mask) ? SuspendWith(mask) : -Errno.EFAULT;

    /// <summary>Waits for a signal under a mask of the guest's.</summary>
    internal long SuspendWith(ulong mask)
    {
        mask &= ~(SignalNumbers.Bit(9) | SignalNumbers.Bit(19));
        ref ulong host = ref Scratch.Take<ulong>(out long address);
        host = SignalNumbers.ToHostMask(mask) & ~HostSignals.Unblockable;
        long result = HostCalls.Interruptible(RtSigsuspend, address, 8);
        return result;
    }

    /// <summary>rt_sigreturn(2).</summary>
    /// <param name="old">sigreturn(2): the frame of a handler without siginfo, which says nothing of the alternate stack.</param>
    internal void ReturnFromHandler(bool old = false)
    {
        AlternateStack stack = _alternate;
        if (!(old ? Cpu.TryReadOldFrame(out ulong mask) : Cpu.TryReadFrame(out mask, out stack)))
        {
            Die(SIGSEGV);
            return;
        }
        ref ulong host = ref Scratch.Take<ulong>(out long address);
        host = SignalNumbers.ToHostMask(mask) & ~HostSignals.Unblockable;
        if (HostCalls.Interruptible(RtSigprocmask, SIG_SETMASK, address, 0, 8) == HostCalls.NotBegun)
        {
            // A signal that came while the handler ran is delivered before the return.
            Cpu.Restart();
            return;
        }
        Mask = mask & ~(SignalNumbers.Bit(9) | SignalNumbers.Bit(19));
        _alternate = stack;
        if (!(old ? Cpu.TryLeaveOldHandler() : Cpu.TryLeaveHandler()))
            Die(SIGSEGV);
    }

    /// <summary>sigaltstack(2).</summary>
    /// <param name="narrow">The structure of a 32-bit ABI.</param>
    internal long SetAlternateStack(ulong set, ulong old, bool narrow = false)
    {
        const ulong Minimum = 2048;
        Span<byte> bytes = stackalloc byte[narrow ? 12 : 24];
        AlternateStack before = _alternate;
        if (set != 0)
        {
            if (SafeMemory.Read(set, bytes) != bytes.Length)
                return -Errno.EFAULT;
            AlternateStack next = narrow ? SignalFrames.ReadNarrowStack(bytes) : SignalFrames.ReadStack(bytes);
            if (_alternate.Contains(Cpu.StackPointer) && (_alternate.Flags & AlternateStack.AutoDisarm) == 0)
                return -Errno.EPERM;
            if ((next.Flags & ~(AlternateStack.Disabled | AlternateStack.AutoDisarm)) != 0)
                return -Errno.EINVAL;
            if ((next.Flags & AlternateStack.Disabled) != 0)
                next = new AlternateStack { Flags = AlternateStack.Disabled };
            else if (next.Size < Minimum)
                return -Errno.ENOMEM;
            _alternate = next;
        }
        if (old == 0)
            return 0;
        bytes.Clear();
        if (narrow)
            SignalFrames.WriteNarrowStack(bytes, before, Cpu.StackPointer);
        else
            SignalFrames.WriteStack(bytes, before, Cpu.StackPointer);
        return SafeMemory.Write(old, bytes) == bytes.Length ? 0 : -Errno.EFAULT;
    }
}
