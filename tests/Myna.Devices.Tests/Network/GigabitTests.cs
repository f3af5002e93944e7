using System.Buffers.Binary;
using Myna.Devices.Network;
using Myna.Devices.Pci;
using Myna.Devices.Tests.Virtio.Kit;

namespace Myna.Devices.Tests.Network;

/// <summary>Intel's gigabit controllers against their manuals: registers, descriptors, offloads, filters, interrupts.</summary>
public sealed class GigabitTests : IDisposable
{
    private const int CTRL = 0x0000, STATUS = 0x0008, EECD = 0x0010, EERD = 0x0014, CTRL_EXT = 0x0018, MDIC = 0x0020, VET = 0x0038;
    private const int ICR = 0x00c0, ICS = 0x00c8, IMS = 0x00d0, IMC = 0x00d8, EIAC = 0x00dc, IVAR = 0x00e4, RCTL = 0x0100, TCTL = 0x0400;
    private const int RDBAL = 0x2800, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818, TDBAL = 0x3800, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818;
    private const int GPRC = 0x4074, GPTC = 0x4080, GOTCL = 0x4090, MTA = 0x5200, RFCTL = 0x5008, VFTA = 0x5600;
    private const uint TXDW = 1, LSC = 4, RXT0 = 0x80;
    private const int Count = 8, BufferSize = 2048;

    private readonly Rig _rig = new(Create82540);
    private readonly List<IDisposable> _others = [];

    private static I82540Em Create82540(GuestMemory m, Wire w) => new(m.Space, w, CardRig.Mac);
    private static I82574L Create82574(GuestMemory m, Wire w) => new(m.Space, w, CardRig.Mac);

    [Fact]
    public void The_eeprom_gives_the_mac_address_and_its_words_make_baba()
    {
        Assert.Equal([0x5452, 0x1200, 0x5634], Enumerable.Range(0, 3).Select(_rig.Microwire));
        Assert.Equal(0xbaba, Enumerable.Range(0, 64).Sum(_rig.Microwire) & 0xffff);
        _rig.Set(EERD, 0x0d << 8 | 1);
        Assert.Equal(0x100e_0d10u, _rig.Get(EERD) & ~1u);
        Assert.Equal(0x1200_5452_0000_0000ul >> 32, _rig.Get(0x5400) >> 16 << 16 | _rig.Get(0x5400) & 0xffff);
        Assert.Equal(0x8000_5634u, _rig.Get(0x5404));
    }

    [Fact]
    public void The_phy_says_who_it_is_and_that_the_link_is_up()
    {
        Assert.Equal([0x0141, 0x0c20], new[] { _rig.Phy(2), _rig.Phy(3) });
        Assert.Equal(0x24, _rig.Phy(1) & 0x24);
        // Another address has no PHY.
        _rig.Set(MDIC, 2u << 26 | 5 << 21 | 1 << 16);
        Assert.Equal(5u << 28, _rig.Get(MDIC) & 5u << 28);
    }

    [Fact]
    public void The_link_needs_set_link_up_and_tells_of_changes()
    {
        Assert.Equal(0u, _rig.Get(STATUS) & 2);
        _rig.Set(IMS, LSC);
        _rig.Set(CTRL, 0x241);
        Assert.True(_rig.Interrupt);
        Assert.Equal(LSC, _rig.Get(ICR) & LSC);
        Assert.False(_rig.Interrupt);
        Assert.Equal(0x83u, _rig.Get(STATUS) & 0xc3);
        ((GigabitController)_rig.Card).SetLink(false);
        Assert.True(_rig.Interrupt);
        Assert.Equal(0u, _rig.Get(STATUS) & 2);
        Assert.Equal(0, _rig.Phy(1) & 4);
    }

    [Fact]
    public void A_legacy_descriptor_sends_and_reports()
    {
        _rig.Start();
        byte[] frame = CardRig.Frame([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 100);
        _rig.Set(IMS, TXDW);
        _rig.Send(Legacy(_rig.Memory.Place(frame.AsSpan(0, 40)), 40, 0x08), Legacy(_rig.Memory.Place(frame.AsSpan(40)), 60, 0x09));
        Assert.Equal(frame, Assert.Single(_rig.Wire.Sent));
        Assert.Equal([1, 1], new[] { _rig.TransmitStatus(0), _rig.TransmitStatus(1) });
        Assert.Equal(2u, _rig.Get(TDH));
        Assert.True(_rig.Interrupt);
        Assert.Equal(TXDW, _rig.Get(ICR) & TXDW);
        Assert.False(_rig.Interrupt);
        Assert.Equal([1ul, 104, 0], new[] { _rig.Get(GPTC), _rig.Get(GOTCL), _rig.Get(GPTC) });
    }

    [Fact]
    public void A_legacy_descriptor_inserts_a_checksum_and_a_vlan_tag()
    {
        _rig.Start();
        byte[] frame = CardRig.Frame(CardRig.Mac, 64);
        frame[30] = frame[31] = 0;
        _rig.Set(CTRL, 1u << 30 | 0x240);
        _rig.Set(VET, 0x8100);
        ulong[] descriptor = Legacy(_rig.Memory.Place(frame), 64, 0x01 | 0x04 | 0x40);
        descriptor[1] |= 30ul << 16 | 20ul << 40 | 0x2345ul << 48;
        _rig.Send(descriptor);
        byte[] sent = Assert.Single(_rig.Wire.Sent);
        Assert.Equal([0x81, 0x00, 0x23, 0x45], sent[12..16]);
        Assert.Equal(68, sent.Length);
        Assert.Equal(0xffff, CardRig.Sum(sent.AsSpan(24)));
        Assert.Equal(frame[..12], sent[..12]);
    }

    [Fact]
    public void Segmentation_makes_frames_with_right_headers_and_checksums()
    {
        _rig.Start();
        const int header = 54, mss = 100, payload = 250;
        byte[] packet = CardRig.Frame(CardRig.Mac, header + payload);
        Span<byte> ip = packet.AsSpan(14), tcp = packet.AsSpan(34);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(12), 0x0800);
        ip[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], 0xfffe);
        ip[9] = 6;
        ip[10] = ip[11] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], 0xffff_ffc0);
        tcp[12] = 0x50;
        tcp[13] = 0x19; // ACK, PSH, FIN
        // The pseudo-header without the length.
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], CardRig.Sum(ip.Slice(12, 8), 6));
        ulong at = _rig.Memory.Place(packet);
        ulong[] context =
        [
            14 | 24ul << 8 | 33ul << 16 | 34ul << 32 | 50ul << 40,
            (ulong)payload | 0ul << 20 | 0x27ul << 24 | (ulong)header << 40 | (ulong)mss << 48,
        ];
        _rig.Send(context, Data(at, 70, 0x24), Data(at + 70, payload + header - 70, 0x25));
        Assert.Equal([header + 100, header + 100, header + 50], _rig.Wire.Sent.Select(f => f.Length));
        for (int i = 0; i < 3; i++)
        {
            byte[] frame = _rig.Wire.Sent[i];
            Span<byte> network = frame.AsSpan(14), transport = frame.AsSpan(34);
            Assert.Equal(frame.Length - 14, BinaryPrimitives.ReadUInt16BigEndian(network[2..]));
            Assert.Equal((ushort)(0xfffe + i), BinaryPrimitives.ReadUInt16BigEndian(network[4..]));
            Assert.Equal(0xffff, CardRig.Sum(network[..20]));
            Assert.Equal(unchecked(0xffff_ffc0 + (uint)(i * mss)), BinaryPrimitives.ReadUInt32BigEndian(transport[4..]));
            Assert.Equal(i == 2 ? 0x19 : 0x10, transport[13]);
            Assert.Equal(0xffff, CardRig.Sum(transport, CardRig.Sum(network.Slice(12, 8), 6u + (uint)transport.Length)));
            Assert.Equal(packet.AsSpan(header + i * mss, frame.Length - header).ToArray(), frame[header..]);
        }
    }

    [Fact]
    public void A_frame_is_received_with_its_fcs_over_several_buffers()
    {
        _rig.Start(rctl: 0x02 | 0x20 | 3 << 16); // EN, LPE, buffers of 256 bytes
        _rig.Set(IMS, RXT0);
        byte[] frame = CardRig.Frame(CardRig.Mac, 600);
        Assert.True(_rig.Wire.Receive(frame));
        Assert.True(_rig.Interrupt);
        Assert.Equal(3u, _rig.Get(RDH));
        Assert.Equal([0x05, 0x05, 0x07], Enumerable.Range(0, 3).Select(i => (int)_rig.Received(i)[12]));
        Assert.Equal([256, 256, 92], Enumerable.Range(0, 3).Select(i => (int)BinaryPrimitives.ReadUInt16LittleEndian(_rig.Received(i).AsSpan(8))));
        byte[] data = [.. _rig.Buffer(0, 256), .. _rig.Buffer(1, 256), .. _rig.Buffer(2, 92)];
        Assert.Equal(frame, data[..600]);
        Assert.Equal(Crc(frame), BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(600)));
        Assert.Equal([1ul, 0], new[] { _rig.Get(GPRC), _rig.Get(GPRC) });
    }

    [Fact]
    public void Short_frames_are_padded_and_the_fcs_stripped_on_request()
    {
        _rig.Start(rctl: 0x02 | 1 << 26);
        Assert.True(_rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 42)));
        Assert.Equal(60, BinaryPrimitives.ReadUInt16LittleEndian(_rig.Received(0).AsSpan(8)));
        Assert.Equal(new byte[18], _rig.Buffer(0, 60)[42..]);
    }

    [Fact]
    public void Without_buffers_frames_wait_until_the_driver_adds_some()
    {
        _rig.Start();
        for (int i = 0; i < Count - 1; i++)
            Assert.True(_rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 60 + i)));
        Assert.False(_rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 99)));
        Assert.Equal(0, _rig.Wire.Ready);
        _rig.Set(RDT, 2);
        Assert.Equal(1, _rig.Wire.Ready);
        Assert.True(_rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 99)));
        Assert.Equal(0u, _rig.Get(RDH));
    }

    [Fact]
    public void Filters_decide_by_address()
    {
        _rig.Start();
        byte[] other = [0x52, 0x54, 0, 1, 2, 3], group = [0x01, 0x00, 0x5e, 0x00, 0x12, 0x34], all = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        Assert.Equal([true, false, false, false], new[] { Takes(CardRig.Mac), Takes(other), Takes(group), Takes(all) });
        _rig.Set(RCTL, 0x02 | 1 << 15);
        Assert.True(Takes(all));
        _rig.Set(RCTL, 0x02 | 1 << 3);
        Assert.Equal([true, false], new[] { Takes(other), Takes(group) });
        _rig.Set(RCTL, 0x02 | 1 << 4);
        Assert.Equal([false, true], new[] { Takes(other), Takes(group) });
        // Bits 47 to 36 of the address: 341h with its low four bits gone.
        _rig.Set(RCTL, 0x02);
        _rig.Set(MTA + (0x341 >> 5) * 4, 1u << (0x341 & 31));
        Assert.True(Takes(group));
        _rig.Set(0x5400 + 8, 0x0100_5452);
        _rig.Set(0x5400 + 12, 0x8000_0302);
        Assert.True(Takes(other));
    }

    [Fact]
    public void Vlan_tags_are_filtered_and_stripped()
    {
        _rig.Start(rctl: 0x02 | 1 << 18 | 1 << 26);
        _rig.Set(CTRL, 1u << 30 | 0x240);
        _rig.Set(VET, 0x8100);
        byte[] frame = CardRig.Frame(CardRig.Mac, 100);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(12), 0x8100_6045);
        _rig.Wire.Receive(frame);
        Assert.Equal(0u, _rig.Get(RDH));
        _rig.Set(VFTA + 8, 1 << 5);
        _rig.Wire.Receive(frame);
        byte[] descriptor = _rig.Received(0);
        Assert.Equal(0x0f, descriptor[12]);
        Assert.Equal(0x6045, BinaryPrimitives.ReadUInt16LittleEndian(descriptor.AsSpan(14)));
        Assert.Equal(96, BinaryPrimitives.ReadUInt16LittleEndian(descriptor.AsSpan(8)));
        Assert.Equal([.. frame[..12], .. frame[16..]], _rig.Buffer(0, 96));
    }

    [Fact]
    public void Loopback_brings_frames_back()
    {
        _rig.Start(rctl: 0x02 | 3 << 6);
        byte[] frame = CardRig.Frame(CardRig.Mac, 80);
        _rig.Send(Legacy(_rig.Memory.Place(frame), 80, 0x01));
        Assert.Empty(_rig.Wire.Sent);
        Assert.Equal(frame, _rig.Buffer(0, 80));
    }

    [Fact]
    public void Rings_outside_memory_and_tails_outside_rings_do_no_harm()
    {
        _rig.Start();
        _rig.Set(TDBAL, 0x1000);
        _rig.Set(TDT, 4);
        _rig.Set(RDBAL, 0x1000);
        Assert.True(_rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 60)));
        _rig.Set(TDBAL, _rig.TransmitRing);
        _rig.Set(TDT, 0xffff);
        _rig.Set(TDH, 0xfff0);
        _rig.Set(TDT, 0xfff1);
        Assert.Empty(_rig.Wire.Sent);
    }

    [Fact]
    public void A_reset_by_software_leaves_the_mac_address()
    {
        _rig.Start();
        _rig.Set(MTA, 5);
        _rig.Set(IMS, LSC);
        _rig.Set(CTRL, 1 << 26);
        Assert.Equal([0ul, 0, 0], new[] { _rig.Get(MTA), _rig.Get(IMS), _rig.Get(RCTL) });
        Assert.Equal(0x8000_5634u, _rig.Get(0x5404));
    }

    [Fact]
    public void The_82574_writes_extended_descriptors_and_reads_its_nvm()
    {
        Rig rig = Other(Create82574);
        rig.Set(EERD, 1 << 2 | 1);
        Assert.Equal(0x1200_0006u, rig.Get(EERD) & ~1u);
        Assert.Equal([0x0141, 0x0cb1], new[] { rig.Phy(2), rig.Phy(3) });
        rig.Start(rctl: 0x02 | 1 << 26);
        rig.Set(RFCTL, 1 << 15);
        byte[] frame = CardRig.Frame(CardRig.Mac, 90);
        Assert.True(rig.Wire.Receive(frame));
        byte[] descriptor = rig.Received(0);
        Assert.Equal(7u, BinaryPrimitives.ReadUInt32LittleEndian(descriptor.AsSpan(8)));
        Assert.Equal(90, BinaryPrimitives.ReadUInt16LittleEndian(descriptor.AsSpan(12)));
        Assert.Equal(frame, rig.Buffer(0, 90));
        // The semaphore: the first reader has it.
        Assert.Equal([0ul, 1], new[] { rig.Get(0x5b50) & 1, rig.Get(0x5b50) & 1 });
    }

    [Fact]
    public void The_82574_sends_messages_by_cause()
    {
        Rig rig = Other(Create82574);
        rig.Card.WriteConfig(0x1c, 4, (uint)CardRig.Bar + 0x40_0000);
        ulong table = CardRig.Bar + 0x40_0000;
        for (uint v = 0; v < 5; v++)
        {
            Assert.True(rig.Memory.Space.Store(table + 16 * v, 4, 0xfee0_0000));
            Assert.True(rig.Memory.Space.Store(table + 16 * v + 8, 4, 0x40 + v));
            Assert.True(rig.Memory.Space.Store(table + 16 * v + 12, 4, 0));
        }
        int capability = (int)rig.Card.ReadConfig(0x34, 1);
        while (rig.Card.ReadConfig(capability, 1) != 0x11)
            capability = (int)rig.Card.ReadConfig(capability + 1, 1);
        rig.Card.WriteConfig(capability + 2, 2, 0x8000);
        rig.Start(rctl: 0x02);
        rig.Set(IVAR, 0x8 | 0x9 << 8 | 0xa << 16);
        rig.Set(EIAC, 1 << 20 | 1 << 22);
        rig.Set(IMS, 1 << 20 | 1 << 22 | 1 << 24 | LSC);
        rig.Probe.TakeMessages();
        rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 60));
        Assert.Equal([0x40u], rig.Probe.TakeMessages().Select(m => m.Data));
        rig.Send(Legacy(rig.Memory.Place(CardRig.Frame(CardRig.Mac, 60)), 60, 0x09));
        Assert.Equal([0x41u], rig.Probe.TakeMessages().Select(m => m.Data));
        ((GigabitController)rig.Card).SetLink(false);
        ((GigabitController)rig.Card).SetLink(true);
        // Not acknowledged: one message.
        Assert.Equal([0x42u], rig.Probe.TakeMessages().Select(m => m.Data));
        Assert.Equal(LSC, rig.Get(ICR) & LSC);
        Assert.False(rig.Interrupt);
    }

    public void Dispose()
    {
        _rig.Dispose();
        _others.ForEach(o => o.Dispose());
    }

    private bool Takes(byte[] to)
    {
        ulong before = _rig.Get(RDH);
        Assert.True(_rig.Wire.Receive(CardRig.Frame(to, 60)));
        ulong after = _rig.Get(RDH);
        _rig.Set(RDT, (after + Count - 1) % Count);
        return before != after;
    }

    private Rig Other(Func<GuestMemory, Wire, PciDevice> create)
    {
        var rig = new Rig(create);
        _others.Add(rig);
        return rig;
    }

    private static ulong[] Legacy(ulong address, int length, byte command) => [address, (uint)length | (ulong)command << 24];
    private static ulong[] Data(ulong address, int length, byte command) => [address, (uint)length | 1ul << 20 | (ulong)command << 24 | 3ul << 40];

    // Bit by bit, as IEEE 802.3 describes it.
    private static uint Crc(byte[] data)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in data)
        {
            for (int i = 0; i < 8; i++)
                crc = ((crc ^ (uint)(b >> i)) & 1) != 0 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1;
        }
        return ~crc;
    }

    private sealed class Rig(Func<GuestMemory, Wire, PciDevice> create) : CardRig(create, 0x10)
    {
        private readonly List<ulong> _buffers = [];
        private uint _tail;

        public ulong TransmitRing { get; private set; }
        public ulong ReceiveRing { get; private set; }

        public void Start(uint rctl = 0x02)
        {
            TransmitRing = Memory.Allocate(Count * 16, 16);
            ReceiveRing = Memory.Allocate(Count * 16, 16);
            for (int i = 0; i < Count; i++)
            {
                _buffers.Add(Memory.Allocate(BufferSize));
                Memory.Write64(ReceiveRing + (ulong)i * 16, _buffers[i]);
            }
            Set(CTRL, 0x240);
            Set(TDBAL, TransmitRing);
            Set(TDLEN, Count * 16);
            Set(TCTL, 0x02);
            Set(RDBAL, ReceiveRing);
            Set(RDLEN, Count * 16);
            Set(RDT, Count - 1);
            Set(RCTL, rctl);
            Get(ICR);
        }

        public void Send(params ulong[][] descriptors)
        {
            foreach (ulong[] d in descriptors)
            {
                Memory.Write64(TransmitRing + _tail * 16, d[0]);
                Memory.Write64(TransmitRing + _tail * 16 + 8, d[1]);
                _tail = (_tail + 1) % Count;
            }
            Set(TDT, _tail);
        }

        public int TransmitStatus(uint i) => Memory.Read(TransmitRing + i * 16 + 12, 1)[0];
        public byte[] Received(int i) => Memory.Read(ReceiveRing + (ulong)i * 16, 16);
        public byte[] Buffer(int i, int length) => Memory.Read(_buffers[i], length);

        public int Phy(int register)
        {
            Set(MDIC, 2u << 26 | 1 << 21 | (uint)register << 16);
            return (int)Get(MDIC) & 0xffff;
        }

        /// <summary>Reads a word of the EEPROM bit by bit.</summary>
        public int Microwire(int word)
        {
            const uint sk = 1, cs = 2, di = 4, dout = 8;
            Set(EECD, cs);
            int command = 6 << 6 | word, value = 0;
            for (int i = 8; i >= 0; i--)
            {
                uint bit = (command >> i & 1) != 0 ? di : 0;
                Set(EECD, cs | bit);
                Set(EECD, cs | bit | sk);
                Set(EECD, cs | bit);
            }
            for (int i = 0; i < 16; i++)
            {
                Set(EECD, cs | sk);
                value = value << 1 | ((Get(EECD) & dout) != 0 ? 1 : 0);
                Set(EECD, cs);
            }
            Set(EECD, 0);
            return value;
        }
    }
}
