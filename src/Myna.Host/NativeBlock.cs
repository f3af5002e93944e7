using System.Runtime.InteropServices;

namespace Myna.Host;

/// <summary>
/// Zeroed memory outside the collector's heap, aligned to 4 KiB, at an address that never changes: generated code
/// addresses a CPU's state in it.
/// </summary>
public sealed unsafe class NativeBlock : IDisposable
{
    private byte* _address;

    /// <param name="size">Bytes.</param>
    public NativeBlock(int size)
    {
        Size = size;
        _address = (byte*)NativeMemory.AlignedAlloc((nuint)size, 4096);
        NativeMemory.Clear(_address, (nuint)size);
    }

    public int Size { get; }

    /// <summary>Host virtual address. Only Myna.Host and Myna.Jit may make a pointer of it.</summary>
    public nint Address => (nint)_address;

    /// <summary>A reference to a structure inside the block, valid as long as the block.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The structure does not lie inside the block.</exception>
    public ref T At<T>(int offset = 0) where T : unmanaged
    {
        if (offset < 0 || offset > Size - sizeof(T))
            throw new ArgumentOutOfRangeException(nameof(offset));
        // SAFETY: bounds checked above; the block is alive while its owner (the CPU) is.
        return ref *(T*)(_address + offset);
    }

    /// <summary>A span of structures inside the block.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not lie inside the block.</exception>
    public Span<T> Span<T>(int offset, int count) where T : unmanaged
    {
        if (offset < 0 || count < 0 || (long)offset + (long)count * sizeof(T) > Size)
            throw new ArgumentOutOfRangeException(nameof(offset));
        // SAFETY: bounds checked above.
        return new Span<T>(_address + offset, count);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
    }
}
