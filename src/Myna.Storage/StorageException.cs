namespace Myna.Storage;

/// <summary>A disk that cannot be used as asked; the message names the file and the remedy, for the user.</summary>
public sealed class StorageException : Exception
{
    public StorageException(string message) : base(message) { }
    public StorageException(string message, Exception inner) : base(message, inner) { }
}
