using Myna.Host;
using Myna.Host.User;
using Myna.Linux.Abis;
using Myna.Linux.Calls;
using Myna.Linux.Debugging;

namespace Myna.Linux.Threads;

/// <summary>
/// A guest thread, executed by one managed thread. The host thread's signal mask is the guest's, so that the kernel does
/// all choosing and queueing of signals; the parts are this loop, signals, and the making of threads and processes.
/// </summary>
public sealed partial class GuestThread
{
    private const long Exit = 60, ExitGroup = 231, Gettid = 186, Futex = 202;

    private readonly SignalSlot _slot;
    private bool _ended;
    private int _status;

    private GuestThread(LinuxProcess process, UserCpu cpu)
    {
        Process = process;
        Cpu = cpu;
        _slot = SignalSlot.Attach(cpu.ExitRequestAddress);
        cpu.Attach(_slot);
        Tid = (int)HostCalls.Plain(Gettid);
    }

    public LinuxProcess Process { get; }
    public UserCpu Cpu { get; }

    /// <summary>The host's thread ID, which the guest sees too.</summary>
    public int Tid { get; private set; }

    /// <summary>Native memory for the structures of one system call.</summary>
    public HostScratch Scratch { get; } = new();

    /// <summary>A debugger's view of this thread; null when there is no debugger.</summary>
    internal TracedThread? Tracing { get; private set; }

    internal SignalSlot Slot => _slot;

    /// <summary>Where to store 0 and wake a futex when the thread ends (set_tid_address(2)); 0 for nowhere.</summary>
    internal ulong ClearChildTid { get; set; }

    /// <summary>Runs a loaded program on the calling thread, which must be the process's first.</summary>
    /// <returns>Its exit status. A program that a signal ends takes the process with it.</returns>
    public static int RunMain(LinuxProcess process, ulong entry, ulong stackPointer, bool pipeIgnored = false)
    {
        HostSignals.Initialize();
        ulong mask = HostSignals.GetMask();
        HostSignals.SetMask(ulong.MaxValue);
        UserCpu cpu = process.Translation.CreateCpu();
        cpu.Pc = entry;
        cpu.StackPointer = stackPointer;
        var thread = new GuestThread(process, cpu) { Mask = SignalNumbersOf(mask) };
        thread.TakeName(process.Image.Path);
        HostSignals.Lead();
        HostSignals.QuietRuntime();
        process.Signals.IsTraced = process.Debugger is not null;
        process.Signals.Inherit(pipeIgnored);
        process.Threads.Add(thread);
        thread.StartTracing();
        HostSignals.SetMask(mask);
        thread.Loop();
        if (!process.Threads.Remove(thread))
        {
            // The last thread ends the process.
            thread.Finish();
            Thread.Sleep(Timeout.Infinite);
        }
        process.Debugger?.End(thread._status, 0);
        thread.Finish();
        return (int)HostCalls.Plain(ExitGroup, thread._status);
    }

    // The kernel calls a program by its file's name.
    private void TakeName(string path)
    {
        const long Prctl = 157;
        const int PR_SET_NAME = 15;
        Scratch.Reset();
        _ = HostCalls.Plain(Prctl, PR_SET_NAME, Scratch.Put(path[(path.LastIndexOf('/') + 1)..]));
    }

    private void Loop()
    {
        try
        {
            while (!_ended)
            {
                if (_slot.Pending != 0)
                    DeliverPending();
                if (Tracing is { } tracing)
                    tracing.Execute();
                else
                    Serve(Cpu.Run());
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            Fail(e);
        }
    }

    // A mistake of Myna's. Nothing of the runtime's own end: in a forked child it would wait for threads that are not there.
    private void Fail(Exception e)
    {
        const int SIGABRT = 6, StandardError = 2, Shown = 600;
        string text = $"myna: internal error in process {HostCalls.Plain(39)} at pc 0x{Cpu.Pc:x}: {e}";
        using var scratch = new HostScratch(8192);
        text = text.Length > Shown ? text[..Shown] : text;
        _ = HostCalls.Plain(Write, StandardError, scratch.Put(GuestText.FromHost(text + "\n")), text.Length + 1);
        Process.Debugger?.End(0, SIGABRT);
        HostSignals.Die(SIGABRT);
    }

    internal void Serve(UserEvent happened)
    {
        switch (happened)
        {
            case UserEvent.SystemCall:
                MakeCall();
                break;
            case UserEvent.Fault:
                const int SEGV_MAPERR = 1;
                if (Cpu.Fault is { Signal: SIGSEGV, Code: SEGV_MAPERR } fault && Process.Memory.TryGrow(fault.Address, Process.Limits.Get(ResourceLimits.Stack).Soft))
                    break;
                Raise(Cpu.Fault);
                break;
        }
    }

    /// <summary>The process begins to be debugged, or this thread of a debugged one.</summary>
    private void StartTracing()
    {
        if (Process.Debugger is { } debugger)
        {
            Tracing = new TracedThread(debugger, this);
            debugger.Add(Tracing);
        }
    }

    private void MakeCall()
    {
        SystemCallArguments c = Cpu.Call;
        SystemCalls calls = Process.CallsOf(c.Abi);
        if (Tracing is { } tracing)
            tracing.IsInCall = (calls.Find(c.Number)?.Flags & CallFlags.NoReturn) == 0;
        long result = calls.Invoke(this, c.Number, c.A0, c.A1, c.A2, c.A3, c.A4, c.A5);
        if (Tracing is { } traced)
        {
            traced.IsInCall = false;
            // What a debugger has interrupted, the program is not to notice.
            if (_slot.IsWanted)
            {
                _slot.Yield();
                if (result == -Errno.EINTR && _slot.Pending == 0)
                    result = HostCalls.NotBegun;
            }
        }
        if (result == SystemCalls.NoResult)
            return;
        if (result == HostCalls.NotBegun)
        {
            Cpu.Restart();
            return;
        }
        Cpu.SetResult(result);
        if (result == -Errno.EINTR && _slot.Pending != 0 && (calls.Find(c.Number)?.Flags & CallFlags.Restarts) != 0)
            _restarts = true;
    }

    /// <summary>Ends this thread with the loop's next round; the process goes on if there are others.</summary>
    internal void End(int status)
    {
        _ended = true;
        _status = status;
    }

    /// <summary>Head of the thread's list of robust futexes (set_robust_list(2)); 0 for none.</summary>
    internal ulong RobustList { get; set; }

    // What the kernel would do at a thread's end. The host thread goes on to its own.
    private void Finish()
    {
        HostSignals.SetMask(ulong.MaxValue);
        // Before anybody may take the thread for ended: its list may lie in memory that is used anew then.
        RobustFutexes.Release(this);
        if (ClearChildTid != 0)
        {
            const int Wake = 1;
            SafeMemory.TryStore(ClearChildTid, 2, 0);
            _ = HostCalls.Plain(Futex, (long)ClearChildTid, Wake, 1);
        }
        if (Tracing is { } tracing)
            tracing.Target.Remove(tracing);
        Cpu.Dispose();
        _slot.Dispose();
        Scratch.Dispose();
    }
}
