using System.Runtime.InteropServices;
using Myna.Cli.Consoles;
using Myna.Control;
using Myna.Control.Gdb;
using Myna.Control.Monitor;
using Myna.Control.Rfb;
using Myna.Devices.Virtio.Console;
using Myna.Devices.Virtio.Transport;
using Myna.Host;
using Myna.Machines;

namespace Myna.Cli.Commands;

/// <summary>A machine's run: signals end it, what watches it is attached, and the way it ended becomes an exit status.</summary>
internal sealed class MachineSession : IDisposable
{
    private static readonly (PosixSignal Signal, int Status)[] EndingSignals =
        [(PosixSignal.SIGINT, 130), (PosixSignal.SIGTERM, 143), (PosixSignal.SIGHUP, 129), (PosixSignal.SIGQUIT, 131)];

    private readonly Machine _machine;
    private readonly List<IDisposable> _attached = [];
    private bool _waitsForGdb;
    private int _status = -1;

    public MachineSession(RunSettings settings, MachineOptions options)
    {
        _machine = Machine.Create(options);
        try
        {
            Explain(settings);
            Confine(settings.Confinement);
            if (settings.Sandbox && Sandbox.Enter() is { } refused && settings.Verbose)
                Output.Note($"myna: the sandbox is not complete: {refused}");
            foreach ((PosixSignal signal, int status) in EndingSignals)
            {
                _attached.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    End(status);
                }));
            }
            FollowTerminalSize();
            if (settings.Trace is not null)
                _attached.Add(new InstructionTrace(_machine, settings.Trace));
            AttachControl(settings);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private static void Confine(Confinement where)
    {
        try
        {
            where.Enter();
        }
        catch (IOException e)
        {
            throw new UserException($"--sandbox {e.Message}");
        }
    }

    // A program's standard error is its own; who looks on is told.
    private void Explain(RunSettings settings)
    {
        if (_machine.EngineNote.Length != 0 && (settings.Verbose || (settings.Command.Length == 0 && Terminal.InputIsTerminal)))
            Output.Note($"myna: guest code is translated: {_machine.EngineNote}");
    }

    /// <summary>The exit status if the user (or what reads the output), not the guest, ended the machine.</summary>
    public int? HostStatus => _status >= 0 ? _status : null;

    /// <summary>Raised when the user ends the machine: nobody waits for its output any more.</summary>
    public event Action? Ending;

    /// <summary>Lets the guest run; with --gdb the debugger does.</summary>
    public void Start()
    {
        if (!_waitsForGdb)
            _machine.Start();
    }

    /// <summary>Ends the machine from outside; the first caller decides the exit status.</summary>
    public void End(int status)
    {
        Interlocked.CompareExchange(ref _status, status, -1);
        // A virtual CPU may be waiting for whoever reads its output.
        Ending?.Invoke();
        _machine.PowerOff();
    }

    /// <summary>
    /// Ends the machine when its output cannot be written (like a program that SIGPIPE ends, or with the reason), and lets go
    /// of a reader that takes no more when the user ends the machine.
    /// </summary>
    public void Follow(OutputPump output)
    {
        const int EPIPE = 32, SigPipeStatus = 141;
        Ending += output.Abandon;
        output.Broken += () =>
        {
            bool readerLeft = output.Failure is { HResult: EPIPE };
            if (!readerLeft)
                Output.Fail(output.Failure!.Message);
            End(readerLeft ? SigPipeStatus : 1);
        };
    }

    /// <summary>Waits for the machine's end.</summary>
    /// <returns>The exit status for this program.</returns>
    /// <exception cref="UserException">It ended by a failure.</exception>
    public int Wait()
    {
        MachineExit exit = _machine.WaitForExit();
        if (_status >= 0)
            return _status;
        return exit.Reason == ExitReason.InternalError
            ? throw new UserException($"the machine stopped: {exit.Message ?? "internal error"}")
            : exit.Status & 0xFF;
    }

    public void Dispose()
    {
        foreach (IDisposable item in _attached)
            item.Dispose();
        _machine.Dispose();
    }

    private void AttachControl(RunSettings settings)
    {
        try
        {
            if (settings.Gdb is string gdb)
            {
                var server = new GdbServer(new MachineTarget(_machine), gdb, new MachineMonitor(_machine).Execute);
                _attached.Add(server);
                _waitsForGdb = true;
                Output.Note($"myna: waiting for gdb: target remote {server.Address}");
            }
            if (settings.Display?.Rfb() is { } rfb)
            {
                var server = new RfbServer(_machine, rfb);
                _attached.Add(server);
                Output.Note($"myna: the screen is at vnc {server.Address}");
            }
            if (settings.Monitor is string monitor && monitor != RunSettings.MonitorStdio)
                _attached.Add(new MonitorServer(_machine, monitor));
        }
        catch (FormatException e)
        {
            throw new UserException(e.Message, 2);
        }
    }

    /// <summary>The monitor's prompt on standard input and output, until either ends.</summary>
    public void ServeMonitor(TextReader input, TextWriter output) => MonitorServer.Serve(_machine, input, output);

    private void FollowTerminalSize()
    {
        VirtioConsole[] consoles = [.. _machine.Devices.Select(d => (d.State as VirtioPci)?.Device ?? (d.State as VirtioMmio)?.Device).OfType<VirtioConsole>()];
        void Resize(TerminalSize size)
        {
            foreach (VirtioConsole console in consoles)
                console.Resize(size.Columns, size.Rows);
        }
        if (Terminal.Size is TerminalSize now)
            Resize(now);
        _attached.Add(Terminal.OnResize(Resize));
    }
}
