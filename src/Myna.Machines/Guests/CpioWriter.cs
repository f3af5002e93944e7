using System.Globalization;
using System.Text;

namespace Myna.Machines.Guests;

/// <summary>
/// Writes a cpio archive in the "newc" format that Linux unpacks as its initramfs
/// (Documentation/driver-api/early-userspace/buffer-format.rst). Everything belongs to root and has no date, so equal
/// content gives equal bytes.
/// </summary>
public sealed class CpioWriter(Stream stream)
{
    private const uint TypeDirectory = 0x4000, TypeFile = 0x8000, TypeLink = 0xA000, TypeCharDevice = 0x2000;
    private readonly HashSet<string> _directories = [];
    private uint _inode;
    private long _length;

    /// <summary>A directory, and those above it that are not there yet.</summary>
    public void Directory(string path)
    {
        int slash = path.LastIndexOf('/');
        if (slash > 0)
            Directory(path[..slash]);
        if (_directories.Add(path))
            Entry(path, TypeDirectory | 0x1ED, [], 0, 0);
    }

    /// <summary>A regular file, mode 0755 if executable, else 0644.</summary>
    public void File(string path, ReadOnlySpan<byte> content, bool executable = false)
    {
        Parent(path);
        Entry(path, TypeFile | (executable ? 0x1EDu : 0x1A4u), content, 0, 0);
    }

    /// <inheritdoc cref="File(string, ReadOnlySpan{byte}, bool)"/>
    public void File(string path, string content, bool executable = false) => File(path, Encoding.UTF8.GetBytes(content), executable);

    /// <summary>A symbolic link.</summary>
    public void Link(string path, string target)
    {
        Parent(path);
        Entry(path, TypeLink | 0x1FF, Encoding.UTF8.GetBytes(target), 0, 0);
    }

    /// <summary>A character device node, mode 0600.</summary>
    public void CharDevice(string path, uint major, uint minor)
    {
        Parent(path);
        Entry(path, TypeCharDevice | 0x180, [], major, minor);
    }

    /// <summary>Ends the archive, padded to 512 bytes so that another may follow.</summary>
    public void Finish()
    {
        _inode = 0;
        Entry("TRAILER!!!", 0, [], 0, 0);
        Pad(512);
    }

    private void Parent(string path)
    {
        int slash = path.LastIndexOf('/');
        if (slash > 0)
            Directory(path[..slash]);
    }

    private void Entry(string path, uint mode, ReadOnlySpan<byte> content, uint major, uint minor)
    {
        byte[] name = Encoding.UTF8.GetBytes(path);
        uint inode = mode == 0 ? 0 : ++_inode;
        uint links = (mode & 0xF000) == TypeDirectory ? 2u : 1u;
        // Fields: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check.
        Span<uint> fields = [inode, mode, 0, 0, links, 0, (uint)content.Length, 0, 0, major, minor, (uint)name.Length + 1, 0];
        var header = new StringBuilder("070701", 110);
        foreach (uint field in fields)
            header.Append(field.ToString("x8", CultureInfo.InvariantCulture));
        Write(Encoding.ASCII.GetBytes(header.ToString()));
        Write(name);
        Write([0]);
        Pad(4);
        Write(content);
        Pad(4);
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        stream.Write(bytes);
        _length += bytes.Length;
    }

    private void Pad(int alignment)
    {
        Span<byte> zeros = stackalloc byte[512];
        zeros.Clear();
        int rest = (int)(_length % alignment);
        if (rest != 0)
            Write(zeros[..(alignment - rest)]);
    }
}
