using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Devices.Display;

/// <summary>
/// A frame buffer in the guest's RAM (QEMU's ramfb): firmware says by the fw_cfg file etc/ramfb where it is. Numbers in the
/// file are big-endian: address (8 bytes), format (a DRM fourcc), flags, width, height, bytes of a row.
/// </summary>
[Stateful("ramfb")]
public sealed partial class Ramfb : IScreen
{
    /// <summary>Name of the fw_cfg file.</summary>
    public const string FileName = "etc/ramfb";

    private const uint XRGB8888 = 0x3432_5258, ARGB8888 = 0x3432_5241;

    private readonly Lock _lock = new();
    private readonly AddressSpace _memory;

    [Saved(1)] private readonly byte[] _file = new byte[28];

    [NotSaved("a row on its way")]
    private byte[] _row = [];

    /// <param name="memory">Where the frame buffer lies.</param>
    public Ramfb(AddressSpace memory) => _memory = memory;

    /// <summary>The content of the fw_cfg file.</summary>
    public byte[] File => _file;

    public string Name => "ramfb";

    public bool IsActive
    {
        get
        {
            lock (_lock)
                return TryRead(out _, out _, out _, out _);
        }
    }

    public void Draw(Surface surface)
    {
        surface.Claim(this);
        lock (_lock)
        {
            if (!TryRead(out ulong address, out int width, out int height, out int stride))
            {
                surface.Resize(640, 480);
                surface.Fill(0);
                return;
            }
            surface.Resize(width, height);
            int bytes = width * 4;
            if (_row.Length < bytes)
                _row = new byte[bytes];
            for (int y = 0; y < height; y++)
            {
                if (_memory.Read(address + (ulong)y * (ulong)stride, _row.AsSpan(0, bytes)))
                    surface.Put(0, y, MemoryMarshal.Cast<byte, uint>(_row.AsSpan(0, bytes)));
            }
        }
    }

    /// <summary>Power-on state: no frame buffer.</summary>
    public void Reset()
    {
        lock (_lock)
            Array.Clear(_file);
    }

    private bool TryRead(out ulong address, out int width, out int height, out int stride)
    {
        address = BinaryPrimitives.ReadUInt64BigEndian(_file);
        uint format = BinaryPrimitives.ReadUInt32BigEndian(_file.AsSpan(8));
        width = BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(16));
        height = BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(20));
        stride = BinaryPrimitives.ReadInt32BigEndian(_file.AsSpan(24));
        if (stride == 0)
            stride = width * 4;
        return address != 0 && format is XRGB8888 or ARGB8888 && width is > 0 and <= Surface.MaximumWidth && height is > 0 and <= Surface.MaximumHeight
            && stride >= width * 4 && stride <= 1 << 20;
    }

    private void Sync() { }
}
