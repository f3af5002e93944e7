using Myna.Cpu;

namespace Myna.Control.Gdb;

/// <summary>A CPU stopped, and why.</summary>
internal sealed record TargetStop(VirtualCpu Cpu, StopReason Reason);

/// <summary>What to do with a CPU at the next resume.</summary>
internal enum ResumeAction { Stay, Continue, Step }

/// <summary>
/// All-stop run control: CPUs run together and stop together. Keeps the breakpoints and watchpoints that the debugger set,
/// the same on every CPU.
/// </summary>
internal sealed class RunControl : IDisposable
{
    readonly IDebugTarget _target;
    readonly Action<TargetStop> _stopped;
    readonly HashSet<ulong> _breakpoints = [];
    // CPUs that met a breakpoint when another CPU's stop was being reported.
    readonly Dictionary<VirtualCpu, ulong> _unreported = [];
    readonly HashSet<(ulong Start, ulong Length, WatchKind Kind)> _watchpoints = [];

    /// <param name="stopped">Told on a CPU's thread that it stopped by itself.</param>
    public RunControl(IDebugTarget target, Action<TargetStop> stopped)
    {
        _target = target;
        _stopped = stopped;
        foreach (VirtualCpu cpu in target.Cpus)
            cpu.Stopped += OnStopped;
    }

    void OnStopped(VirtualCpu cpu, StopReason reason) => _stopped(new TargetStop(cpu, reason));

    public void SetBreakpoint(ulong address, bool on)
    {
        if (on ? !_breakpoints.Add(address) : !_breakpoints.Remove(address))
            return;
        foreach (VirtualCpu cpu in _target.Cpus)
            cpu.SetBreakpoint(address, on);
    }

    public void SetWatchpoint(ulong start, ulong length, WatchKind kind, bool on)
    {
        if (on ? !_watchpoints.Add((start, length, kind)) : !_watchpoints.Remove((start, length, kind)))
            return;
        foreach (VirtualCpu cpu in _target.Cpus)
            cpu.SetWatchpoint(start, length, kind, on);
    }

    /// <summary>A stop that is not reported now: the CPU reports it when it is to continue.</summary>
    public void Postpone(TargetStop stop)
    {
        if (stop.Reason == StopReason.Breakpoint)
            _unreported[stop.Cpu] = stop.Cpu.Pc;
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

    /// <summary>
    /// Resumes as asked; <paramref name="actions"/> has one entry for each CPU. When CPUs step, the others run meanwhile, and
    /// all stand still again at return.
    /// </summary>
    /// <returns>The CPU that stepped and its stop, or null when CPUs run now and a stop will be reported.</returns>
    public TargetStop? Resume(IReadOnlyList<ResumeAction> actions)
    {
        foreach ((VirtualCpu cpu, ulong pc) in _unreported)
        {
            if (actions[cpu.Index] != ResumeAction.Continue)
                continue;
            _unreported.Remove(cpu);
            if (cpu.Pc == pc && _breakpoints.Contains(pc))
                return new TargetStop(cpu, StopReason.Breakpoint);
        }
        var running = new List<VirtualCpu>();
        var stepping = new List<VirtualCpu>();
        foreach (VirtualCpu cpu in _target.Cpus)
        {
            if (actions[cpu.Index] == ResumeAction.Continue)
                running.Add(cpu);
            else if (actions[cpu.Index] == ResumeAction.Step)
                stepping.Add(cpu);
        }
        if (stepping.Count == 0)
        {
            _target.Resume(running);
            return null;
        }
        if (running.Count != 0)
            _target.Resume(running);
        TargetStop? result = null;
        foreach (VirtualCpu cpu in stepping)
        {
            StopReason reason = cpu.Step();
            result ??= new TargetStop(cpu, reason);
        }
        _target.Pause();
        return result;
    }

    /// <summary>Forgets every breakpoint and watchpoint; the CPUs must stand still.</summary>
    public void Clear()
    {
        foreach (ulong address in _breakpoints.ToArray())
            SetBreakpoint(address, false);
        foreach ((ulong start, ulong length, WatchKind kind) in _watchpoints.ToArray())
            SetWatchpoint(start, length, kind, false);
    }

    public void Dispose()
    {
        foreach (VirtualCpu cpu in _target.Cpus)
            cpu.Stopped -= OnStopped;
    }
}
