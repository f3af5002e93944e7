using Microsoft.Win32.SafeHandles;

namespace Myna.Machines.Loading;

/// <summary>
/// The bytes of an image: a file that stays open, so that a reset finds the same one again without its content being kept in
/// memory, or what a compressed file contained.
/// </summary>
internal sealed class ImageSource : IDisposable
{
    private readonly SafeFileHandle? _file;
    private readonly byte[] _bytes = [];
    private readonly string _path;

    public ImageSource(string path, byte[] bytes)
    {
        _path = path;
        _bytes = bytes;
        Length = bytes.Length;
    }

    /// <param name="what">What the file is for, as in "kernel".</param>
    /// <exception cref="MachineException">It is missing, empty, unreadable or too large.</exception>
    public ImageSource(string path, string what)
    {
        _path = path;
        _file = ImageFile.Open(path, what);
        if (_file is null)
            _bytes = ImageFile.Read(path, what);
        Length = _file is null ? _bytes.Length : RandomAccess.GetLength(_file);
    }

    /// <summary>Bytes.</summary>
    public long Length { get; }

    /// <summary>Copies bytes out.</summary>
    /// <exception cref="MachineException">The file cannot be read, or has become shorter.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        if (_file is null)
        {
            _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
            return;
        }
        try
        {
            while (!destination.IsEmpty)
            {
                int count = RandomAccess.Read(_file, destination, offset);
                if (count == 0)
                    throw new MachineException($"{_path} has become shorter while the machine used it; start the machine again");
                offset += count;
                destination = destination[count..];
            }
        }
        catch (IOException e)
        {
            throw new MachineException($"cannot read {_path}: {e.Message}", e);
        }
    }

    /// <summary>The first bytes, as many as there are up to <paramref name="count"/>.</summary>
    public byte[] Head(int count)
    {
        byte[] head = new byte[Math.Min(count, Length)];
        Read(0, head);
        return head;
    }

    /// <summary>Everything.</summary>
    public byte[] ReadAll() => Head(int.MaxValue);

    public void Dispose() => _file?.Dispose();
}
