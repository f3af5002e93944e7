namespace Myna.Control.Monitor;

/// <summary>A command that cannot be carried out; the message is for whoever typed it.</summary>
public sealed class MonitorException(string message) : Exception(message);
