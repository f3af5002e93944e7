using Myna.Devices.Flash;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;

namespace Myna.Devices.Tests.Flash;

/// <summary>JEDEC JESD68.01 and Intel's command set 0001, as a driver for two chips side by side uses them.</summary>
public sealed class CfiFlashTests : IDisposable
{
    private readonly Ram _cells = new("flash", 1 << 20);
    private readonly CfiFlash _flash;

    public CfiFlashTests() => _flash = new CfiFlash(_cells);

    public void Dispose() => _cells.Dispose();

    private void Command(ulong offset, byte command) => _flash.Store(offset, command | (uint)command << 16);

    [Fact]
    public void Erased_flash_reads_as_ones_at_any_width()
    {
        Assert.Equal(0xffu, _flash.Load(1, 1));
        Assert.Equal(ulong.MaxValue, _flash.Load(0x8_0000, 8));
    }

    [Fact]
    public void Programming_clears_bits_and_never_sets_them()
    {
        Command(0x100, 0x40);
        _flash.Store(0x100, 0x1234_5678);
        Assert.Equal(0x0080_0080u, _flash.Load(0));
        Command(0, 0xff);
        Assert.Equal(0x1234_5678u, _flash.Load(0x100));
        Command(0x100, 0x40);
        _flash.Store(0x100, 0xffff_0000);
        Command(0, 0xff);
        Assert.Equal(0x1234_0000u, _flash.Load(0x100));
    }

    [Fact]
    public void Erasing_sets_one_sector_to_ones()
    {
        foreach (ulong at in new ulong[] { 0x3_fffc, 0x4_0000, 0x7_fffc, 0x8_0000 })
        {
            Command(at, 0x10);
            _flash.Store(at, 0);
        }
        Command(0x4_1000, 0x20);
        Command(0x4_1000, 0xd0);
        Assert.Equal(0x80u, _flash.Load(0, 1));
        Command(0, 0xff);
        Assert.Equal([0u, uint.MaxValue, uint.MaxValue, 0u],
            new ulong[] { 0x3_fffc, 0x4_0000, 0x7_fffc, 0x8_0000 }.Select(at => (uint)_flash.Load(at)));
    }

    [Fact]
    public void An_erase_that_is_not_confirmed_reports_a_sequence_error()
    {
        Command(0, 0x20);
        Command(0, 0x00);
        Assert.Equal(0xb0u, _flash.Load(0, 1));
        Command(0, 0x50);
        Command(0, 0x70);
        Assert.Equal(0x80u, _flash.Load(0, 1));
    }

    [Fact]
    public void A_buffered_write_programs_a_run_of_words()
    {
        Command(0x200, 0xe8);
        Assert.Equal(0x0080_0080u, _flash.Load(0x200));
        Command(0x200, 3);
        for (uint i = 0; i < 4; i++)
            _flash.Store(0x200 + i * 4, 0xa0 + i);
        Command(0x200, 0xd0);
        Command(0, 0xff);
        Assert.Equal([0xa0u, 0xa1u, 0xa2u, 0xa3u, uint.MaxValue], Enumerable.Range(0, 5).Select(i => (uint)_flash.Load(0x200 + (ulong)i * 4)));
    }

    [Fact]
    public void The_query_describes_two_chips_with_all_of_the_bank()
    {
        Command(0x55 * 4, 0x98);
        uint Word(int index) => (uint)_flash.Load((ulong)index * 4) & 0xffff;
        Assert.Equal("QRY", string.Concat((char)Word(0x10), (char)Word(0x11), (char)Word(0x12)));
        Assert.Equal(_flash.Load(0x10 * 4) >> 16, _flash.Load(0x10 * 4) & 0xffff);
        Assert.Equal(_cells.Size, 2ul << (int)Word(0x27));
        ulong sectors = Word(0x2d) + (Word(0x2e) << 8) + 1, sector = (Word(0x2f) + (Word(0x30) << 8)) * 256;
        Assert.Equal(_cells.Size, 2 * sectors * sector);
        Command(0, 0x90);
        Assert.Equal(0x0089_0089u, _flash.Load(0));
        Command(0, 0xff);
        Assert.Equal(uint.MaxValue, _flash.Load(0));
    }

    [Fact]
    public void Reset_returns_to_reading_the_array()
    {
        Command(0, 0x70);
        _flash.Reset();
        Assert.Equal(uint.MaxValue, _flash.Load(0));
    }

    /// <summary>How OVMF tells flash from ROM and RAM, and how it writes (EDK II, QemuFlash.c).</summary>
    [Fact]
    public void A_single_chip_is_known_by_its_status_and_programs_bytes()
    {
        var kept = new Kept(0x84000);
        kept.Content[0x1000] = 0x5f;
        using var cells = new Ram("flash", kept.Length);
        var flash = new CfiFlash(cells, CfiFlashLayout.Single, kept);
        Assert.Equal(0x5fu, flash.Load(0x1000, 1));
        flash.Store(0x1000, 0x50, 1);
        Assert.Equal(0x5fu, flash.Load(0x1000, 1));
        flash.Store(0x1000, 0x70, 1);
        Assert.Equal(0u, flash.Load(0x1000, 1));
        flash.Store(0x1000, 0xff, 1);
        Assert.Equal(0x5fu, flash.Load(0x1000, 1));
        for (uint i = 0; i < 4; i++)
        {
            flash.Store(0x2001 + i, 0x10, 1);
            flash.Store(0x2001 + i, 0xa0 + i, 1);
        }
        Assert.Equal(0x80u, flash.Load(0x2001, 1));
        Assert.Equal(0, kept.Writes);
        flash.Store(0x2001, 0xff, 1);
        Assert.Equal(0xa3a2_a1a0u, flash.Load(0x2001));
        Assert.Equal(1, kept.Writes);
        Assert.Equal([0xff, 0xa0, 0xa1, 0xa2, 0xa3, 0xff], kept.Content[0x2000..0x2006]);
        // A sector is 4 KiB.
        flash.Store(0x1fff, 0x20, 1);
        flash.Store(0x1fff, 0xd0, 1);
        flash.Reset();
        Assert.Equal((0xff, 0xa0), (kept.Content[0x1000], kept.Content[0x2001]));
        Assert.Equal(0xffu, flash.Load(0x1000, 1));
    }

    [Fact]
    public void Its_window_shows_the_array_while_no_command_runs()
    {
        using var cells = new Ram("flash", 1 << 20, readOnly: true);
        cells.GetForWrite(0, 4).Fill(0x33);
        var window = new Window();
        var flash = new CfiFlash(cells, window: window);
        flash.Reset();
        Assert.True(window.Array);
        Assert.Equal(0x3333_3333u, flash.Load(0));
        flash.Store(0, 0x0040_0040);
        Assert.False(window.Array);
        flash.Store(0, 0x1111_1111);
        Assert.Equal(0x0080_0080u, flash.Load(0));
        flash.Store(0, 0x00ff_00ff);
        Assert.True(window.Array);
        Assert.Equal([0x11, 0x11, 0x11, 0x11], cells.Get(0, 4).ToArray());
        flash.Store(0, 0x0020_0020);
        flash.Store(0, 0x00d0_00d0);
        Assert.False(window.Array);
        flash.Reset();
        Assert.True(window.Array);
        Assert.Equal(uint.MaxValue, flash.Load(0));
    }

    private sealed class Window : IFlashWindow
    {
        public bool Array { get; private set; }

        public void Show(bool array) => Array = array;
    }

    private sealed class Kept : Myna.Hardware.Backends.IFlashBackend
    {
        public Kept(int length)
        {
            Content = new byte[length];
            Content.AsSpan().Fill(0xff);
        }

        public byte[] Content { get; }
        public int Writes { get; private set; }
        public ulong Length => (ulong)Content.Length;
        public void Read(Span<byte> content) => Content.CopyTo(content);

        public void Write(ulong offset, ReadOnlySpan<byte> bytes)
        {
            Writes++;
            bytes.CopyTo(Content.AsSpan((int)offset));
        }
    }
}
