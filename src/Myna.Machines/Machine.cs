using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>A virtual machine: a board, its virtual CPUs, and their life from power-on to the end. Thread-safe.</summary>
public sealed class Machine : IDisposable
{
    private readonly TaskCompletionSource<MachineExit> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Machine(MachineOptions options) => Options = options;

    public MachineOptions Options { get; }

    /// <summary>Physical memory as the CPUs see it.</summary>
    public AddressSpace Memory { get; } = new();

    public Clock Clock => throw new NotSupportedException();

    public MachineState State { get; private set; }

    /// <summary>Raised after <see cref="State"/> changed, on the thread that changed it.</summary>
    public event Action<MachineState>? StateChanged;

    /// <summary>Completes when the machine has ended.</summary>
    public Task<MachineExit> Ended => _ended.Task;

    /// <summary>Builds a machine and loads its images; nothing runs yet.</summary>
    /// <exception cref="MachineException">Something in the options cannot be had; the message is for the user.</exception>
    public static Machine Create(MachineOptions options) => new(options);

    /// <summary>Lets the virtual CPUs run, each on a thread of its own.</summary>
    public void Start() { }

    /// <summary>Stops the virtual CPUs between two instructions and the clock; returns when they stand still.</summary>
    public void Pause() { }

    public void Resume() { }

    /// <summary>Power-on state again: devices, CPUs, RAM images. A paused machine stays paused.</summary>
    public void Reset() { }

    /// <summary>Ends the machine at once, as pulling the plug does.</summary>
    public void PowerOff() => StateChanged?.Invoke(State = MachineState.Ended);

    /// <summary>Blocks until the machine has ended.</summary>
    public MachineExit WaitForExit(CancellationToken cancellation = default)
    {
        Ended.Wait(cancellation);
        return Ended.Result;
    }

    public void Dispose() => PowerOff();
}
