using Myna.Devices.Pci;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Diagnostics;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>How a device is driven: transport and ring features.</summary>
public sealed record Way(string Transport, bool Packed, bool EventIdx, bool Indirect)
{
    public static TheoryData<Way> All
    {
        get
        {
            var ways = new TheoryData<Way>();
            foreach (string transport in new[] { "mmio", "pci", "msix" })
            {
                foreach (bool packed in new[] { false, true })
                {
                    foreach (bool eventIdx in new[] { false, true })
                        ways.Add(new Way(transport, packed, eventIdx, eventIdx));
                }
            }
            return ways;
        }
    }

    /// <summary>Both ring layouts over MMIO.</summary>
    public static TheoryData<Way> Rings => [new Way("mmio", false, true, true), new Way("mmio", true, true, true), new Way("mmio", false, false, false), new Way("mmio", true, false, false)];

    public ulong Features => (Packed ? VirtioFeature.RingPacked : 0) | (EventIdx ? VirtioFeature.EventIdx : 0) | (Indirect ? VirtioFeature.IndirectDesc : 0);

    public override string ToString() => $"{Transport}{(Packed ? " packed" : " split")}{(EventIdx ? " events" : "")}{(Indirect ? " indirect" : "")}";
}

/// <summary>A device in a machine that consists of memory, a bus and a driver.</summary>
internal sealed class Rig : IDisposable
{
    public static VirtioOptions Options { get; } = new(Packed: true);

    private Rig(Way way, Func<GuestMemory, LogChannel, VirtioDevice> make)
    {
        var log = new Log(Messages.Add, ["all"]);
        Device = make(Memory, log["virtio"]);
        if (way.Transport == "mmio")
        {
            Mmio = new VirtioMmio(Device, Probe.Line());
            Driver = new MmioDriver(Memory, Mmio);
            return;
        }
        Host = new PciHost(Memory.Space, [new PciWindow(0x4000_0000, 0x4000_0000), new PciWindow(0x4_0000_0000, 1UL << 32)],
            [Probe.Line(0), Probe.Line(1), Probe.Line(2), Probe.Line(3)], way.Transport == "msix" ? Probe : null);
        Pci = new VirtioPci(Device);
        Host.Add(Pci);
        Driver = new PciDriver(Memory, Host, 1, Probe, way.Transport == "msix");
    }

    public GuestMemory Memory { get; } = new();
    public InterruptProbe Probe { get; } = new();
    public List<string> Messages { get; } = [];
    public VirtioDevice Device { get; }
    public VirtioMmio? Mmio { get; }
    public PciHost? Host { get; }
    public VirtioPci? Pci { get; }
    public Driver Driver { get; }
    public bool NeedsReset => (Driver.Status & 64) != 0;

    public static Rig Create(Way way, Func<GuestMemory, LogChannel, VirtioDevice> make) => new(way, make);

    /// <summary>A device, started with the way's features.</summary>
    public static Rig Start(Way way, Func<GuestMemory, LogChannel, VirtioDevice> make, int queues, ulong features = 0, int size = 0)
    {
        var rig = new Rig(way, make);
        rig.Driver.Start(way.Features | features, queues, size);
        return rig;
    }

    public Piece Readable(params ReadOnlySpan<byte> bytes) => new(Memory.Place(bytes), bytes.Length, false);

    public Piece Writable(int length)
    {
        Piece piece = new(Memory.Allocate(length), length, true);
        byte[] fill = new byte[length];
        Array.Fill(fill, (byte)0xee);
        Memory.Write(piece.Address, fill);
        return piece;
    }

    public byte[] Content(Piece piece) => Memory.Read(piece.Address, piece.Length);

    public void Dispose() => Memory.Dispose();
}
