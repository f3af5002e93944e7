using System.Collections.Concurrent;
using Myna.Cpu;
using Myna.Devices.Virtio.Balloon;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Backends;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.Screens;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>
/// A virtual machine: a board, its virtual CPUs, and their life from power-on to the end. Members are for any thread but
/// those of virtual CPUs and devices, which ask through <see cref="IPowerControl"/> instead.
/// </summary>
public sealed class Machine : IPowerControl, IDisposable
{
    private readonly TaskCompletionSource<MachineExit> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _life = new();
    private readonly BlockingCollection<Action> _requests = [];
    private readonly IBoard _board;
    private readonly Clock _clock;
    private readonly RealClock? _ownClock;
    private readonly Thread _control;
    private int _asked;
    private bool _disposed;

    private Machine(MachineOptions options)
    {
        Options = options;
        _clock = options.Clock ?? (_ownClock = new RealClock(paused: true));
        try
        {
            _board = Boards.Create(options, _clock, this);
        }
        catch
        {
            _ownClock?.Dispose();
            throw;
        }
        foreach (VirtualCpu cpu in Cpus)
            cpu.Failed += (failed, error) => Ask(() => End(new MachineExit(ExitReason.InternalError, 1, $"cpu {failed.Index}: {error}")));
        Input = new InputRouter(_board.Keyboards, _board.Pointers);
        _board.Usb?.Connect(Input);
        _board.PowerOn();
        _control = new Thread(Control) { IsBackground = true, Name = "machine" };
        _control.Start();
    }

    public MachineOptions Options { get; }

    /// <summary>Physical memory as the CPUs see it.</summary>
    public AddressSpace Memory => _board.Memory;

    /// <summary>The space of I/O ports; null on architectures without one.</summary>
    public AddressSpace? Ports => _board.Ports;

    public Clock Clock => _clock;

    /// <summary>Why <see cref="Accel.Auto"/> did not take the host's processor, in one line; empty when it did, or was not asked to.</summary>
    public string EngineNote => _board.EngineNote;

    public IReadOnlyList<VirtualCpu> Cpus => _board.Cpus;

    /// <summary>All devices with saved state.</summary>
    public IReadOnlyList<BoardDevice> Devices => _board.Devices;

    /// <summary>The memory balloon, if the machine has one.</summary>
    public VirtioBalloon? Balloon => Devices.Select(d => d.State switch { VirtioMmio slot => slot.Device, VirtioPci function => function.Device, _ => null }).OfType<VirtioBalloon>().FirstOrDefault();

    /// <summary>Symbols of the kernel, if it is an ELF file: addresses by name.</summary>
    public IReadOnlyDictionary<string, ulong> Symbols => _board.Symbols;

    /// <summary>Drives whose medium the user may exchange.</summary>
    public IReadOnlyList<RemovableDrive> RemovableDrives => _board.RemovableDrives;

    /// <summary>USB devices, which may come and go while the machine runs; null when it has no controller for them.</summary>
    public UsbPorts? Usb => _board.Usb;

    /// <summary>The display devices, and where the user's keys and pointer go.</summary>
    public IReadOnlyList<IScreen> Screens => _board.Screens;
    public InputRouter Input { get; }

    /// <summary>The screen that the guest shows something on; null when the machine has none.</summary>
    public IScreen? Screen
    {
        get
        {
            for (int i = Screens.Count - 1; i > 0; i--)
            {
                if (Screens[i].IsActive)
                    return Screens[i];
            }
            return Screens.Count == 0 ? null : Screens[0];
        }
    }

    public MachineState State { get; private set; }

    /// <summary>Raised after <see cref="State"/> changed, on the thread that changed it, which still holds the machine: return soon.</summary>
    public event Action<MachineState>? StateChanged;

    /// <summary>Whether the guest has asked for the end of the machine, or for a reset, which then comes on another thread.</summary>
    internal bool IsEnding => Volatile.Read(ref _asked) != 0;

    /// <summary>Completes when the machine has ended.</summary>
    public Task<MachineExit> Ended => _ended.Task;

    /// <summary>Builds a machine and loads its images; nothing runs yet.</summary>
    /// <exception cref="MachineException">Something in the options cannot be had; the message is for the user.</exception>
    public static Machine Create(MachineOptions options)
    {
        options = Boards.Complete(options);
        OptionChecks.Check(options);
        return new Machine(options);
    }

    /// <summary>Lets the virtual CPUs run, each on a thread of its own.</summary>
    public void Start()
    {
        lock (_life)
        {
            if (State != MachineState.Created)
                return;
            (_clock as RealClock)?.Resume();
            // First the state, so that a guest that ends at once is not overtaken.
            Enter(MachineState.Running);
            foreach (VirtualCpu cpu in Cpus)
                cpu.Start();
        }
    }

    /// <summary>Stops the virtual CPUs between two instructions and the clock; returns when they stand still.</summary>
    public void Pause()
    {
        lock (_life)
        {
            if (State != MachineState.Running)
                return;
            StopCpus();
            (_clock as RealClock)?.Pause();
            _board.FlushConsole();
            Enter(MachineState.Paused);
        }
    }

    /// <summary>Goes on after <see cref="Pause"/>, or starts.</summary>
    public void Resume() => Resume(Cpus);

    /// <summary>Lets time pass and these CPUs run; the others stand still until the next pause and resume (debuggers).</summary>
    public void Resume(IReadOnlyCollection<VirtualCpu> cpus)
    {
        lock (_life)
        {
            if (State is not (MachineState.Created or MachineState.Paused))
                return;
            (_clock as RealClock)?.Resume();
            Enter(MachineState.Running);
            foreach (VirtualCpu cpu in cpus)
                cpu.Start();
        }
    }

    /// <summary>Power-on state again: devices, CPUs, images. A paused machine stays paused.</summary>
    public void Reset()
    {
        lock (_life)
        {
            if (State == MachineState.Ended)
                return;
            StopCpus();
            Volatile.Write(ref _asked, 0);
            _board.Drain();
            _board.PowerOn();
            if (State == MachineState.Running)
            {
                foreach (VirtualCpu cpu in Cpus)
                    cpu.Resume();
            }
        }
    }

    /// <summary>Ends the machine at once, as pulling the plug does.</summary>
    public void PowerOff() => End(new MachineExit(ExitReason.Host, 0));

    /// <summary>Presses the power button, if the board has one: the guest is asked to switch itself off, and may not.</summary>
    public bool PressPowerButton() => _board.PressPowerButton();

    /// <summary>Blocks until the machine has ended.</summary>
    public MachineExit WaitForExit(CancellationToken cancellation = default)
    {
        Ended.Wait(cancellation);
        return Ended.Result;
    }

    /// <summary>The state of CPUs and devices, without the content of memory. The machine must be paused or not yet started.</summary>
    public byte[] SaveState()
    {
        lock (_life)
        {
            RequireStandstill();
            _board.Drain();
            var writer = new StateWriter();
            foreach (IStateful item in _board.Stateful)
                writer.WriteSection(item);
            return writer.ToArray();
        }
    }

    /// <summary>Loads what <see cref="SaveState"/> of an equal machine returned.</summary>
    /// <exception cref="StateException">It does not fit this machine, or is damaged; the machine's state is then undefined.</exception>
    public void LoadState(ReadOnlyMemory<byte> state)
    {
        lock (_life)
        {
            RequireStandstill();
            _board.Drain();
            var reader = new StateReader(state);
            foreach (IStateful item in _board.Stateful)
                reader.ReadSection(item);
            if (!reader.AtEnd)
                throw new StateException("the state holds more devices than this machine");
        }
    }

    void IPowerControl.PowerOff(int status) => AskOnce(() => End(new MachineExit(ExitReason.PowerOff, status)));

    void IPowerControl.Pause() => Ask(Pause);

    void IPowerControl.Reset() => AskOnce(() =>
    {
        if (Options.NoReboot)
            End(new MachineExit(ExitReason.Reset, 0));
        else
            Reset();
    });

    public void Dispose()
    {
        PowerOff();
        lock (_life)
        {
            if (_disposed)
                return;
            _disposed = true;
        }
        _requests.CompleteAdding();
        if (Thread.CurrentThread != _control)
            _control.Join();
        foreach (VirtualCpu cpu in Cpus)
            cpu.Dispose();
        // Back ends first: their threads write to guest memory.
        foreach (DeviceOptions device in Options.Devices)
            (device.Peer as IDisposable)?.Dispose();
        foreach (RemovableDrive drive in RemovableDrives)
            drive.Dispose();
        Usb?.Dispose();
        // What is under way ends now that its files are closed, and writes to memory until then.
        _board.Drain();
        (Options.Console as IDisposable)?.Dispose();
        (Options.SecondConsole as IDisposable)?.Dispose();
        (Options.Tpm as IDisposable)?.Dispose();
        (Options.Audio as IDisposable)?.Dispose();
        foreach (ICharBackend? console in Options.FurtherConsoles)
            (console as IDisposable)?.Dispose();
        _ownClock?.Dispose();
        _board.Dispose();
        _requests.Dispose();
    }

    private void RequireStandstill()
    {
        if (State == MachineState.Running)
            throw new InvalidOperationException("the machine runs");
    }

    private void Enter(MachineState state)
    {
        State = state;
        StateChanged?.Invoke(state);
    }

    private void StopCpus()
    {
        foreach (VirtualCpu cpu in Cpus)
            cpu.RequestPause();
        foreach (VirtualCpu cpu in Cpus)
            cpu.WaitUntilPaused();
        _board.Stand();
    }

    private void End(MachineExit exit)
    {
        lock (_life)
        {
            if (State == MachineState.Ended)
                return;
            StopCpus();
            (_clock as RealClock)?.Pause();
            _board.Drain();
            _board.FlushConsole();
            try
            {
                SignatureFile.Write(Options, Symbols, Memory);
            }
            catch (MachineException e)
            {
                exit = new MachineExit(ExitReason.InternalError, 1, e.Message);
            }
            Enter(MachineState.Ended);
        }
        _ended.TrySetResult(exit);
    }

    /// <summary>What the guest asks for happens on the control thread, once the CPUs have been told to stop.</summary>
    private void AskOnce(Action request)
    {
        if (Interlocked.Exchange(ref _asked, 1) != 0)
            return;
        foreach (VirtualCpu cpu in Cpus)
            cpu.RequestPause();
        Ask(request);
    }

    private void Ask(Action request)
    {
        try
        {
            _requests.Add(request);
        }
        catch (InvalidOperationException)
        {
            // The machine is being disposed.
        }
    }

    private void Control()
    {
        foreach (Action request in _requests.GetConsumingEnumerable())
        {
            try
            {
                request();
            }
            catch (MachineException e)
            {
                // A guest's reset found an image gone bad.
                End(new MachineExit(ExitReason.InternalError, 1, e.Message));
            }
        }
    }
}
