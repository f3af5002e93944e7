using Myna.Cpu;
using Myna.Cpu.Debugging;

namespace Myna.Control;

/// <summary>CPUs as threads of a debugger, numbered from 1.</summary>
public abstract class CpuTarget : IDebugTarget
{
    private Action<TargetStop>? _stopped;
    private DebugThread[]? _threads;

    /// <summary>The CPUs; always the same.</summary>
    public abstract IReadOnlyList<VirtualCpu> Cpus { get; }

    /// <inheritdoc/>
    public abstract Task<TargetExit> Ended { get; }

    /// <inheritdoc/>
    public abstract bool IsRunning { get; }

    /// <inheritdoc/>
    public IReadOnlyList<DebugThread> Threads => _threads ??= [.. Cpus.Select(cpu => new DebugThread(cpu.Index + 1, cpu))];

    /// <inheritdoc/>
    public event Action<TargetStop>? Stopped
    {
        add
        {
            if (_stopped is null)
            {
                foreach (VirtualCpu cpu in Cpus)
                    cpu.Stopped += OnStopped;
            }
            _stopped += value;
        }
        remove
        {
            _stopped -= value;
            if (_stopped is not null)
                return;
            foreach (VirtualCpu cpu in Cpus)
                cpu.Stopped -= OnStopped;
        }
    }

    private void OnStopped(VirtualCpu cpu, StopReason reason) => _stopped?.Invoke(new TargetStop(Threads[cpu.Index], reason));

    /// <inheritdoc/>
    public abstract void Pause();

    /// <summary>Lets time pass and these CPUs run.</summary>
    protected abstract void Resume(IReadOnlyCollection<VirtualCpu> cpus);

    /// <summary>When CPUs step, the others run meanwhile, and all stand still again at return.</summary>
    /// <inheritdoc/>
    public TargetStop? Resume(IReadOnlyList<ThreadResume> threads)
    {
        var running = new List<VirtualCpu>();
        var stepping = new List<DebugThread>();
        foreach (ThreadResume one in threads)
        {
            if (one.Action == ResumeAction.Continue)
                running.Add(one.Thread.Cpu);
            else if (one.Action == ResumeAction.Step)
                stepping.Add(one.Thread);
        }
        if (stepping.Count == 0 || running.Count != 0)
            Resume(running);
        if (stepping.Count == 0)
            return null;
        TargetStop? result = null;
        foreach (DebugThread thread in stepping)
        {
            StopReason reason = thread.Cpu.Step();
            result ??= new TargetStop(thread, reason);
        }
        Pause();
        return result;
    }

    /// <inheritdoc/>
    public void SetBreakpoint(ulong address, bool on)
    {
        foreach (VirtualCpu cpu in Cpus)
            cpu.SetBreakpoint(address, on);
    }

    /// <inheritdoc/>
    public void SetWatchpoint(ulong start, ulong length, WatchKind kind, bool on)
    {
        foreach (VirtualCpu cpu in Cpus)
            cpu.SetWatchpoint(start, length, kind, on);
    }

    /// <inheritdoc/>
    public abstract void Reset();

    /// <inheritdoc/>
    public abstract void Kill();
}
