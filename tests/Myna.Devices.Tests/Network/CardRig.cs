using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Backends;

namespace Myna.Devices.Tests.Network;

/// <summary>The far end of a card's cable.</summary>
internal sealed class Wire : INetBackend
{
    public INetFrontend? Frontend { get; private set; }
    public List<byte[]> Sent { get; } = [];
    public int Ready { get; private set; }

    public void Attach(INetFrontend frontend) => Frontend = frontend;
    public void Send(ReadOnlySpan<byte> frame) => Sent.Add(frame.ToArray());
    public void ReceiveReady() => Ready++;
    public bool Receive(byte[] frame) => Frontend!.Receive(frame);
}

/// <summary>A network card on a bus, its memory BAR where a driver would have it, and a driver's ways.</summary>
internal abstract class CardRig : IDisposable
{
    public const ulong Bar = 0xc000_0000;
    public static readonly byte[] Mac = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    protected CardRig(Func<GuestMemory, Wire, PciDevice> create, int barRegister)
    {
        Host = new PciHost(Memory.Space, [new(Bar, 1 << 24)], Enumerable.Range(0, 4).Select(Probe.Line), Probe);
        Card = create(Memory, Wire);
        Host.Add(Card, 1);
        Card.WriteConfig(barRegister, 4, (uint)Bar);
        Card.WriteConfig(4, 2, 6);
    }

    public GuestMemory Memory { get; } = new();
    public InterruptProbe Probe { get; } = new();
    public Wire Wire { get; } = new();
    public PciHost Host { get; }
    public PciDevice Card { get; }

    /// <summary>INTA of device 1.</summary>
    public bool Interrupt => Probe.Level(1);

    public ulong Get(int register, int size = 4)
    {
        Assert.True(Memory.Space.Load(Bar + (ulong)register, size, out ulong value));
        return value;
    }

    public void Set(int register, ulong value, int size = 4) => Assert.True(Memory.Space.Store(Bar + (ulong)register, size, value));

    public static byte[] Frame(ReadOnlySpan<byte> to, int length)
    {
        byte[] frame = new byte[length];
        new Random(length).NextBytes(frame);
        to.CopyTo(frame);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(12), 0x88b5);
        return frame;
    }

    /// <summary>The sum of 16-bit words, which is FFFFh over data whose checksum is right (RFC 1071).</summary>
    public static ushort Sum(ReadOnlySpan<byte> data, uint seed = 0)
    {
        ulong sum = seed;
        for (int i = 0; i < data.Length; i++)
            sum += (ulong)data[i] << (i % 2 == 0 ? 8 : 0);
        while (sum >> 16 != 0)
            sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)sum;
    }

    public void Dispose() => Memory.Dispose();
}
