using Myna.Devices.Pci;

namespace Myna.Devices.Tests.Virtio.Kit;

/// <summary>
/// A driver on virtio-pci: finds everything through configuration space and capabilities, places the BARs itself, and
/// uses MSI-X if asked to.
/// </summary>
internal sealed class PciDriver : Driver
{
    private const ulong Window32 = 0x4000_0000, Window64 = 0x4_0000_0000;
    public const ulong MessageAddress = 0x2400_0000;

    private readonly PciHost _host;
    private readonly ulong _function;
    private readonly InterruptProbe _probe;
    private readonly ulong[] _bars = new ulong[6];
    private readonly Dictionary<int, (ulong Address, int Capability)> _structures = [];
    private readonly bool _msix;
    private int _queue;

    public PciDriver(GuestMemory memory, PciHost host, int slot, InterruptProbe probe, bool msix) : base(memory)
    {
        _host = host;
        _function = (ulong)slot << 15;
        _probe = probe;
        _msix = msix;
        PlaceBars();
        SetConfig(4, 2, 2 | 4);
        FindCapabilities();
    }

    public int MsixCapability { get; private set; }

    public uint GetConfig(int offset, int size)
    {
        Assert.True(_host.Read(_function + (ulong)offset, size, out ulong value));
        return (uint)value;
    }

    public void SetConfig(int offset, int size, uint value) => Assert.True(_host.Write(_function + (ulong)offset, size, value));

    public ulong Bar(int index) => _bars[index];

    /// <summary>Address and capability of a structure by its cfg_type.</summary>
    public (ulong Address, int Capability) Structure(int type) => _structures[type];

    public ulong Load(ulong address, int size)
    {
        Assert.True(Memory.Space.Load(address, size, out ulong value));
        return value;
    }

    public void Store(ulong address, int size, ulong value) => Assert.True(Memory.Space.Store(address, size, value));

    public override uint Status { get => (uint)Common(0x14, 1); set => Common(0x14, 1, value); }
    public override int QueueMaxSize => (int)Common(0x18, 2);

    public ulong Common(ulong offset, int size) => Load(_structures[1].Address + offset, size);
    public void Common(ulong offset, int size, ulong value) => Store(_structures[1].Address + offset, size, value);

    public override ulong ReadDeviceFeatures()
    {
        Common(0, 4, 0);
        ulong low = Common(4, 4);
        Common(0, 4, 1);
        return low | Common(4, 4) << 32;
    }

    public override void WriteDriverFeatures(ulong features)
    {
        Common(8, 4, 0);
        Common(0xc, 4, (uint)features);
        Common(8, 4, 1);
        Common(0xc, 4, features >> 32);
    }

    public override void SelectQueue(int queue)
    {
        _queue = queue;
        Common(0x16, 2, (ulong)queue);
    }

    public override void SetupQueue(int size, ulong descriptors, ulong driver, ulong device)
    {
        if (_msix)
        {
            // Vector 0 for configuration, one for each queue; the message says the vector.
            Vector(0);
            Vector(_queue + 1);
            SetConfig(MsixCapability + 2, 2, 0x8000);
            Common(0x10, 2, 0);
            Assert.Equal(0u, Common(0x10, 2));
            Common(0x1a, 2, (ulong)_queue + 1);
            Assert.Equal((ulong)_queue + 1, Common(0x1a, 2));
        }
        Common(0x18, 2, (ulong)size);
        Common(0x20, 4, (uint)descriptors);
        Common(0x24, 4, descriptors >> 32);
        Common(0x28, 4, (uint)driver);
        Common(0x2c, 4, driver >> 32);
        Common(0x30, 8, device);
        Common(0x1c, 2, 1);
        Assert.Equal(1u, Common(0x1c, 2));
    }

    public override void Notify(int queue)
    {
        Common(0x16, 2, (ulong)queue);
        ulong off = Common(0x1e, 2);
        (ulong address, int capability) = _structures[2];
        Store(address + off * GetConfig(capability + 16, 4), 2, (ulong)queue);
    }

    public override int TakeInterrupts()
    {
        if (!_msix)
            return (int)Load(_structures[3].Address, 1);
        int causes = 0;
        foreach ((ulong address, uint data) in _probe.TakeMessages())
        {
            Assert.Equal(MessageAddress, address);
            causes |= data == 0 ? 2 : 1;
        }
        return causes;
    }

    public override ulong ReadConfig(int offset, int size) => Load(_structures[4].Address + (ulong)offset, size);

    public override void WriteConfig(int offset, int size, ulong value) => Store(_structures[4].Address + (ulong)offset, size, value);

    public void Vector(int vector, bool masked = false)
    {
        uint table = GetConfig(MsixCapability + 4, 4);
        ulong entry = _bars[table & 7] + (table & ~7u) + (ulong)vector * 16;
        Store(entry, 4, MessageAddress);
        Store(entry + 4, 4, 0);
        Store(entry + 8, 4, (ulong)vector);
        Store(entry + 12, 4, masked ? 1u : 0);
    }

    private void PlaceBars()
    {
        ulong next32 = Window32 + _function * 2, next64 = Window64 + _function * 2;
        for (int i = 0; i < 6; i++)
        {
            int offset = 0x10 + 4 * i;
            SetConfig(offset, 4, uint.MaxValue);
            uint mask = GetConfig(offset, 4);
            if (mask == 0)
                continue;
            Assert.Equal(0u, mask & 1);
            bool wide = (mask & 6) == 4;
            ulong size = ~(mask & ~0xfu) + 1u;
            if (wide)
            {
                SetConfig(offset + 4, 4, uint.MaxValue);
                ulong all = (mask & ~0xfu) | (ulong)GetConfig(offset + 4, 4) << 32;
                size = ~all + 1;
            }
            ref ulong next = ref next32;
            if (wide)
                next = ref next64;
            next = (next + size - 1) / size * size;
            _bars[i] = next;
            SetConfig(offset, 4, (uint)next);
            if (wide)
                SetConfig(offset + 4, 4, (uint)(next >> 32));
            next += size;
            if (wide)
                i++;
        }
    }

    private void FindCapabilities()
    {
        Assert.Equal(0x10u, GetConfig(6, 2) & 0x10);
        int seen = 0;
        for (int cap = (int)GetConfig(0x34, 1); cap != 0; cap = (int)GetConfig(cap + 1, 1))
        {
            Assert.True(++seen < 48, "the list of capabilities loops");
            Assert.Equal(0, cap & 3);
            switch (GetConfig(cap, 1))
            {
                case 9:
                    int type = (int)GetConfig(cap + 3, 1);
                    _structures[type] = (_bars[GetConfig(cap + 4, 1)] + GetConfig(cap + 8, 4), cap);
                    break;
                case 0x11:
                    MsixCapability = cap;
                    break;
            }
        }
    }
}
