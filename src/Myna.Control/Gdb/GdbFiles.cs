using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Myna.Cpu.Debugging;

namespace Myna.Control.Gdb;

/// <summary>
/// vFile: gdb reads the program and its libraries as the program sees them (gdb manual, "Host I/O Packets"). Reading alone:
/// gdb has no business to write.
/// </summary>
internal sealed class GdbFiles(IDebugTarget target) : IDisposable
{
    // FILEIO_ENOENT and so on (gdb manual, "errno Values").
    const string NotFound = "F-1,2", BadDescriptor = "F-1,9", NoAccess = "F-1,d", Invalid = "F-1,16", ReadOnly = "F-1,1e";
    const int Most = GdbConnection.MaximumPacket / 2 - 64;

    readonly Dictionary<ulong, SafeFileHandle> _open = [];
    ulong _next = 3;

    /// <param name="packet">What follows "vFile:".</param>
    public string Answer(string packet)
    {
        int colon = packet.IndexOf(':');
        string name = colon < 0 ? packet : packet[..colon];
        string[] fields = colon < 0 ? [] : packet[(colon + 1)..].Split(',');
        return (name, fields) switch
        {
            ("setfs", _) => "F0",
            ("open", [var path, var flags, _]) => Open(path, flags),
            ("pread", [var file, var count, var offset]) => Read(file, count, offset),
            ("fstat", [var file]) => Status(file),
            ("close", [var file]) => Close(file),
            ("readlink", [var path]) => ReadLink(path),
            ("pwrite" or "unlink", _) => ReadOnly,
            _ => "",
        };
    }

    static string? Name(string hex)
    {
        byte[] bytes = new byte[hex.Length / 2];
        return GdbPackets.TryFromHex(hex, bytes) ? Encoding.UTF8.GetString(bytes) : null;
    }

    string Open(string hex, string flags)
    {
        if (Name(hex) is not { } name || target.FilePath(name) is not { } path || !GdbPackets.TryNumber(flags, out ulong mode))
            return Invalid;
        if ((mode & 3) != 0)
            return ReadOnly;
        try
        {
            // A pipe or a terminal would not come back.
            if (!File.Exists(path) || (File.GetAttributes(path) & FileAttributes.Device) != 0)
                return NotFound;
            _open[_next] = target.OpenFile(name);
            return $"F{_next++:x}";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e is UnauthorizedAccessException ? NoAccess : NotFound;
        }
    }

    SafeFileHandle? Find(string text) => GdbPackets.TryNumber(text, out ulong number) && _open.TryGetValue(number, out SafeFileHandle? file) ? file : null;

    string Read(string number, string countText, string offsetText)
    {
        if (Find(number) is not { } file)
            return BadDescriptor;
        if (!GdbPackets.TryNumber(countText, out ulong count) || !GdbPackets.TryNumber(offsetText, out ulong offset) || offset > long.MaxValue)
            return Invalid;
        byte[] bytes = new byte[Math.Min(count, Most)];
        try
        {
            int have = RandomAccess.Read(file, bytes, (long)offset);
            return $"F{have:x};{Encoding.Latin1.GetString(bytes, 0, have)}";
        }
        catch (IOException)
        {
            return "F-1,5";
        }
    }

    /// <summary>struct stat of the protocol, big-endian (gdb manual, "struct stat"): size and kind are what gdb looks at.</summary>
    string Status(string number)
    {
        if (Find(number) is not { } file)
            return BadDescriptor;
        long length = RandomAccess.GetLength(file);
        const int Size = 64, ModeAt = 8, SizeAt = 28, BlockSizeAt = 36, BlocksAt = 44;
        byte[] bytes = new byte[Size];
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(ModeAt), 0x81A4);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(SizeAt), length);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(BlockSizeAt), 4096);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(BlocksAt), (length + 511) / 512);
        return $"F{Size:x};{Encoding.Latin1.GetString(bytes)}";
    }

    string Close(string number)
    {
        if (Find(number) is not { } file)
            return BadDescriptor;
        _ = GdbPackets.TryNumber(number, out ulong key);
        _open.Remove(key);
        file.Dispose();
        return "F0";
    }

    string ReadLink(string hex)
    {
        if (Name(hex) is not { } name || target.FilePath(name) is not { } path)
            return Invalid;
        if (new FileInfo(path).LinkTarget is not { } link)
            return File.Exists(path) ? Invalid : NotFound;
        byte[] bytes = Encoding.UTF8.GetBytes(link);
        return $"F{bytes.Length:x};{Encoding.Latin1.GetString(bytes)}";
    }

    public void Dispose()
    {
        foreach (SafeFileHandle file in _open.Values)
            file.Dispose();
        _open.Clear();
    }
}
