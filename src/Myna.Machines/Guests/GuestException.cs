namespace Myna.Machines.Guests;

/// <summary>The default guest cannot be had; the message names the thing and the remedy, for the user.</summary>
public sealed class GuestException : Exception
{
    public GuestException(string message) : base(message) { }
    public GuestException(string message, Exception inner) : base(message, inner) { }
}
