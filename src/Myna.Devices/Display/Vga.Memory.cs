using System.Buffers.Binary;
using Myna.Devices.Ports;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Display;

// The CPU's way to the planes (IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem", "Graphics Controller").
public sealed partial class Vga
{
    private const byte Nothing = 0xff;

    /// <summary>The offset of a window address in the part of the window that the registers switch on, or -1.</summary>
    private int Decode(int address)
    {
        (int start, int size) = (_graphics[Graphics.Miscellaneous] >> 2 & 3) switch
        {
            0 => (0, 0x20000),
            1 => (0, 0x10000),
            2 => (0x10000, 0x8000),
            _ => (0x18000, 0x8000),
        };
        address -= start;
        return (uint)address < (uint)size ? address : -1;
    }

    private byte ReadWindow(int address)
    {
        int offset = Decode(address);
        if (offset < 0)
            return Nothing;
        if (IsLinear)
        {
            ulong linear = _dispi.BankStart + (ulong)offset;
            return linear < _memory.Size ? _memory.Get(linear, 1)[0] : Nothing;
        }
        int plane = _graphics[Graphics.ReadMapSelect] & 3;
        if ((_sequencer[Sequencer.MemoryMode] & Sequencer.Chain4) != 0)
        {
            plane = offset & 3;
            offset &= ~3;
        }
        else if ((_graphics[Graphics.Mode] & 0x10) != 0)
        {
            plane = plane & 2 | offset & 1;
            offset &= ~1;
        }
        _latch = BinaryPrimitives.ReadUInt32LittleEndian(Planes(offset));
        if ((_graphics[Graphics.Mode] & 0x08) == 0 || (_sequencer[Sequencer.MemoryMode] & Sequencer.Chain4) != 0)
            return (byte)(_latch >> (8 * plane));
        // Read mode 1: which pixels have the colour, in the planes that matter.
        uint different = (_latch ^ Spread(_graphics[Graphics.ColourCompare])) & Spread(_graphics[Graphics.ColourDontCare]);
        return (byte)~(different | different >> 8 | different >> 16 | different >> 24);
    }

    private void WriteWindow(int address, byte value)
    {
        int offset = Decode(address);
        if (offset < 0)
            return;
        _version++;
        if (IsLinear)
        {
            ulong linear = _dispi.BankStart + (ulong)offset;
            if (linear < _memory.Size)
                _memory.GetForWrite(linear, 1)[0] = value;
            return;
        }
        int planes = _sequencer[Sequencer.MapMask];
        if ((_sequencer[Sequencer.MemoryMode] & Sequencer.Chain4) != 0)
        {
            planes &= 1 << (offset & 3);
            offset &= ~3;
        }
        else if ((_sequencer[Sequencer.MemoryMode] & Sequencer.OddEvenOff) == 0)
        {
            planes &= (offset & 1) != 0 ? 0xa : 0x5;
            offset &= ~1;
        }
        if (planes == 0)
            return;
        Span<byte> cell = PlanesForWrite(offset);
        uint mask = Spread(planes), old = BinaryPrimitives.ReadUInt32LittleEndian(cell);
        BinaryPrimitives.WriteUInt32LittleEndian(cell, old & ~mask | Combine(value) & mask);
    }

    /// <summary>What a byte of the CPU becomes in the four planes (write modes 0 to 3).</summary>
    private uint Combine(byte value)
    {
        int mode = _graphics[Graphics.Mode] & 3;
        if (mode == 1)
            return _latch;
        int rotate = _graphics[Graphics.DataRotate] & 7;
        byte rotated = (byte)(value >> rotate | value << (8 - rotate));
        uint setReset = Spread(_graphics[Graphics.SetReset]), bits = Repeat(_graphics[Graphics.BitMask]), data;
        switch (mode)
        {
            case 0:
                uint enable = Spread(_graphics[Graphics.EnableSetReset]);
                data = Repeat(rotated) & ~enable | setReset & enable;
                break;
            case 2:
                data = Spread(value);
                break;
            default:
                data = setReset;
                bits &= Repeat(rotated);
                break;
        }
        data = (_graphics[Graphics.DataRotate] >> 3 & 3) switch
        {
            0 => data,
            1 => data & _latch,
            2 => data | _latch,
            _ => data ^ _latch,
        };
        return data & bits | _latch & ~bits;
    }

    /// <summary>The four bytes at an offset in the planes.</summary>
    private ReadOnlySpan<byte> Planes(int offset) => _memory.Get(Place(offset), 4);

    private Span<byte> PlanesForWrite(int offset) => _memory.GetForWrite(Place(offset), 4);

    // A VGA has 64 KiB in each plane; the VBE's banks go beyond.
    private ulong Place(int offset)
    {
        ulong place = (_dispi.BankStart + (ulong)(offset & (PlaneBytes - 1))) * 4;
        return place + 4 <= _memory.Size ? place : (ulong)(offset & (PlaneBytes - 1)) * 4;
    }

    /// <summary>Four bits as four bytes of zeroes or ones.</summary>
    private static uint Spread(int bits) => (uint)((bits & 1) | (bits & 2) << 7 | (bits & 4) << 14 | (bits & 8) << 21) * 0xff;

    /// <summary>A byte four times.</summary>
    private static uint Repeat(byte value) => value * 0x0101_0101u;

    private sealed class WindowBlock(Vga vga) : IRegisterBlock, ILazyWrites
    {
        public IReadOnlyList<LazyRange> LazyWrites { get; } = [new(0, WindowSize)];
        public Action? Settle { set => vga._settle = value; }
        public IStateful Owner => vga;
        public ulong Size => WindowSize;

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            lock (vga._lock)
            {
                for (int i = 0; i < size; i++)
                    value |= (ulong)vga.ReadWindow((int)offset + i) << (8 * i);
            }
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            lock (vga._lock)
            {
                for (int i = 0; i < size; i++)
                    vga.WriteWindow((int)offset + i, (byte)(value >> (8 * i)));
            }
            return true;
        }
    }
}
