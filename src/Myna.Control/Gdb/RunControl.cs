using Myna.Cpu;
using Myna.Cpu.Debugging;

namespace Myna.Control.Gdb;

/// <summary>
/// All-stop run control: threads run together and stop together. Keeps the breakpoints and watchpoints that the debugger set,
/// the same for every thread, and the stops that it has not been told of.
/// </summary>
internal sealed class RunControl : IDisposable
{
    readonly IDebugTarget _target;
    readonly Action<TargetStop> _stopped;
    readonly HashSet<ulong> _breakpoints = [];
    // Threads that stopped when another one's stop was being reported.
    readonly Dictionary<long, (TargetStop Stop, ulong Pc)> _unreported = [];
    readonly HashSet<(ulong Start, ulong Length, WatchKind Kind)> _watchpoints = [];

    /// <param name="stopped">Told on any thread that a thread stopped by itself.</param>
    public RunControl(IDebugTarget target, Action<TargetStop> stopped)
    {
        _target = target;
        _stopped = stopped;
        target.Stopped += stopped;
    }

    public void SetBreakpoint(ulong address, bool on)
    {
        if (on ? _breakpoints.Add(address) : _breakpoints.Remove(address))
            _target.SetBreakpoint(address, on);
    }

    public void SetWatchpoint(ulong start, ulong length, WatchKind kind, bool on)
    {
        if (on ? _watchpoints.Add((start, length, kind)) : _watchpoints.Remove((start, length, kind)))
            _target.SetWatchpoint(start, length, kind, on);
    }

    /// <summary>A stop that is not reported now: it is when its thread is to continue.</summary>
    public void Postpone(TargetStop stop)
    {
        if (stop.Reason == StopReason.Breakpoint || stop.Signal != 0)
            _unreported[stop.Thread.Id] = (stop, stop.Thread.Cpu.Pc);
    }

    /// <summary>The kind of the watchpoint that covers an address.</summary>
    public WatchKind KindAt(ulong address)
    {
        foreach ((ulong start, ulong length, WatchKind kind) in _watchpoints)
        {
            if (address - start < length)
                return kind;
        }
        return WatchKind.Write;
    }

    /// <summary>Resumes as asked.</summary>
    /// <returns>A stop that has happened already, or null when threads run now and a stop will be reported.</returns>
    public TargetStop? Resume(IReadOnlyList<ThreadResume> threads)
    {
        foreach (ThreadResume one in threads)
        {
            if (one.Action == ResumeAction.Stay || (one.Action == ResumeAction.Step && !_target.IsProgram)
                || !_unreported.Remove(one.Thread.Id, out (TargetStop Stop, ulong Pc) old))
                continue;
            if (old.Stop.Signal != 0 || (one.Thread.Cpu.Pc == old.Pc && _breakpoints.Contains(old.Pc)))
                return old.Stop;
        }
        return _target.Resume(threads);
    }

    /// <summary>Forgets every breakpoint and watchpoint; the threads must stand still.</summary>
    public void Clear()
    {
        foreach (ulong address in _breakpoints.ToArray())
            SetBreakpoint(address, false);
        foreach ((ulong start, ulong length, WatchKind kind) in _watchpoints.ToArray())
            SetWatchpoint(start, length, kind, false);
    }

    public void Dispose() => _target.Stopped -= _stopped;
}
