using Myna.Hardware.Memory;

namespace Myna.Devices.Storage;

/// <summary>
/// Guest memory that a controller was told to transfer from or to: pieces of RAM, resolved and checked. Reused from command
/// to command, so that it allocates nothing.
/// </summary>
internal sealed class DmaBuffer
{
    /// <summary>Pieces that one transfer may have once neighbours are joined.</summary>
    public const int MaxSegments = 1024;

    private readonly List<Memory<byte>> _reads = [];
    private readonly List<ReadOnlyMemory<byte>> _writes = [];
    private Segment[] _segments = new Segment[16];
    private int _count;

    private struct Segment
    {
        public Ram Ram;
        public ulong Offset;
        public int Length;
    }

    /// <summary>Bytes of all pieces, below 2 GiB.</summary>
    public uint Length { get; private set; }

    public void Clear()
    {
        Array.Clear(_segments, 0, _count);
        _count = 0;
        Length = 0;
        _reads.Clear();
        _writes.Clear();
    }

    /// <summary>Appends a range of guest memory.</summary>
    /// <param name="writable">The controller is going to write it.</param>
    /// <returns>False when it is not RAM, or there is too much of it.</returns>
    public bool Add(AddressSpace memory, ulong address, uint length, bool writable)
    {
        if (length > int.MaxValue - Length)
            return false;
        for (int left = (int)length; left != 0;)
        {
            if (!memory.FindRam(address, left, out Ram? ram, out ulong offset, out int run) || (writable && ram.ReadOnly) || !Append(ram, offset, run))
                return false;
            address += (ulong)run;
            left -= run;
        }
        Length += length;
        return true;
    }

    /// <summary>Copies out of guest memory, from <paramref name="position"/> on.</summary>
    /// <returns>Bytes copied, fewer than wanted at the end.</returns>
    public int Read(uint position, Span<byte> destination)
    {
        int done = 0;
        for (int i = 0; i < _count && done < destination.Length; i++)
        {
            ref Segment s = ref _segments[i];
            if (Skip(in s, ref position))
                continue;
            int n = Math.Min(s.Length - (int)position, destination.Length - done);
            s.Ram.Get(s.Offset + position, n).CopyTo(destination[done..]);
            done += n;
            position = 0;
        }
        return done;
    }

    /// <summary>Copies into guest memory. Parameters and result as for <see cref="Read"/>.</summary>
    public int Write(uint position, ReadOnlySpan<byte> source)
    {
        int done = 0;
        for (int i = 0; i < _count && done < source.Length; i++)
        {
            ref Segment s = ref _segments[i];
            if (Skip(in s, ref position))
                continue;
            int n = Math.Min(s.Length - (int)position, source.Length - done);
            source.Slice(done, n).CopyTo(s.Ram.GetForWrite(s.Offset + position, n));
            done += n;
            position = 0;
        }
        return done;
    }

    /// <summary>The first bytes, for a back end to fill; <see cref="NoteWritten"/> comes after it.</summary>
    public IReadOnlyList<Memory<byte>> Writable(uint length)
    {
        _reads.Clear();
        for (int i = 0; i < _count && length != 0; i++)
            _reads.Add(Take(i, ref length));
        return _reads;
    }

    /// <summary>The first bytes, for a back end to write to a medium.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Readable(uint length)
    {
        _writes.Clear();
        for (int i = 0; i < _count && length != 0; i++)
            _writes.Add(Take(i, ref length));
        return _writes;
    }

    /// <summary>A back end filled the memory: translated code in it is stale.</summary>
    public void NoteWritten()
    {
        for (int i = 0; i < _count; i++)
            _segments[i].Ram.NoteWrite(_segments[i].Offset, (ulong)_segments[i].Length);
    }

    private static bool Skip(in Segment s, ref uint position)
    {
        if (position < (uint)s.Length)
            return false;
        position -= (uint)s.Length;
        return true;
    }

    private Memory<byte> Take(int index, ref uint length)
    {
        ref Segment s = ref _segments[index];
        int n = (int)Math.Min((uint)s.Length, length);
        length -= (uint)n;
        return s.Ram.GetMemory(s.Offset, n);
    }

    private bool Append(Ram ram, ulong offset, int length)
    {
        if (_count != 0)
        {
            ref Segment last = ref _segments[_count - 1];
            if (last.Ram == ram && last.Offset + (ulong)last.Length == offset)
            {
                last.Length += length;
                return true;
            }
        }
        if (_count == MaxSegments)
            return false;
        if (_count == _segments.Length)
            Array.Resize(ref _segments, _count * 2);
        _segments[_count++] = new Segment { Ram = ram, Offset = offset, Length = length };
        return true;
    }
}
