using System.Buffers.Binary;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>RAM at 0x8000_0000 with a bump allocator, as a guest's driver uses it.</summary>
internal sealed class GuestMemory : IDisposable
{
    public const ulong Base = 0x8000_0000, Size = 8 << 20;

    private ulong _next = Base;

    public GuestMemory() => Space.Map(Base, Ram);

    public Ram Ram { get; } = new("ram", Size);
    public AddressSpace Space { get; } = new();

    public ulong Allocate(int bytes, uint alignment = 16)
    {
        ulong address = (_next + alignment - 1) / alignment * alignment;
        _next = address + (ulong)bytes;
        return _next <= Base + Size ? address : throw new InvalidOperationException("the test needs more memory");
    }

    public ulong Place(ReadOnlySpan<byte> bytes)
    {
        ulong address = Allocate(bytes.Length);
        Write(address, bytes);
        return address;
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes) => Assert.True(Space.Write(address, bytes));

    public byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(Space.Read(address, bytes));
        return bytes;
    }

    public ushort Read16(ulong address) => BinaryPrimitives.ReadUInt16LittleEndian(Read(address, 2));
    public uint Read32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Read(address, 4));

    public void Write16(ulong address, ushort value) => Assert.True(Space.Store(address, 2, value));
    public void Write32(ulong address, uint value) => Assert.True(Space.Store(address, 4, value));
    public void Write64(ulong address, ulong value) => Assert.True(Space.Store(address, 8, value));

    public void Dispose() => Ram.Dispose();
}

/// <summary>An interrupt line, or a sink of messages, that remembers.</summary>
internal sealed class InterruptProbe : Hardware.Interrupts.IInterruptSink, Hardware.Interrupts.IMsiSink
{
    private readonly bool[] _levels = new bool[64];
    private readonly Lock _lock = new();
    private readonly List<(ulong Address, uint Data)> _messages = [];

    public bool Level(int input = 0) => Volatile.Read(ref _levels[input]);

    public Hardware.Interrupts.InterruptLine Line(int input = 0) => new(this, input);

    public void SetLevel(int input, bool level) => Volatile.Write(ref _levels[input], level);

    public bool Send(ulong address, uint data)
    {
        lock (_lock)
            _messages.Add((address, data));
        return true;
    }

    public (ulong Address, uint Data)[] TakeMessages()
    {
        lock (_lock)
        {
            (ulong, uint)[] taken = [.. _messages];
            _messages.Clear();
            return taken;
        }
    }
}
