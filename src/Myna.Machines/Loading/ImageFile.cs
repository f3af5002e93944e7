using System.IO.Compression;
using Microsoft.Win32.SafeHandles;

namespace Myna.Machines.Loading;

/// <summary>Reads the files a machine starts from, with errors that name the file and the remedy.</summary>
internal static class ImageFile
{
    /// <summary>The largest image that is read, 2 GiB less a page: more is a mistake, such as a disk given as a kernel.</summary>
    private const long MaximumLength = (2L << 30) - 4096;

    /// <summary>A pipe or a device tells no length: /dev/zero never ends, and nobody boots half a gigabyte from a pipe.</summary>
    private const int MaximumStream = 512 << 20;

    /// <param name="what">What the file is for, as in "kernel".</param>
    /// <exception cref="MachineException">It is missing, empty, unreadable or too large.</exception>
    public static byte[] Read(string path, string what) => Explain(path, what, () =>
    {
        byte[] bytes = Check(path, what) ? File.ReadAllBytes(path) : ReadStream(path, what);
        return bytes.Length != 0 ? bytes : throw new MachineException($"the {what} {path} is empty; fetch or build it again");
    });

    /// <summary>Opens a file that can be read again at any time; null when it is a pipe or a device, or empty.</summary>
    /// <inheritdoc cref="Read"/>
    public static SafeFileHandle? Open(string path, string what)
        => Explain(path, what, () => Check(path, what) ? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete) : null);

    /// <returns>Whether it is a file whose length is known.</returns>
    private static bool Check(string path, string what)
    {
        if (Directory.Exists(path))
            throw new MachineException($"the {what} {path} is a directory; name a file in it");
        var info = new FileInfo(path);
        if (info.Exists && info.Length > MaximumLength)
            throw new MachineException($"the {what} {path} has {info.Length} bytes, more than 2 GiB; is it a disk image? (use --disk)");
        return info.Exists && info.Length > 0;
    }

    private static T Explain<T>(string path, string what, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new MachineException($"the {what} {path} does not exist; check the path", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new MachineException($"no permission to read the {what} {path}; check its owner and mode", e);
        }
        catch (IOException e)
        {
            throw new MachineException($"cannot read the {what} {path}: {e.Message}", e);
        }
    }

    public static bool IsGzip(ReadOnlySpan<byte> bytes) => bytes.Length >= 18 && bytes[0] == 0x1f && bytes[1] == 0x8b && bytes[2] == 8;

    /// <exception cref="MachineException">The data is damaged or truncated.</exception>
    public static byte[] Gunzip(byte[] bytes, string path, string what)
    {
        try
        {
            using var source = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
            using var target = new MemoryStream();
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = source.Read(buffer)) != 0;)
            {
                if (target.Length + count > MaximumLength)
                    throw new MachineException($"the {what} {path} decompresses to more than 2 GiB");
                target.Write(buffer, 0, count);
            }
            byte[] result = target.ToArray();
            // The stream ends quietly when the file does; the trailer's length tells (RFC 1952, section 2.3.1).
            if (result.Length == 0 || !CompleteGzip(bytes, result.Length))
                throw new MachineException($"the {what} {path} is truncated (gzip); fetch it again");
            return result;
        }
        catch (InvalidDataException e)
        {
            throw new MachineException($"the {what} {path} is damaged or truncated (gzip); fetch it again", e);
        }
    }

    private static bool CompleteGzip(byte[] bytes, int length)
    {
        // Zero padding after the last member is common (initramfs images are padded to blocks).
        int end = bytes.Length;
        while (end > 4 && BitConverter.ToUInt32(bytes, end - 4) != (uint)length && bytes[end - 1] == 0)
            end--;
        return BitConverter.ToUInt32(bytes, end - 4) == (uint)length;
    }

    private static byte[] ReadStream(string path, string what)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        using var all = new MemoryStream();
        byte[] buffer = new byte[1 << 16];
        int count;
        while ((count = stream.Read(buffer)) > 0)
        {
            if (all.Length + count > MaximumStream)
                throw new MachineException($"the {what} {path} does not end within {MaximumStream >> 20} MiB; name a file");
            all.Write(buffer, 0, count);
        }
        return all.ToArray();
    }
}
