using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Ata;
using Myna.Devices.Pci;
using Myna.Devices.Tests.Support;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Backends;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Ata;

/// <summary>A PIIX3's IDE controller with a disk and a CD drive: ATA8-ACS's commands by the data register and by bus-master DMA.</summary>
public sealed class IdeTests : IDisposable
{
    private const int Megabyte = 1 << 20;

    private readonly GuestMemory _memory = new();
    private readonly AddressSpace _ports = new();
    private readonly Levels _levels = new();
    private readonly TestDisk _disk = new(Megabyte), _disc = new(64 * 2048, readOnly: true);
    private readonly IdeChannel _channel;
    private readonly Piix3Ide _ide;

    public IdeTests()
    {
        new Random(1).NextBytes(_disk.Content);
        new Random(2).NextBytes(_disc.Content);
        _channel = new IdeChannel(_memory.Space, _levels.Line(14), new AtaDisk(_disk, "SERIAL42"), new AtapiCdrom(_disc));
        _ide = new Piix3Ide(_channel, new IdeChannel(_memory.Space, _levels.Line(15), null, null));
        var host = new PciHost(_memory.Space, [], Enumerable.Range(0, 4).Select(_levels.Line), ports: _ports);
        host.Add(_ide, 1, 1);
        _ide.WriteConfig(0x20, 4, 0xc000);
        _ide.WriteConfig(4, 2, 5);
    }

    public void Dispose()
    {
        _channel.Drain();
        _memory.Dispose();
    }

    private bool Irq => _levels[14];
    private int In(int register) => _channel.CommandBlock.In(register);
    private void Out(int register, int value) => _channel.CommandBlock.Out(register, value);
    private int Alternate => _channel.ControlBlock.In();

    private byte[] Words(int bytes)
    {
        byte[] data = new byte[bytes];
        for (int i = 0; i < bytes; i += 2)
            BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(i), (ushort)_channel.CommandBlock.Load(0, 2));
        return data;
    }

    private void Put(ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < data.Length; i += 4)
            _channel.CommandBlock.Store(0, BinaryPrimitives.ReadUInt32LittleEndian(data[i..]), 4);
    }

    private void Command(int command, int lba = 0, int count = 0, int device = 0xe0)
    {
        Out(6, device | lba >> 24);
        Out(2, count);
        Out(3, lba);
        Out(4, lba >> 8);
        Out(5, lba >> 16);
        Out(7, command);
    }

    private Span<byte> Sectors(int first, int count) => _disk.Content.AsSpan(first * 512, count * 512);

    [Fact]
    public void Drives_show_their_signatures_after_a_reset()
    {
        _channel.ControlBlock.Out(0, 4);
        Assert.Equal(0x80, Alternate & 0x80);
        _channel.ControlBlock.Out(0, 0);
        Out(6, 0xa0);
        Assert.Equal((0x50, 1, 1, 0, 0), (Alternate, In(2), In(3), In(4), In(5)));
        Out(6, 0xb0);
        Assert.Equal((0, 1, 1, 0x14, 0xeb), (Alternate, In(2), In(3), In(4), In(5)));
        // No drive at the other channel: the bus floats.
        _ide.Channel(1).CommandBlock.Out(2, 0x55);
        Assert.All(Enumerable.Range(1, 7), i => Assert.Equal(0x7f, _ide.Channel(1).CommandBlock.In(i)));
    }

    [Fact]
    public void Identify_by_the_data_register()
    {
        Command(0xec);
        Assert.True(Irq);
        Assert.Equal(0x58, Alternate);
        Assert.True(Irq); // the alternate status leaves it
        Assert.Equal(0x58, In(7));
        Assert.False(Irq);
        byte[] data = Words(512);
        Assert.Equal("ESIRLA24", Encoding.ASCII.GetString(data, 20, 8));
        Assert.Equal(0x50, In(7));
        Assert.Equal(0, BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(150))); // no queue
    }

    [Theory]
    [InlineData(0x20, 1)]
    [InlineData(0xc4, 4)]
    public void Reads_interrupt_once_for_each_block(int command, int block)
    {
        Command(0xc6, count: block);
        Command(command, 7, 10);
        int first = 7;
        for (int left = 10; left > 0; left -= block, first += block)
        {
            Assert.True(Irq);
            Assert.Equal(0x58, In(7));
            int n = Math.Min(block, left);
            Assert.Equal(Sectors(first, n).ToArray(), Words(n * 512));
        }
        Assert.False(Irq);
        Assert.Equal(0x50, In(7));
    }

    [Fact]
    public void Long_reads_go_through_the_buffer_in_pieces()
    {
        Command(0x20, 100, 0);
        Assert.Equal(Sectors(100, 256).ToArray(), Words(256 * 512));
        Assert.Equal(0x50, In(7));
    }

    [Fact]
    public void Writes_take_the_first_block_without_an_interrupt()
    {
        byte[] data = new byte[300 * 512];
        new Random(3).NextBytes(data);
        // 48-bit: the high-order bytes first.
        Out(6, 0x40);
        Out(2, 300 >> 8);
        Out(2, 300 & 0xff);
        Out(3, 0);
        Out(3, 20);
        Out(4, 0);
        Out(4, 0);
        Out(5, 0);
        Out(5, 0);
        Out(7, 0x34);
        for (int i = 0; i < 300; i++)
        {
            Assert.Equal(i != 0, Irq);
            Assert.Equal(0x58, In(7));
            Put(data.AsSpan(i * 512, 512));
        }
        Assert.True(Irq);
        Assert.Equal(0x50, In(7));
        Assert.True(Sectors(20, 300).SequenceEqual(data));
        // What was written before shows with HOB.
        _channel.ControlBlock.Out(0, 0x80);
        Assert.Equal(300 >> 8, In(2));
    }

    [Fact]
    public void Cylinders_heads_and_sectors()
    {
        // 1 of cylinder 0, head 1 is sector 63.
        Command(0x20, 1, 1, device: 0xa1);
        Assert.Equal(Sectors(63, 1).ToArray(), Words(512));
        Command(0x20, 0, 1, device: 0xa0);
        Assert.Equal((0x51, 0x10), (In(7), In(1)));
    }

    private (ulong Data, ulong Table) Descriptors(int length, int piece)
    {
        ulong data = _memory.Allocate(length, 4096), table = _memory.Allocate(length / piece * 8, 4);
        for (int i = 0; i < length / piece; i++)
        {
            _memory.Write32(table + (ulong)i * 8, (uint)(data + (ulong)(i * piece)));
            _memory.Write32(table + (ulong)i * 8 + 4, (uint)(piece & 0xffff) | (i == length / piece - 1 ? 1u << 31 : 0));
        }
        return (data, table);
    }

    private int Bm(int register) => (int)_ports.LoadPort(0xc000 + (ulong)register);

    [Fact]
    public void Bus_master_dma()
    {
        (ulong data, ulong table) = Descriptors(16 * 512, 2048);
        _ports.Store(0xc004, 4, table);
        _ports.Store(0xc002, 1, 6);
        _ports.Store(0xc000, 1, 8);
        Command(0xc8, 5, 16);
        Assert.False(Irq);
        _ports.Store(0xc000, 1, 9);
        Assert.True(Irq);
        Assert.Equal(4, Bm(2) & 7);
        Assert.Equal(Sectors(5, 16).ToArray(), _memory.Read(data, 16 * 512));
        Assert.Equal(0x50, In(7));
        _ports.Store(0xc002, 1, 4);
        Assert.Equal(0, Bm(2) & 7);
        _ports.Store(0xc000, 1, 0);
        // And back to another place.
        byte[] before = Sectors(5, 16).ToArray();
        Command(0xca, 200, 16);
        _ports.Store(0xc000, 1, 1);
        Assert.Equal(4, Bm(2) & 7);
        Assert.True(Sectors(200, 16).SequenceEqual(before));
    }

    [Fact]
    public void Too_little_memory_is_an_error_of_the_bus_master()
    {
        (_, ulong table) = Descriptors(2048, 2048);
        _ports.Store(0xc004, 4, table);
        Command(0xc8, 5, 16);
        _ports.Store(0xc000, 1, 9);
        Assert.Equal(6, Bm(2) & 7);
        Assert.Equal(1, In(7) & 1);
    }

    [Fact]
    public void Errors_of_the_disk_are_uncorrectable()
    {
        _disk.Fail = BlockStatus.IoError;
        Command(0x20, 5, 1);
        Assert.True(Irq);
        Assert.Equal((0x51, 0x40), (In(7), In(1)));
        Command(0xee);
        Assert.Equal((0x51, 0x04), (In(7), In(1)));
    }

    [Fact]
    public void A_reset_waits_for_what_is_at_the_disk()
    {
        _disk.Deferred = true;
        Command(0x20, 5, 1);
        Assert.Equal(0x80, Alternate & 0x80);
        _channel.ControlBlock.Out(0, 4);
        _channel.ControlBlock.Out(0, 0);
        Assert.Equal(0x80, Alternate & 0x80);
        Out(7, 0xec); // ignored
        Assert.True(_disk.CompleteOne(new Random(4)));
        _channel.Drain();
        Assert.Equal((0x50, 1, 1), (Alternate, In(2), In(3)));
        Assert.False(Irq);
        _disk.Deferred = false;
        Command(0x20, 6, 1);
        Assert.Equal(Sectors(6, 1).ToArray(), Words(512));
    }

    [Fact]
    public void The_drive_at_work_stays_selected()
    {
        Command(0x20, 5, 1);
        Out(6, 0xb0);
        Assert.Equal(0xe0, In(6));
        Assert.Equal(Sectors(5, 1).ToArray(), Words(512));
        Out(6, 0xb0);
        Assert.Equal(0xb0, In(6));
    }

    [Fact]
    public void A_disabled_interrupt_comes_when_it_is_enabled()
    {
        _channel.ControlBlock.Out(0, 2);
        Command(0xec);
        Assert.False(Irq);
        _channel.ControlBlock.Out(0, 0);
        Assert.True(Irq);
    }

    private byte[] Packet(byte[] packet, int limit, out int status)
    {
        byte[] whole = new byte[12];
        packet.CopyTo(whole, 0);
        Out(6, 0xb0);
        Out(1, 0);
        Out(4, limit);
        Out(5, limit >> 8);
        Out(7, 0xa0);
        Assert.Equal(1, In(2) & 3);
        Assert.Equal(8, In(7) & 0x88);
        Put(whole);
        var answer = new List<byte>();
        while (true)
        {
            Assert.True(Irq);
            status = In(7);
            if ((status & 8) == 0)
                break;
            Assert.Equal(2, In(2) & 3);
            int n = In(4) | In(5) << 8;
            Assert.InRange(n, 1, limit);
            answer.AddRange(Words((n + 1) / 2 * 2)[..n]);
        }
        Assert.Equal(3, In(2) & 3);
        return [.. answer];
    }

    [Fact]
    public void Packets_by_the_data_register_in_pieces_of_the_hosts_choice()
    {
        _ = Packet([0x00], 2048, out int status);
        Assert.Equal(0x41, status); // power-on
        byte[] sense = Packet([0x03, 0, 0, 0, 17], 2048, out status);
        Assert.Equal((17, 0x40, 6), (sense.Length, status, sense[2]));
        byte[] data = Packet([0x28, 0, 0, 0, 0, 3, 0, 0, 40], 0x3000, out status);
        Assert.Equal(0x40, status);
        Assert.True(_disc.Content.AsSpan(3 * 2048, 40 * 2048).SequenceEqual(data));
        _ = Packet([0x28, 0, 0, 0, 0, 63, 0, 0, 2], 2048, out status);
        Assert.Equal((0x41, 0x54), (status, In(1)));
    }

    [Fact]
    public void Identify_of_a_packet_device_is_refused_with_its_signature()
    {
        Command(0xec, device: 0xb0);
        Assert.Equal(1, In(7) & 1);
        Assert.Equal((0x14, 0xeb), (In(4), In(5)));
        Command(0xa1, device: 0xb0);
        Assert.Equal(0x85c0, BinaryPrimitives.ReadUInt16LittleEndian(Words(512)));
    }
}

file static class PortSpace
{
    public static ulong LoadPort(this AddressSpace ports, ulong port)
    {
        Assert.True(ports.Load(port, 1, out ulong value));
        return value;
    }
}
