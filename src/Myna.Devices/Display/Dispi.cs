using Myna.Hardware.Screens;
using Myna.Hardware.State;

namespace Myna.Devices.Display;

/// <summary>
/// Registers of the Bochs VBE display interface, version 5 (Bochs, "VBE Display Interface"): resolutions and depths that a
/// VGA does not have. Not locked: its adapter is.
/// </summary>
[Stateful("dispi")]
internal sealed partial class Dispi
{
    public const int ID = 0, XRES = 1, YRES = 2, BPP = 3, ENABLE = 4, BANK = 5, VIRT_WIDTH = 6, VIRT_HEIGHT = 7, X_OFFSET = 8, Y_OFFSET = 9, VIDEO_MEMORY_64K = 10, Count = 10;
    public const ushort ENABLED = 0x01, GETCAPS = 0x02, DAC_8BIT = 0x20, LFB = 0x40, NOCLEARMEM = 0x80;
    private const ushort FirstId = 0xb0c0, NewestId = 0xb0c5, MaximumDepth = 32;

    private readonly ulong _memorySize;

    [Saved(1)] private readonly ushort[] _registers = new ushort[Count];
    [Saved(2)] private ushort _index;

    // The low byte of a word that is written as two bytes.
    [Saved(3)] private byte _low;

    public Dispi(ulong memorySize)
    {
        _memorySize = memorySize;
        Reset();
    }

    public bool Enabled => (_registers[ENABLE] & ENABLED) != 0;

    /// <summary>The frame buffer is linear, not planes.</summary>
    public bool IsLinear => Enabled && _registers[BPP] != 4;

    public bool WideDac => (_registers[ENABLE] & DAC_8BIT) != 0;
    public int Width => _registers[XRES];
    public int Height => _registers[YRES];
    public int Depth => _registers[BPP];
    public int VirtualWidth => _registers[VIRT_WIDTH];
    public int XOffset => _registers[X_OFFSET];
    public int YOffset => _registers[Y_OFFSET];

    /// <summary>First byte of the window's 64 KiB in video memory; in 4 bits per pixel of each plane.</summary>
    public ulong BankStart => Enabled ? (ulong)_registers[BANK] << 16 : 0;

    // Bytes of a row of the virtual screen; with 4 bits per pixel in all planes.
    private ulong Pitch => (ulong)VirtualWidth * (ulong)(Depth == 4 ? 4 : Depth == 15 ? 16 : Depth) / 8;

    public void Reset()
    {
        Array.Clear(_registers);
        _registers[ID] = NewestId;
        _index = 0;
        _low = 0;
    }

    public ushort Read(int index) => index switch
    {
        XRES or YRES or BPP when (_registers[ENABLE] & GETCAPS) != 0 => index == XRES ? (ushort)Surface.MaximumWidth : index == YRES ? (ushort)Surface.MaximumHeight : MaximumDepth,
        VIDEO_MEMORY_64K => (ushort)Math.Min(_memorySize >> 16, 0xffff),
        >= 0 and < Count => _registers[index],
        _ => 0,
    };

    /// <summary>A write to a register.</summary>
    /// <returns>Bytes at the beginning of the video memory that become zero.</returns>
    public ulong Write(int index, ushort value)
    {
        switch (index)
        {
            case ID when value is >= FirstId and <= NewestId:
                _registers[ID] = value;
                break;
            case XRES or YRES or BPP:
                // Only while the interface is off.
                if (!Enabled)
                    _registers[index] = value;
                break;
            case ENABLE: return Enable(value);
            case BANK:
                _registers[BANK] = (ushort)Math.Min(value, (_memorySize >> 16) - 1);
                break;
            case VIRT_WIDTH when Enabled && value >= Width:
                ushort before = _registers[VIRT_WIDTH];
                _registers[VIRT_WIDTH] = value;
                if (Pitch == 0 || _memorySize / Pitch < (ulong)Height)
                    _registers[VIRT_WIDTH] = before;
                UpdateVirtual();
                break;
            case X_OFFSET or Y_OFFSET:
                _registers[index] = value;
                UpdateVirtual();
                break;
        }
        return 0;
    }

    public ulong ReadPort(int offset, int size) => (offset, size) switch
    {
        (0, 2) => _index,
        (0, _) => _index & 0xffu,
        (_, 2) => Read(_index),
        (1, _) => Read(_index) & 0xffu,
        _ => (ulong)Read(_index) >> 8,
    };

    /// <returns>Whether a register is written.</returns>
    public bool WritePort(int offset, int size, ushort value, out int index, out ushort word)
    {
        (index, word) = (_index, value);
        switch (offset, size)
        {
            case (0, _):
                _index = value;
                return false;
            case (_, 2):
                return true;
            case (1, _):
                _low = (byte)value;
                return false;
            default:
                word = (ushort)(value << 8 | _low);
                return true;
        }
    }

    private ulong Enable(ushort value)
    {
        bool was = Enabled;
        _registers[ENABLE] = value;
        _registers[BANK] = 0;
        if (!Enabled || was)
            return 0;
        _registers[BPP] = _registers[BPP] switch { 4 or 8 or 15 or 16 or 24 or 32 => _registers[BPP], 0 => 8, _ => 32 };
        // A multiple of 8 pixels, inside of what there is.
        _registers[XRES] = (ushort)Math.Clamp(_registers[XRES] & ~7, 8, Surface.MaximumWidth);
        _registers[VIRT_WIDTH] = _registers[XRES];
        while (Pitch > _memorySize)
            _registers[VIRT_WIDTH] = _registers[XRES] = (ushort)(_registers[XRES] / 2 & ~7);
        _registers[YRES] = (ushort)Math.Clamp(_registers[YRES], 1, (int)Math.Min(Surface.MaximumHeight, _memorySize / Pitch));
        _registers[X_OFFSET] = _registers[Y_OFFSET] = 0;
        UpdateVirtual();
        return (value & NOCLEARMEM) == 0 ? Pitch * (ulong)Height : 0;
    }

    private void UpdateVirtual()
    {
        if (!Enabled || Pitch == 0)
            return;
        ulong rows = Math.Min(_memorySize / Pitch, 0xffff);
        _registers[VIRT_HEIGHT] = (ushort)rows;
        _registers[X_OFFSET] = (ushort)Math.Min(_registers[X_OFFSET], VirtualWidth - Width);
        _registers[Y_OFFSET] = (ushort)Math.Min(_registers[Y_OFFSET], Math.Max(0, (int)rows - Height));
    }

    private void Sync()
    {
        // A damaged stream must not lead out of the memory.
        if (Enabled && (Pitch == 0 || Width is 0 or > Surface.MaximumWidth || VirtualWidth < Width || (ulong)(Height + YOffset) * Pitch > _memorySize))
            _registers[ENABLE] = 0;
    }
}
