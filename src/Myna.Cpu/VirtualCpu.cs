using System.Buffers.Binary;
using Myna.Cpu.Engines;

namespace Myna.Cpu;

/// <summary>Why <see cref="VirtualCpu.Run"/> returned.</summary>
public enum StopReason
{
    /// <summary>As many instructions as asked for were executed.</summary>
    InstructionLimit,
    /// <summary>Somebody called <see cref="VirtualCpu.Kick"/>.</summary>
    Kicked,
    /// <summary>The CPU waits for an interrupt and <see cref="VirtualCpu.BlocksWhileWaiting"/> is false.</summary>
    Waiting,
    /// <summary>pc is at a breakpoint; its instruction has not been executed.</summary>
    Breakpoint,
    /// <summary>The instruction at pc is about to touch a watched range and has not been executed; on x86 it has, as gdb expects there.</summary>
    Watchpoint,
    /// <summary>A user program's CPU: pc is at a system call or at an instruction that raised an exception.</summary>
    Trap,
}

/// <summary>Accesses that a watchpoint looks for.</summary>
[Flags]
public enum WatchKind { Read = 1, Write = 2, Access = Read | Write }

/// <summary>A register as debuggers see it.</summary>
/// <param name="Number">gdb's number.</param>
/// <param name="Bits">Width: at most 256, whole bytes.</param>
/// <param name="Group">The target description's feature, e.g. "org.gnu.gdb.riscv.cpu".</param>
public sealed record CpuRegister(int Number, string Name, int Bits, string Group);

/// <summary>A range of virtual addresses that the page tables map to as many physical ones.</summary>
/// <param name="User">User mode may use it.</param>
public readonly record struct Mapping(ulong Start, ulong Physical, ulong Size, bool Read, bool Write, bool Execute, bool User);

/// <summary>
/// A virtual CPU, whatever executes it and whichever instruction set it has: its thread, and what debuggers and the
/// monitor need. Members are for any thread unless they say "paused", which means that the CPU must stand still.
/// </summary>
public abstract class VirtualCpu : IDisposable
{
    private enum Wanted { Paused, Running, Ended }

    private readonly object _gate = new();
    private readonly List<Watchpoint> _watchpoints = [];
    private readonly HashSet<ulong> _breakpoints = [];
    private Wanted _wanted = Wanted.Paused;
    private bool _standing = true;
    private Thread? _thread;

    protected VirtualCpu(int index) => Index = index;

    private protected readonly record struct Watchpoint(ulong Start, ulong Length, WatchKind Kind);

    /// <summary>0 for the first CPU of the machine.</summary>
    public int Index { get; }

    /// <summary>Whether a wait for interrupts blocks the thread (the default) or returns <see cref="StopReason.Waiting"/>.</summary>
    public bool BlocksWhileWaiting { get; set; } = true;

    /// <summary>Called before every instruction, on the CPU's thread; slows execution down a lot. Set it while paused.</summary>
    public Action<VirtualCpu>? Tracer { get; set; }

    /// <summary>The CPU stopped by itself, at a breakpoint or watchpoint, and is paused. Raised on its thread.</summary>
    public event Action<VirtualCpu, StopReason>? Stopped;

    /// <summary>An internal error ended the CPU's thread.</summary>
    public event Action<VirtualCpu, Exception>? Failed;

    /// <summary>The first watched byte of the access that hit a watchpoint last.</summary>
    public ulong WatchedAddress { get; private protected set; }

    /// <summary>Executes guest code on the calling thread. Only one thread at a time may do so.</summary>
    /// <param name="maxInstructions">Stops after so many; ulong.MaxValue means no limit.</param>
    public abstract StopReason Run(ulong maxInstructions = ulong.MaxValue);

    /// <summary>Makes <see cref="Run"/> return soon; if it does not run now, the next call returns at once.</summary>
    public abstract void Kick();

    /// <summary>Power-on state. Paused.</summary>
    public abstract void Reset();

    // Debugging; paused.

    /// <summary>Address of the next instruction.</summary>
    public abstract ulong Pc { get; set; }

    public abstract IReadOnlyList<CpuRegister> Registers { get; }

    /// <summary>gdb's target description (gdb manual, appendix "Target Descriptions").</summary>
    public abstract string TargetDescription { get; }

    /// <summary>A register of at most 64 bits.</summary>
    /// <returns>False when there is no such register, it is wider, or it cannot be read now.</returns>
    public abstract bool TryReadRegister(int number, out ulong value);

    /// <returns>False when there is no such register, it is wider than 64 bits, or it cannot be written.</returns>
    public abstract bool TryWriteRegister(int number, ulong value);

    /// <summary>A register of any width, little-endian.</summary>
    /// <param name="value">As many bytes as <see cref="CpuRegister.Bits"/> asks for.</param>
    /// <inheritdoc cref="TryReadRegister(int, out ulong)"/>
    public virtual bool TryReadRegister(int number, Span<byte> value)
    {
        if (!TryReadRegister(number, out ulong low))
            return false;
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, low);
        value.Clear();
        bytes[..Math.Min(8, value.Length)].CopyTo(value);
        return true;
    }

    /// <summary>A register of any width, little-endian.</summary>
    /// <inheritdoc cref="TryWriteRegister(int, ulong)"/>
    public virtual bool TryWriteRegister(int number, ReadOnlySpan<byte> value)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        value[..Math.Min(8, value.Length)].CopyTo(bytes);
        return TryWriteRegister(number, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
    }

    /// <summary>Translates as the CPU would now, without faults, without setting accessed or dirty bits.</summary>
    public abstract bool TryTranslate(ulong va, out ulong physical);

    /// <summary>Reads RAM or ROM at guest virtual addresses.</summary>
    /// <returns>False when part of the range is not mapped or not memory.</returns>
    public abstract bool ReadMemory(ulong va, Span<byte> destination);

    /// <summary>Writes RAM or ROM at guest virtual addresses, write-protected pages too.</summary>
    /// <inheritdoc cref="ReadMemory"/>
    public abstract bool WriteMemory(ulong va, ReadOnlySpan<byte> source);

    /// <summary>
    /// Executes the one instruction at pc, traps included, on the calling thread. Pending interrupts wait, breakpoints are
    /// not looked at, a wait for interrupts ends at once.
    /// </summary>
    /// <returns>InstructionLimit, Watchpoint, Trap (a user program's CPU), or Waiting when the CPU is switched off.</returns>
    public abstract StopReason Step();

    /// <summary>The instruction at a guest virtual address, as assembly text.</summary>
    /// <returns>False when it cannot be read.</returns>
    public abstract bool TryDisassemble(ulong va, out string text, out int length);

    /// <summary>What the page tables in use map, in ascending order; nothing when translation is off.</summary>
    public abstract IEnumerable<Mapping> Mappings();

    /// <summary>Engine and CPU counters, for the monitor. Values may be a moment old.</summary>
    public abstract IEnumerable<(string Name, ulong Value)> Counters { get; }

    /// <summary>Sets or removes a breakpoint. Paused.</summary>
    public void SetBreakpoint(ulong pc, bool on)
    {
        if (on)
            _breakpoints.Add(pc);
        else
            _breakpoints.Remove(pc);
        BreakpointVersion++;
    }

    /// <summary>Sets or removes a watchpoint on guest virtual addresses. Paused.</summary>
    public void SetWatchpoint(ulong start, ulong length, WatchKind kind, bool on)
    {
        var watchpoint = new Watchpoint(start, length, kind);
        if (on)
            _watchpoints.Add(watchpoint);
        else
            _watchpoints.Remove(watchpoint);
        BreakpointVersion++;
        OnWatchpointsChanged();
    }

    private protected IReadOnlyList<Watchpoint> Watchpoints => _watchpoints;
    internal IEnumerable<(ulong Start, ulong Length, WatchKind Kind)> WatchedRanges => _watchpoints.Select(w => (w.Start, w.Length, w.Kind));

    /// <summary>Counts changes of breakpoints and watchpoints.</summary>
    internal int BreakpointVersion { get; private set; }

    internal IReadOnlySet<ulong> Breakpoints => _breakpoints;

    private protected bool HasBreakpoints => _breakpoints.Count != 0;
    private protected bool IsBreakpoint(ulong pc) => _breakpoints.Contains(pc);
    private protected abstract void OnWatchpointsChanged();

    // The thread.

    /// <summary>Gives the CPU its thread and lets it run.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_thread is null)
            {
                _standing = false;
                _thread = new Thread(Loop) { IsBackground = true, Name = $"cpu{Index}" };
                _thread.Start();
            }
        }
        Resume();
    }

    /// <summary>Lets a started CPU run on.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            if (_wanted != Wanted.Ended)
                _wanted = Wanted.Running;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Asks the CPU to stand still between two instructions, and does not wait for it.</summary>
    public void RequestPause()
    {
        lock (_gate)
        {
            if (_wanted != Wanted.Ended)
                _wanted = Wanted.Paused;
        }
        Kick();
    }

    /// <summary>Stops the CPU between two instructions; returns when it stands still (on its own thread: at once).</summary>
    public void Pause()
    {
        RequestPause();
        WaitUntilPaused();
    }

    /// <summary>The second half of <see cref="Pause"/>.</summary>
    public void WaitUntilPaused()
    {
        lock (_gate)
        {
            while (!_standing && _thread is not null && Thread.CurrentThread != _thread)
                Monitor.Wait(_gate);
        }
        // A kick that came after the CPU stood still must not end the next run.
        if (Thread.CurrentThread != _thread)
            ForgetKick();
    }

    /// <summary>Takes back a <see cref="Kick"/> that has not ended a run. Paused.</summary>
    private protected abstract void ForgetKick();

    /// <summary>Whether the CPU executes nothing now.</summary>
    public bool IsPaused
    {
        get
        {
            lock (_gate)
                return _standing;
        }
    }

    /// <summary>Ends the thread for good.</summary>
    public virtual void Dispose()
    {
        Thread? thread;
        lock (_gate)
        {
            _wanted = Wanted.Ended;
            thread = _thread;
            Monitor.PulseAll(_gate);
        }
        Kick();
        if (thread is not null && thread != Thread.CurrentThread)
            thread.Join();
        GC.SuppressFinalize(this);
    }

    private void Loop()
    {
        try
        {
            while (true)
            {
                lock (_gate)
                {
                    while (_wanted == Wanted.Paused)
                    {
                        _standing = true;
                        Monitor.PulseAll(_gate);
                        Monitor.Wait(_gate);
                    }
                    if (_wanted == Wanted.Ended)
                        return;
                    _standing = false;
                }
                StopReason reason = Run();
                if (reason is StopReason.Breakpoint or StopReason.Watchpoint)
                {
                    lock (_gate)
                    {
                        if (_wanted == Wanted.Running)
                            _wanted = Wanted.Paused;
                    }
                    Stopped?.Invoke(this, reason);
                }
            }
        }
        catch (Exception e) when (Failed is not null)
        {
            // An internal error must end the machine with a message rather than the process with a stack trace.
            Failed(this, e);
        }
        finally
        {
            lock (_gate)
            {
                _standing = true;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
