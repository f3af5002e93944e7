using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Devices.Sd;
using Myna.Devices.Tests.Support;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Backends;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Sd;

/// <summary>SD Host Controller Simplified Specification 3.00 (chapter 2) and Physical Layer Simplified Specification 3.01 (chapters 4 and 5).</summary>
public sealed class SdhciTests : IDisposable
{
    private const int SystemAddress = 0, BlockSize = 4, Argument = 8, TransferMode = 0xc, Response = 0x10, Port = 0x20, Present = 0x24, HostControl = 0x28, Power = 0x29, Clock = 0x2c, Reset = 0x2f,
        NormalStatus = 0x30, ErrorStatus = 0x32, StatusEnable = 0x34, SignalEnable = 0x38, AdmaError = 0x54, AdmaAddress = 0x58;

    private const uint Complete = 1, TransferDone = 2, Dma = 8, WriteReady = 0x10, ReadReady = 0x20;
    private const ulong Table = 0x1000, Data = 0x1_0000;

    private readonly Ram _ram = new("ram", 1 << 22);
    private readonly AddressSpace _memory = new();
    private readonly Levels _lines = new();
    private readonly TestDisk _disk = new(1 << 21);
    private readonly Sdhci _sd;

    public SdhciTests()
    {
        _memory.Map(0, _ram);
        _sd = Make(_disk);
        for (int i = 0; i < _disk.Content.Length; i++)
            _disk.Content[i] = (byte)(i ^ i >> 9 ^ i >> 17);
    }

    public void Dispose() => _ram.Dispose();

    private Sdhci Make(IBlockBackend? medium)
    {
        var sd = new Sdhci(_memory, medium);
        new PciHost(_memory, [], Enumerable.Range(0, 4).Select(_lines.Line)).Add(sd, 1);
        sd.WriteConfig(4, 2, 6);
        return sd;
    }

    private bool Interrupt => Enumerable.Range(0, 4).Any(i => _lines[i]);

    private uint Get(int register, int size = 4, Sdhci? sd = null)
    {
        Assert.True((sd ?? _sd).ReadBar(0, (ulong)register, size, out ulong value));
        return (uint)value;
    }

    private void Set(int register, uint value, int size = 4, Sdhci? sd = null) => Assert.True((sd ?? _sd).WriteBar(0, (ulong)register, size, value));

    private static uint Command(int index, uint type, bool data = false) => (uint)index << 8 | type | (data ? 0x20u : 0);

    /// <summary>Issues a command without data: response type 0 none, 1 long, 2 short, 3 busy.</summary>
    private uint Ask(int index, uint argument = 0, uint type = 2, Sdhci? sd = null)
    {
        Set(NormalStatus, uint.MaxValue, 4, sd);
        Set(Argument, argument, 4, sd);
        Set(TransferMode + 2, Command(index, type), 2, sd);
        return Get(Response, 4, sd);
    }

    /// <summary>As a host brings a card to the transfer state (Physical Layer, section 4.2).</summary>
    private void Select(Sdhci? sd = null)
    {
        Set(Clock, 5, 2, sd);
        Set(Power, 0xf, 1, sd);
        Set(StatusEnable, uint.MaxValue, 4, sd);
        Set(SignalEnable, uint.MaxValue, 4, sd);
        Ask(0, 0, 0, sd);
        Assert.Equal(0x1aau, Ask(8, 0x1aa, sd: sd));
        Ask(55, sd: sd);
        Assert.Equal(0xc0ff_8000u, Ask(41, 0x4010_0000, sd: sd));
        Ask(2, 0, 1, sd);
        Assert.Equal(0x4567u, Ask(3, sd: sd) >> 16);
        Ask(7, 0x4567_0000, 3, sd);
        Assert.Equal(TransferDone | Complete, Get(NormalStatus, 2, sd));
        Set(NormalStatus, uint.MaxValue, 4, sd);
    }

    private void Transfer(int index, uint argument, uint mode, uint blocks, uint size = 512)
    {
        Set(NormalStatus, uint.MaxValue);
        Set(BlockSize, size | blocks << 16);
        Set(Argument, argument);
        Set(TransferMode, mode | Command(index, 2, data: true) << 16);
    }

    /// <summary>The card's state: 4 for transfer, 5 for sending data.</summary>
    private uint State() => Ask(13, 0x4567_0000) >> 9 & 15;

    private void Descriptor(int index, ulong address, int length, int attributes)
    {
        _memory.Store(Table + (ulong)index * 8, 2, (ulong)attributes);
        _memory.Store(Table + (ulong)index * 8 + 2, 2, (ulong)length & 0xffff);
        _memory.Store(Table + (ulong)index * 8 + 4, 4, address);
    }

    private byte[] Memory(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(_memory.Read(address, bytes));
        return bytes;
    }

    [Fact]
    public void It_says_what_it_is_and_whether_there_is_a_card()
    {
        Assert.Equal(0x0805_01u, _sd.ReadConfig(8, 4) >> 8);
        Assert.Equal(0u, _sd.ReadConfig(0x40, 1));
        Assert.Equal(2u, Get(0xfe, 2));
        // 3.3 V, SDMA, ADMA2, high speed, 50 MHz.
        Assert.Equal(0x0168_32b2u, Get(0x40));
        Assert.Equal(0x01ff_0000u, Get(Present));
        Assert.Equal(0x01fa_0000u, Get(Present, 4, Make(null)));
        Assert.Equal(0x01f7_0000u, Get(Present, 4, Make(new TestDisk(1 << 19, readOnly: true))));
    }

    [Fact]
    public void The_clock_is_stable_once_it_runs()
    {
        Set(Clock, 1, 2);
        Assert.Equal(3u, Get(Clock, 2));
        Set(Clock, 0, 2);
        Assert.Equal(0u, Get(Clock, 2));
    }

    [Fact]
    public void The_card_tells_its_registers()
    {
        Set(Power, 0xf, 1);
        Set(StatusEnable, uint.MaxValue);
        Ask(0, 0, 0);
        Ask(55);
        Ask(41, 0x4010_0000);
        Ask(2, 0, 1);
        // Bits 127:8: the manufacturer on top.
        Assert.Equal(0x4d4d59u, Get(Response + 12));
        Ask(3);
        Ask(9, 0x4567_0000, 1);
        UInt128 csd = new UInt128((ulong)Get(Response + 12) << 32 | Get(Response + 8), (ulong)Get(Response + 4) << 32 | Get(Response)) << 8;
        uint Field(int high, int low) => (uint)(csd >> low) & (uint)((1ul << high - low + 1) - 1);
        Assert.Equal(1u, Field(127, 126));
        Assert.Equal(3u, Field(69, 48));
        Assert.Equal((9u, 9u), (Field(83, 80), Field(25, 22)));
        Assert.Equal(0x5b5u, Field(95, 84));
        Assert.Equal(0x32u, Field(103, 96));
        Assert.Equal((1u, 0x7fu), (Field(46, 46), Field(45, 39)));
        Assert.Equal(0u, Field(12, 12));
    }

    [Fact]
    public void Without_a_card_or_for_none_a_command_times_out()
    {
        Sdhci empty = Make(null);
        Set(Power, 0xf, 1, empty);
        Set(StatusEnable, uint.MaxValue, 4, empty);
        Ask(8, 0x1aa, sd: empty);
        Assert.Equal(0x8000u, Get(NormalStatus, 2, empty));
        Assert.Equal(1u, Get(ErrorStatus, 2, empty));
        Select();
        foreach ((int index, uint argument) in new[] { (5, 0u), (1, 0u), (52, 0u), (2, 0u), (13, 0x1234_0000u) })
        {
            Ask(index, argument);
            Assert.Equal(1u, Get(ErrorStatus, 2));
            Assert.Equal(0u, Get(NormalStatus, 2) & Complete);
        }
        // The illegal ones are told of once.
        Assert.Equal(1u << 22, Ask(13, 0x4567_0000) & 1 << 22);
        Assert.Equal(0u, Ask(13, 0x4567_0000) & 1 << 22);
    }

    [Fact]
    public void A_card_waits_for_a_host_that_knows_high_capacity()
    {
        Set(Power, 0xf, 1);
        Set(StatusEnable, uint.MaxValue);
        Ask(0, 0, 0);
        Ask(55);
        Assert.Equal(0x00ff_8000u, Ask(41, 0x0010_0000));
        // At a voltage that it has not it says nothing.
        Ask(8, 0x2aa);
        Assert.Equal(1u, Get(ErrorStatus, 2));
    }

    [Fact]
    public void Status_bits_come_only_when_enabled_and_interrupt_only_when_signalled()
    {
        Select();
        Assert.False(Interrupt);
        Ask(13, 0x4567_0000);
        Assert.True(Interrupt);
        Assert.Equal(1u, Get(0xfc, 2));
        Set(NormalStatus, Complete, 2);
        Assert.False(Interrupt);
        Set(SignalEnable, 0);
        Ask(13, 0x4567_0000);
        Assert.False(Interrupt);
        Assert.Equal(Complete, Get(NormalStatus, 2));
        Set(StatusEnable, 0);
        Ask(13, 0x4567_0000);
        Assert.Equal(0u, Get(NormalStatus, 2));
    }

    [Fact]
    public void A_block_is_read_through_the_port()
    {
        Select();
        Transfer(17, 3, 0x10, 1);
        Assert.Equal(ReadReady | Complete, Get(NormalStatus, 2));
        Assert.Equal(0xa06u, Get(Present) & 0xf0f);
        for (int i = 0; i < 128; i++)
            Assert.Equal(BinaryPrimitives.ReadUInt32LittleEndian(_disk.Content.AsSpan(3 * 512 + 4 * i)), Get(Port));
        Assert.Equal(ReadReady | Complete | TransferDone, Get(NormalStatus, 2));
        Assert.Equal(0u, Get(Present) & 0xf0f);
        Assert.Equal(4u, State());
    }

    [Fact]
    public void Blocks_are_written_through_the_port_one_by_one()
    {
        Select();
        Transfer(25, 7, 0x26, 3);
        for (int block = 0; block < 3; block++)
        {
            Assert.Equal(WriteReady, Get(NormalStatus, 2) & (WriteReady | TransferDone));
            Assert.Equal(0x506u, Get(Present) & 0xf0f);
            Set(NormalStatus, WriteReady, 2);
            for (int i = 0; i < 256; i++)
                Set(Port, (uint)(block << 8 | i), 2);
        }
        Assert.Equal(TransferDone, Get(NormalStatus, 2) & (WriteReady | TransferDone));
        for (int i = 0; i < 3 * 512; i += 2)
            Assert.Equal(i / 512 << 8 | i / 2 & 0xff, BinaryPrimitives.ReadUInt16LittleEndian(_disk.Content.AsSpan(7 * 512 + i)));
        // CMD12 came by itself.
        Assert.Equal(4u, State());
    }

    [Fact]
    public void Simple_DMA_stops_at_its_boundary()
    {
        Select();
        // 4 KiB, and the buffer begins 512 bytes before one.
        Set(SystemAddress, 0x1_0e00);
        Transfer(18, 16, 0x37, 10);
        Assert.Equal(Dma | Complete, Get(NormalStatus, 2));
        Assert.Equal(0x1_1000u, Get(SystemAddress));
        Set(NormalStatus, Dma, 2);
        Set(SystemAddress, 0x2_0000);
        Assert.Equal(Dma | Complete, Get(NormalStatus, 2));
        Set(NormalStatus, Dma, 2);
        Set(SystemAddress, 0x3_0000);
        Assert.Equal(TransferDone | Complete, Get(NormalStatus, 2));
        byte[] got = [.. Memory(0x1_0e00, 512), .. Memory(0x2_0000, 4096), .. Memory(0x3_0000, 512)];
        Assert.Equal(_disk.Content[(16 * 512)..(26 * 512)], got);
    }

    [Fact]
    public void Descriptors_scatter_and_gather()
    {
        Select();
        Set(HostControl, 0x10, 1);
        Set(AdmaAddress, (uint)Table);
        Descriptor(0, Data, 100, 0x21);
        Descriptor(1, Table + 5 * 8, 0, 0x31);
        Descriptor(5, 0, 0, 0x01);
        Descriptor(6, Data + 0x1000, 412, 0x25);
        Descriptor(7, Data + 0x2000, 40 * 512, 0x23);
        Transfer(18, 100, 0x37, 41);
        Assert.Equal(TransferDone | Dma | Complete, Get(NormalStatus, 2));
        byte[] got = [.. Memory(Data, 100), .. Memory(Data + 0x1000, 412), .. Memory(Data + 0x2000, 40 * 512)];
        Assert.Equal(_disk.Content[(100 * 512)..(141 * 512)], got);
        // And back, elsewhere.
        Set(AdmaAddress, (uint)Table);
        Transfer(25, 1000, 0x27, 41);
        Assert.Equal(TransferDone, Get(NormalStatus, 2) & TransferDone);
        Assert.Equal(got, _disk.Content[(1000 * 512)..(1041 * 512)]);
    }

    [Fact]
    public void A_length_of_zero_is_64_KiB_and_addresses_may_have_64_bits()
    {
        Select();
        Set(HostControl, 0x18, 1);
        Set(AdmaAddress, (uint)Table);
        _memory.Store(Table, 4, 0x0000_0023);
        _memory.Store(Table + 4, 8, Data);
        Transfer(18, 0, 0x37, 128);
        Assert.Equal(TransferDone, Get(NormalStatus, 2) & TransferDone);
        Assert.Equal(_disk.Content[..0x1_0000], Memory(Data, 0x1_0000));
    }

    [Theory]
    [InlineData(0x20)] // not valid
    [InlineData(0x23)] // too short
    [InlineData(0x31)] // a link to itself
    public void A_bad_table_is_an_error(int attributes)
    {
        Select();
        Set(HostControl, 0x10, 1);
        Set(AdmaAddress, (uint)Table);
        Descriptor(0, attributes == 0x31 ? Table : Data, 256, attributes);
        Transfer(17, 0, 0x11, 1);
        Assert.Equal(0x200u, Get(ErrorStatus, 2));
        Assert.NotEqual(0u, Get(AdmaError, 1));
        Assert.Equal(0u, Get(Present) & 0xf0f);
        // The next one works.
        Set(Reset, 4, 1);
        Descriptor(0, Data, 512, 0x23);
        Set(AdmaAddress, (uint)Table);
        Transfer(17, 0, 0x11, 1);
        Assert.Equal(TransferDone | Complete, Get(NormalStatus, 2));
    }

    [Fact]
    public void An_open_transfer_goes_on_until_it_is_stopped()
    {
        Select();
        Transfer(18, 0, 0x30, 0);
        for (int i = 0; i < 5 * 128; i++)
            Assert.Equal(BinaryPrimitives.ReadUInt32LittleEndian(_disk.Content.AsSpan(4 * i)), Get(Port));
        Assert.Equal(5u, State());
        uint response = Ask(12, 0, 3);
        Assert.Equal(5u, response >> 9 & 15);
        Assert.Equal(TransferDone | Complete, Get(NormalStatus, 2));
        Assert.Equal(4u, State());
    }

    [Fact]
    public void CMD23_announces_how_many_blocks_there_are()
    {
        Select();
        Ask(23, 2);
        Transfer(18, 0, 0x32, 2);
        for (int i = 0; i < 256; i++)
            Get(Port);
        Assert.Equal(TransferDone, Get(NormalStatus, 2) & TransferDone);
        Assert.Equal(4u, State());
    }

    [Fact]
    public void A_stopped_card_is_busy_until_its_medium_is_done()
    {
        Select();
        _disk.Deferred = true;
        Transfer(18, 0, 0x30, 0);
        Assert.Equal(Complete, Get(NormalStatus, 2));
        Assert.Equal(1, _disk.Pending);
        Ask(12, 0, 3);
        Assert.Equal(Complete, Get(NormalStatus, 2));
        Assert.Equal(2u, Get(Present) & 2);
        Assert.Equal(0u, Get(Present) & 1 << 20);
        Assert.True(_disk.CompleteOne(new Random(1)));
        _sd.Drain();
        Assert.Equal(Complete | TransferDone, Get(NormalStatus, 2));
        Assert.Equal(1u << 20, Get(Present) & (1 << 20 | 2));
    }

    [Fact]
    public void What_the_medium_does_not_do_is_an_error()
    {
        Select();
        _disk.Deferred = true;
        _disk.Fail = BlockStatus.IoError;
        Transfer(17, 0, 0x10, 1);
        Assert.True(_disk.CompleteOne(new Random(1)));
        _sd.Drain();
        Assert.NotEqual(0u, Get(ErrorStatus, 2));
        Assert.Equal(0u, Get(Present) & 0xf0f);
        Assert.Equal(1u << 19, Ask(13, 0x4567_0000) & 1 << 19);
    }

    [Fact]
    public void Registers_come_as_data()
    {
        Select();
        Ask(55, 0x4567_0000);
        Transfer(51, 0, 0x10, 1, 8);
        Assert.Equal(0x0280_0502u, Get(Port));
        Get(Port);
        Assert.Equal(TransferDone, Get(NormalStatus, 2) & TransferDone);
        Ask(55, 0x4567_0000);
        Ask(6, 2);
        Ask(55, 0x4567_0000);
        Transfer(13, 0, 0x10, 1, 64);
        byte[] status = [.. Enumerable.Range(0, 64).Select(_ => (byte)Get(Port, 1))];
        Assert.Equal(0x80, status[0]);
        // High speed is to be had, and is chosen.
        Transfer(6, 0x80ff_fff1, 0x10, 1, 64);
        status = [.. Enumerable.Range(0, 64).Select(_ => (byte)Get(Port, 1))];
        Assert.Equal(2, status[13] & 2);
        Assert.Equal(1, status[16] & 15);
        Transfer(6, 0x00ff_fff5, 0x10, 1, 64);
        status = [.. Enumerable.Range(0, 64).Select(_ => (byte)Get(Port, 1))];
        Assert.Equal(0xf, status[16] & 15);
    }

    [Fact]
    public void Erased_blocks_are_zeroes()
    {
        Select();
        Ask(32, 10);
        Ask(33, 19);
        Ask(38, 0, 3);
        _sd.Drain();
        Assert.Equal(TransferDone | Complete, Get(NormalStatus, 2));
        Assert.All(_disk.Content[(10 * 512)..(20 * 512)], b => Assert.Equal(0, b));
        Assert.NotEqual(0, _disk.Content[20 * 512 + 5]);
        // Not without a range.
        Assert.Equal(1u << 28, Ask(38, 0, 3) & 1 << 28);
    }

    [Fact]
    public void Blocks_beyond_the_end_and_writes_to_a_protected_card_are_refused()
    {
        Select();
        Transfer(17, 4096, 0x10, 1);
        Assert.Equal(1u << 31, Get(Response) & 1u << 31);
        Assert.Equal(0x10u, Get(ErrorStatus, 2));
        Transfer(18, 4095, 0x32, 2);
        for (int i = 0; i < 128; i++)
            Get(Port);
        Assert.NotEqual(0u, Get(ErrorStatus, 2));
        Sdhci locked = Make(new TestDisk(1 << 19, readOnly: true));
        Select(locked);
        Set(BlockSize, 0x1_0200, 4, locked);
        Set(Argument, 0, 4, locked);
        Set(TransferMode, Command(24, 2, data: true) << 16, 4, locked);
        Assert.Equal(1u << 26, Get(Response, 4, locked) & 1 << 26);
        Assert.Equal(0x10u, Get(ErrorStatus, 2, locked));
    }

    [Fact]
    public void A_card_comes_and_goes()
    {
        Select();
        Assert.True(_sd.ExchangeMedium(null));
        Assert.Equal(0x80u, Get(NormalStatus, 2));
        Assert.True(Interrupt);
        Assert.Equal(0u, Get(Present) & 1 << 16);
        Set(NormalStatus, 0x80, 2);
        var other = new TestDisk(1 << 20);
        other.Content[0] = 0x42;
        _sd.ExchangeMedium(other);
        Assert.Equal(0x40u, Get(NormalStatus, 2));
        Assert.NotEqual(0u, Get(Present) & 1 << 16);
        Ask(13, 0x4567_0000);
        Assert.Equal(1u, Get(ErrorStatus, 2));
        Select();
        Transfer(17, 0, 0x10, 1);
        Assert.Equal(0x42u, Get(Port, 1));
    }

    [Fact]
    public void Resets_leave_what_they_should()
    {
        Select();
        Transfer(18, 0, 0x32, 4);
        Get(Port);
        Set(Reset, 4, 1);
        Assert.Equal(0u, Get(Present) & 0xf0f);
        Assert.Equal(0u, Get(Reset, 1));
        Assert.Equal(0xfu, Get(Power, 1));
        Assert.NotEqual(0u, Get(StatusEnable));
        Set(Reset, 1, 1);
        Assert.Equal(0u, Get(Power, 1));
        Assert.Equal(0u, Get(StatusEnable));
        Assert.NotEqual(0u, Get(Present) & 1 << 16);
    }

    [Fact]
    public void Sizes_of_cards_are_multiples_of_512_KiB()
    {
        Assert.False(Sdhci.IsCard(0));
        Assert.False(Sdhci.IsCard(512));
        Assert.True(Sdhci.IsCard(512 << 10));
        Assert.True(Sdhci.IsCard(2ul << 40));
        Assert.False(Sdhci.IsCard((2ul << 40) + (512 << 10)));
        Assert.Equal(1ul << 20, Sdhci.Capacity((512 << 10) + 1));
    }
}
