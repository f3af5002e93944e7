using System.Buffers;

namespace Myna.Host;

/// <summary>Large pages behind memory.</summary>
public enum HugePages
{
    /// <summary>As the host likes.</summary>
    Default,

    /// <summary>Asked for; ordinary pages where the host has none.</summary>
    Transparent,

    /// <summary>The host's reserved ones (hugetlbfs), without which there is no memory.</summary>
    Reserved,
}

/// <summary>Where guest memory comes from.</summary>
/// <param name="File">A file that holds it, made if need be (on hugetlbfs or tmpfs, or on a disk); null for anonymous memory.</param>
public readonly record struct MemoryBacking(HugePages HugePages = HugePages.Default, string? File = null);

/// <summary>
/// A memfd mapped shared and read-write: the memory behind guest RAM, which other processes can be given by
/// descriptor. Pages are allocated by the kernel when first touched.
/// </summary>
public sealed unsafe class SharedMemory : MemoryManager<byte>
{
    private readonly string _name;
    private void* _address;

    /// <param name="name">Shown in /proc/self/maps.</param>
    /// <param name="size">Bytes; rounded up to a page by the kernel.</param>
    /// <param name="backing">Large pages, or a file.</param>
    /// <exception cref="IOException">The host has not that much address space or refuses the mapping.</exception>
    public SharedMemory(string name, ulong size, MemoryBacking backing = default)
    {
        _name = name;
        Size = size;
        const int O_RDWR = 2, O_CREAT = 0x40, Private = 0x180;
        const uint MFD_HUGETLB = 4;
        Descriptor = backing.File is { } path ? Libc.open(path, O_RDWR | O_CREAT | Libc.O_CLOEXEC, Private)
            : Libc.memfd_create(name, Libc.MFD_CLOEXEC | (backing.HugePages == HugePages.Reserved ? MFD_HUGETLB : 0));
        if (Descriptor < 0)
            throw Libc.Error($"cannot create a memory file of {size} bytes");
        if (Libc.ftruncate(Descriptor, (long)size) != 0)
            throw Libc.Error($"cannot size a memory file to {size} bytes");
        // SAFETY: a fresh mapping of a descriptor that is ours; the length is the file's.
        void* p = Libc.mmap(null, (nuint)size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_NORESERVE, Descriptor, 0);
        if (p == Libc.MAP_FAILED)
            throw Libc.Error($"cannot map {size} bytes of guest memory");
        _address = p;
        const int MADV_HUGEPAGE = 14;
        // A kernel without huge pages for shared memory refuses; ordinary pages do then.
        if (backing.HugePages == HugePages.Transparent)
            _ = Libc.madvise(p, (nuint)size, MADV_HUGEPAGE);
    }

    /// <summary>Length in bytes.</summary>
    public ulong Size { get; }

    /// <summary>The memfd.</summary>
    public int Descriptor { get; }

    /// <summary>Host virtual address of the first byte. Only Myna.Host and Myna.Jit may make a pointer of it.</summary>
    public nint Address => (nint)_address;

    /// <summary>The bytes [offset, offset+length).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the memory.</exception>
    public Span<byte> Slice(ulong offset, int length)
    {
        if (length < 0 || offset > Size || (ulong)length > Size - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), $"[{offset}, +{length}) is not inside {_name}");
        // SAFETY: checked against the mapping's length; the mapping lives until Dispose, which owners call last.
        return new Span<byte>((byte*)_address + offset, length);
    }

    /// <summary>The bytes [offset, offset+length) as memory that asynchronous I/O can hold.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie inside the memory.</exception>
    public Memory<byte> SliceMemory(ulong offset, int length)
    {
        if (length < 0 || offset > Size || (ulong)length > Size - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), $"[{offset}, +{length}) is not inside {_name}");
        // MemoryManager spans at most int.MaxValue bytes: larger memories are windowed.
        return offset + (ulong)length <= int.MaxValue ? CreateMemory((int)offset, length) : new Window(this, offset, length).Memory;
    }

    /// <summary>Gives pages back to the host; they read as zero afterwards.</summary>
    public void Discard(ulong offset, ulong length)
    {
        if (offset > Size || length > Size - offset)
            throw new ArgumentOutOfRangeException(nameof(offset));
        _ = Libc.fallocate(Descriptor, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, (long)offset, (long)length);
    }

    public override Span<byte> GetSpan() => new(_address, (int)Math.Min(Size, int.MaxValue));
    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_address + elementIndex);
    public override void Unpin() { }

    protected override void Dispose(bool disposing)
    {
        if (_address == null)
            return;
        _ = Libc.munmap(_address, (nuint)Size);
        _ = Libc.close(Descriptor);
        _address = null;
    }

    private sealed class Window(SharedMemory owner, ulong offset, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => owner.Slice(offset, length);
        public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)owner._address + offset + elementIndex);
        public override void Unpin() { }
        protected override void Dispose(bool disposing) { }
    }
}
