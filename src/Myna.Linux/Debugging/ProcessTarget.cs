using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using Myna.Cpu;
using Myna.Cpu.Debugging;
using Myna.Host;
using Myna.Host.User;
using Myna.Linux.Abis;

namespace Myna.Linux.Debugging;

/// <summary>
/// A program as a debugger drives it. A thread that waits in a system call counts as standing still. Children of fork run on
/// without the debugger.
/// LIMIT: execve ends the debugger's session; signals that the program ignores, or that stop it, are not reported.
/// </summary>
public sealed class ProcessTarget : IDebugTarget
{
    private const int PauseTime = 2000, SettleTime = 500, SIGTRAP = 5;

    private readonly LinuxProcess _process;
    private readonly object _gate = new();
    private readonly List<TracedThread> _threads = [];
    private readonly Dictionary<(ulong Start, ulong Length, WatchKind Kind), int> _watchpoints = [];
    private readonly TaskCompletionSource<TargetExit> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<int> _descriptors = [];
    private volatile HashSet<ulong> _breakpoints = [];
    private volatile IReadOnlySet<int> _passed = new HashSet<int>();
    private Action<TargetStop>? _stopped;
    private bool _running, _begun;

    /// <summary>The program stands still at its first instruction until a debugger lets it run.</summary>
    public ProcessTarget(LinuxProcess process) => _process = process;

    /// <summary>Called once, on a thread of the program, when it is about to end and <see cref="Ended"/> has completed.</summary>
    public event Action? Ending;

    // What the debugger calls.

    /// <inheritdoc/>
    public IReadOnlyList<DebugThread> Threads
    {
        get
        {
            lock (_gate)
            {
                // A debugger may come before the first thread.
                while (!_begun)
                    Monitor.Wait(_gate);
                return [.. _threads];
            }
        }
    }

    /// <inheritdoc/>
    public Task<TargetExit> Ended => _ended.Task;

    /// <inheritdoc/>
    public bool IsRunning
    {
        get
        {
            lock (_gate)
                return _running;
        }
    }

    /// <inheritdoc/>
    public bool IsProgram => true;

    /// <inheritdoc/>
    public event Action<TargetStop>? Stopped
    {
        add
        {
            lock (_gate)
                _stopped += value;
        }
        remove
        {
            lock (_gate)
                _stopped -= value;
        }
    }

    /// <inheritdoc/>
    public void Pause()
    {
        lock (_gate)
        {
            _running = false;
            foreach (TracedThread thread in _threads)
            {
                thread.Thread.Slot.Hold();
                if (!thread.IsQuiet)
                    thread.Cpu.Kick();
            }
            WaitUntil(() => _threads.TrueForAll(static t => t.IsQuiet), PauseTime);
        }
    }

    // Threads that stand pulse; those that begin to wait in a system call do not.
    private void WaitUntil(Func<bool> condition, int milliseconds)
    {
        long end = Environment.TickCount64 + milliseconds;
        while (!condition() && !_ended.Task.IsCompleted && Environment.TickCount64 < end)
            Monitor.Wait(_gate, 1);
    }

    /// <inheritdoc/>
    public void Settle(DebugThread thread)
    {
        lock (_gate)
        {
            var traced = (TracedThread)thread;
            if (traced.IsStanding || !_threads.Contains(traced))
                return;
            traced.Thread.Slot.Want(traced.Thread.Tid);
            WaitUntil(() => traced.IsStanding, SettleTime);
        }
    }

    /// <inheritdoc/>
    public TargetStop? Resume(IReadOnlyList<ThreadResume> threads)
    {
        lock (_gate)
        {
            _running = true;
            foreach (ThreadResume one in threads)
            {
                var thread = (TracedThread)one.Thread;
                if (one.Action == ResumeAction.Stay || !_threads.Contains(thread))
                    continue;
                thread.Steps = one.Action == ResumeAction.Step;
                if (one.Signal != ThreadResume.OwnSignal)
                    thread.Signal = one.Signal;
                thread.Thread.Slot.Release();
            }
        }
        return null;
    }

    /// <inheritdoc/>
    public void SetBreakpoint(ulong address, bool on)
    {
        lock (_gate)
        {
            var changed = new HashSet<ulong>(_breakpoints);
            if (on ? changed.Add(address) : changed.Remove(address))
                _breakpoints = changed;
            foreach (TracedThread thread in _threads)
                thread.Cpu.SetBreakpoint(address, on);
        }
    }

    /// <inheritdoc/>
    public void SetWatchpoint(ulong start, ulong length, WatchKind kind, bool on)
    {
        lock (_gate)
        {
            if (on)
                _watchpoints[(start, length, kind)] = 0;
            else
                _watchpoints.Remove((start, length, kind));
            foreach (TracedThread thread in _threads)
            {
                thread.Cpu.SetWatchpoint(start, length, kind, on);
                thread.Thread.Cpu.Interpret(_watchpoints.Count != 0);
            }
        }
    }

    /// <inheritdoc/>
    public void Kill()
    {
        const long SysKill = 62, Getpid = 39;
        const int SIGKILL = 9;
        _ = HostCalls.Plain(SysKill, HostCalls.Plain(Getpid), SIGKILL);
    }

    /// <inheritdoc/>
    public void Pass(IReadOnlySet<int> signals) => _passed = signals;

    /// <inheritdoc/>
    public byte[]? Read(string name, DebugThread thread) => name switch
    {
        "auxv" => _process.Image.AuxiliaryVector,
        "exec-file" => [.. GuestText.Encode(_process.Image.Path)],
        "siginfo" => ((TracedThread)thread).SignalInfo is { Length: > 0 } info ? info : null,
        _ => null,
    };

    /// <inheritdoc/>
    public string? FilePath(string path)
    {
        using var scratch = new HostScratch(32 * 1024);
        string guest = GuestText.FromHost(path);
        return GuestText.Show(_process.Sysroot?.Translate(scratch, guest) ?? guest);
    }

    /// <inheritdoc/>
    public SafeFileHandle OpenFile(string path)
    {
        using SafeFileHandle low = File.OpenHandle(FilePath(path)!);
        return new SafeFileHandle(Keep((int)low.DangerousGetHandle()), ownsHandle: true);
    }

    /// <summary>Moves a socket of the debugger's to where the program does not find it.</summary>
    public Socket Keep(Socket socket)
    {
        const long Close = 3;
        nint old = socket.Handle;
        var kept = new Socket(new SafeSocketHandle(Keep((int)old), ownsHandle: true));
        // Its own Dispose would delete the file of a Unix socket.
        socket.SafeHandle.SetHandleAsInvalid();
        GC.SuppressFinalize(socket);
        _ = HostCalls.Plain(Close, old);
        return kept;
    }

    private nint Keep(int descriptor)
    {
        int kept = _process.Descriptors.Keep(descriptor);
        if (kept < 0)
            throw new IOException($"no descriptor is left for the debugger ({Errno.Name(-kept)})");
        lock (_gate)
            _descriptors.Add(kept);
        return kept;
    }

    // What the program's threads call.

    internal void Add(TracedThread thread)
    {
        lock (_gate)
        {
            _threads.Add(thread);
            _begun = true;
            foreach (ulong address in _breakpoints)
                thread.Cpu.SetBreakpoint(address, true);
            foreach ((ulong start, ulong length, WatchKind kind) in _watchpoints.Keys)
                thread.Cpu.SetWatchpoint(start, length, kind, true);
            thread.Thread.Cpu.Interpret(_watchpoints.Count != 0);
            if (!_running)
                thread.Thread.Slot.Hold();
            Monitor.PulseAll(_gate);
        }
    }

    internal void Remove(TracedThread thread)
    {
        lock (_gate)
        {
            _threads.Remove(thread);
            Monitor.PulseAll(_gate);
        }
    }

    internal bool IsBreakpoint(ulong pc) => _breakpoints.Contains(pc);

    internal bool Passes(int signal) => _passed.Contains(signal);

    /// <summary>Waits while the debugger wants the thread to stand still.</summary>
    /// <returns>Whether it did.</returns>
    internal bool Stand(TracedThread thread)
    {
        SignalSlot slot = thread.Thread.Slot;
        if (!slot.IsHeld && !slot.IsWanted)
            return false;
        bool stood = false;
        while (true)
        {
            lock (_gate)
            {
                thread.IsStanding = slot.IsHeld;
                if (slot.IsWanted)
                    slot.Yield();
                Monitor.PulseAll(_gate);
                if (!thread.IsStanding)
                    return stood;
            }
            stood = true;
            slot.Stand();
        }
    }

    /// <summary>A thread has stopped by itself; it stands still until it is resumed.</summary>
    /// <returns>False: no debugger is there.</returns>
    internal bool Report(TracedThread thread, StopReason reason, int signal)
    {
        Action<TargetStop>? stopped;
        lock (_gate)
        {
            stopped = _stopped;
            if (stopped is null)
                return false;
            thread.Steps = false;
            // What it gets when the debugger leaves; a breakpoint's own would end it.
            thread.Signal = signal == SIGTRAP ? 0 : signal;
            thread.Thread.Slot.Hold();
        }
        stopped(new TargetStop(thread, reason, signal));
        return true;
    }

    /// <summary>The process is about to end.</summary>
    /// <param name="signal">In the guest's numbers; 0 when it exits.</param>
    internal void End(int status, int signal)
    {
        if (_ended.TrySetResult(new TargetExit(status, signal)))
            Ending?.Invoke();
    }

    /// <summary>In a child of fork, where only the calling thread exists: leaves the debugger to the parent. No lock is taken.</summary>
    internal void Forget(UserCpu cpu)
    {
        const long Close = 3;
        foreach (int descriptor in _descriptors)
        {
            _ = HostCalls.Plain(Close, descriptor);
            _process.Descriptors.Show(descriptor);
        }
        foreach (ulong address in _breakpoints)
            cpu.Cpu.SetBreakpoint(address, false);
        foreach ((ulong start, ulong length, WatchKind kind) in _watchpoints.Keys)
            cpu.Cpu.SetWatchpoint(start, length, kind, false);
        cpu.Interpret(false);
    }
}
