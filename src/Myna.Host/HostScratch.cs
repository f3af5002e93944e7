using System.Text;

namespace Myna.Host;

/// <summary>
/// A thread's native memory for the structures of one system call: what the kernel reads and writes when a guest's own
/// structure cannot be handed over. Not thread-safe.
/// </summary>
/// <param name="size">Bytes.</param>
public sealed class HostScratch(int size = 128 * 1024) : IDisposable
{
    private readonly NativeBlock _block = new(size);
    private int _used;

    /// <summary>Bytes that <see cref="Take(int, out long)"/> can still give.</summary>
    public int Free => _block.Size - _used;

    /// <summary>Forgets everything: the next call begins.</summary>
    public void Reset() => _used = 0;

    /// <summary>Zeroed memory, aligned to 16 bytes.</summary>
    /// <param name="bytes">At most <see cref="Free"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">So much is not left.</exception>
    public Span<byte> Take(int bytes, out long address)
    {
        Span<byte> span = _block.Span<byte>(_used, bytes);
        address = _block.Address + _used;
        _used += (bytes + 15) & ~15;
        span.Clear();
        return span;
    }

    /// <summary>A zeroed structure.</summary>
    public ref T Take<T>(out long address) where T : unmanaged
    {
        int at = _used;
        _ = Take(System.Runtime.CompilerServices.Unsafe.SizeOf<T>(), out address);
        return ref _block.At<T>(at);
    }

    /// <summary>A copy of a structure; its address.</summary>
    public long Put<T>(in T value) where T : unmanaged
    {
        Take<T>(out long address) = value;
        return address;
    }

    /// <summary>A string with its final NUL.</summary>
    public long Put(ReadOnlySpan<byte> text)
    {
        text.CopyTo(Take(text.Length + 1, out long address));
        return address;
    }

    /// <summary>A string of one char per byte (Latin-1), with its final NUL.</summary>
    public long Put(string text)
    {
        _ = Encoding.Latin1.GetBytes(text, Take(text.Length + 1, out long address));
        return address;
    }

    public void Dispose() => _block.Dispose();
}
