using Microsoft.Win32.SafeHandles;
using Myna.Hardware.Backends;

namespace Myna.Storage;

/// <summary>The content of a flash memory in a file, or in memory alone.</summary>
public sealed class FlashFile : IFlashBackend, IDisposable
{
    private const int Granule = 4096, Maximum = 32 << 20;

    private readonly byte[] _content;
    private readonly SafeFileHandle? _file;
    private readonly Action<string>? _report;
    private readonly string _name;
    private bool _failed;

    private FlashFile(byte[] content, SafeFileHandle? file, string name, Action<string>? report)
    {
        _content = content;
        _file = file;
        _name = name;
        _report = report;
    }

    /// <summary>Content that is gone with the machine.</summary>
    public static FlashFile InMemory(ReadOnlySpan<byte> content) => new(content.ToArray(), null, "", null);

    /// <summary>A file, which one machine at a time may use.</summary>
    /// <param name="template">Its content when it does not exist yet; null when it must.</param>
    /// <param name="report">Told once when something cannot be written.</param>
    /// <exception cref="StorageException">It cannot be used.</exception>
    public static FlashFile Open(string path, byte[]? template, Action<string>? report = null)
    {
        bool fresh = !File.Exists(path);
        if (fresh && template is null)
            throw new StorageException($"the variables {path} do not exist; check the path, or copy the template that belongs to the firmware there");
        SafeFileHandle? file = null;
        try
        {
            file = File.OpenHandle(path, fresh ? FileMode.CreateNew : FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            if (fresh)
                RandomAccess.Write(file, template, 0);
            long length = RandomAccess.GetLength(file);
            if (length is 0 or > Maximum || length % Granule != 0)
                throw new StorageException($"the variables {path} have {length} bytes; a variable store has whole pages of 4 KiB, at most 32 MiB");
            byte[] content = new byte[length];
            for (int at = 0; at < content.Length;)
            {
                int got = RandomAccess.Read(file, content.AsSpan(at), at);
                if (got == 0)
                    throw new StorageException($"the variables {path} end early; is something else writing them?");
                at += got;
            }
            return new FlashFile(content, file, path, report);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            file?.Dispose();
            throw new StorageException($"the variables {path} cannot be used ({e.Message}); choose another file with --uefi-vars", e);
        }
        catch (StorageException)
        {
            file?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ulong Length => (ulong)_content.Length;

    /// <inheritdoc/>
    public void Read(Span<byte> content) => _content.CopyTo(content);

    /// <inheritdoc/>
    public void Write(ulong offset, ReadOnlySpan<byte> bytes)
    {
        if (offset > Length || (ulong)bytes.Length > Length - offset)
            return;
        bytes.CopyTo(_content.AsSpan((int)offset));
        if (_file is null)
            return;
        try
        {
            RandomAccess.Write(_file, bytes, (long)offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            if (!_failed)
                _report?.Invoke($"the variables {_name} cannot be written: {e.Message}");
            _failed = true;
        }
    }

    public void Dispose() => _file?.Dispose();
}
