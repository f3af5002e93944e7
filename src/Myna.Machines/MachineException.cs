namespace Myna.Machines;

/// <summary>A machine that cannot be built or started as asked; the message names the thing and the remedy, for the user.</summary>
public sealed class MachineException : Exception
{
    public MachineException(string message) : base(message) { }
    public MachineException(string message, Exception inner) : base(message, inner) { }
}
