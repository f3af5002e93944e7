namespace Myna.Machines;

/// <summary>Where a machine is in its life.</summary>
public enum MachineState { Created, Running, Paused, Ended }

/// <summary>Why a machine ended.</summary>
public enum ExitReason
{
    /// <summary>The guest powered itself off, or ended with a status (test finisher, HTIF).</summary>
    PowerOff,

    /// <summary>The guest asked for a reset and <see cref="MachineOptions.NoReboot"/> is set.</summary>
    Reset,

    /// <summary>The host ended it (<see cref="Machine.PowerOff"/>).</summary>
    Host,

    /// <summary>A virtual CPU failed with an internal error; <see cref="MachineExit.Message"/> says which.</summary>
    InternalError,
}

/// <summary>How a machine ended.</summary>
/// <param name="Status">The guest's exit status, 0 for a plain power-off.</param>
public sealed record MachineExit(ExitReason Reason, int Status, string? Message = null);
