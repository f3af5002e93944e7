using System.Buffers.Binary;
using System.Text;

namespace Myna.Machines.Loading;

/// <summary>ELF64 executables for RISC-V (System V ABI, chapters 4 and 5; RISC-V ELF psABI, section 8).</summary>
internal static class ElfFile
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, SectionHeaderSize = 64, SymbolSize = 24;
    private const ushort EM_RISCV = 243, ET_EXEC = 2, ET_DYN = 3;
    private const uint PT_LOAD = 1, SHT_SYMTAB = 2;

    public static bool IsElf(ReadOnlySpan<byte> b) => b.StartsWith("\x7f"u8) && b.Length >= 4 && b[1..4].SequenceEqual("ELF"u8);

    /// <exception cref="MachineException">Truncated, damaged, or for another machine.</exception>
    public static BootImage Load(byte[] bytes, string path, string what)
    {
        ReadOnlySpan<byte> b = bytes;
        if (b.Length < HeaderSize)
            throw Truncated(path, what, b.Length, HeaderSize);
        bool bigEndian = b[5] == 2;
        ushort machine = bigEndian ? BinaryPrimitives.ReadUInt16BigEndian(b[18..]) : BinaryPrimitives.ReadUInt16LittleEndian(b[18..]);
        if (machine != EM_RISCV)
            throw new MachineException($"the {what} {path} is an ELF file for {MachineName(machine)}; this machine is riscv64");
        if (b[4] != 2)
            throw new MachineException($"the {what} {path} is a 32-bit ELF file; this machine is riscv64: build it for rv64");
        if (bigEndian)
            throw new MachineException($"the {what} {path} is a big-endian ELF file; this machine is little-endian");
        ushort type = U16(b, 16);
        if (type is not (ET_EXEC or ET_DYN))
            throw new MachineException($"the {what} {path} is an ELF file that cannot be executed (type {type}); link it first");

        ulong entry = U64(b, 24);
        List<Segment> segments = ReadSegments(bytes, path, what, ref entry);
        if (segments.Count == 0)
            throw new MachineException($"the {what} {path} is an ELF file without a segment to load; link it first");
        return new BootImage(path, ImageKind.Elf, entry, segments, ReadSymbols(b));
    }

    private static List<Segment> ReadSegments(byte[] bytes, string path, string what, ref ulong entry)
    {
        ReadOnlySpan<byte> b = bytes;
        ulong table = U64(b, 32);
        int entrySize = U16(b, 54), count = U16(b, 56);
        ulong tableEnd = table + (ulong)count * (ulong)entrySize;
        if (count != 0 && (entrySize < ProgramHeaderSize || tableEnd < table || tableEnd > (ulong)b.Length))
            throw Truncated(path, what, b.Length, tableEnd);
        var segments = new List<Segment>();
        var source = new ImageSource(path, bytes);
        ulong virtualEntry = entry;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> h = b[(int)(table + (ulong)(i * entrySize))..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(h) != PT_LOAD)
                continue;
            ulong offset = U64(h, 8), virtualAddress = U64(h, 16), physical = U64(h, 24), fileSize = U64(h, 32), memorySize = U64(h, 40);
            if (memorySize == 0)
                continue;
            if (offset + fileSize < offset || offset + fileSize > (ulong)b.Length)
                throw Truncated(path, what, b.Length, offset + fileSize);
            if (fileSize > memorySize || physical + memorySize < physical)
                throw new MachineException($"the {what} {path} is damaged: its segment {i} makes no sense; build or fetch it again");
            if (virtualEntry >= virtualAddress && virtualEntry - virtualAddress < memorySize)
                entry = virtualEntry - virtualAddress + physical;
            segments.Add(new Segment(physical, source, (long)offset, fileSize, memorySize));
        }
        return segments;
    }

    /// <summary>The symbol table, as far as it is there and whole: debuggers and HTIF use it, nothing depends on it.</summary>
    private static Dictionary<string, ulong> ReadSymbols(ReadOnlySpan<byte> b)
    {
        var symbols = new Dictionary<string, ulong>();
        ulong table = U64(b, 40);
        int entrySize = U16(b, 58), count = U16(b, 60);
        if (entrySize < SectionHeaderSize || table > (ulong)b.Length || (ulong)count * (ulong)entrySize > (ulong)b.Length - table)
            return symbols;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> section = b[(int)(table + (ulong)(i * entrySize))..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(section[4..]) != SHT_SYMTAB)
                continue;
            int link = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(section[40..]), int.MaxValue);
            if (link >= count || !Contents(b, section, out ReadOnlySpan<byte> entries)
                || !Contents(b, b[(int)(table + (ulong)(link * entrySize))..], out ReadOnlySpan<byte> names))
                continue;
            for (int at = 0; at + SymbolSize <= entries.Length; at += SymbolSize)
            {
                uint name = BinaryPrimitives.ReadUInt32LittleEndian(entries[at..]);
                if (name == 0 || name >= (uint)names.Length || U16(entries, at + 6) == 0)
                    continue;
                ReadOnlySpan<byte> text = names[(int)name..];
                int end = text.IndexOf((byte)0);
                if (end > 0)
                    symbols.TryAdd(Encoding.UTF8.GetString(text[..end]), U64(entries, at + 8));
            }
        }
        return symbols;
    }

    private static bool Contents(ReadOnlySpan<byte> b, ReadOnlySpan<byte> section, out ReadOnlySpan<byte> contents)
    {
        ulong offset = U64(section, 24), size = U64(section, 32);
        bool inside = offset <= (ulong)b.Length && size <= (ulong)b.Length - offset;
        contents = inside ? b.Slice((int)offset, (int)size) : default;
        return inside;
    }

    private static ushort U16(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt16LittleEndian(b[at..]);
    private static ulong U64(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt64LittleEndian(b[at..]);

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
