using Myna.Hardware.Memory;

namespace Myna.Devices.Virtio;

/// <summary>
/// One buffer that the driver made available: the guest memory of its device-readable and then its device-writable
/// descriptors, resolved to RAM and checked. Reused from buffer to buffer, so that popping allocates nothing.
/// </summary>
public sealed class DescriptorChain
{
    /// <summary>Pieces of guest memory that one buffer may have; drivers known use at most a few hundred.</summary>
    public const int MaxSegments = 1024;

    private Segment[] _segments = new Segment[16];
    private int _readable, _count;

    private struct Segment
    {
        public Ram Ram;
        public ulong Offset;
        public int Length;
    }

    /// <summary>Bytes that the device reads.</summary>
    public uint ReadableLength { get; private set; }

    /// <summary>Bytes that the device may write.</summary>
    public uint WritableLength { get; private set; }

    /// <summary>One of the pieces of guest memory that the device may write.</summary>
    /// <returns>False: there are no more.</returns>
    internal bool TryGetWritableSegment(int index, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Ram? ram, out ulong offset, out int length)
    {
        bool found = _readable + index < _count;
        ref Segment segment = ref _segments[found ? _readable + index : 0];
        (ram, offset, length) = found ? (segment.Ram, segment.Offset, segment.Length) : (null, 0, 0);
        return found;
    }

    /// <summary>What the used ring calls the buffer: the head's index (split) or the buffer ID (packed).</summary>
    internal ushort Id { get; set; }

    /// <summary>Descriptors of the ring it takes (packed rings skip as many).</summary>
    internal ushort RingSlots { get; set; }

    /// <summary>The life of the queue it was popped in; a later life does not know it.</summary>
    internal int Epoch { get; set; }

    internal void Clear()
    {
        _readable = _count = 0;
        ReadableLength = WritableLength = 0;
    }

    /// <summary>Appends the memory of one descriptor.</summary>
    /// <returns>Null, or what is wrong with the descriptor.</returns>
    internal string? Add(AddressSpace memory, ulong address, uint length, bool writable)
    {
        if (!writable && WritableLength != 0)
            return "a device-readable descriptor after a device-writable one";
        if (length > int.MaxValue || length > uint.MaxValue - (writable ? WritableLength : ReadableLength))
            return $"a buffer of absurd length, {length}";
        for (int left = (int)length; left != 0;)
        {
            if (!memory.FindRam(address, left, out Ram? ram, out ulong offset, out int run) || (writable && ram.ReadOnly))
                return $"a descriptor that is not in RAM, 0x{address:x}+{left}";
            if (!Append(ram, offset, run, writable))
                return "a buffer in too many pieces";
            address += (ulong)run;
            left -= run;
        }
        if (writable)
            WritableLength += length;
        else
            ReadableLength += length;
        return null;
    }

    /// <summary>Copies from the readable part, beginning at <paramref name="position"/>.</summary>
    /// <returns>Bytes copied, fewer than wanted at the end.</returns>
    public int Read(uint position, Span<byte> destination)
    {
        int done = 0;
        for (int i = 0; i < _readable && done < destination.Length; i++)
        {
            ref Segment s = ref _segments[i];
            if (position >= (uint)s.Length)
            {
                position -= (uint)s.Length;
                continue;
            }
            int n = Math.Min(s.Length - (int)position, destination.Length - done);
            s.Ram.Get(s.Offset + position, n).CopyTo(destination[done..]);
            done += n;
            position = 0;
        }
        return done;
    }

    /// <summary>Copies into the writable part, beginning at <paramref name="position"/>.</summary>
    /// <returns>Bytes copied, fewer than wanted at the end.</returns>
    public int Write(uint position, ReadOnlySpan<byte> source)
    {
        int done = 0;
        for (int i = _readable; i < _count && done < source.Length; i++)
        {
            ref Segment s = ref _segments[i];
            if (position >= (uint)s.Length)
            {
                position -= (uint)s.Length;
                continue;
            }
            int n = Math.Min(s.Length - (int)position, source.Length - done);
            source.Slice(done, n).CopyTo(s.Ram.GetForWrite(s.Offset + position, n));
            done += n;
            position = 0;
        }
        return done;
    }

    /// <summary>Lists a range of the readable part for host I/O.</summary>
    public void GetReadable(uint position, uint length, List<ReadOnlyMemory<byte>> list)
    {
        for (int i = 0; i < _readable && length != 0; i++)
        {
            if (Take(i, ref position, ref length, out Memory<byte> piece))
                list.Add(piece);
        }
    }

    /// <summary>Lists a range of the writable part for host I/O. Call <see cref="NoteWritten"/> after it.</summary>
    public void GetWritable(uint position, uint length, List<Memory<byte>> list)
    {
        for (int i = _readable; i < _count && length != 0; i++)
        {
            if (Take(i, ref position, ref length, out Memory<byte> piece))
                list.Add(piece);
        }
    }

    /// <summary>Host I/O wrote to the writable part: translated code in it is stale.</summary>
    public void NoteWritten()
    {
        for (int i = _readable; i < _count; i++)
            _segments[i].Ram.NoteWrite(_segments[i].Offset, (ulong)_segments[i].Length);
    }

    private bool Take(int index, ref uint position, ref uint length, out Memory<byte> piece)
    {
        ref Segment s = ref _segments[index];
        piece = default;
        if (position >= (uint)s.Length)
        {
            position -= (uint)s.Length;
            return false;
        }
        int n = (int)Math.Min((uint)s.Length - position, length);
        piece = s.Ram.GetMemory(s.Offset + position, n);
        position = 0;
        length -= (uint)n;
        return true;
    }

    private bool Append(Ram ram, ulong offset, int length, bool writable)
    {
        int first = writable ? _readable : 0;
        if (_count > first)
        {
            ref Segment last = ref _segments[_count - 1];
            if (last.Ram == ram && last.Offset + (ulong)last.Length == offset && last.Length <= int.MaxValue - length)
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
        if (!writable)
            _readable = _count;
        return true;
    }
}
