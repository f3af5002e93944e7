using Myna.Devices.Pci;
using Myna.Devices.Power;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Pci;

/// <summary>PCI 3.0; Intel 3 Series Express Chipset and ICH9 datasheets.</summary>
public sealed class Q35Tests : IPamControl
{
    private readonly AddressSpace _memory = new(), _ports = new();
    private readonly Levels _gsi = new(), _isa = new();
    private readonly Dictionary<ulong, (ulong Size, bool Read, bool Write)> _segments = [];
    private readonly Ich9Lpc _lpc;
    private readonly Support.Power _power = new();
    private readonly Card _card = new();

    public Q35Tests()
    {
        var reset = new ResetControl(_power);
        _lpc = new Ich9Lpc(_ports, _memory, new AcpiPm(new ManualClock(), default, _power),
            Enumerable.Range(16, 8).Select(_gsi.Line), Enumerable.Range(0, 16).Select(_isa.Line));
        var host = new PciHost(_memory, [new PciWindow(0xc000_0000, 0x1000_0000)], Enumerable.Range(0, 8).Select(i => new Hardware.Interrupts.InterruptLine(_lpc, i)),
            null, _ports, Ich9Lpc.Pirq, new Q35Mch(_memory, 0xb000_0000, this));
        host.Add(_lpc, Ich9Lpc.Slot);
        host.Add(_card, 3);
        _ports.Map(PciConfigPorts.Port, PciConfigPorts.Ports, "pci", new PciConfigPorts(host, reset));
    }

    void IPamControl.SetPam(ulong start, ulong size, bool read, bool write) => _segments[start] = (size, read, write);

    private ulong In(ulong port, int size)
    {
        Assert.True(_ports.Load(port, size, out ulong value));
        return value;
    }

    private void Out(ulong port, int size, ulong value) => Assert.True(_ports.Store(port, size, value));

    private uint Get(int slot, int offset, int size = 4)
    {
        Out(0xcf8, 4, 0x8000_0000u | (uint)slot << 11 | (uint)offset & 0xfc);
        return (uint)In(0xcfc + (ulong)(offset & 3), size);
    }

    private void Set(int slot, int offset, uint value, int size = 4)
    {
        Out(0xcf8, 4, 0x8000_0000u | (uint)slot << 11 | (uint)offset & 0xfc);
        Out(0xcfc + (ulong)(offset & 3), size, value);
    }

    [Fact]
    public void Configuration_by_ports_and_by_ECAM_is_one()
    {
        Assert.Equal(0x29c0_8086u, Get(0, 0));
        Assert.Equal(0x2918_8086u, Get(31, 0));
        Assert.Equal(0x0601u, Get(31, 0x0a, 2));
        Assert.Equal(uint.MaxValue, Get(1, 0));
        Assert.True(_memory.Load(0xb000_0000 + (31 << 15), 4, out ulong ecam));
        Assert.Equal(0x2918_8086u, ecam);
        Out(0xcf8, 4, 0xffff_ffff);
        Assert.Equal(0x80ff_fffcu, In(0xcf8, 4));
        Assert.Equal(0xffff_fffful, In(0xcfc, 4));
        Out(0xcf8, 4, 0x0000_0000);
        Assert.Equal(0xffff_fffful, In(0xcfc, 4));
        Out(0xcf8, 2, 0xffff);
        Assert.Equal(0ul, In(0xcf8, 4));
        // An access that is not aligned.
        Out(0xcf8, 4, 0x8000_0000 | 31 << 11);
        Assert.Equal(0x1880u, In(0xcfd, 2));
    }

    [Fact]
    public void CF9_resets()
    {
        Out(0xcf9, 1, 2);
        Assert.Equal(2ul, In(0xcf9, 1));
        Out(0xcf9, 1, 6);
        Assert.Equal(1, _power.Resets);
        Assert.Equal(0ul, In(0xcf8, 4));
    }

    [Fact]
    public void The_ECAM_follows_PCIEXBAR()
    {
        Set(0, 0x60, 0xe000_0001);
        Assert.False(_memory.Load(0xb000_0000, 4, out _));
        Assert.True(_memory.Load(0xe000_0000, 4, out ulong id));
        Assert.Equal(0x29c0_8086ul, id);
        Set(0, 0x60, 0xe000_0000);
        Assert.False(_memory.Load(0xe000_0000, 4, out _));
        Set(0, 0x60, 0xb800_0003); // 128 MiB
        Assert.NotNull(_memory.Find(0xbfff_ffff));
        Assert.Null(_memory.Find(0xc000_0000));
    }

    [Fact]
    public void PAM_switches_segments()
    {
        Set(0, 0x90, 0x30, 1);
        Assert.Equal((0x10000ul, true, true), _segments[0xf_0000]);
        Assert.Equal((0x4000ul, false, false), _segments[0xc_0000]);
        Set(0, 0x91, 0x21, 1);
        Assert.Equal((0x4000ul, true, false), _segments[0xc_0000]);
        Assert.Equal((0x4000ul, false, true), _segments[0xc_4000]);
        Set(0, 0x94, 0xffff_ffff);
        Assert.Equal((0x4000ul, true, true), _segments[0xe_c000]);
        Assert.Equal(0x33u, Get(0, 0x96, 1));
        Assert.Equal(13, _segments.Count);
        Set(0, 0x9d, 0xff, 1);
        Assert.Equal(0x7au, Get(0, 0x9d, 1));
    }

    [Fact]
    public void Power_management_follows_PMBASE()
    {
        Assert.Equal("acpi pm", _ports.Find(0x600)!.Name);
        Set(31, 0x40, 0xb001);
        Assert.Null(_ports.Find(0x600));
        Assert.NotNull(_ports.Find(0xb07f));
        Assert.Equal(0xb001u, Get(31, 0x40));
        Set(31, 0x44, 0, 1);
        Assert.Null(_ports.Find(0xb000));
        Set(31, 0xf0, 0xfed1_c001);
        Assert.True(_memory.Store(0xfed1_c000 + 0x3410, 4, 0x20));
        Assert.True(_memory.Load(0xfed1_c000 + 0x3410, 4, out ulong gcs));
        Assert.Equal(0x20ul, gcs);
    }

    [Fact]
    public void INTx_arrives_at_its_PIRQ_and_where_that_is_routed()
    {
        Assert.Equal((7, 0, 1), (Ich9Lpc.Pirq(3, 0), Ich9Lpc.Pirq(31, 0), Ich9Lpc.Pirq(31, 1)));
        _card.Interrupt(true);
        Assert.True(_gsi[23]);
        Assert.False(_isa[11]);
        Set(31, 0x6b, 11, 1);
        Assert.True(_isa[11]);
        Set(31, 0x6b, 10, 1);
        Assert.Equal((true, false), (_isa[10], _isa[11]));
        Set(3, 4, 0x400, 2);
        Assert.Equal((false, false), (_isa[10], _gsi[23]));
        Set(3, 4, 0, 2);
        _card.Interrupt(false);
        Assert.False(_isa[10]);
    }

    [Fact]
    public void BARs_of_IO_ports()
    {
        Set(3, 0x10, 0xffff_ffff);
        Assert.Equal(0xffff_ffe1u, Get(3, 0x10));
        Set(3, 0x10, 0xc040);
        Assert.Null(_ports.Find(0xc040));
        Set(3, 4, 1, 2);
        Assert.Equal(0x47ul, In(0xc047, 1));
        Set(3, 0x10, 0xc080);
        Assert.Null(_ports.Find(0xc040));
        Assert.NotNull(_ports.Find(0xc09f));
        Set(3, 4, 0, 2);
        Assert.Null(_ports.Find(0xc080));
    }

    private sealed class Card : PciDevice
    {
        public Card() : base("card", new PciIdentity(0x1111, 0x2222, 0xff0000))
        {
            AddIoBar(0, 20);
            AddIntx();
        }

        public void Interrupt(bool level) => SetIntx(level);

        public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
        {
            value = 0x40 + offset;
            return true;
        }
    }
}
