using Myna.Devices.Dma;
using Myna.Devices.Floppy;
using Myna.Devices.Tests.Support;
using Myna.Devices.Tests.Virtio.Kit;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Floppy;

/// <summary>An 82077AA with a 1.44 MB drive, and the 8237 it moves data by, from their data sheets.</summary>
public sealed class FloppyTests : IDisposable
{
    private const int DOR = 2, MSR = 4, FIFO = 5, TrackSize = 18 * 512;
    private const ulong Buffer = 0x2_3000;

    private readonly Ram _ram = new("ram", 1 << 20);
    private readonly TestDisk _disk = new(1440 << 10);
    private readonly Levels _levels = new();
    private readonly I8237 _dma;
    private readonly FloppyController _fdc;

    public FloppyTests()
    {
        var memory = new AddressSpace();
        memory.Map(0, _ram);
        new Random(1).NextBytes(_disk.Content);
        _dma = new I8237(memory);
        _fdc = new FloppyController(_dma, _levels.Line(6), new FloppyDrive(_disk), new FloppyDrive(null));
        _dma.Reset();
    }

    public void Dispose() => _ram.Dispose();

    private byte In(int register) => (byte)_fdc.Registers.Load((ulong)register, 1);
    private void Out(int register, byte value) => _fdc.Registers.Store((ulong)register, value, 1);

    /// <summary>Out of reset, motor A on, interrupts and DMA on, 500 kbit/s.</summary>
    private void Start()
    {
        Out(DOR, 0x1c);
        Assert.True(_levels[6]);
        for (int drive = 0; drive < 4; drive++)
            Assert.Equal([(byte)(0xc0 | drive), 0], Command(2, 0x08));
        Assert.False(_levels[6]);
        _fdc.DigitalInput.Store(0, 0, 1);
        Command(0, 0x03, 0xaf, 0x02);
    }

    private byte[] Command(int results, params byte[] bytes)
    {
        foreach (byte b in bytes)
        {
            Assert.Equal(0x80, In(MSR) & 0xc0);
            Out(FIFO, b);
        }
        return Results(results);
    }

    private byte[] Results(int count)
    {
        byte[] results = new byte[count];
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(0xd0, In(MSR));
            results[i] = In(FIFO);
        }
        Assert.Equal(0x80, In(MSR));
        return results;
    }

    /// <summary>Programs channel 2.</summary>
    private void Dma(byte mode, int length, ulong address = Buffer)
    {
        void Out(ulong port, int value) => _dma.Low.Store(port, (byte)value, 1);
        Out(0x0a, 6);
        Out(0x0c, 0);
        Out(0x0b, mode);
        Out(4, (int)address);
        Out(4, (int)address >> 8);
        Out(5, length - 1);
        Out(5, length - 1 >> 8);
        _dma.Pages.Store(0, (byte)(address >> 16), 1);
        Out(0x0a, 2);
    }

    private void Seek(byte track, byte head = 0)
    {
        Command(0, 0x0f, (byte)(head << 2), track);
        Assert.True(_levels[6]);
        Assert.Equal([(byte)(0x20 | head << 2), track], Command(2, 0x08));
        Assert.False(_levels[6]);
    }

    private byte[] Memory(int length, ulong at = Buffer) => _ram.Get(at, length).ToArray();

    private const byte ToMemory = 0x46, FromMemory = 0x4a;

    [Fact]
    public void A_track_is_read_by_dma()
    {
        Start();
        Seek(3);
        Dma(ToMemory, TrackSize);
        Assert.Equal([0, 0, 0, 4, 0, 1, 2], Command(7, 0x66, 0, 3, 0, 1, 2, 18, 0x1b, 0xff));
        Assert.Equal(_disk.Content.AsSpan(3 * 2 * TrackSize, TrackSize).ToArray(), Memory(TrackSize));
        // Terminal count, once; the channel is masked.
        Assert.Equal(4, (int)_dma.Low.Load(8, 1) & 4);
        Assert.Equal(0, (int)_dma.Low.Load(8, 1) & 4);
        Assert.Equal(4, (int)_dma.Low.Load(0xf, 1) & 4);
    }

    [Fact]
    public void Both_heads_with_multi_track()
    {
        Start();
        Dma(ToMemory, 4 * 512);
        // Sectors 17 and 18 of head 0, 1 and 2 of head 1.
        Assert.Equal([4, 0, 0, 0, 1, 3, 2], Command(7, 0xe6, 0, 0, 0, 17, 2, 18, 0x1b, 0xff));
        Assert.Equal(_disk.Content.AsSpan(16 * 512, 2048).ToArray(), Memory(2048));
        // Without it the track ends before the count.
        Dma(ToMemory, 4 * 512);
        Assert.Equal([0x40, 0x80, 0, 1, 0, 1, 2], Command(7, 0x66, 0, 0, 0, 17, 2, 18, 0x1b, 0xff));
    }

    [Fact]
    public void Writes_reach_the_disk_and_a_short_one_is_filled_up()
    {
        Start();
        byte[] data = new byte[700];
        new Random(5).NextBytes(data);
        data.CopyTo(_ram.GetForWrite(Buffer, 700));
        Dma(FromMemory, 700);
        Assert.Equal([0, 0, 0, 0, 0, 4, 2], Command(7, 0xc5, 0, 0, 0, 2, 2, 18, 0x1b, 0xff));
        Assert.Equal(data, _disk.Content.AsSpan(512, 700).ToArray());
        Assert.Equal(-1, _disk.Content.AsSpan(512 + 700, 324).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Without_dma_data_goes_through_the_fifo()
    {
        Start();
        Command(0, 0x03, 0xaf, 0x03);
        foreach (byte b in new byte[] { 0x46, 0, 0, 0, 5, 2, 6, 0x1b, 0xff })
            Out(FIFO, b);
        byte[] read = new byte[1024];
        for (int i = 0; i < read.Length; i++)
        {
            Assert.Equal(0xf0, In(MSR));
            Assert.True(i % 512 != 0 || _levels[6]);
            read[i] = In(FIFO);
        }
        Assert.Equal(_disk.Content.AsSpan(4 * 512, 1024).ToArray(), read);
        Assert.Equal([0x40, 0x80, 0, 1, 0, 1, 2], Results(7));
        foreach (byte b in new byte[] { 0x45, 0, 0, 0, 9, 2, 9, 0x1b, 0xff })
            Out(FIFO, b);
        for (int i = 0; i < 512; i++)
        {
            Assert.Equal(0xb0, In(MSR));
            Out(FIFO, (byte)i);
        }
        Assert.Equal([0x40, 0x80, 0, 1, 0, 1, 2], Results(7));
        Assert.Equal(Enumerable.Range(0, 512).Select(i => (byte)i), _disk.Content.Skip(8 * 512).Take(512));
    }

    [Theory]
    [InlineData(0x04, 0x10, new byte[] { 0x46, 0, 1, 0, 1, 2, 18, 0, 0 })] // another cylinder
    [InlineData(0x04, 0, new byte[] { 0x46, 0, 0, 0, 19, 2, 19, 0, 0 })]
    [InlineData(0x04, 0, new byte[] { 0x46, 0, 0, 0, 1, 3, 18, 0, 0 })]
    [InlineData(0x04, 0, new byte[] { 0x46, 4, 0, 0, 1, 2, 18, 0, 0 })]
    [InlineData(0x01, 0, new byte[] { 0x46, 1, 0, 0, 1, 2, 18, 0, 0 })] // an empty drive
    public void Sectors_that_are_not_there(byte st1, byte st2, byte[] command)
    {
        Start();
        Dma(ToMemory, 512);
        byte[] results = Command(7, command);
        Assert.Equal((0x40 | command[1], st1, st2), (results[0], results[1], results[2]));
    }

    [Fact]
    public void A_wrong_data_rate_finds_no_marks()
    {
        Start();
        _fdc.DigitalInput.Store(0, 2, 1);
        Dma(ToMemory, 512);
        Assert.Equal(1, Command(7, 0x46, 0, 0, 0, 1, 2, 18, 0, 0)[1]);
    }

    [Fact]
    public void A_channel_that_is_not_set_up_is_an_overrun()
    {
        Start();
        Assert.Equal(0x10, Command(7, 0x46, 0, 0, 0, 1, 2, 18, 0, 0)[1]);
        Dma(FromMemory, 512);
        Assert.Equal(0x10, Command(7, 0x46, 0, 0, 0, 1, 2, 18, 0, 0)[1]);
        Dma(0x42, 512); // verify moves nothing
        Assert.Equal(0, Command(7, 0x46, 0, 0, 0, 1, 2, 18, 0, 0)[1]);
        Assert.Equal(new byte[512], Memory(512));
    }

    [Fact]
    public void Formatting_fills_the_track()
    {
        Start();
        Seek(79, 1);
        byte[] identities = [.. Enumerable.Range(1, 18).SelectMany(r => new byte[] { 79, 1, (byte)r, 2 })];
        identities.CopyTo(_ram.GetForWrite(Buffer, identities.Length));
        Dma(FromMemory, identities.Length);
        Assert.Equal(0, Command(7, 0x4d, 4, 2, 18, 0x54, 0xf6)[1]);
        Assert.Equal(-1, _disk.Content.AsSpan(159 * TrackSize).IndexOfAnyExcept((byte)0xf6));
        Assert.NotEqual(-1, _disk.Content.AsSpan(158 * TrackSize, TrackSize).IndexOfAnyExcept((byte)0xf6));
        byte[] id = Command(7, 0x4a, 4);
        Assert.Equal((79, 1, 2), (id[3], id[4], id[6]));
    }

    [Fact]
    public void The_change_line_falls_with_a_step_and_rises_with_a_new_diskette()
    {
        Start();
        byte Dir() => (byte)(_fdc.DigitalInput.Load(0, 1) & 0x80);
        Assert.Equal(0x80, Dir());
        Seek(0);
        Assert.Equal(0x80, Dir());
        Seek(1);
        Assert.Equal(0, Dir());
        _fdc.ExchangeMedium(0, null);
        Seek(2);
        Assert.Equal(0x80, Dir());
        _fdc.ExchangeMedium(0, new TestDisk(1440 << 10, readOnly: true));
        Seek(3);
        Assert.Equal(0, Dir());
        Assert.Equal([0x68], Command(1, 0x04, 0));
        Dma(FromMemory, 512);
        Assert.Equal(0x02, Command(7, 0x45, 0, 3, 0, 1, 2, 18, 0, 0)[1]);
    }

    [Fact]
    public void Recalibration_and_relative_seeks()
    {
        Start();
        Seek(70);
        Command(0, 0xcf, 0, 5); // inwards
        Assert.Equal([0x20, 75], Command(2, 0x08));
        Command(0, 0x8f, 0, 70);
        Assert.Equal([0x20, 5], Command(2, 0x08));
        Command(0, 0x07, 0);
        Assert.Equal([0x20, 0], Command(2, 0x08));
        Assert.Equal([0x38], Command(1, 0x04, 0));
        Command(0, 0x07, 2);
        Assert.Equal([0x72, 0], Command(2, 0x08));
    }

    [Fact]
    public void Configuration_survives_a_reset_when_locked()
    {
        Start();
        Command(0, 0x13, 0, 0x57, 3);
        Assert.Equal([0x10], Command(1, 0x94));
        Out(DOR, 0x18);
        Assert.Equal(0, In(MSR));
        Out(DOR, 0x1c);
        // Polling is off: no interrupt.
        Assert.False(_levels[6]);
        byte[] dump = Command(10, 0x0e);
        Assert.Equal((18, 0x80, 0x57, 3), (dump[6], dump[7], dump[8], dump[9]));
        // The implied seek is on.
        Dma(ToMemory, 512);
        Assert.Equal(0, Command(7, 0x46, 0, 40, 0, 1, 2, 18, 0, 0)[1]);
        Assert.Equal([0], Command(1, 0x14));
        Out(MSR, 0x80);
        Assert.Equal(0, Command(10, 0x0e)[8]);
        Assert.Equal([0x90], Command(1, 0x10));
        Assert.Equal([0x80], Command(1, 0x18));
    }

    [Fact]
    public void A_transfer_wraps_around_in_its_page()
    {
        Start();
        Dma(ToMemory, 512, 0x2_ff00);
        Command(7, 0x46, 0, 0, 0, 1, 2, 18, 0, 0);
        Assert.Equal(_disk.Content.AsSpan(0, 256).ToArray(), Memory(256, 0x2_ff00));
        Assert.Equal(_disk.Content.AsSpan(256, 256).ToArray(), Memory(256, 0x2_0000));
    }

    [Fact]
    public void A_reset_abandons_what_the_host_has_under_way()
    {
        Start();
        _disk.Deferred = true;
        Dma(ToMemory, 512);
        foreach (byte b in new byte[] { 0x46, 0, 0, 0, 1, 2, 18, 0, 0 })
            Out(FIFO, b);
        Assert.Equal(0x10, In(MSR));
        Out(MSR, 0x80);
        _disk.CompleteOne(new Random(1));
        _fdc.Drain();
        Assert.Equal(0x80, In(MSR));
        Assert.Equal(new byte[512], Memory(512));
    }

    [Theory]
    [InlineData(1, 360)]
    [InlineData(360 << 10, 360)]
    [InlineData(160 << 10, 160)]
    [InlineData((360 << 10) + 1, 720)]
    [InlineData(1_000_000, 1200)]
    [InlineData(1_314_816, 1440)]
    [InlineData(1440 << 10, 1440)]
    [InlineData(1680 << 10, 1680)]
    [InlineData((1440 << 10) + 512, 2880)]
    [InlineData(2880 << 10, 2880)]
    public void An_image_is_a_diskette_of_its_size_or_the_smallest_that_holds_it(int length, int kilobytes)
        => Assert.Equal((ulong)kilobytes << 10, FloppyGeometry.Capacity((ulong)length));

    [Fact]
    public void What_no_diskette_holds_stays_as_it_is() => Assert.Equal(3_000_000ul, FloppyGeometry.Capacity(3_000_000));
}
