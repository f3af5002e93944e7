using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Devices.Usb;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Usb;

/// <summary>An event, as the controller wrote it.</summary>
internal readonly record struct XhciEvent(ulong Parameter, uint Status, uint Control)
{
    public int Type => (int)(Control >> 10 & 63);
    public int Code => (int)(Status >> 24);
    public int Length => (int)(Status & 0xff_ffff);
    public int Slot => (int)(Control >> 24);
    public int Endpoint => (int)(Control >> 16 & 31);
}

/// <summary>A driver of an xHCI controller (xHCI 1.2, chapter 4) with a ring for each endpoint.</summary>
internal sealed class XhciRig : IDisposable
{
    public const ulong Bar = 0xc000_0000, Operational = Bar + 0x40, Runtime = Bar + 0x1000, Doorbells = Bar + 0x2000;
    public const int Short = 13, Stall = 6, TransferEvent = 32, CommandEvent = 33, PortEvent = 34;
    private const int RingSize = 64, EventSize = 64;

    private readonly Dictionary<(int Slot, int Endpoint), Ring> _rings = [];
    private readonly Ring _commands;
    private readonly ulong _events, _array;
    private int _eventIndex, _eventCycle = 1;

    private sealed class Ring(ulong address)
    {
        public ulong Address => address;
        public int Index { get; set; }
        public uint Cycle { get; set; } = 1;
    }

    public XhciRig(params UsbDevice[] devices)
    {
        Xhci = new Xhci(Memory.Space, Clock);
        foreach (UsbDevice device in devices)
            Assert.NotEqual(0, Xhci.Add(device));
        var host = new PciHost(Memory.Space, [new(Bar, 1 << 20)], Enumerable.Range(0, 4).Select(i => Probe.Line(i)));
        host.Add(Xhci, 1);
        Xhci.WriteConfig(0x10, 4, (uint)Bar);
        Xhci.WriteConfig(4, 2, 6);
        _commands = new Ring(Memory.Allocate(RingSize * 16, 64));
        _events = Memory.Allocate(EventSize * 16, 64);
        _array = Memory.Allocate(64 * 8, 64);
        ulong table = Memory.Allocate(16, 64);
        Memory.Write64(table, _events);
        Memory.Write32(table + 8, EventSize);
        Set(Operational + 0x38, 32);
        Set(Operational + 0x30, _array, 8);
        Set(Operational + 0x18, _commands.Address | 1, 8);
        Set(Runtime + 0x28, 1);
        Set(Runtime + 0x38, _events, 8);
        Set(Runtime + 0x30, table, 8);
        Set(Runtime + 0x20, 2);
        Set(Operational, 5);
    }

    public GuestMemory Memory { get; } = new();
    public ManualClock Clock { get; } = new();
    public InterruptProbe Probe { get; } = new();
    public Xhci Xhci { get; }

    public void Dispose()
    {
        Xhci.Drain();
        Memory.Dispose();
    }

    public uint Get(ulong address)
    {
        Assert.True(Memory.Space.Load(address, 4, out ulong value));
        return (uint)value;
    }

    public void Set(ulong address, ulong value, int size = 4) => Assert.True(Memory.Space.Store(address, size, value));

    public ulong Port(int number) => Bar + 0x440 + (ulong)(number - 1) * 16;

    /// <summary>The next event, if it is there.</summary>
    public XhciEvent? Take()
    {
        ulong at = _events + (ulong)_eventIndex * 16;
        if ((Memory.Read32(at + 12) & 1) != _eventCycle)
            return null;
        var e = new XhciEvent(BinaryPrimitives.ReadUInt64LittleEndian(Memory.Read(at, 8)), Memory.Read32(at + 8), Memory.Read32(at + 12));
        if (++_eventIndex == EventSize)
            (_eventIndex, _eventCycle) = (0, _eventCycle ^ 1);
        Set(Runtime + 0x38, _events + (ulong)_eventIndex * 16 | 8, 8);
        return e;
    }

    public XhciEvent Take(int type)
    {
        XhciEvent? e = Take();
        Assert.NotNull(e);
        Assert.Equal(type, e.Value.Type);
        return e.Value;
    }

    public void SkipEvents()
    {
        while (Take() is not null)
        {
        }
    }

    private ulong Put(Ring ring, ulong parameter, uint status, uint control)
    {
        ulong at = ring.Address + (ulong)ring.Index * 16;
        Memory.Write64(at, parameter);
        Memory.Write32(at + 8, status);
        Memory.Write32(at + 12, control | ring.Cycle);
        if (++ring.Index == RingSize - 1)
        {
            ulong link = ring.Address + (RingSize - 1) * 16;
            Memory.Write64(link, ring.Address);
            Memory.Write32(link + 8, 0);
            Memory.Write32(link + 12, 6 << 10 | 2 | ring.Cycle | control & 16);
            (ring.Index, ring.Cycle) = (0, ring.Cycle ^ 1);
        }
        return at;
    }

    public XhciEvent Command(int type, ulong parameter = 0, int slot = 0, int endpoint = 0, uint flags = 0)
    {
        ulong at = Put(_commands, parameter, 0, (uint)type << 10 | (uint)slot << 24 | (uint)endpoint << 16 | flags);
        Set(Doorbells, 0);
        XhciEvent e = Take(CommandEvent);
        Assert.Equal(at, e.Parameter);
        return e;
    }

    /// <summary>Resets a port, gives its device a slot and an address.</summary>
    public int Address(int port, uint route = 0)
    {
        if (route == 0)
            Set(Port(port), 1 << 9 | 1 << 4);
        SkipEvents();
        XhciEvent enabled = Command(9);
        Assert.Equal(1, enabled.Code);
        int slot = enabled.Slot;
        ulong output = Memory.Allocate(1024 + 64, 64), input = Memory.Allocate(1088 + 64, 64);
        Memory.Write64(_array + (ulong)slot * 8, output);
        Memory.Write32(input + 4, 3);
        Memory.Write32(input + 32, 1 << 27 | route);
        Memory.Write32(input + 36, (uint)port << 16);
        OpenRing(slot, 1, input + 64, type: 4, packet: 64);
        Assert.Equal(1, Command(11, input, slot).Code);
        Assert.Equal(2u << 27 | (uint)slot, Memory.Read32(output + 12));
        return slot;
    }

    public void Configure(int slot, int value = 1) => Assert.Equal(1, Control(slot, 0x00, 9, value, 0, []).Code);

    /// <summary>Opens endpoints by their contexts' numbers: 2n, or 2n + 1 for IN.</summary>
    public int Open(int slot, params (int Index, int Type, int Packet)[] endpoints)
    {
        ulong input = Memory.Allocate(1088 + 64, 64);
        uint flags = 1;
        foreach ((int index, int type, int packet) in endpoints)
        {
            flags |= 1u << index;
            OpenRing(slot, index, input + 32 + (ulong)index * 32, type, packet);
        }
        Memory.Write32(input + 4, flags);
        Memory.Write32(input + 32, 1 << 27);
        return Command(12, input, slot).Code;
    }

    private void OpenRing(int slot, int index, ulong context, int type, int packet)
    {
        var ring = new Ring(Memory.Allocate(RingSize * 16, 64));
        _rings[(slot, index)] = ring;
        Memory.Write32(context + 4, (uint)packet << 16 | (uint)type << 3 | 3 << 1);
        Memory.Write64(context + 8, ring.Address | 1);
    }

    public ulong Queue(int slot, int endpoint, ulong parameter, uint status, uint control) => Put(_rings[(slot, endpoint)], parameter, status, control);

    public void Doorbell(int slot, int endpoint) => Set(Doorbells + (ulong)slot * 4, (uint)endpoint);

    /// <summary>Where the ring's next TRB goes, with its cycle state.</summary>
    public ulong Here(int slot, int endpoint) => _rings[(slot, endpoint)] is var ring ? ring.Address + (ulong)ring.Index * 16 | ring.Cycle : 0;

    /// <summary>A control transfer; the event of its last stage, and the data's if that ended early.</summary>
    public XhciEvent Control(int slot, byte type, byte request, int value, int index, byte[] data, int length = -1)
    {
        bool reads = (type & 0x80) != 0;
        length = length < 0 ? data.Length : length;
        ulong buffer = Memory.Allocate(Math.Max(length, 1));
        if (!reads)
            Memory.Write(buffer, data);
        ulong setup = type | (ulong)request << 8 | (ulong)(ushort)value << 16 | (ulong)(ushort)index << 32 | (ulong)length << 48;
        Queue(slot, 1, setup, 8, 2 << 10 | 1 << 6 | (length == 0 ? 0 : reads ? 3u << 16 : 2u << 16));
        if (length != 0)
            Queue(slot, 1, buffer, (uint)length, 3 << 10 | 4 | (reads ? 1u << 16 : 0));
        Queue(slot, 1, 0, 0, 4 << 10 | 32 | (reads && length != 0 ? 0 : 1u << 16));
        Doorbell(slot, 1);
        XhciEvent e = Take(TransferEvent);
        if (e.Code == Short)
        {
            Assert.Equal(1, Take(TransferEvent).Code);
            Memory.Read(buffer, length - e.Length).CopyTo(data, 0);
            return e;
        }
        if (reads && e.Code == 1)
            Memory.Read(buffer, length).AsSpan(0, Math.Min(length, data.Length)).CopyTo(data);
        return e;
    }

    /// <summary>A transfer of one TRB, and its event if it has ended.</summary>
    public XhciEvent? Transfer(int slot, int endpoint, ulong buffer, int length)
    {
        Queue(slot, endpoint, buffer, (uint)length, 1 << 10 | 32 | 4);
        Doorbell(slot, endpoint);
        Xhci.Drain();
        return Take();
    }

    /// <summary>After a stall: Reset Endpoint and Set TR Dequeue Pointer.</summary>
    public void Recover(int slot, int endpoint)
    {
        Assert.Equal(1, Command(14, slot: slot, endpoint: endpoint).Code);
        Assert.Equal(1, Command(16, Here(slot, endpoint), slot, endpoint).Code);
    }
}
