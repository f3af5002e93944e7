using System.Buffers.Binary;
using System.Text;

namespace Myna.Machines.Loading;

/// <summary>What a machine executes: its name, and the e_machine values with their classes.</summary>
/// <param name="Wide">e_machine of 64-bit files, and <paramref name="Narrow"/> of 32-bit ones, 0 for none.</param>
internal sealed record ElfTarget(string Arch, ushort Wide, ushort Narrow)
{
    private const ushort EM_386 = 3, EM_X86_64 = 62, EM_RISCV = 243;

    public static ElfTarget RiscV64 { get; } = new("riscv64", EM_RISCV, 0);
    public static ElfTarget X86 { get; } = new("x86_64", EM_X86_64, EM_386);
}

/// <summary>A note of an executable (gABI, chapter 5, "Note Section").</summary>
internal sealed record ElfNote(string Name, uint Type, byte[] Descriptor);

/// <summary>ELF executables, little-endian, of 32 or 64 bits (System V ABI, chapters 4 and 5; RISC-V ELF psABI, section 8).</summary>
internal sealed class ElfFile
{
    private const ushort ET_EXEC = 2, ET_DYN = 3;
    private const uint PT_LOAD = 1, PT_NOTE = 4, SHT_SYMTAB = 2;

    private readonly byte[] _bytes;
    private readonly string _path;
    private readonly string _what;
    private readonly List<Segment> _segments = [];
    private readonly List<ElfNote> _notes = [];

    private ElfFile(byte[] bytes, string path, string what)
    {
        _bytes = bytes;
        _path = path;
        _what = what;
        Is64Bit = bytes[4] == 2;
    }

    public bool Is64Bit { get; }

    /// <summary>Physical address of the first instruction.</summary>
    public ulong Entry { get; private set; }

    /// <summary>What is loaded, at physical addresses; not empty.</summary>
    public IReadOnlyList<Segment> Segments => _segments;

    public IReadOnlyList<ElfNote> Notes => _notes;

    private int HeaderSize => Is64Bit ? 64 : 52;
    private int ProgramHeaderSize => Is64Bit ? 56 : 32;
    private int SectionHeaderSize => Is64Bit ? 64 : 40;
    private int SymbolSize => Is64Bit ? 24 : 16;

    public static bool IsElf(ReadOnlySpan<byte> b) => b.Length >= 4 && b[..4].SequenceEqual("\u007fELF"u8);

    /// <exception cref="MachineException">Truncated, damaged, or for another machine.</exception>
    public static BootImage Load(byte[] bytes, string path, string what, ElfTarget target)
    {
        ElfFile elf = Parse(bytes, path, what, target);
        return new BootImage(path, ImageKind.Elf, elf.Entry, elf.Segments, elf.ReadSymbols());
    }

    /// <inheritdoc cref="Load"/>
    public static ElfFile Parse(byte[] bytes, string path, string what, ElfTarget target)
    {
        ReadOnlySpan<byte> b = bytes;
        if (b.Length < 52)
            throw Truncated(path, what, b.Length, 52);
        var elf = new ElfFile(bytes, path, what);
        if (b.Length < elf.HeaderSize)
            throw Truncated(path, what, b.Length, (ulong)elf.HeaderSize);
        bool bigEndian = b[5] == 2;
        ushort machine = bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(b[18..]) : BinaryPrimitives.ReadUInt16LittleEndian(b[18..]);
        if (machine != target.Wide && (machine != target.Narrow || machine == 0))
            throw new MachineException($"the {what} {path} is an ELF file for {MachineName(machine)}; this machine is {target.Arch}");
        if (elf.Is64Bit != (machine == target.Wide))
            throw new MachineException($"the {what} {path} is a {(elf.Is64Bit ? "64" : "32")}-bit ELF file; this machine is {target.Arch}: build it for that");
        if (bigEndian)
            throw new MachineException($"the {what} {path} is a big-endian ELF file; this machine is little-endian");
        ushort type = U16(b, 16);
        if (type is not (ET_EXEC or ET_DYN))
            throw new MachineException($"the {what} {path} is an ELF file that cannot be executed (type {type}); link it first");
        elf.Entry = elf.Word(b, 24, 24);
        elf.ReadSegments();
        if (elf._segments.Count == 0)
            throw new MachineException($"the {what} {path} is an ELF file without a segment to load; link it first");
        return elf;
    }

    private void ReadSegments()
    {
        ReadOnlySpan<byte> b = _bytes;
        ulong table = Word(b, 32, 28);
        int entrySize = U16(b, Is64Bit ? 54 : 42), count = U16(b, Is64Bit ? 56 : 44);
        ulong tableEnd = table + (ulong)count * (ulong)entrySize;
        if (count != 0 && (entrySize < ProgramHeaderSize || tableEnd < table || tableEnd > (ulong)b.Length))
            throw Truncated(_path, _what, b.Length, tableEnd);
        var source = new ImageSource(_path, _bytes);
        ulong virtualEntry = Entry;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> h = b[(int)(table + (ulong)(i * entrySize))..];
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(h);
            if (type is not (PT_LOAD or PT_NOTE))
                continue;
            ulong offset = Word(h, 8, 4), virtualAddress = Word(h, 16, 8), physical = Word(h, 24, 12), fileSize = Word(h, 32, 16), memorySize = Word(h, 40, 20);
            if (memorySize == 0 && type == PT_LOAD)
                continue;
            if (offset + fileSize < offset || offset + fileSize > (ulong)b.Length)
                throw Truncated(_path, _what, b.Length, offset + fileSize);
            if (type == PT_NOTE)
            {
                ReadNotes(b.Slice((int)offset, (int)fileSize));
                continue;
            }
            if (fileSize > memorySize || physical + memorySize < physical)
                throw new MachineException($"the {_what} {_path} is damaged: its segment {i} makes no sense; build or fetch it again");
            if (virtualEntry >= virtualAddress && virtualEntry - virtualAddress < memorySize)
                Entry = virtualEntry - virtualAddress + physical;
            _segments.Add(new Segment(physical, source, (long)offset, fileSize, memorySize));
        }
    }

    private void ReadNotes(ReadOnlySpan<byte> b)
    {
        while (b.Length >= 12)
        {
            uint nameSize = BinaryPrimitives.ReadUInt32LittleEndian(b), size = BinaryPrimitives.ReadUInt32LittleEndian(b[4..]);
            ulong descriptor = 12 + ((ulong)nameSize + 3 & ~3ul), end = descriptor + ((ulong)size + 3 & ~3ul);
            if (descriptor + size > (ulong)b.Length)
                return;
            string name = Encoding.ASCII.GetString(b.Slice(12, (int)nameSize)).TrimEnd('\0');
            _notes.Add(new ElfNote(name, BinaryPrimitives.ReadUInt32LittleEndian(b[8..]), b.Slice((int)descriptor, (int)size).ToArray()));
            b = b[(int)Math.Min(end, (ulong)b.Length)..];
        }
    }

    /// <summary>The symbol table, as far as it is there and whole: debuggers and HTIF use it, nothing depends on it.</summary>
    public IReadOnlyDictionary<string, ulong> ReadSymbols()
    {
        ReadOnlySpan<byte> b = _bytes;
        var symbols = new Dictionary<string, ulong>();
        ulong table = Word(b, 40, 32);
        int entrySize = U16(b, Is64Bit ? 58 : 46), count = U16(b, Is64Bit ? 60 : 48);
        if (entrySize < SectionHeaderSize || table > (ulong)b.Length || (ulong)count * (ulong)entrySize > (ulong)b.Length - table)
            return symbols;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> section = b[(int)(table + (ulong)(i * entrySize))..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(section[4..]) != SHT_SYMTAB)
                continue;
            int link = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(section[(Is64Bit ? 40 : 24)..]), int.MaxValue);
            if (link >= count || !Contents(b, section, out ReadOnlySpan<byte> entries)
                || !Contents(b, b[(int)(table + (ulong)(link * entrySize))..], out ReadOnlySpan<byte> names))
                continue;
            for (int at = 0; at + SymbolSize <= entries.Length; at += SymbolSize)
            {
                ReadOnlySpan<byte> symbol = entries[at..];
                uint name = BinaryPrimitives.ReadUInt32LittleEndian(symbol);
                if (name == 0 || name >= (uint)names.Length || U16(symbol, Is64Bit ? 6 : 14) == 0)
                    continue;
                ReadOnlySpan<byte> text = names[(int)name..];
                int end = text.IndexOf((byte)0);
                if (end > 0)
                    symbols.TryAdd(Encoding.UTF8.GetString(text[..end]), Word(symbol, 8, 4));
            }
        }
        return symbols;
    }

    private bool Contents(ReadOnlySpan<byte> b, ReadOnlySpan<byte> section, out ReadOnlySpan<byte> contents)
    {
        ulong offset = Word(section, 24, 16), size = Word(section, 32, 20);
        bool inside = offset <= (ulong)b.Length && size <= (ulong)b.Length - offset;
        contents = inside ? b.Slice((int)offset, (int)size) : default;
        return inside;
    }

    /// <summary>An address or size, at its place in a 64-bit file or in a 32-bit one.</summary>
    private ulong Word(ReadOnlySpan<byte> b, int wide, int narrow)
        => Is64Bit ? BinaryPrimitives.ReadUInt64LittleEndian(b[wide..]) : BinaryPrimitives.ReadUInt32LittleEndian(b[narrow..]);

    private static ushort U16(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt16LittleEndian(b[at..]);

    private static MachineException Truncated(string path, string what, int length, ulong needed)
        => new($"the {what} {path} is truncated: it has {length} bytes and needs {needed}; build or fetch it again");

    /// <summary>Names of e_machine values that people meet (gABI, chapter 4).</summary>
    private static string MachineName(ushort machine) => machine switch
    {
        3 => "i386",
        8 => "MIPS",
        20 => "PowerPC",
        21 => "ppc64",
        22 => "s390",
        40 => "arm",
        62 => "x86-64",
        183 => "arm64",
        258 => "LoongArch",
        _ => $"another processor (e_machine {machine})",
    };
}
