using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Myna.Boot.Tests;

/// <summary>
/// Boot sectors that draw by the video BIOS and the VGA's registers, tell on COM1 that they have, and halt. What they draw reaches every
/// corner of a mode: all characters and attributes, all planes, all colours, all banks.
/// </summary>
internal static class PicturePrograms
{
    /// <summary>What a program writes to COM1 behind its last pixel.</summary>
    public const string Done = "picture drawn";

    private const ushort Sequencer = 0x3c4, Graphics = 0x3ce, Crtc = 0x3d4, Attributes = 0x3c0, Status1 = 0x3da, DacIndex = 0x3c8, DacData = 0x3c9;

    public static readonly Dictionary<string, Action<Assembler>> All = new()
    {
        ["text, 80x25"] = c => { Mode(c, 3); Text(c, 80 * 25); },
        ["text, 40x25"] = c => { Mode(c, 1); Text(c, 40 * 25); },
        ["text, 80x50"] = c => { Mode(c, 3); Bios(c, 0x1112, 0); Text(c, 80 * 50); },
        ["text, blinking off, 16 backgrounds"] = c => { Mode(c, 3); Bios(c, 0x1003, 0); Text(c, 80 * 25, attributes: 0xff); },
        ["text, a second font by attribute bit 3"] = c => { Mode(c, 3); Bios(c, 0x1103, 0x04); Text(c, 80 * 25); },
        ["text, a cursor"] = c => { Mode(c, 3); Text(c, 80 * 25); Register(c, Crtc, 0x0a, 0x03); Register(c, Crtc, 0x0b, 0x0c); Register(c, Crtc, 0x0e, 2); Register(c, Crtc, 0x0f, 0x20); },
        ["CGA, 320x200, 4 colours"] = c => { Mode(c, 4); Fill(c, 0xb800, 0x4000); },
        ["CGA, 320x200, the other palette"] = c => { Mode(c, 5); Bios(c, 0x0b00, 0x0100); Fill(c, 0xb800, 0x4000); },
        ["CGA, 640x200, 2 colours"] = c => { Mode(c, 6); Fill(c, 0xb800, 0x4000); },
        ["EGA, 320x200, 16 colours"] = c => { Mode(c, 0x0d); Planes(c, 8000); },
        ["EGA, 640x350, 16 colours"] = c => { Mode(c, 0x10); Planes(c, 28000); },
        ["VGA, 640x480, 2 colours"] = c => { Mode(c, 0x11); Fill(c, 0xa000, 38400); },
        ["VGA, 640x480, 16 colours"] = c => { Mode(c, 0x12); Planes(c, 38400); },
        ["VGA, 640x480, write mode 2 and a bit mask"] = c => { Mode(c, 0x12); Planes(c, 38400); WriteMode2(c); },
        ["VGA, 640x480, another palette"] = c => { Mode(c, 0x12); Planes(c, 38400); Palette(c, 64); },
        ["VGA, 320x200, 256 colours"] = c => { Mode(c, 0x13); Fill(c, 0xa000, 64000); },
        ["VGA, 320x200, 256 colours of one's own"] = c => { Mode(c, 0x13); Fill(c, 0xa000, 64000); Palette(c, 256); },
        ["VGA, 320x200, four planes of 256 colours"] = c => { Mode(c, 0x13); Unchain(c); Planes(c, 16000); },
        ["VGA, 320x240, four planes of 256 colours"] = c => { Mode(c, 0x13); Unchain(c); SquarePixels(c); Planes(c, 19200); },
        ["EGA, a start address"] = c => { Mode(c, 0x0d); Planes(c, 16000); Register(c, Crtc, 0x0c, 0x03); Register(c, Crtc, 0x0d, 0x25); },
        ["EGA, a wider line than the screen"] = c => { Mode(c, 0x0d); Planes(c, 16000); Register(c, Crtc, 0x13, 0x1e); },
        ["VGA, a split screen"] = c => { Mode(c, 0x12); Planes(c, 38400); Register(c, Crtc, 0x0c, 0x10); Register(c, Crtc, 0x18, 0xc8); Register(c, Crtc, 0x07, 0x2e); Register(c, Crtc, 0x09, 0x00); },
        ["VBE, 640x480, 256 colours"] = c => Vbe(c, 0x101, 5),
        ["VBE, 640x480, 15 bits"] = c => Vbe(c, 0x110, 10),
        ["VBE, 800x600, 16 bits"] = c => Vbe(c, 0x114, 15),
        ["VBE, 1024x768, 24 bits"] = c => Vbe(c, 0x118, 36),
        ["VBE, 1024x768, 32 bits"] = c => Vbe(c, 0x144, 48),
    };

    /// <summary>The program as the first sectors of a disk; the first loads the others behind itself.</summary>
    public static byte[] Disk(string name)
    {
        const int Sectors = 4;
        var c = new Assembler(16);
        c.cli();
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.mov(es, ax);
        c.mov(ss, ax);
        Move(c, sp, 0x7c00);
        c.cld();
        // INT 13h, AH = 2: the sectors from the second on, to 7E00h.
        Move(c, ax, 0x0200 + Sectors - 1);
        Move(c, bx, 0x7e00);
        Move(c, cx, 2);
        c.mov(dh, 0);
        c.@int(0x13);
        Label rest = c.CreateLabel();
        c.jmp(rest);
        while (Assemble(c).Length < 510)
            c.nop();
        c.dw(0xaa55);
        c.Label(ref rest);
        Bios(c, 0x0100, 0, cx: 0x2000);
        All[name](c);
        Move(c, dx, 0x3f8);
        foreach (char letter in Done)
        {
            c.mov(al, (sbyte)letter);
            c.@out(dx, al);
        }
        Label halt = c.CreateLabel();
        c.Label(ref halt);
        c.cli();
        c.hlt();
        c.jmp(halt);
        byte[] code = Assemble(c), disk = new byte[1 << 20];
        if (code.Length > Sectors * 512)
            throw new InvalidOperationException($"{name} is too long");
        code.CopyTo(disk, 0);
        return disk;
    }

    private static byte[] Assemble(Assembler c)
    {
        using var stream = new MemoryStream();
        _ = c.Assemble(new StreamCodeWriter(stream), 0x7c00);
        return stream.ToArray();
    }

    private static void Move(Assembler c, AssemblerRegister16 register, int value) => c.mov(register, (ushort)value);

    private static void Mode(Assembler c, int mode) => Bios(c, mode, 0);

    private static void Bios(Assembler c, int function, int argument, int cx = 0)
    {
        Move(c, ax, function);
        Move(c, bx, argument);
        Move(c, AssemblerRegisters.cx, cx);
        c.@int(0x10);
    }

    /// <summary>An indexed register: index to the port, value to the next.</summary>
    private static void Register(Assembler c, ushort port, byte index, byte value)
    {
        Move(c, dx, port);
        Move(c, ax, value << 8 | index);
        c.@out(dx, ax);
    }

    /// <summary>Begins a loop from a segment's first byte on: ES:DI, CX times.</summary>
    private static Label Each(Assembler c, int segment, int times)
    {
        Move(c, ax, segment);
        c.mov(es, ax);
        c.xor(di, di);
        Move(c, cx, times);
        Label next = c.CreateLabel();
        c.Label(ref next);
        return next;
    }

    /// <summary>Every character, with an attribute that changes with every row and a half.</summary>
    private static void Text(Assembler c, int cells, int attributes = 0x7f)
    {
        c.xor(bx, bx);
        Label next = Each(c, 0xb800, cells);
        c.mov(ax, bx);
        c.shr(ax, 3);
        c.and(al, (sbyte)attributes);
        c.mov(ah, al);
        c.mov(al, bl);
        c.stosw();
        c.inc(bx);
        c.loop(next);
    }

    /// <summary>Bytes that count up, and turn with every 64.</summary>
    private static void Fill(Assembler c, int segment, int bytes)
    {
        Label next = Each(c, segment, bytes);
        c.mov(ax, di);
        c.shr(ax, 6);
        c.mov(bx, di);
        c.xor(al, bl);
        c.stosb();
        c.loop(next);
    }

    /// <summary>Each of the four planes with another pattern.</summary>
    private static void Planes(Assembler c, int bytes)
    {
        for (int plane = 0; plane < 4; plane++)
        {
            Register(c, Sequencer, 2, (byte)(1 << plane));
            Label next = Each(c, 0xa000, bytes);
            c.mov(ax, di);
            c.shr(ax, (byte)(4 + plane));
            c.mov(bx, di);
            c.add(al, bl);
            c.xor(al, (sbyte)(plane * 0x35));
            c.stosb();
            c.loop(next);
        }
    }

    /// <summary>Colour 0Bh through a mask, in write mode 2, over the upper part.</summary>
    private static void WriteMode2(Assembler c)
    {
        Register(c, Sequencer, 2, 0x0f);
        Register(c, Graphics, 5, 0x02);
        Register(c, Graphics, 8, 0x5a);
        Label next = Each(c, 0xa000, 16000);
        c.mov(al, __byte_ptr.es[di]);
        c.mov(al, 0x0b);
        c.stosb();
        c.loop(next);
    }

    /// <summary>Another colour for each of the DAC's first entries, and the attribute controller's palette turned round.</summary>
    private static void Palette(Assembler c, int entries)
    {
        Move(c, dx, DacIndex);
        c.mov(al, 0);
        c.@out(dx, al);
        Move(c, dx, DacData);
        Move(c, cx, entries);
        c.xor(bx, bx);
        Label next = c.CreateLabel();
        c.Label(ref next);
        foreach (int factor in (ReadOnlySpan<int>)[3, 5, 11])
        {
            c.mov(al, (sbyte)factor);
            c.mul(bl);
            c.and(al, 0x3f);
            c.@out(dx, al);
        }
        c.inc(bx);
        c.loop(next);
        if (entries == 256)
            return;
        for (int i = 0; i < 16; i++)
        {
            Move(c, dx, Status1);
            c.@in(al, dx);
            Move(c, dx, Attributes);
            c.mov(al, (sbyte)i);
            c.@out(dx, al);
            c.mov(al, (sbyte)(15 - i + 0x10));
            c.@out(dx, al);
        }
        c.mov(al, 0x20);
        c.@out(dx, al);
    }

    private static void Unchain(Assembler c)
    {
        Register(c, Sequencer, 4, 0x06);
        Register(c, Crtc, 0x14, 0x00);
        Register(c, Crtc, 0x17, 0xe3);
    }

    /// <summary>480 lines, each pixel row twice, as mode 12h has them.</summary>
    private static void SquarePixels(Assembler c)
    {
        Move(c, dx, 0x3c2);
        c.mov(al, unchecked((sbyte)0xe3));
        c.@out(dx, al);
        Register(c, Crtc, 0x11, 0x2c);
        foreach ((byte index, byte value) in (ReadOnlySpan<(byte, byte)>)[(0x06, 0x0d), (0x07, 0x3e), (0x10, 0xea), (0x12, 0xdf), (0x15, 0xe7), (0x16, 0x06), (0x11, 0xac)])
            Register(c, Crtc, index, value);
    }

    /// <summary>A mode of VESA's, drawn through the window at A000h, bank by bank (VBE 3.0, functions 02h and 05h).</summary>
    private static void Vbe(Assembler c, int mode, int banks)
    {
        Bios(c, 0x4f02, mode);
        Move(c, bp, 0);
        Label bank = c.CreateLabel();
        c.Label(ref bank);
        Move(c, ax, 0x4f05);
        c.xor(bx, bx);
        c.mov(dx, bp);
        c.@int(0x10);
        Label next = Each(c, 0xa000, 0x8000);
        c.mov(ax, di);
        c.mov(bx, di);
        c.shr(bx, 5);
        c.xor(ax, bx);
        c.add(ax, bp);
        c.stosw();
        c.loop(next);
        c.inc(bp);
        c.cmp(bp, (short)banks);
        c.jne(bank);
    }
}
