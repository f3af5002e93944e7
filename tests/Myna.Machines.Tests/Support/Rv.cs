using System.Buffers.Binary;
using System.Text;

namespace Myna.Machines.Tests.Support;

/// <summary>Small RISC-V programs for tests, encoded from the manual's formats alone.</summary>
internal sealed class Rv
{
    public const int Zero = 0, T0 = 5, T1 = 6, A0 = 10, A1 = 11, A7 = 17;
    private readonly List<uint> _words = [];

    public int Position => _words.Count * 4;

    public Rv Lui(int rd, uint upper) => Word(upper << 12 | (uint)rd << 7 | 0x37);
    public Rv Auipc(int rd, uint upper) => Word(upper << 12 | (uint)rd << 7 | 0x17);
    public Rv Addi(int rd, int rs, int immediate) => Word((uint)immediate << 20 | (uint)rs << 15 | (uint)rd << 7 | 0x13);
    public Rv Slli(int rd, int rs, int shift) => Word((uint)shift << 20 | (uint)rs << 15 | 1u << 12 | (uint)rd << 7 | 0x13);
    public Rv Lw(int rd, int rs, int offset) => Word((uint)offset << 20 | (uint)rs << 15 | 2u << 12 | (uint)rd << 7 | 0x03);
    public Rv Sw(int value, int rs, int offset) => Store(2, value, rs, offset);
    public Rv Sd(int value, int rs, int offset) => Store(3, value, rs, offset);
    public Rv Sb(int value, int rs, int offset) => Store(0, value, rs, offset);
    public Rv Bne(int a, int b, int offset) => Branch(1, a, b, offset);
    public Rv Csrr(int rd, int csr) => Word((uint)csr << 20 | 2u << 12 | (uint)rd << 7 | 0x73);
    public Rv Ecall() => Word(0x73);
    public Rv Wfi() => Word(0x10500073);
    public Rv Loop() => Word(0x0000006f);

    /// <summary>A constant of 32 bits, zero-extended, by shifts so that its sign does not matter.</summary>
    public Rv Li(int rd, uint value)
        => Addi(rd, Zero, (int)(value >> 22)).Slli(rd, rd, 11).Addi(rd, rd, (int)(value >> 11 & 0x7ff)).Slli(rd, rd, 11).Addi(rd, rd, (int)(value & 0x7ff));

    /// <summary>Writes to the test finisher; the harts then loop.</summary>
    public Rv Finish(uint value) => Li(T0, 0x10_0000).Li(T1, value).Sw(T1, T0, 0).Loop();

    /// <summary>Sends text to the UART.</summary>
    public Rv Print(string text)
    {
        Li(T0, 0x1000_0000);
        foreach (char c in text)
            Addi(T1, Zero, c).Sb(T1, T0, 0);
        return this;
    }

    public byte[] ToArray()
    {
        byte[] bytes = new byte[_words.Count * 4];
        for (int i = 0; i < _words.Count; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), _words[i]);
        return bytes;
    }

    private Rv Store(uint width, int value, int rs, int offset)
        => Word((uint)(offset >> 5 & 0x7f) << 25 | (uint)value << 20 | (uint)rs << 15 | width << 12 | (uint)(offset & 0x1f) << 7 | 0x23);

    private Rv Branch(uint kind, int a, int b, int offset)
        => Word((uint)(offset >> 12 & 1) << 31 | (uint)(offset >> 5 & 0x3f) << 25 | (uint)b << 20 | (uint)a << 15 | kind << 12
            | (uint)(offset >> 1 & 0xf) << 8 | (uint)(offset >> 11 & 1) << 7 | 0x63);

    public Rv Word(uint word)
    {
        _words.Add(word);
        return this;
    }
}

/// <summary>Writes ELF64 files with one segment and some symbols (System V ABI, chapters 4 and 5).</summary>
internal sealed record Elf(byte[] Code, ulong Address = 0x8000_0000)
{
    public ulong? Entry { get; init; }
    public ulong? VirtualAddress { get; init; }
    public ulong ExtraMemory { get; init; }
    public ushort Machine { get; init; } = 243;
    public ushort Type { get; init; } = 2;
    public byte Class { get; init; } = 2;
    public byte Data { get; init; } = 1;
    public Dictionary<string, ulong> Symbols { get; init; } = [];

    public byte[] ToArray()
    {
        const int CodeOffset = 0x1000;
        var strings = new MemoryStream();
        strings.WriteByte(0);
        var symbols = new MemoryStream();
        symbols.Write(new byte[24]);
        foreach ((string name, ulong value) in Symbols)
        {
            byte[] symbol = new byte[24];
            BinaryPrimitives.WriteUInt32LittleEndian(symbol, (uint)strings.Length);
            symbol[4] = 0x10; // global
            BinaryPrimitives.WriteUInt16LittleEndian(symbol.AsSpan(6), 0xfff1); // SHN_ABS
            BinaryPrimitives.WriteUInt64LittleEndian(symbol.AsSpan(8), value);
            symbols.Write(symbol);
            strings.Write(Encoding.ASCII.GetBytes(name + "\0"));
        }
        int symbolOffset = (CodeOffset + Code.Length + 15) / 16 * 16, stringOffset = symbolOffset + (int)symbols.Length;
        int sectionOffset = (stringOffset + (int)strings.Length + 15) / 16 * 16;
        byte[] file = new byte[sectionOffset + 3 * 64];
        void U16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), (ushort)value);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);
        void U64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);
        new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F', Class, Data, 1 }.CopyTo(file, 0);
        U16(16, Type);
        if (Data == 1)
            U16(18, Machine);
        else
            BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(18), Machine);
        U32(20, 1);
        U64(24, Entry ?? Address);
        U64(32, 64);
        U64(40, (ulong)sectionOffset);
        U16(52, 64);
        U16(54, 56);
        U16(56, 1);
        U16(58, 64);
        U16(60, 3);
        U32(64, 1); // PT_LOAD
        U32(68, 7);
        U64(72, CodeOffset);
        U64(80, VirtualAddress ?? Address);
        U64(88, Address);
        U64(96, (ulong)Code.Length);
        U64(104, (ulong)Code.Length + ExtraMemory);
        Code.CopyTo(file, CodeOffset);
        symbols.ToArray().CopyTo(file, symbolOffset);
        strings.ToArray().CopyTo(file, stringOffset);
        Section(1, 2, symbolOffset, symbols.Length, 2); // SHT_SYMTAB
        Section(2, 3, stringOffset, strings.Length, 0); // SHT_STRTAB
        return file;

        void Section(int index, uint type, int offset, long size, uint link)
        {
            int at = sectionOffset + index * 64;
            U32(at + 4, type);
            U64(at + 24, (ulong)offset);
            U64(at + 32, (ulong)size);
            U32(at + 40, link);
        }
    }
}
