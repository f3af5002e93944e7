using System.Buffers.Binary;
using Myna.Devices.Network;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Network;

/// <summary>The RTL8139 against its datasheet.</summary>
public sealed class Rtl8139Tests : IDisposable
{
    private const int MAR0 = 0x08, TSD0 = 0x10, TSAD0 = 0x20, RBSTART = 0x30, CR = 0x37, CAPR = 0x38, CBR = 0x3a, IMR = 0x3c, ISR = 0x3e, TCR = 0x40, RCR = 0x44;
    private const int CR9346 = 0x50, CONFIG1 = 0x52, MSR = 0x58, TSAD = 0x60, BMSR = 0x64;
    private const int RingSize = 8192;

    private readonly ManualClock _clock = new();
    private readonly Rig _rig;
    private readonly ulong _ring;

    public Rtl8139Tests()
    {
        _rig = new Rig(_clock);
        _ring = _rig.Memory.Allocate(RingSize + 16 + 2048, 256);
        _rig.Set(CR, 0x0c, 1);
        _rig.Set(RBSTART, _ring);
        _rig.Set(RCR, 0x0e);
    }

    [Fact]
    public void It_says_who_it_is()
    {
        Assert.Equal(0x8139_10ecu, _rig.Card.ReadConfig(0, 4));
        Assert.Equal([.. CardRig.Mac], Enumerable.Range(0, 6).Select(i => (byte)_rig.Get(i, 1)));
        Assert.Equal(0x7440_0000u, _rig.Get(TCR) & 0x7cc0_0000);
        Assert.Equal(0x24u, _rig.Get(BMSR, 2) & 0x24);
        Assert.Equal(0u, _rig.Get(MSR, 1) & 4);
        Assert.Equal([0x8129, 0x10ec, 0x8139], Enumerable.Range(0, 3).Select(Eeprom));
        Assert.Equal([0x5452, 0x1200, 0x5634], Enumerable.Range(7, 3).Select(Eeprom));
    }

    [Fact]
    public void The_four_descriptors_send_in_turn()
    {
        _rig.Set(IMR, 4, 2);
        for (int i = 0; i < 6; i++)
        {
            byte[] frame = CardRig.Frame([0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 60 + i);
            _rig.Set(TSAD0 + 4 * (i % 4), _rig.Memory.Place(frame));
            _rig.Set(TSD0 + 4 * (i % 4), (ulong)frame.Length | 0x3_0000);
            Assert.Equal(frame, _rig.Wire.Sent[^1]);
            Assert.Equal(0xa000u | (uint)frame.Length, _rig.Get(TSD0 + 4 * (i % 4)) & 0xffff);
        }
        Assert.Equal(0xf00fu, _rig.Get(TSAD, 2));
        Assert.True(_rig.Interrupt);
        _rig.Set(ISR, 4, 2);
        Assert.False(_rig.Interrupt);
        // A descriptor out of turn waits for those before it.
        _rig.Set(TSD0 + 12, 60);
        Assert.Equal(6, _rig.Wire.Sent.Count);
        _rig.Set(TSD0 + 8, 60);
        Assert.Equal(8, _rig.Wire.Sent.Count);
    }

    [Fact]
    public void Frames_go_round_the_ring()
    {
        _rig.Set(IMR, 1, 2);
        Assert.Equal(1u, _rig.Get(CR, 1) & 1);
        int read = 0;
        for (int i = 0; i < 40; i++)
        {
            byte[] frame = CardRig.Frame(CardRig.Mac, 61 + 33 * i);
            Assert.True(_rig.Wire.Receive(frame));
            Assert.True(_rig.Interrupt);
            Assert.Equal(0u, _rig.Get(CR, 1) & 1);
            byte[] header = Ring(read, 4);
            Assert.Equal(0x4001, BinaryPrimitives.ReadUInt16LittleEndian(header));
            int length = BinaryPrimitives.ReadUInt16LittleEndian(header.AsSpan(2));
            Assert.Equal(frame.Length + 4, length);
            Assert.Equal(frame, Ring(read + 4, frame.Length));
            read = read + 4 + length + 3 & ~3;
            _rig.Set(CAPR, (ulong)(read - 16 & 0xffff), 2);
            _rig.Set(ISR, 1, 2);
            Assert.Equal((ulong)read % RingSize, _rig.Get(CBR, 2));
            Assert.Equal(1u, _rig.Get(CR, 1) & 1);
        }
    }

    [Fact]
    public void With_wrap_a_frame_goes_on_behind_the_rings_end()
    {
        _rig.Set(RCR, 0x8e);
        byte[] frame = CardRig.Frame(CardRig.Mac, 1500);
        for (int i = 0; i < 5; i++)
            Assert.True(_rig.Wire.Receive(frame));
        _rig.Set(CAPR, 1508 * 5 - 16, 2);
        Assert.True(_rig.Wire.Receive(frame));
        Assert.Equal(frame, _rig.Memory.Read(_ring + 1508 * 5 + 4, 1500));
        Assert.Equal(1508 * 6 - RingSize, (int)_rig.Get(CBR, 2));
    }

    [Fact]
    public void A_frame_without_room_waits_and_the_driver_is_told_so()
    {
        byte[] frame = CardRig.Frame(CardRig.Mac, 1500);
        for (int i = 0; i < 5; i++)
            Assert.True(_rig.Wire.Receive(frame));
        Assert.False(_rig.Wire.Receive(frame));
        _rig.Set(ISR, 0xffff, 2);
        Assert.Equal(1u, _rig.Get(ISR, 2));
        _rig.Set(CAPR, 1508 - 16, 2);
        Assert.Equal(1, _rig.Wire.Ready);
        Assert.True(_rig.Wire.Receive(frame));
        _rig.Set(ISR, 0xffff, 2);
        Assert.Equal(0u, _rig.Get(ISR, 2));
    }

    [Fact]
    public void Filters_decide_by_address()
    {
        byte[] other = [0x52, 0x54, 0, 1, 2, 3], group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0x01], all = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        _rig.Set(RCR, 0x02);
        Assert.Equal([true, false, false, false], new[] { Takes(CardRig.Mac), Takes(other), Takes(group), Takes(all) });
        _rig.Set(RCR, 0x0c);
        Assert.Equal([false, false, true], new[] { Takes(CardRig.Mac), Takes(group), Takes(all) });
        // 01:00:5e:00:00:01 is bit 31 of the table: its hash is 1Fh.
        _rig.Set(MAR0, 1u << 31);
        Assert.True(Takes(group));
        _rig.Set(RCR, 0x01);
        Assert.Equal([true, true, true], new[] { Takes(CardRig.Mac), Takes(other), Takes(all) });
    }

    [Fact]
    public void A_reset_stops_everything_at_once()
    {
        _rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 60));
        _rig.Set(CR, 0x10, 1);
        Assert.Equal(0x01u, _rig.Get(CR, 1));
        Assert.Equal(0u, _rig.Get(ISR, 2));
        Assert.Equal(0x2000u, _rig.Get(TSD0));
        Assert.True(_rig.Wire.Receive(CardRig.Frame(CardRig.Mac, 60)));
        Assert.Equal(0u, _rig.Get(CBR, 2));
    }

    [Fact]
    public void Configuration_registers_are_locked()
    {
        ulong before = _rig.Get(CONFIG1, 1);
        _rig.Set(CONFIG1, 0x55, 1);
        Assert.Equal(before, _rig.Get(CONFIG1, 1));
        _rig.Set(CR9346, 0xc0, 1);
        _rig.Set(CONFIG1, 0x55, 1);
        Assert.Equal(0x55u, _rig.Get(CONFIG1, 1));
    }

    public void Dispose() => _rig.Dispose();

    private bool Takes(byte[] to)
    {
        ulong before = _rig.Get(CBR, 2);
        Assert.True(_rig.Wire.Receive(CardRig.Frame(to, 60)));
        ulong after = _rig.Get(CBR, 2);
        _rig.Set(CAPR, after - 16 & 0xffff, 2);
        return before != after;
    }

    private byte[] Ring(int at, int length) => [.. Enumerable.Range(at, length).Select(i => _rig.Memory.Read(_ring + (ulong)(i % RingSize), 1)[0])];

    private int Eeprom(int word)
    {
        const byte cs = 8, sk = 4, di = 2;
        int command = 6 << 6 | word, value = 0;
        _rig.Set(CR9346, 0x80 | cs, 1);
        for (int i = 10; i >= 0; i--)
        {
            ulong bit = (command >> i & 1) != 0 ? di : 0u;
            _rig.Set(CR9346, 0x80 | cs | bit, 1);
            _rig.Set(CR9346, 0x80 | cs | sk | bit, 1);
        }
        _rig.Set(CR9346, 0x80 | cs, 1);
        for (int i = 0; i < 16; i++)
        {
            _rig.Set(CR9346, 0x80 | cs | sk, 1);
            value = value << 1 | (int)_rig.Get(CR9346, 1) & 1;
            _rig.Set(CR9346, 0x80 | cs, 1);
        }
        _rig.Set(CR9346, 0, 1);
        return value;
    }

    private sealed class Rig(ManualClock clock) : CardRig((m, w) => new Rtl8139(m.Space, clock, w, Mac), 0x14);
}
