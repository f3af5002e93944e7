using System.Buffers.Binary;
using Myna.Linux.Memory;
using static Myna.Linux.Errno;

namespace Myna.Linux.Loading;

/// <summary>A PT_LOAD segment.</summary>
internal readonly record struct ElfSegment(ulong Address, ulong Offset, ulong FileSize, ulong MemorySize, Protection Rights);

/// <summary>
/// The headers of an ELF program or interpreter (System V gABI, chapters 4 and 5), checked as far as loading depends on them:
/// whatever they say, no more than the file and the address space hold is asked for.
/// </summary>
internal sealed class ElfImage
{
    private const ushort ET_EXEC = 2, ET_DYN = 3;
    private const uint PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6, PT_GNU_STACK = 0x6474e551;
    /// <summary>As Linux limits them: one page of interpreter path, 64 KiB of program headers.</summary>
    private const int MaxInterpreter = 4096, MaxHeaders = 65536;

    private ElfImage(Target target, string shown)
    {
        Target = target;
        Shown = shown;
    }

    public Target Target { get; }
    public string Shown { get; }
    public bool IsDynamic { get; private init; }
    public ulong Entry { get; private init; }
    public List<ElfSegment> Segments { get; } = [];
    public int HeaderCount { get; private init; }
    public int HeaderSize { get; private init; }
    /// <summary>Address of the program headers in the loaded image, before relocation; 0 if they are not loaded.</summary>
    public ulong HeaderAddress { get; private set; }
    public string? Interpreter { get; private set; }
    public bool ExecutableStack { get; private set; }
    /// <summary>Lowest page and end of all segments.</summary>
    public ulong Low { get; private set; } = ulong.MaxValue;
    public ulong High { get; private set; }
    /// <summary>The largest alignment that a segment wants; a power of two, at least a page.</summary>
    public ulong Alignment { get; private set; } = AddressSpace.PageSize;

    public static bool IsElf(ReadOnlySpan<byte> b) => b.Length >= 4 && b[..4].SequenceEqual("\u007fELF"u8);

    /// <summary>What a file is built for, of those that Myna has; null if it is something else.</summary>
    public static Target? TargetOf(ReadOnlySpan<byte> b)
        => IsElf(b) && b.Length >= 20 && b[5] == 1 ? Target.Find(BinaryPrimitives.ReadUInt16LittleEndian(b[18..]), b[4] == 2) : null;

    /// <exception cref="LoadException">Damaged, or nothing that can be executed.</exception>
    public static ElfImage Parse(HostFile file, string shown)
    {
        byte[] start = file.Read(0, 64);
        ReadOnlySpan<byte> b = start;
        if (!IsElf(b))
            throw new LoadException($"{shown} is no program: it is neither an ELF file nor a script", ENOEXEC);
        if (b.Length < 52)
            throw Damaged(shown, $"it ends in its header, after {b.Length} bytes");
        bool big = b[5] == 2;
        ushort machine = big ? BinaryPrimitives.ReadUInt16BigEndian(b[18..]) : BinaryPrimitives.ReadUInt16LittleEndian(b[18..]);
        Target? found = b[5] == 1 ? Target.Find(machine, b[4] == 2) : null;
        if (found is null)
        {
            string which = (b[4] == 2 ? "64-bit " : "32-bit ") + (big ? "big-endian " : "");
            throw new LoadException($"{shown} is a program for {which}{Target.MachineName(machine)}, which Myna does not run\nit runs programs for {string.Join(" and ", Target.All.Select(t => t.Name))}", ENOEXEC);
        }
        if (found.Is64Bit && b.Length < 64)
            throw Damaged(shown, $"it ends in its header, after {b.Length} bytes");
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(b[16..]);
        if (type is not (ET_EXEC or ET_DYN))
            throw new LoadException($"{shown} is an ELF file that cannot be executed ({TypeName(type)})", ENOEXEC);
        bool wide = found.Is64Bit;
        int entrySize = BinaryPrimitives.ReadUInt16LittleEndian(b[(wide ? 54 : 42)..]), count = BinaryPrimitives.ReadUInt16LittleEndian(b[(wide ? 56 : 44)..]);
        ulong table = Word(b, wide, 32, 28);
        var image = new ElfImage(found, shown)
        {
            IsDynamic = type == ET_DYN,
            Entry = Word(b, wide, 24, 24),
            HeaderCount = count,
            HeaderSize = wide ? 56 : 32,
        };
        if (entrySize != image.HeaderSize || count == 0 || count * entrySize > MaxHeaders)
            throw Damaged(shown, $"its {count} program headers of {entrySize} bytes make no sense");
        if (table > (ulong)file.Length || (ulong)(count * entrySize) > (ulong)file.Length - table)
            throw Damaged(shown, "its program headers lie behind its end");
        byte[] headers = file.Read((long)table, count * entrySize);
        if (headers.Length < count * entrySize)
            throw Damaged(shown, "its program headers cannot be read");
        for (int i = 0; i < count; i++)
            image.Add(headers.AsSpan(i * entrySize, entrySize), i, file, table);
        if (image.Segments.Count == 0)
            throw Damaged(shown, "it has no segment to load");
        return image;
    }

    private void Add(ReadOnlySpan<byte> h, int index, HostFile file, ulong table)
    {
        bool wide = Target.Is64Bit;
        uint type = BinaryPrimitives.ReadUInt32LittleEndian(h);
        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(h[(wide ? 4 : 24)..]);
        ulong offset = Word(h, wide, 8, 4), address = Word(h, wide, 16, 8), fileSize = Word(h, wide, 32, 16), memorySize = Word(h, wide, 40, 20), align = Word(h, wide, 48, 28);
        switch (type)
        {
            case PT_LOAD:
                AddSegment(index, file, table, flags, offset, address, fileSize, memorySize, align);
                break;
            case PT_INTERP:
                if (Interpreter is not null)
                    break;
                if (fileSize is < 2 or > MaxInterpreter || offset > (ulong)file.Length || fileSize > (ulong)file.Length - offset)
                    throw Damaged(Shown, "the name of its interpreter makes no sense");
                byte[] name = file.Read((long)offset, (int)fileSize);
                int end = Array.IndexOf(name, (byte)0);
                if (end <= 0)
                    throw Damaged(Shown, "the name of its interpreter has no end");
                Interpreter = GuestText.Decode(name.AsSpan(0, end));
                break;
            case PT_PHDR:
                HeaderAddress = address;
                break;
            case PT_GNU_STACK:
                ExecutableStack = (flags & 1) != 0;
                break;
        }
    }

    private void AddSegment(int index, HostFile file, ulong table, uint flags, ulong offset, ulong address, ulong fileSize, ulong memorySize, ulong align)
    {
        const ulong page = AddressSpace.PageSize;
        if (memorySize == 0)
            return;
        if (fileSize > memorySize || offset > (ulong)file.Length || fileSize > (ulong)file.Length - offset)
            throw Damaged(Shown, $"its segment {index} lies behind its end, at byte {file.Length}");
        if (fileSize > 0 && ((offset ^ address) & (page - 1)) != 0)
            throw Damaged(Shown, $"its segment {index} is not aligned to pages");
        ulong limit = Target.Is64Bit ? AddressSpace.Limit : 1UL << 32;
        if (address >= limit || memorySize > limit - address)
            throw Damaged(Shown, $"its segment {index} does not fit into the address space");
        ulong low = address & ~(page - 1), high = AddressSpace.RoundUp(address + memorySize);
        if (Segments.Count > 0 && low < (Segments[^1].Address & ~(page - 1)))
            throw Damaged(Shown, $"its segment {index} is not in order of address");
        if (fileSize > 0 && HeaderAddress == 0 && table >= offset && table - offset < fileSize)
            HeaderAddress = address + (table - offset);
        Low = Math.Min(Low, low);
        High = Math.Max(High, high);
        if (align > Alignment && align <= 1UL << 30 && ulong.IsPow2(align))
            Alignment = align;
        Protection rights = ((flags & 4) != 0 ? Protection.Read : 0) | ((flags & 2) != 0 ? Protection.Write : 0) | ((flags & 1) != 0 ? Protection.Execute : 0);
        Segments.Add(new ElfSegment(address, offset, fileSize, memorySize, rights));
    }

    private static ulong Word(ReadOnlySpan<byte> b, bool is64Bit, int wide, int narrow)
        => is64Bit ? BinaryPrimitives.ReadUInt64LittleEndian(b[wide..]) : BinaryPrimitives.ReadUInt32LittleEndian(b[narrow..]);

    private static string TypeName(ushort type) => type switch
    {
        1 => "an object file: link it first",
        4 => "a core dump",
        _ => $"type {type}",
    };

    private static LoadException Damaged(string shown, string why) => new($"{shown} is damaged: {why}\nbuild or fetch it again", ENOEXEC);
}
