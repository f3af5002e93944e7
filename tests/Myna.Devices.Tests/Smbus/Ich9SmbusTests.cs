using Myna.Devices.Pci;
using Myna.Devices.Smbus;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Smbus;

/// <summary>ICH9 datasheet, sections 5.20 and 18.2; System Management Bus specification 3.2, section 6.5.</summary>
public sealed class Ich9SmbusTests
{
    private const int HST_STS = 0, HST_CNT = 2, HST_CMD = 3, XMIT_SLVA = 4, HST_D0 = 5, HST_D1 = 6, HOST_BLOCK_DB = 7, AUX_CTL = 0xd;
    private const int Quick = 0, Byte = 1 << 2, ByteData = 2 << 2, WordData = 3 << 2, Call = 4 << 2, Block = 5 << 2, I2cRead = 6 << 2, Start = 0x40, Enabled = 1;
    private const int Intr = 2, DevErr = 4, Failed = 0x10, InUse = 0x40, Done = 0x80;

    private readonly Levels _lines = new();
    private readonly Ich9Smbus _bus = new();
    private readonly Memory256 _memory = new();

    public Ich9SmbusTests()
    {
        _bus.Add(0x50, _memory);
        new PciHost(new AddressSpace(), [], Enumerable.Range(0, 4).Select(_lines.Line)).Add(_bus, 1);
        _bus.WriteConfig(0x40, 1, 1);
        for (int i = 0; i < 256; i++)
            _memory.Content[i] = (byte)(i * 7);
    }

    /// <summary>An EEPROM: the command is an address that counts up; a block's length comes first.</summary>
    private sealed class Memory256 : ISmbusDevice
    {
        private bool _addressed;
        private byte _at;

        public byte[] Content { get; } = new byte[256];
        public List<bool> Starts { get; } = [];

        public void Start(bool read)
        {
            Starts.Add(read);
            _addressed = false;
        }

        public bool Write(byte value)
        {
            if (_addressed)
                Content[_at++] = value;
            else
                (_at, _addressed) = (value, true);
            return value != 0xee;
        }

        public byte Read() => Content[_at++];
    }

    private bool Interrupt => Enumerable.Range(0, 4).Any(i => _lines[i]);

    private int Get(int register)
    {
        Assert.True(_bus.ReadBar(4, (ulong)register, 1, out ulong value));
        return (int)value;
    }

    private void Set(int register, int value) => Assert.True(_bus.WriteBar(4, (ulong)register, 1, (ulong)value));

    /// <summary>A transaction; returns the status without the semaphore.</summary>
    private int Go(int protocol, int address, int command = 0)
    {
        Set(HST_STS, 0xff);
        Set(XMIT_SLVA, address);
        Set(HST_CMD, command);
        Set(HST_CNT, protocol | Start);
        return Get(HST_STS) & ~InUse;
    }

    [Fact]
    public void It_says_what_it_is()
    {
        Assert.Equal(0x2930_8086u, _bus.ReadConfig(0, 4));
        Assert.Equal(0x0c05u, _bus.ReadConfig(8, 4) >> 16);
        Assert.Equal(2u, _bus.ReadConfig(0x3d, 1));
        _bus.WriteConfig(0x20, 4, uint.MaxValue);
        Assert.Equal(0xe1u, _bus.ReadConfig(0x20, 1));
    }

    [Theory]
    [InlineData(Quick)]
    [InlineData(Byte)]
    [InlineData(ByteData)]
    [InlineData(WordData)]
    [InlineData(Block)]
    public void Where_nobody_is_the_device_does_not_acknowledge(int protocol)
    {
        Assert.Equal(DevErr, Go(protocol | Enabled, 0x51 << 1));
        Assert.True(Interrupt);
        Set(HST_STS, DevErr);
        Assert.False(Interrupt);
        Assert.Equal(DevErr, Go(protocol, 0x51 << 1 | 1));
        Assert.False(Interrupt);
    }

    [Fact]
    public void Without_being_enabled_it_does_nothing()
    {
        _bus.WriteConfig(0x40, 1, 0);
        Assert.Equal(0, Go(Quick, 0x50 << 1));
        Assert.Empty(_memory.Starts);
    }

    [Fact]
    public void Who_reads_the_semaphore_as_zero_has_it()
    {
        Assert.Equal(0, Get(HST_STS) & InUse);
        Assert.Equal(InUse, Get(HST_STS) & InUse);
        Set(HST_STS, InUse);
        Assert.Equal(0, Get(HST_STS) & InUse);
    }

    [Fact]
    public void Bytes_and_words_are_read_and_written()
    {
        Assert.Equal(Intr, Go(ByteData, 0xa1, 0x20));
        Assert.Equal(0xe0, Get(HST_D0));
        Assert.Equal([false, true], _memory.Starts);
        // The address counts on.
        Assert.Equal(Intr, Go(Byte, 0xa1));
        Assert.Equal(0xe7, Get(HST_D0));
        Assert.Equal(Intr, Go(WordData, 0xa1, 0x30));
        Assert.Equal((0x50, 0x57), (Get(HST_D0), Get(HST_D1)));
        Set(HST_D0, 0x12);
        Set(HST_D1, 0x34);
        Assert.Equal(Intr, Go(WordData | Enabled, 0xa0, 0x40));
        Assert.True(Interrupt);
        Assert.Equal([0x12, 0x34], _memory.Content[0x40..0x42]);
        Assert.Equal(Intr, Go(ByteData, 0xa0, 0x50));
        Assert.Equal([0x12, 0x37], _memory.Content[0x50..0x52]);
        Assert.Equal(Intr, Go(Call, 0xa0, 0x60));
        Assert.Equal(0xae, Get(HST_D0));
        Assert.Equal(DevErr, Go(ByteData, 0xa0, 0xee));
    }

    [Fact]
    public void A_block_goes_through_the_buffer()
    {
        Set(AUX_CTL, 2);
        Get(HST_CNT);
        for (int i = 0; i < 5; i++)
            Set(HOST_BLOCK_DB, 0x80 + i);
        Set(HST_D0, 5);
        Assert.Equal(Intr, Go(Block, 0xa0, 0x10));
        Assert.Equal([5, 0x80, 0x81, 0x82, 0x83, 0x84], _memory.Content[0x10..0x16]);
        Set(HST_D0, 0);
        Assert.Equal(Intr, Go(Block, 0xa1, 0x10));
        Assert.Equal(5, Get(HST_D0));
        Get(HST_CNT);
        Assert.Equal([0x80, 0x81, 0x82, 0x83, 0x84], Enumerable.Range(0, 5).Select(_ => Get(HOST_BLOCK_DB)));
        // More than 32 bytes are no block.
        _memory.Content[0x70] = 33;
        Assert.Equal(DevErr, Go(Block, 0xa1, 0x70));
    }

    [Fact]
    public void Or_byte_by_byte()
    {
        Set(HST_D0, 3);
        Set(HOST_BLOCK_DB, 0x91);
        Assert.Equal(Done | 1, Go(Block | Enabled, 0xa0, 0x10));
        Assert.True(Interrupt);
        Set(HOST_BLOCK_DB, 0x92);
        Set(HST_STS, Done);
        Assert.Equal(Done | 1, Get(HST_STS) & ~InUse);
        Set(HOST_BLOCK_DB, 0x93);
        Set(HST_STS, Done);
        Assert.Equal(Done | 1, Get(HST_STS) & ~InUse);
        Set(HST_STS, Done);
        Assert.Equal(Intr, Get(HST_STS) & ~InUse);
        Assert.Equal([3, 0x91, 0x92, 0x93], _memory.Content[0x10..0x14]);

        List<int> got = [];
        int status = Go(Block, 0xa1, 0x10);
        Assert.Equal(3, Get(HST_D0));
        for (; (status & Done) != 0; status = Get(HST_STS))
        {
            got.Add(Get(HOST_BLOCK_DB));
            Set(HST_STS, Done);
        }
        Assert.Equal([0x91, 0x92, 0x93], got);
        Assert.Equal(Intr, status & ~InUse);
    }

    [Fact]
    public void An_I2C_read_ends_with_the_byte_that_is_announced_as_the_last()
    {
        Set(HST_D1, 0x42);
        Assert.Equal(Done | 1, Go(I2cRead, 0xa0, 0x20));
        Set(HST_STS, Done);
        Set(HST_CNT, I2cRead | 0x20);
        Set(HST_STS, Done);
        Assert.Equal(Intr, Get(HST_STS) & ~InUse);
    }

    [Fact]
    public void A_transaction_can_be_killed()
    {
        Set(HST_D0, 3);
        Assert.Equal(Done | 1, Go(Block, 0xa0, 0x10));
        Set(HST_CNT, 2);
        Assert.Equal(Failed, Get(HST_STS) & (Failed | 1));
    }
}
