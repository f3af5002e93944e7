using Myna.Hardware.Backends;

namespace Myna.Cli.Consoles;

/// <summary>A character device whose output goes to a file; there is no input.</summary>
internal sealed class FilePort : ICharBackend, IDisposable
{
    private readonly FileStream _file;

    /// <exception cref="UserException">The file cannot be made.</exception>
    public FilePort(string path)
    {
        try
        {
            _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"cannot write to {path}: {e.Message}");
        }
    }

    public void Attach(ICharFrontend frontend) { }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _file.Write(bytes);
        }
        catch (IOException)
        {
            // The guest cannot help it, and a serial port loses what nobody takes.
        }
    }

    public void ReceiveReady() { }

    public void Dispose() => _file.Dispose();
}
