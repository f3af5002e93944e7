using Microsoft.Win32.SafeHandles;
using Myna.Hardware.Backends;
using Myna.Host;
using Myna.Storage.Formats;

namespace Myna.Storage;

/// <summary>How a disk image keeps its content.</summary>
public enum DiskFormat
{
    /// <summary>Byte N of the file is byte N of the disk.</summary>
    Raw,
}

/// <summary>Opens disk images.</summary>
public static class DiskImage
{
    /// <summary>Opens a file or a block device as a disk.</summary>
    /// <param name="readOnly">The guest cannot write; several machines may then have the disk at once.</param>
    /// <param name="capacity">The disk's size for that of the image, no less than it: what lies behind the image reads as zeroes, and a write there
    /// makes it longer. Null for the image's.</param>
    /// <returns>The disk; it keeps a lock on the file until it is disposed (as <see cref="IDisposable"/>).</returns>
    /// <exception cref="StorageException">It does not exist, is no disk, is in use, or permission is missing.</exception>
    public static IBlockBackend Open(string path, DiskFormat format = DiskFormat.Raw, bool readOnly = false, Func<ulong, ulong>? capacity = null)
    {
        SafeFileHandle file = OpenFile(path, readOnly);
        try
        {
            ulong length = FileSpace.Length(file);
            if (length == 0)
                throw new StorageException(path.StartsWith("/dev/", StringComparison.Ordinal)
                    ? $"disk {path} has no size; name a file or a block device"
                    : $"disk {path} is empty; give it a size with 'truncate -s 1G {path}'");
            return format switch
            {
                DiskFormat.Raw => new RawImage(file, capacity?.Invoke(length) ?? length, readOnly),
                _ => throw new StorageException($"disk {path}: format {format} is not known"),
            };
        }
        catch (IOException e)
        {
            file.Dispose();
            throw new StorageException($"disk {path} is not a file or a block device", e);
        }
        catch (StorageException)
        {
            file.Dispose();
            throw;
        }
    }

    private static SafeFileHandle OpenFile(string path, bool readOnly)
    {
        if (Directory.Exists(path))
            throw new StorageException($"disk {path} is a directory");
        if (FileSpace.IsPipe(path))
            throw new StorageException($"disk {path} is not a file or a block device");
        try
        {
            // The runtime takes an advisory lock with it: exclusive for a writer, shared for readers.
            return File.OpenHandle(path, FileMode.Open, readOnly ? FileAccess.Read : FileAccess.ReadWrite,
                readOnly ? FileShare.Read : FileShare.None, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new StorageException($"disk {path} does not exist", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StorageException($"no permission to {(readOnly ? "read" : "write")} disk {path}"
                + (readOnly ? "" : "; add ',readonly' to use it without writing"), e);
        }
        catch (IOException e)
        {
            throw new StorageException($"cannot open disk {path}: {Reason(e)}", e);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new StorageException($"'{path}' is not the name of a disk", e);
        }
    }

    // EAGAIN: another process holds a lock that excludes ours.
    private static string Reason(IOException e)
        => e.HResult == 11 || e.Message.Contains("used by another process", StringComparison.Ordinal)
            ? "another machine is using it; stop that, or open it with ',readonly' in both"
            : e.Message;
}
