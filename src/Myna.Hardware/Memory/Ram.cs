using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Host;

namespace Myna.Hardware.Memory;

/// <summary>Somebody who must know when watched pages of a <see cref="Ram"/> are written.</summary>
public interface IRamWatcher
{
    /// <summary>Bytes [offset, offset+length) of a RAM with watched pages were written (by a device or a debugger).</summary>
    void Written(Ram ram, ulong offset, ulong length);
}

/// <summary>
/// A block of guest RAM or ROM. All checked access goes through spans; generated code alone uses the address.
/// A page can be watched: the translator does so for pages it holds code of.
/// </summary>
public sealed class Ram : IDisposable
{
    public const int PageBits = 12;
    public const int PageSize = 1 << PageBits;

    private readonly SharedMemory _memory;
    private readonly byte[] _watched;
    private IRamWatcher? _watcher;
    private ulong[]? _written;

    /// <param name="name">For the memory map and error messages.</param>
    /// <param name="size">Bytes, a multiple of 4096.</param>
    /// <param name="readOnly">ROM: CPUs cannot write it.</param>
    /// <param name="backing">Where the memory comes from.</param>
    /// <exception cref="ArgumentException">The size is zero or not a multiple of a page.</exception>
    /// <exception cref="IOException">The host refuses the memory.</exception>
    public Ram(string name, ulong size, bool readOnly = false, MemoryBacking backing = default)
    {
        if (size == 0 || size % PageSize != 0)
            throw new ArgumentException($"the size of {name}, {size}, is not a multiple of {PageSize}", nameof(size));
        Name = name;
        ReadOnly = readOnly;
        _memory = new SharedMemory(name, size, backing);
        _watched = new byte[size >> PageBits];
    }

    public string Name { get; }
    public bool ReadOnly { get; }

    /// <summary>Bytes.</summary>
    public ulong Size => _memory.Size;

    /// <summary>The memory file that other processes can map.</summary>
    public int Descriptor => _memory.Descriptor;

    /// <summary>Host address of the first byte, for Myna.Jit and KVM slots only.</summary>
    public nint HostAddress => _memory.Address;

    /// <summary>Bytes [offset, offset+length) for reading. <see cref="GetForWrite"/> is the way to write.</summary>
    public ReadOnlySpan<byte> Get(ulong offset, int length) => _memory.Slice(offset, length);

    /// <summary>Bytes [offset, offset+length) for writing; watchers are told first that the range changes.</summary>
    public Span<byte> GetForWrite(ulong offset, int length)
    {
        NoteWrite(offset, (ulong)length);
        return _memory.Slice(offset, length);
    }

    /// <summary>
    /// The range as memory for asynchronous host I/O. When the I/O wrote to it, call <see cref="NoteWrite"/> after
    /// completion as well.
    /// </summary>
    public Memory<byte> GetMemory(ulong offset, int length) => _memory.SliceMemory(offset, length);

    /// <summary>Reads a little-endian half-word that guest CPUs write meanwhile; later reads are not moved before it.</summary>
    /// <param name="offset">A multiple of 2.</param>
    public ushort LoadAcquire(ulong offset) => Volatile.Read(ref MemoryMarshal.Cast<byte, ushort>(_memory.Slice(offset, 2))[0]);

    /// <summary>Writes a little-endian half-word that guest CPUs poll; earlier writes are not moved behind it.</summary>
    /// <param name="offset">A multiple of 2.</param>
    public void StoreRelease(ulong offset, ushort value) => Volatile.Write(ref MemoryMarshal.Cast<byte, ushort>(GetForWrite(offset, 2))[0], value);

    /// <summary>Gives the host its pages back (balloon); they read as zero.</summary>
    public void Discard(ulong offset, ulong length)
    {
        NoteWrite(offset, length);
        _memory.Discard(offset, length);
    }

    /// <summary>The one watcher of this RAM's pages.</summary>
    public void SetWatcher(IRamWatcher? watcher) => _watcher = watcher;

    /// <summary>Starts or ends watching the page that holds <paramref name="offset"/>.</summary>
    public void Watch(ulong offset, bool on) => Volatile.Write(ref _watched[offset >> PageBits], on ? (byte)1 : (byte)0);

    public bool IsWatched(ulong offset) => Volatile.Read(ref _watched[offset >> PageBits]) != 0;

    /// <summary>Tells the watcher, if any page of the range is watched, that the range is written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void NoteWrite(ulong offset, ulong length)
    {
        if (_written is not null)
            LogWrite(offset, length);
        if (_watcher is { } watcher && length != 0 && offset < Size)
        {
            ulong last = Math.Min(offset + length - 1, Size - 1) >> PageBits;
            if (_watched.AsSpan((int)(offset >> PageBits), (int)(last - (offset >> PageBits) + 1)).IndexOfAnyExcept((byte)0) >= 0)
                watcher.Written(this, offset, length);
        }
    }

    /// <summary>Begins or ends a log of the pages that devices, debuggers and the interpreter's slow path write; not of what generated code or a processor stores.</summary>
    public void LogWrites(bool on) => Volatile.Write(ref _written, on ? new ulong[(Size >> PageBits) + 63 >> 6] : null);

    /// <summary>Adds the pages written since the last call.</summary>
    /// <param name="bitmap">One bit for each page.</param>
    public void CollectWrites(Span<ulong> bitmap)
    {
        if (_written is not { } written)
            return;
        for (int i = 0; i < written.Length; i++)
        {
            if (Volatile.Read(ref written[i]) != 0)
                bitmap[i] |= Interlocked.Exchange(ref written[i], 0);
        }
    }

    private void LogWrite(ulong offset, ulong length)
    {
        if (_written is not { } written || length == 0 || offset >= Size)
            return;
        for (ulong page = offset >> PageBits; page <= Math.Min(offset + length - 1, Size - 1) >> PageBits; page++)
            Interlocked.Or(ref written[page >> 6], 1UL << (int)(page & 63));
    }

    public void Dispose() => ((IDisposable)_memory).Dispose();
}
