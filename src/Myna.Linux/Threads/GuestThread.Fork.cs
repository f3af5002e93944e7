using Myna.Host.User;
using Myna.Linux.Signals;

namespace Myna.Linux.Threads;

/// <summary>
/// Processes made by a guest: a raw fork of this process, the runtime included (docs/user-mode.md).
/// LIMIT: a child that should share the memory without being a thread has a copy.
/// </summary>
public sealed partial class GuestThread
{
    private const long Read = 0, Close = 3, Pipe2 = 293, PidfdOpen = 434;
    private const int O_CLOEXEC = 0x80000;
    /// <summary>What the host's kernel does as asked: CLONE_FS, PARENT, SYSVSEM, UNTRACED, IO, the namespaces.</summary>
    private const ulong PassedOn = 0x200 | 0x8000 | 0x4_0000 | 0x80_0000 | 0x8000_0000 | Namespaces;
    private const ulong Namespaces = 0x7E02_0000;

    /// <summary>In a child of vfork: closed by its execve or end, which lets the parent go on.</summary>
    private int _vforkDescriptor = -1;

    private long Fork(in CloneRequest request)
    {
        if ((request.Flags & CloneRequest.PidFd) != 0 && !SafeMemory.TryStore(request.PidDescriptor, 2, 0))
            return -Errno.EFAULT;
        bool waits = (request.Flags & CloneRequest.VFork) != 0;
        int readEnd = -1, writeEnd = -1;
        if (waits && !TryMakePipe(out readEnd, out writeEnd))
            return -Errno.EMFILE;
        if (waits)
            RememberStack();
        ForkGate.Close(_slot);
        HostSignals.SetMask(ulong.MaxValue);
        if (_slot.Pending != 0)
        {
            ForkGate.Open();
            CloseBoth(readEnd, writeEnd);
            return HostCalls.NotBegun;
        }
        // A shared table of descriptors would keep vfork's pipe open.
        long flags = (long)(request.Flags & (waits ? PassedOn : PassedOn | CloneRequest.Files)) | (uint)SignalNumbers.ToHost(request.ExitSignal);
        long child = Process.Translation.Fork(Cpu, () => HostFork.Fork(flags));
        if (child == 0)
            _slot.KeepOnly();
        ForkGate.Open();
        if (child == 0)
        {
            BecomeProcess(request, readEnd, writeEnd);
            return 0;
        }
        if (child > 0)
        {
            if ((request.Flags & CloneRequest.ParentSetTid) != 0)
                SafeMemory.TryStore(request.ParentTid, 2, (ulong)child);
            if ((request.Flags & CloneRequest.PidFd) != 0)
                SafeMemory.TryStore(request.PidDescriptor, 2, (ulong)HostCalls.Plain(PidfdOpen, child, 0));
        }
        if (writeEnd >= 0)
            _ = HostCalls.Plain(Close, writeEnd);
        if (waits && child > 0)
            WaitForEnd(readEnd);
        if (readEnd >= 0)
            _ = HostCalls.Plain(Close, readEnd);
        SetHostMask(Mask);
        return child;
    }

    private void BecomeProcess(in CloneRequest request, int readEnd, int writeEnd)
    {
        Tid = (int)HostCalls.Plain(Gettid);
        HostSignals.Lead();
        Process.Threads.KeepOnly(this);
        // The debugger stays with the parent.
        if (Tracing is { } tracing)
        {
            tracing.Target.Forget(Cpu);
            tracing.Steps = false;
            _slot.Yield();
            Process.Debugger = null;
            Process.Signals.IsTraced = false;
            Tracing = null;
        }
        if (_vforkDescriptor >= 0)
        {
            _ = HostCalls.Plain(Close, _vforkDescriptor);
            Process.Descriptors.Show(_vforkDescriptor);
        }
        if (readEnd >= 0)
            _ = HostCalls.Plain(Close, readEnd);
        _vforkDescriptor = writeEnd;
        // A child that closes all descriptors from 3 on must not let its parent go on.
        if (writeEnd >= 0)
            Process.Descriptors.Hide(writeEnd);
        if (writeEnd < 0)
            _stackBefore = [];
        ClearChildTid = (request.Flags & CloneRequest.ChildClearTid) != 0 ? request.ChildTid : 0;
        RobustList = 0;
        if ((request.Flags & CloneRequest.ChildSetTid) != 0)
            SafeMemory.TryStore(request.ChildTid, 2, (ulong)Tid);
        // It would be seen in memory that both share.
        if ((request.Flags & CloneRequest.Memory) != 0 && (request.Flags & CloneRequest.ParentSetTid) != 0)
            SafeMemory.TryStore(request.ParentTid, 2, (ulong)Tid);
        if ((request.Flags & CloneRequest.SetTls) != 0)
            Cpu.ThreadPointer = request.Tls;
        if (request.StackPointer != 0)
            Cpu.StackPointer = request.StackPointer;
        if ((request.Flags & CloneRequest.ClearSignals) != 0)
            Process.Signals.Clear();
        SetHostMask(Mask);
    }

    private static bool TryMakePipe(out int readEnd, out int writeEnd)
    {
        using var pair = new Host.HostScratch(4096);
        ref ulong both = ref pair.Take<ulong>(out long address);
        readEnd = writeEnd = -1;
        if (HostCalls.Plain(Pipe2, address, O_CLOEXEC) != 0)
            return false;
        readEnd = Descriptors.MoveAway((int)(both & uint.MaxValue));
        writeEnd = Descriptors.MoveAway((int)(both >> 32));
        return true;
    }

    private static void CloseBoth(int readEnd, int writeEnd)
    {
        if (readEnd >= 0)
            _ = HostCalls.Plain(Close, readEnd);
        if (writeEnd >= 0)
            _ = HostCalls.Plain(Close, writeEnd);
    }
}
