using System.Collections.Concurrent;
using System.Globalization;
using Myna.Cpu;
using Myna.Cpu.Debugging;

namespace Myna.Control.Gdb;

/// <summary>
/// One gdb at work (gdb manual, appendix "gdb Remote Serial Protocol"). All-stop. Breakpoints live in
/// the CPUs, not in guest memory.
/// </summary>
internal sealed partial class GdbSession
{
    const string Ok = "OK", BadRequest = "E16", NoMemory = "E0e", NoThread = "E03", Unsupported = "";

    const int SigInt = 2, SigTrap = 5;

    readonly IDebugTarget _target;
    readonly Func<string, string> _monitor;
    readonly BlockingCollection<GdbEvent> _events;
    readonly GdbConnection _connection;
    readonly RunControl _run;
    readonly GdbFiles _files;

    DebugThread _thread, _continueThread;
    bool _continueAll = true;
    bool _running, _swBreak, _hwBreak, _over;
    string _lastStop;

    public GdbSession(IDebugTarget target, GdbConnection connection, BlockingCollection<GdbEvent> events, Func<string, string> monitor)
    {
        _target = target;
        _connection = connection;
        _events = events;
        _monitor = monitor;
        _thread = _continueThread = target.Threads[0];
        _lastStop = $"T{SigTrap:x2}thread:{ThreadId(_thread)};";
        _files = new GdbFiles(target);
        _run = new RunControl(target, stop => events.Add(new GdbEvent(GdbEventKind.Stopped, Stop: stop)));
    }

    VirtualCpu Current => _thread.Cpu;

    static string ThreadId(DebugThread thread) => thread.Id.ToString("x", CultureInfo.InvariantCulture);

    /// <summary>Serves until gdb detaches, kills or goes away.</summary>
    public void Serve()
    {
        bool wasRunning = _target.IsRunning;
        _target.Pause();
        bool resume = wasRunning;
        try
        {
            while (!_over)
            {
                GdbEvent e = _events.Take();
                switch (e.Kind)
                {
                    case GdbEventKind.Packet:
                        // While the target runs, anything but ^C is a protocol error of gdb; answering it confuses it more.
                        if (!_running)
                            Answer(e.Text);
                        else if (e.Text == "vCtrlC")
                            Interrupt();
                        break;
                    case GdbEventKind.Interrupt:
                        if (_running)
                            Interrupt();
                        break;
                    case GdbEventKind.Stopped when _running:
                        OnStopped(e.Stop!);
                        break;
                    case GdbEventKind.Ended:
                        _over = OnEnded();
                        resume = false;
                        break;
                    case GdbEventKind.Closed:
                        // A debugger that vanished leaves the machine as it would by detaching.
                        resume |= _running;
                        _over = true;
                        break;
                }
            }
        }
        finally
        {
            if (!_target.Ended.IsCompleted)
            {
                _target.Pause();
                _run.Clear();
                _run.Dispose();
                if (_kill)
                    _target.Kill();
                else if (resume || _resumeAtEnd)
                    _target.Resume([.. _target.Threads.Select(t => new ThreadResume(t, ResumeAction.Continue, ThreadResume.OwnSignal))]);
            }
            _run.Dispose();
            _files.Dispose();
        }
    }

    bool OnEnded()
    {
        if (_running)
            _connection.Send(DescribeEnd());
        return true;
    }

    string DescribeEnd()
    {
        TargetExit exit = _target.Ended.Result;
        return exit.Signal != 0 ? $"X{GdbSignals.FromLinux(exit.Signal):x2}" : $"W{exit.Status & 255:x2}";
    }

    void Interrupt()
    {
        _target.Pause();
        PostponeOthers();
        ForgetEnded();
        _target.Settle(_thread);
        Report($"T{SigInt:x2}thread:{ThreadId(_thread)};");
    }

    // Threads of a program come and go while it runs.
    void ForgetEnded()
    {
        IReadOnlyList<DebugThread> threads = _target.Threads;
        if (threads.Count == 0)
            return;
        if (!threads.Contains(_thread))
            _thread = threads[0];
        if (!threads.Contains(_continueThread))
            _continueThread = _thread;
    }

    // Threads that stopped by themselves before the pause reached them.
    void PostponeOthers()
    {
        int count = _events.Count;
        for (int i = 0; i < count && _events.TryTake(out GdbEvent e); i++)
        {
            if (e.Kind == GdbEventKind.Stopped)
                _run.Postpone(e.Stop!);
            else
                _events.Add(e);
        }
    }

    void OnStopped(TargetStop stop)
    {
        _target.Pause();
        PostponeOthers();
        if (_target.Ended.IsCompleted)
            return;
        ForgetEnded();
        Report(Describe(stop));
    }

    void Report(string stop)
    {
        _running = false;
        _lastStop = stop;
        _connection.Send(stop);
    }

    string Describe(TargetStop stop)
    {
        _thread = _continueThread = stop.Thread;
        if (stop.Signal != 0)
            return $"T{GdbSignals.FromLinux(stop.Signal):x2}thread:{ThreadId(stop.Thread)};";
        VirtualCpu cpu = stop.Thread.Cpu;
        string reason = stop.Reason switch
        {
            StopReason.Watchpoint => _run.KindAt(cpu.WatchedAddress) switch
            {
                WatchKind.Read => "rwatch",
                WatchKind.Access => "awatch",
                _ => "watch",
            } + $":{cpu.WatchedAddress:x};",
            StopReason.Breakpoint when _hardware.Contains(cpu.Pc) => _hwBreak ? "hwbreak:;" : "",
            StopReason.Breakpoint => _swBreak ? "swbreak:;" : "",
            _ => "",
        };
        return $"T{SigTrap:x2}thread:{ThreadId(stop.Thread)};{reason}";
    }

    void Answer(string packet)
    {
        string? reply = packet.Length == 0 ? Unsupported : Dispatch(packet);
        if (reply is not null)
            _connection.Send(reply);
    }

    /// <returns>The reply, or null when it comes later or was sent already.</returns>
    string? Dispatch(string packet)
    {
        string rest = packet[1..];
        switch (packet[0])
        {
            case '?': return _lastStop;
            case '!': return Ok;
            case 'g': return ReadAll();
            case 'G': return WriteAll(rest);
            case 'p': return ReadOne(rest);
            case 'P': return WriteOne(rest);
            case 'm': return ReadMemory(rest);
            case 'M': return WriteMemory(rest, binary: false);
            case 'X': return WriteMemory(rest, binary: true);
            case 'Z': return SetPoint(rest, true);
            case 'z': return SetPoint(rest, false);
            case 'H': return SelectThread(rest);
            case 'T': return FindThread(rest) is null ? NoThread : Ok;
            case 'c' or 's' or 'C' or 'S': return Legacy(packet);
            case 'v': return Verbose(packet);
            case 'q' or 'Q': return Query(packet);
            case 'R' when _target.IsProgram: return Unsupported;
            case 'R':
                _target.Reset();
                return null;
            case 'D':
                _resumeAtEnd = _over = true;
                return Ok;
            case 'k':
                Kill();
                return null;
            default: return Unsupported;
        }
    }

    bool _resumeAtEnd, _kill;

    void Kill() => _kill = _over = true;

    /// <summary>c, s, C and S; an address moves pc.</summary>
    string? Legacy(string packet)
    {
        string rest = packet[1..];
        int signal = 0;
        if (packet[0] is 'C' or 'S')
        {
            int semicolon = rest.IndexOf(';');
            if (!TrySignal(semicolon < 0 ? rest : rest[..semicolon], out signal))
                return BadRequest;
            rest = semicolon < 0 ? "" : rest[(semicolon + 1)..];
        }
        if (rest.Length != 0)
        {
            if (!GdbPackets.TryNumber(rest, out ulong pc))
                return BadRequest;
            _continueThread.Cpu.Pc = pc;
        }
        ResumeAction action = packet[0] is 's' or 'S' ? ResumeAction.Step : ResumeAction.Continue;
        var threads = new List<ThreadResume> { new(_continueThread, action, signal) };
        if (action == ResumeAction.Continue && _continueAll)
            threads.AddRange(_target.Threads.Where(t => t != _continueThread).Select(t => new ThreadResume(t, action)));
        return Resume(threads);
    }

    // Signal numbers mean nothing to a machine.
    bool TrySignal(ReadOnlySpan<char> text, out int signal)
    {
        bool done = GdbPackets.TryNumber(text, out ulong number) && number < 256;
        signal = done && _target.IsProgram ? GdbSignals.ToLinux((int)number) : 0;
        return done;
    }

    string? Verbose(string packet)
    {
        if (packet == "vCont?")
            return "vCont;c;C;s;S;t";
        if (packet.StartsWith("vCont;", StringComparison.Ordinal))
            return Continue(packet[6..]);
        if (packet.StartsWith("vKill", StringComparison.Ordinal))
        {
            Kill();
            return Ok;
        }
        if (packet.StartsWith("vFile:", StringComparison.Ordinal) && _target.IsProgram)
            return _files.Answer(packet[6..]);
        return packet == "vCtrlC" ? Ok : Unsupported;
    }

    /// <summary>vCont: for each thread the leftmost action that matches it.</summary>
    string? Continue(string text)
    {
        IReadOnlyList<DebugThread> threads = _target.Threads;
        var actions = new ThreadResume?[threads.Count];
        foreach (string part in text.Split(';'))
        {
            int colon = part.IndexOf(':');
            string verb = colon < 0 ? part : part[..colon];
            int signal = 0;
            ResumeAction action;
            switch (verb.Length == 0 ? '\0' : verb[0])
            {
                case 'c' or 'C': action = ResumeAction.Continue; break;
                case 's' or 'S': action = ResumeAction.Step; break;
                case 't': action = ResumeAction.Stay; break;
                default: return BadRequest;
            }
            if (verb[0] is 'C' or 'S' && !TrySignal(verb.AsSpan(1), out signal))
                return BadRequest;
            bool every = colon < 0 || part[(colon + 1)..] == "-1";
            DebugThread? thread = every ? null : FindThread(part[(colon + 1)..]);
            if (!every && thread is null)
                return NoThread;
            for (int i = 0; i < actions.Length; i++)
            {
                if (every || threads[i] == thread)
                    actions[i] ??= new ThreadResume(threads[i], action, signal);
            }
        }
        return Resume([.. actions.OfType<ThreadResume>()]);
    }

    string? Resume(List<ThreadResume> threads)
    {
        if (threads.TrueForAll(t => t.Action == ResumeAction.Stay))
            return BadRequest;
        _running = true;
        if (_run.Resume(threads) is not { } stop)
            return null;
        _running = false;
        return _target.Ended.IsCompleted ? DescribeEnd() : _lastStop = Describe(stop);
    }

    /// <summary>A thread by its number; 0 is any.</summary>
    DebugThread? FindThread(string text)
    {
        if (!GdbPackets.TryNumber(text, out ulong id))
            return null;
        return id == 0 ? _thread : _target.Threads.FirstOrDefault(t => (ulong)t.Id == id);
    }

    string SelectThread(string text)
    {
        if (text.Length < 2)
            return BadRequest;
        bool all = text[1..] == "-1";
        DebugThread? thread = all ? _thread : FindThread(text[1..]);
        if (thread is null)
            return NoThread;
        switch (text[0])
        {
            case 'g':
                _thread = thread;
                return Ok;
            case 'c':
                _continueThread = thread;
                _continueAll = all || text[1..] == "0";
                return Ok;
            default:
                return BadRequest;
        }
    }
}
