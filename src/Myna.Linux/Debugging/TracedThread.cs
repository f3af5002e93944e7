using Myna.Cpu;
using Myna.Cpu.Debugging;
using Myna.Linux.Abis;
using Myna.Linux.Threads;

namespace Myna.Linux.Debugging;

/// <summary>A guest thread under a debugger. It executes through <see cref="Execute"/>, which stops where the debugger wants it to.</summary>
internal sealed class TracedThread(ProcessTarget target, GuestThread thread) : DebugThread(thread.Tid, thread.Cpu.Cpu)
{
    private bool _inCall;
    /// <summary>Where it was resumed: a breakpoint there was reported before.</summary>
    private ulong? _resumedAt;
    private bool _entered;

    public ProcessTarget Target { get; } = target;
    public GuestThread Thread { get; } = thread;

    public override string Description
    {
        get
        {
            try
            {
                return File.ReadAllText($"/proc/self/task/{Thread.Tid}/comm").TrimEnd('\n');
            }
            catch (IOException)
            {
                return "";
            }
        }
    }

    /// <summary>The thread stands still in <see cref="ProcessTarget.Stand"/>; under the target's lock.</summary>
    public bool IsStanding { get; set; }

    /// <summary>Given by the debugger when it lets the thread go on; under the target's lock.</summary>
    public bool Steps { get; set; }

    /// <inheritdoc cref="Steps"/>
    public int Signal { get; set; }

    /// <summary>siginfo_t of the signal that stopped it last.</summary>
    public byte[] SignalInfo { get; private set; } = [];

    /// <summary>In a system call, whose waiting counts as standing still.</summary>
    public bool IsInCall
    {
        get => Volatile.Read(ref _inCall);
        set => Volatile.Write(ref _inCall, value);
    }

    /// <summary>Whether the debugger may look at it: it executes nothing of the program.</summary>
    public bool IsQuiet => IsStanding || (IsInCall && Thread.Slot.IsOutside);

    /// <summary>One round of the thread's loop: stands still if that is wanted, then executes.</summary>
    public void Execute()
    {
        if (_entered)
        {
            _entered = false;
            // A step that entered a handler ends at its first instruction.
            if (Steps)
                Report(StopReason.InstructionLimit, 0);
        }
        Stand();
        UserCpu cpu = Thread.Cpu;
        if (cpu.Pc != _resumedAt)
        {
            _resumedAt = null;
            if (Target.IsBreakpoint(cpu.Pc) && Report(StopReason.Breakpoint, 0))
                return;
        }
        // A signal that came meanwhile goes first.
        if (Thread.Slot.Pending != 0)
            return;
        bool steps = Steps;
        UserEvent happened = steps ? cpu.Step() : cpu.Run();
        if (happened == UserEvent.Debug)
        {
            Report(cpu.LastStop, 0);
            return;
        }
        Thread.Serve(happened);
        if (steps && Steps && happened != UserEvent.Fault)
            Report(StopReason.InstructionLimit, 0);
    }

    /// <summary>A signal is about to be delivered.</summary>
    /// <returns>The signal that the debugger wants to be delivered instead; 0 for none.</returns>
    public int Stop(int signal, ReadOnlySpan<byte> info)
    {
        if (Target.Passes(signal))
            return signal;
        SignalInfo = info.ToArray();
        return Report(StopReason.Trap, signal) ? Signal : signal;
    }

    /// <summary>The thread is at a signal handler's first instruction.</summary>
    public void EnteredHandler() => _entered = true;

    // False: nobody is interested.
    private bool Report(StopReason reason, int signal)
    {
        if (!Target.Report(this, reason, signal))
            return false;
        Stand();
        return true;
    }

    private void Stand()
    {
        if (Target.Stand(this))
            _resumedAt = Thread.Cpu.Pc;
    }
}
