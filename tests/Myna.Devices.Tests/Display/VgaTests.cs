using Myna.Devices.Display;
using Myna.Devices.Tests.Support;
using Myna.Hardware.Memory;
using Myna.Hardware.Screens;
using Myna.Hardware.Time;

namespace Myna.Devices.Tests.Display;

/// <summary>IBM PS/2 Hardware Interface Technical Reference, "Video Subsystem"; Bochs, "VBE Display Interface".</summary>
public sealed class VgaTests : IDisposable
{
    private const int Planar = 0, TextWindow = 0x18000;

    private readonly ManualClock _clock = new();
    private readonly Ram _memory = new("vga", 1 << 20);
    private readonly Vga _vga;
    private readonly Surface _surface = new();

    public VgaTests() => _vga = new Vga(_clock, _memory);

    public void Dispose() => _memory.Dispose();

    private void Sequencer(int index, int value) => Indexed(4, index, value);
    private void Graphics(int index, int value) => Indexed(14, index, value);

    private void Crtc(int index, int value)
    {
        _vga.CrtcColour.Out(0, index);
        _vga.CrtcColour.Out(1, value);
    }

    private void Indexed(int port, int index, int value)
    {
        _vga.Registers.Out(port, index);
        _vga.Registers.Out(port + 1, value);
    }

    private void Colour(int index, int red, int green, int blue)
    {
        _vga.Registers.Out(8, index);
        foreach (int level in new[] { red, green, blue })
            _vga.Registers.Out(9, level);
    }

    private void Poke(int address, int value) => _vga.Window.Out(address, value);
    private int Peek(int address) => _vga.Window.In(address);

    /// <summary>The four planes' bytes, plane 3 first.</summary>
    private string Planes(int offset)
    {
        string text = "";
        Graphics(5, 0);
        for (int plane = 3; plane >= 0; plane--)
        {
            Graphics(4, plane);
            text += $"{Peek(offset):x2}";
        }
        return text;
    }

    private void Dispi(int index, int value)
    {
        _vga.DispiPorts.Store(0, (ulong)index, 2);
        _vga.DispiPorts.Store(1, (ulong)value & 0xff, 1);
        _vga.DispiPorts.Store(2, (ulong)value >> 8, 1);
    }

    private int Dispi(int index)
    {
        _vga.DispiPorts.Store(0, (ulong)index, 2);
        return _vga.DispiPorts.In(1) | _vga.DispiPorts.In(2) << 8;
    }

    private uint Pixel(int x, int y) => _surface.Row(y)[x] & 0xff_ffff;

    [Fact]
    public void Text_mode_without_firmware_is_mode_3()
    {
        byte[] font = new byte[VgaFont.Size];
        // A bar at the left in line 15 of the last character, so that the whole font must have arrived.
        font['H' * VgaFont.Lines] = 0xff;
        font[255 * VgaFont.Lines + 15] = 0x80;
        _vga.EnterTextMode(font);
        string crtc = "";
        for (int i = 0; i < 0x19; i++)
        {
            _vga.CrtcColour.Out(0, i);
            crtc += $"{_vga.CrtcColour.In(1):X2}";
        }
        Assert.Equal(VgaMode.Text.Crtc, crtc);
        Assert.Equal(0x67, _vga.Registers.In(12));
        (int last, int at) = (TextWindow + (79 + 24 * 80) * 2, TextWindow);
        Assert.Equal((' ', 7), (Peek(last), Peek(last + 1)));
        Poke(at, 'H');
        Poke(last, 255);
        Poke(last + 1, 0x1e);
        _vga.Draw(_surface);
        Assert.Equal((720, 400), (_surface.Width, _surface.Height));
        Assert.Equal((0xaaaaaau, 0u), (Pixel(7, 0), Pixel(0, 1)));
        Assert.Equal((0xffff55u, 0x0000aau), (Pixel(79 * 9, 399), Pixel(79 * 9 + 1, 399)));
    }

    [Fact]
    public void Font_is_found_behind_others_that_look_alike()
    {
        byte[] rom = new byte[20_000];
        void Font(int start, int a)
        {
            Convert.FromHexString("00007e81a58181bd9981817e00000000").CopyTo(rom, start + 16);
            Convert.FromHexString("000010386cc6c6fec6c6c6c600000000").CopyTo(rom, start + a);
        }
        Assert.True(VgaFont.Find(rom).IsEmpty);
        Font(100, 65 * 14);
        Assert.True(VgaFont.Find(rom).IsEmpty);
        Font(8001, 65 * 16);
        Assert.True(VgaFont.Find(rom).Overlaps(rom, out int offset) && -offset == 8001);
        Assert.True(VgaFont.Find(rom.AsSpan(0, 8001 + VgaFont.Size - 1)).IsEmpty);
    }

    [Fact]
    public void Text_is_shown_with_the_font_in_plane_2()
    {
        VgaMode.Text.Set(_vga);
        Colour(7, 42, 42, 42);
        Colour(4, 63, 0, 0);
        // The font: maps one after the other, 32 bytes a character.
        Sequencer(2, 4);
        Sequencer(4, 6);
        Graphics(6, 4);
        for (int line = 0; line < 16; line++)
            Poke(0x41 * 32 + line, line == 3 ? 0x81 : 0);
        Sequencer(2, 3);
        Sequencer(4, 2);
        Graphics(6, 0xe);
        Poke(TextWindow + 2, 0x41);
        Poke(TextWindow + 3, 0x47);
        Assert.Equal(0x41, Peek(TextWindow + 2));
        Assert.Equal(0x47, Peek(TextWindow + 3));
        Crtc(0xa, 0x20);
        _vga.Draw(_surface);
        Assert.Equal((720, 400), (_surface.Width, _surface.Height));
        uint grey = 0xaaaaaa, red = 0xff0000;
        Assert.Equal([grey, red, red, red, red, red, red, grey, red], Enumerable.Range(9, 9).Select(x => Pixel(x, 3)));
        Assert.Equal(red, Pixel(9, 2));
        Assert.Equal(0u, Pixel(18, 3));
    }

    [Fact]
    public void The_cursor_blinks_and_line_graphics_reach_the_next_cell()
    {
        VgaMode.Text.Set(_vga);
        Colour(7, 63, 63, 63);
        Poke(TextWindow + 1, 7);
        Crtc(0xa, 14);
        Crtc(0xb, 15);
        _vga.Draw(_surface);
        Assert.Equal((0u, 0xffffffu, 0xffffffu), (Pixel(0, 13), Pixel(0, 14), Pixel(8, 15)));
        _clock.Advance(130_000_000);
        _vga.Draw(_surface);
        Assert.Equal(0u, Pixel(0, 14));
        Sequencer(2, 4);
        Sequencer(4, 6);
        Graphics(6, 4);
        Poke(0xc4 * 32, 0xff);
        Poke(0x41 * 32, 0xff);
        Sequencer(2, 3);
        Sequencer(4, 2);
        Graphics(6, 0xe);
        foreach ((int cell, int character) in new[] { (2, 0xc4), (3, 0x41) })
        {
            Poke(TextWindow + cell * 2, character);
            Poke(TextWindow + cell * 2 + 1, 7);
        }
        _vga.Draw(_surface);
        Assert.Equal((0xffffffu, 0u), (Pixel(2 * 9 + 8, 0), Pixel(3 * 9 + 8, 0)));
    }

    [Fact]
    public void Chained_bytes_are_pixels_of_two_dots()
    {
        VgaMode.Chained.Set(_vga);
        Colour(0x35, 1, 2, 63);
        Poke(321, 0x35);
        Assert.Equal(0x35, Peek(321));
        _vga.Draw(_surface);
        Assert.Equal((640, 400), (_surface.Width, _surface.Height));
        uint colour = 0x0408ff;
        Assert.Equal([0u, colour, colour, 0u], new[] { 1, 2, 3, 4 }.Select(x => Pixel(x, 2)));
        Assert.Equal((0u, colour, 0u), (Pixel(2, 1), Pixel(2, 3), Pixel(2, 4)));
    }

    [Theory]
    [InlineData(0, 0, 0, 0, 0xff, 0x96, "96969696")]
    [InlineData(0, 4, 0, 0, 0xff, 0x96, "69696969")] // rotated by 4
    [InlineData(0, 0, 5, 0xf, 0xff, 0x96, "00ff00ff")] // set/reset in all planes
    [InlineData(0, 0, 5, 0x3, 0xff, 0x96, "969600ff")] // in two
    [InlineData(0, 0, 0, 0, 0x0f, 0x96, "16263646")] // bit mask: the rest from the latch
    [InlineData(0, 0x08, 0, 0, 0xff, 0x96, "14021006")] // AND
    [InlineData(0, 0x18, 0, 0, 0xff, 0x96, "82b4a6d0")] // XOR
    [InlineData(0, 0x10, 0, 0, 0xff, 0x96, "96b6b6d6")] // OR
    [InlineData(1, 0, 0, 0, 0xff, 0x96, "14223046")] // latch
    [InlineData(2, 0, 0, 0, 0xf0, 0x0a, "f402f006")] // colour 1010
    [InlineData(3, 0, 0x6, 0, 0x3c, 0x96, "00363442")] // mask AND data, set/reset
    public void Write_modes(int mode, int function, int setReset, int enable, int bitMask, int data, string expected)
    {
        VgaMode.Planar.Set(_vga);
        // Planes 3 to 0: 14 22 30 46.
        foreach ((int map, int value) in new[] { (8, 0x14), (4, 0x22), (2, 0x30), (1, 0x46) })
        {
            Sequencer(2, map);
            Poke(Planar, value);
        }
        Sequencer(2, 15);
        Assert.Equal("14223046", Planes(Planar));
        Graphics(0, setReset);
        Graphics(1, enable);
        Graphics(3, function);
        Graphics(5, mode);
        Graphics(8, bitMask);
        _ = Peek(Planar);
        Poke(Planar, data);
        Assert.Equal(expected, Planes(Planar));
    }

    [Fact]
    public void Read_mode_1_compares_colours()
    {
        VgaMode.Planar.Set(_vga);
        foreach ((int map, int value) in new[] { (8, 0b1100), (4, 0b1010), (2, 0), (1, 0b1111) })
        {
            Sequencer(2, map);
            Poke(Planar, value);
        }
        Graphics(2, 0b1101);
        Graphics(7, 15);
        Graphics(5, 8);
        Assert.Equal(0b1000, Peek(Planar));
        Graphics(7, 0b1011);
        Assert.Equal(0b1100, Peek(Planar));
        Graphics(7, 0);
        Assert.Equal(0xff, Peek(Planar));
    }

    [Fact]
    public void Planes_make_16_colours_and_the_screen_can_be_split()
    {
        VgaMode.Planar.Set(_vga);
        Colour(0x3b, 10, 20, 30);
        Graphics(5, 2);
        Graphics(8, 0x40);
        _ = Peek(80 * 100);
        Poke(80 * 100, 11);
        _vga.Draw(_surface);
        Assert.Equal((640, 480), (_surface.Width, _surface.Height));
        uint colour = 10 << 18 | 20 << 10 | 0x0100 | 30 << 2 | 1;
        Assert.Equal((0u, colour, 0u), (Pixel(0, 100), Pixel(1, 100), Pixel(2, 100)));
        // Behind line 199 the picture begins again.
        Crtc(0x18, 199);
        Crtc(7, 0x3e & ~0x10);
        Crtc(9, 0);
        Crtc(0xc, 80 * 100 >> 8);
        Crtc(0xd, 80 * 100 & 0xff);
        _vga.Draw(_surface);
        Assert.Equal((colour, colour), (Pixel(1, 0), Pixel(1, 300)));
        // Panning by three pixels.
        Attribute(0x13, 1);
        _vga.Draw(_surface);
        Assert.Equal(colour, Pixel(0, 0));
    }

    private void Attribute(int index, int value)
    {
        _vga.StatusColour.In();
        _vga.Registers.Out(0, index | 0x20);
        _vga.Registers.Out(0, value);
    }

    [Fact]
    public void Registers_of_the_attribute_controller_alternate_with_their_index()
    {
        _vga.Registers.Out(2, 1);
        Attribute(0x10, 0x41);
        Assert.Equal(0x41, _vga.Registers.In(1));
        Assert.Equal(0x30, _vga.Registers.In(0));
        _vga.Registers.Out(0, 0x12);
        Assert.Equal(0x12, _vga.Registers.In(0));
        _vga.StatusColour.In();
        _vga.Registers.Out(0, 0x13);
        Assert.Equal(0x13, _vga.Registers.In(0));
    }

    [Fact]
    public void The_dac_counts_colours_and_components()
    {
        Colour(10, 1, 2, 0xff);
        Assert.Equal(11, _vga.Registers.In(8));
        Assert.Equal(0, _vga.Registers.In(7));
        _vga.Registers.Out(7, 10);
        Assert.Equal(3, _vga.Registers.In(7));
        Assert.Equal((1, 2, 63), (_vga.Registers.In(9), _vga.Registers.In(9), _vga.Registers.In(9)));
    }

    [Fact]
    public void The_crt_controller_protects_its_timing_and_moves_with_the_colour_bit()
    {
        _vga.Registers.Out(2, 1);
        Crtc(0, 0x5f);
        Crtc(0x11, 0x80);
        Crtc(0, 0x11);
        _vga.CrtcColour.Out(0, 0);
        Assert.Equal(0x5f, _vga.CrtcColour.In(1));
        Crtc(7, 0xff);
        Assert.Equal(0x10, _vga.CrtcColour.In(1));
        Assert.Equal(0xff, _vga.CrtcMono.In(0));
        _vga.Registers.Out(2, 0);
        Assert.Equal(7, _vga.CrtcMono.In(0));
        Assert.Equal(0xff, _vga.CrtcColour.In(0));
    }

    [Fact]
    public void The_status_shows_the_retrace_once_a_frame()
    {
        _vga.Registers.Out(2, 1);
        int changes = 0, before = 0;
        for (int i = 0; i < 14_268; i++)
        {
            _clock.Advance(10_000);
            int now = _vga.StatusColour.In() & 8;
            changes += now != before ? 1 : 0;
            before = now;
        }
        Assert.InRange(changes, 19, 21);
    }

    [Fact]
    public void A_linear_mode_is_shown_with_its_depth_and_offset()
    {
        Assert.Equal(0xb0c5, Dispi(0));
        Assert.Equal(16, Dispi(10));
        Dispi(1, 324);
        Dispi(2, 200);
        Dispi(3, 32);
        _memory.GetForWrite(0, 4)[0] = 1;
        Dispi(4, 0x41);
        Assert.Equal(0, _memory.Get(0, 1)[0]);
        Assert.Equal((320, 200, 320, 819), (Dispi(1), Dispi(2), Dispi(6), Dispi(7)));
        Dispi(6, 400);
        Dispi(8, 50);
        Dispi(9, 3);
        _memory.GetForWrite((3 * 400 + 50 + 7) * 4, 4)[1] = 0x9a;
        _vga.Draw(_surface);
        Assert.Equal((320, 200), (_surface.Width, _surface.Height));
        Assert.Equal((0x009a00u, 0u), (Pixel(7, 0), Pixel(8, 0)));
        // No resolution while it is on; not more than the memory holds.
        Dispi(1, 640);
        Assert.Equal(320, Dispi(1));
        Dispi(9, 0xffff);
        Assert.Equal(655 - 200, Dispi(9));
        Dispi(4, 0);
        Dispi(1, 8000);
        Dispi(2, 8000);
        Dispi(4, 0x41);
        Assert.InRange(Dispi(6) * Dispi(2) * 4, 1, 1 << 20);
    }

    [Theory]
    [InlineData(8, "2a", 0xa20820)]
    [InlineData(15, "ff7f", 0xffffff)]
    [InlineData(15, "1f00", 0x0000ff)]
    [InlineData(16, "00f8", 0xff0000)]
    [InlineData(16, "e007", 0x00ff00)]
    [InlineData(24, "563412", 0x123456)]
    [InlineData(32, "56341299", 0x123456)]
    public void Depths(int depth, string bytes, int expected)
    {
        Colour(0x2a, 40, 2, 8);
        Dispi(1, 64);
        Dispi(2, 64);
        Dispi(3, depth);
        Dispi(4, 0x41);
        byte[] raw = Convert.FromHexString(bytes);
        raw.CopyTo(_memory.GetForWrite(0, raw.Length));
        _vga.Draw(_surface);
        Assert.Equal((uint)expected, Pixel(0, 0));
    }

    [Fact]
    public void Banks_of_the_window()
    {
        Dispi(1, 640);
        Dispi(2, 400);
        Dispi(3, 8);
        Dispi(4, 1);
        Graphics(6, 5);
        Dispi(5, 2);
        Poke(5, 0x77);
        Assert.Equal(0x77, _memory.Get(0x20005, 1)[0]);
        Dispi(5, 0xffff);
        Assert.Equal(15, Dispi(5));
    }

    [Fact]
    public void What_does_not_change_is_no_damage()
    {
        VgaMode.Chained.Set(_vga);
        Colour(1, 63, 63, 63);
        _vga.Draw(_surface);
        _surface.ClearDamage();
        _vga.Draw(_surface);
        Assert.False(_surface.IsDamaged);
        Poke(320 * 100 + 40, 1);
        _vga.Draw(_surface);
        Assert.Equal([12 * 10 + 1], _surface.Damage.ToArray().Select((d, i) => d ? i : -1).Where(i => i >= 0));
    }

    [Fact]
    public void Writes_outside_of_the_chosen_window_vanish()
    {
        VgaMode.Text.Set(_vga);
        Poke(0, 1);
        Assert.Equal(0xff, Peek(0));
        Assert.Equal(0xff, Peek(0x10000));
    }
}
