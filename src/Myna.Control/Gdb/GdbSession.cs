using System.Collections.Concurrent;
using System.Globalization;
using Myna.Cpu;
using Myna.Machines;

namespace Myna.Control.Gdb;

/// <summary>
/// One gdb at work (gdb manual, appendix "gdb Remote Serial Protocol"). All-stop; CPUs are threads, numbered from 1.
/// Breakpoints live in the CPUs, not in guest memory.
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
    readonly VirtualCpu[] _cpus;

    VirtualCpu _current;
    VirtualCpu _continueCpu;
    bool _continueAll = true;
    bool _running, _swBreak, _hwBreak, _over;
    string _lastStop;

    public GdbSession(IDebugTarget target, GdbConnection connection, BlockingCollection<GdbEvent> events, Func<string, string> monitor)
    {
        _target = target;
        _connection = connection;
        _events = events;
        _monitor = monitor;
        _cpus = [.. target.Cpus];
        _current = _continueCpu = _cpus[0];
        _lastStop = $"T{SigTrap:x2}thread:{ThreadId(_current)};";
        _run = new RunControl(target, stop => events.Add(new GdbEvent(GdbEventKind.Stopped, Stop: stop)));
    }

    static string ThreadId(VirtualCpu cpu) => (cpu.Index + 1).ToString("x", CultureInfo.InvariantCulture);

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
                if (resume || _resumeAtEnd)
                    _target.Resume(_cpus);
            }
            _run.Dispose();
        }
    }

    bool OnEnded()
    {
        MachineExit exit = _target.Ended.Result;
        if (_running)
            _connection.Send($"W{exit.Status & 255:x2}");
        return true;
    }

    void Interrupt()
    {
        _target.Pause();
        PostponeOthers();
        Report($"T{SigInt:x2}thread:{ThreadId(_current)};");
    }

    // CPUs that stopped by themselves before the pause reached them.
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
        _current = _continueCpu = stop.Cpu;
        string reason = stop.Reason switch
        {
            StopReason.Watchpoint => _run.KindAt(stop.Cpu.WatchedAddress) switch
            {
                WatchKind.Read => "rwatch",
                WatchKind.Access => "awatch",
                _ => "watch",
            } + $":{stop.Cpu.WatchedAddress:x};",
            StopReason.Breakpoint when _hardware.Contains(stop.Cpu.Pc) => _hwBreak ? "hwbreak:;" : "",
            StopReason.Breakpoint => _swBreak ? "swbreak:;" : "",
            _ => "",
        };
        return $"T{SigTrap:x2}thread:{ThreadId(stop.Cpu)};{reason}";
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

    bool _resumeAtEnd;

    void Kill()
    {
        _over = true;
        _run.Clear();
        _target.PowerOff();
    }

    /// <summary>c, s, C and S: signal numbers mean nothing to a machine, an address moves pc.</summary>
    string? Legacy(string packet)
    {
        string rest = packet[1..];
        if (packet[0] is 'C' or 'S')
        {
            int semicolon = rest.IndexOf(';');
            rest = semicolon < 0 ? "" : rest[(semicolon + 1)..];
        }
        if (rest.Length != 0)
        {
            if (!GdbPackets.TryNumber(rest, out ulong pc))
                return BadRequest;
            _continueCpu.Pc = pc;
        }
        var actions = new ResumeAction[_cpus.Length];
        bool step = packet[0] is 's' or 'S';
        if (!step && _continueAll)
            Array.Fill(actions, ResumeAction.Continue);
        else
            actions[_continueCpu.Index] = step ? ResumeAction.Step : ResumeAction.Continue;
        return Resume(actions);
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
        return packet == "vCtrlC" ? Ok : Unsupported;
    }

    /// <summary>vCont: for each thread the leftmost action that matches it.</summary>
    string? Continue(string text)
    {
        var actions = new ResumeAction?[_cpus.Length];
        foreach (string part in text.Split(';'))
        {
            int colon = part.IndexOf(':');
            string verb = colon < 0 ? part : part[..colon];
            ResumeAction action;
            switch (verb.Length == 0 ? '\0' : verb[0])
            {
                case 'c' or 'C': action = ResumeAction.Continue; break;
                case 's' or 'S': action = ResumeAction.Step; break;
                case 't': action = ResumeAction.Stay; break;
                default: return BadRequest;
            }
            if (colon < 0 || part[(colon + 1)..] == "-1")
            {
                for (int i = 0; i < actions.Length; i++)
                    actions[i] ??= action;
            }
            else if (FindThread(part[(colon + 1)..]) is { } cpu)
            {
                actions[cpu.Index] ??= action;
            }
            else
            {
                return NoThread;
            }
        }
        return Resume([.. actions.Select(a => a ?? ResumeAction.Stay)]);
    }

    string? Resume(ResumeAction[] actions)
    {
        if (Array.TrueForAll(actions, a => a == ResumeAction.Stay))
            return BadRequest;
        _running = true;
        if (_run.Resume(actions) is not { } stop)
            return null;
        _running = false;
        if (_target.Ended.IsCompleted)
            return $"W{_target.Ended.Result.Status & 255:x2}";
        return _lastStop = Describe(stop);
    }

    /// <summary>A thread by its number; 0 is any.</summary>
    VirtualCpu? FindThread(string text)
    {
        if (!GdbPackets.TryNumber(text, out ulong id) || id > (ulong)_cpus.Length)
            return null;
        return id == 0 ? _current : _cpus[(int)id - 1];
    }

    string SelectThread(string text)
    {
        if (text.Length < 2)
            return BadRequest;
        bool all = text[1..] == "-1";
        VirtualCpu? cpu = all ? _current : FindThread(text[1..]);
        if (cpu is null)
            return NoThread;
        switch (text[0])
        {
            case 'g':
                _current = cpu;
                return Ok;
            case 'c':
                _continueCpu = cpu;
                _continueAll = all || text[1..] == "0";
                return Ok;
            default:
                return BadRequest;
        }
    }
}
