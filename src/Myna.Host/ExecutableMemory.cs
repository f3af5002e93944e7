namespace Myna.Host;

/// <summary>A private mapping that is readable, writable and executable: the code cache. Pages cost memory when first touched.</summary>
public sealed unsafe class ExecutableMemory : IDisposable
{
    private void* _address;

    /// <param name="size">Bytes, a multiple of 4096.</param>
    /// <exception cref="IOException">The host does not give executable memory.</exception>
    public ExecutableMemory(int size)
    {
        Size = size;
        // SAFETY: a fresh anonymous mapping.
        void* p = Libc.mmap(null, (nuint)size, Libc.PROT_READ | Libc.PROT_WRITE | Libc.PROT_EXEC,
            Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if (p == Libc.MAP_FAILED)
            throw Libc.Error($"cannot map {size} bytes of executable memory");
        _address = p;
    }

    public int Size { get; }

    /// <summary>Host virtual address. Only Myna.Jit may make a pointer of it.</summary>
    public nint Address => (nint)_address;

    public void Dispose()
    {
        if (_address != null)
            _ = Libc.munmap(_address, (nuint)Size);
        _address = null;
    }
}
