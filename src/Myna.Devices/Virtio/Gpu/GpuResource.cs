using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Gpu;

/// <summary>A picture of the driver's in the device (virtio 1.2, section 5.7.6.8), or a free place for one. Not locked: its device is.</summary>
[Stateful("gpu-resource")]
internal sealed partial class GpuResource
{
    [Saved(1)] private uint _id;
    [Saved(2)] private int _width;
    [Saved(3)] private int _height;
    [Saved(4)] private GpuFormat _format;

    // Alpha, red, green, blue from the highest byte on, whatever the format.
    [Saved(5)] private uint[] _pixels = [];
    [Saved(6)] private GpuMemory[] _backing = [];

    [NotSaved("a line on its way")]
    private byte[] _line = [];

    /// <summary>0 for a free place.</summary>
    public uint Id => _id;
    public int Width => _width;
    public int Height => _height;

    /// <summary>Entries of the guest's memory behind it.</summary>
    public int BackingEntries => _backing.Length;

    public long Bytes => (long)_pixels.Length * 4;

    public void Create(uint id, GpuFormat format, int width, int height)
    {
        (_id, _format, _width, _height) = (id, format, width, height);
        _pixels = new uint[width * height];
        _backing = [];
    }

    public void Destroy() => (_id, _format, _width, _height, _pixels, _backing) = (0, GpuFormat.None, 0, 0, [], []);

    public void Attach(GpuMemory[] backing) => _backing = backing;

    public ReadOnlySpan<uint> Row(int y) => _pixels.AsSpan(y * _width, _width);

    /// <summary>Copies a rectangle from the guest's memory; it lies inside.</summary>
    /// <param name="offset">Where its first pixel is in the backing; rows follow in the resource's distance.</param>
    /// <returns>False when the backing does not hold all of it.</returns>
    public bool Transfer(AddressSpace memory, GpuRect r, ulong offset)
    {
        int bytes = (int)r.Width * 4;
        if (_line.Length < bytes)
            _line = new byte[bytes];
        int entry = 0;
        ulong entryStart = 0;
        for (uint y = 0; y < r.Height; y++)
        {
            ulong at = offset + (ulong)y * (ulong)_width * 4;
            if (at < offset)
                return false;
            Span<byte> line = _line.AsSpan(0, bytes);
            while (line.Length != 0)
            {
                // Rows follow each other, so the search goes on where it ended.
                while (entry < _backing.Length && at - entryStart >= _backing[entry].Length)
                    entryStart += _backing[entry++].Length;
                if (entry == _backing.Length)
                    return false;
                ulong inside = at - entryStart;
                int run = (int)Math.Min((ulong)line.Length, _backing[entry].Length - inside);
                if (!memory.Read(_backing[entry].Address + inside, line[..run]))
                    return false;
                line = line[run..];
                at += (ulong)run;
            }
            Convert(_line.AsSpan(0, bytes), _pixels.AsSpan((int)((r.Y + y) * (uint)_width + r.X), (int)r.Width));
        }
        return true;
    }

    private void Convert(ReadOnlySpan<byte> source, Span<uint> pixels)
    {
        switch (_format)
        {
            case GpuFormat.B8G8R8A8 or GpuFormat.B8G8R8X8:
                MemoryMarshal.Cast<byte, uint>(source).CopyTo(pixels);
                return;
            case GpuFormat.A8R8G8B8 or GpuFormat.X8R8G8B8:
                BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, uint>(source), pixels);
                return;
        }
        bool redFirst = _format is GpuFormat.R8G8B8A8 or GpuFormat.R8G8B8X8;
        for (int i = 0; i < pixels.Length; i++)
        {
            uint word = BinaryPrimitives.ReadUInt32LittleEndian(source[(i * 4)..]);
            pixels[i] = redFirst ? word & 0xff00_ff00 | (word & 0xff) << 16 | word >> 16 & 0xff : word << 24 | word >> 8;
        }
    }

    private void Sync()
    {
        // A damaged stream must not lead out of the picture.
        if (_width < 0 || _height < 0 || (long)_width * _height != _pixels.Length)
            Destroy();
    }
}
