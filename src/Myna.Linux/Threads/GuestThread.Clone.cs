using Myna.Host.User;
using Myna.Linux.Abis;
using Myna.Linux.Signals;

namespace Myna.Linux.Threads;

/// <summary>What clone(2) and clone3(2) ask for.</summary>
internal struct CloneRequest
{
    public const ulong Memory = 0x100, Files = 0x400, Handlers = 0x800, PidFd = 0x1000, VFork = 0x4000, Thread = 0x1_0000, SetTls = 0x8_0000,
        ParentSetTid = 0x10_0000, ChildClearTid = 0x20_0000, ChildSetTid = 0x100_0000, ClearSignals = 0x1_0000_0000;

    public ulong Flags, StackPointer, ParentTid, ChildTid, Tls, PidDescriptor;
    public int ExitSignal;
}

public sealed partial class GuestThread
{
    private const int HostStackSize = 512 << 10;
    private const long Unshare = 272;
    /// <summary>CLONE_FS, CLONE_FILES, CLONE_SYSVSEM.</summary>
    private const ulong Shared = 0x200 | CloneRequest.Files | 0x4_0000;

    internal long Clone(in CloneRequest request)
    {
        ulong flags = request.Flags;
        const ulong FileSystem = 0x200, NewMounts = 0x2_0000, NewUser = 0x1000_0000, NewProcesses = 0x2000_0000;
        // What needs what: clone(2), EINVAL.
        if (Has(CloneRequest.Handlers) && !Has(CloneRequest.Memory)
            || Has(CloneRequest.Thread) && (!Has(CloneRequest.Handlers) || Has(NewUser) || Has(NewProcesses) || Has(CloneRequest.PidFd))
            || Has(FileSystem) && (Has(NewMounts) || Has(NewUser))
            || Has(CloneRequest.Handlers) && Has(CloneRequest.ClearSignals)
            || request.ExitSignal > SignalNumbers.Count)
            return -Errno.EINVAL;
        return Has(CloneRequest.Thread) ? StartThread(request) : Fork(request);

        bool Has(ulong flag) => (flags & flag) != 0;
    }

    // Registers are copied here, so that this thread may go on at once; all signals are blocked until the new one has its slot.
    private long StartThread(CloneRequest request)
    {
        UserCpu cpu = Process.Translation.CreateCpu();
        cpu.CopyFrom(Cpu);
        if (request.StackPointer != 0)
            cpu.StackPointer = request.StackPointer;
        if ((request.Flags & CloneRequest.SetTls) != 0)
            cpu.ThreadPointer = request.Tls;
        cpu.SetResult(0);
        ulong mask = Mask;
        int tid = 0;
        Exception? failure = null;
        using var ready = new ManualResetEventSlim();
        HostSignals.SetMask(ulong.MaxValue);
        var host = new Thread(() =>
        {
            GuestThread thread;
            try
            {
                thread = new GuestThread(Process, cpu) { Mask = mask };
            }
            catch (IOException e)
            {
                failure = e;
                ready.Set();
                return;
            }
            // A thread of the host's shares what these flags are about.
            if ((~request.Flags & Shared) is ulong own and not 0)
                _ = HostCalls.Plain(Unshare, (long)own);
            if ((request.Flags & CloneRequest.ChildClearTid) != 0)
                thread.ClearChildTid = request.ChildTid;
            if ((request.Flags & CloneRequest.ChildSetTid) != 0)
                SafeMemory.TryStore(request.ChildTid, 2, (ulong)thread.Tid);
            if ((request.Flags & CloneRequest.ParentSetTid) != 0)
                SafeMemory.TryStore(request.ParentTid, 2, (ulong)thread.Tid);
            Process.Threads.Add(thread);
            thread.StartTracing();
            Volatile.Write(ref tid, thread.Tid);
            ready.Set();
            SetHostMask(mask);
            thread.Loop();
            bool last = Process.Threads.Remove(thread);
            thread.Finish();
            if (last)
                Process.Debugger?.End(thread._status, 0);
            if (last)
                HostCalls.Plain(ExitGroup, thread._status);
        }, HostStackSize) { IsBackground = true };
        try
        {
            host.Start();
            ready.Wait();
        }
        catch (OutOfMemoryException e)
        {
            failure = e;
        }
        // A signal may wait since before: then its delivery sets the mask.
        if (_slot.Pending == 0)
            SetHostMask(Mask);
        if (failure is null)
            return tid;
        cpu.Dispose();
        return -Errno.EAGAIN;
    }
}
