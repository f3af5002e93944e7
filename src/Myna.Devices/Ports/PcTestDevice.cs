using System.Buffers.Binary;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Ports;

/// <summary>
/// QEMU's pc-testdev, for programs that test a CPU or its interrupt controllers (kvm-unit-tests): ports E0h to E3h and E8h
/// to EBh hold a value, E4h to E7h once flushed pages, 2000h + n sets the level of interrupt n, and 64 KiB of memory at
/// FF000000h hold bytes behind a device.
/// </summary>
[Stateful("pc-testdev")]
public sealed partial class PcTestDevice : IRegisterBlock
{
    /// <summary>Where its ranges lie.</summary>
    public const ulong EchoPort = 0xe0, InterruptPort = 0x2000, MemoryAddress = 0xff00_0000;

    private const int Lines = 24, MemorySize = 0x10000;

    private readonly Lock _lock = new();

    [NotSaved("wiring")] private readonly InterruptLine[] _lines;

    [NotSaved("levels on the wires, driven again by Sync")] private readonly bool[] _driven = new bool[Lines];

    [Saved(1)] private uint _value;
    [Saved(2)] private readonly bool[] _levels = new bool[Lines];
    [Saved(3)] private readonly byte[] _memory = new byte[MemorySize];

    /// <param name="lines">Global system interrupts 0 to 23.</param>
    public PcTestDevice(IEnumerable<InterruptLine> lines)
    {
        _lines = [.. lines.Take(Lines)];
        Interrupts = new Range(this, memory: false);
        Memory = new Range(this, memory: true);
    }

    /// <inheritdoc/>
    public IStateful Owner => this;

    /// <inheritdoc/>
    public ulong Size => 12;

    /// <summary>Ports 2000h and up.</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock Interrupts { get; }

    /// <summary>The memory at FF000000h.</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock Memory { get; }

    /// <summary>Ports E0h to EBh.</summary>
    public bool Read(ulong offset, int size, out ulong value)
    {
        lock (_lock)
            value = (offset & 4) != 0 ? 0ul : (ulong)_value >> (int)(offset & 3) * 8 & (1UL << Math.Min(size, 4) * 8) - 1;
        return true;
    }

    /// <inheritdoc cref="Read"/>
    public bool Write(ulong offset, int size, ulong value)
    {
        if ((offset & 4) != 0)
            return true;
        int shift = (int)(offset & 3) * 8;
        ulong mask = (1UL << Math.Min(size, 4) * 8) - 1 << shift;
        lock (_lock)
            _value = (uint)((_value & ~mask) | (value << shift & mask));
        return true;
    }

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            _value = 0;
            Array.Clear(_levels);
            Array.Clear(_memory);
        }
        Sync();
    }

    private void Sync()
    {
        lock (_lock)
        {
            // The wires have other sources too: only what this device drives or drove is touched.
            for (int i = 0; i < _lines.Length; i++)
            {
                if (_levels[i] || _driven[i])
                    Drive(i, _levels[i]);
            }
        }
    }

    private void SetLine(int line, bool level)
    {
        if (line >= _lines.Length)
            return;
        lock (_lock)
        {
            _levels[line] = level;
            Drive(line, level);
        }
    }

    private void Drive(int line, bool level)
    {
        _driven[line] = level;
        _lines[line].Set(level);
    }

    private sealed class Range(PcTestDevice device, bool memory) : IRegisterBlock
    {
        public IStateful Owner => device;
        public ulong Size => memory ? (ulong)MemorySize : Lines;

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            if (!memory)
                return true;
            lock (device._lock)
            {
                ReadOnlySpan<byte> bytes = device._memory.AsSpan((int)offset, size);
                value = size switch { 1 => bytes[0], 2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes), 4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes), _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes) };
            }
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            if (!memory)
            {
                device.SetLine((int)offset, value != 0);
                return true;
            }
            lock (device._lock)
            {
                for (int i = 0; i < size; i++)
                    device._memory[(int)offset + i] = (byte)(value >> i * 8);
            }
            return true;
        }
    }
}
