namespace Myna.Machines.Loading;

/// <summary>What an image's file turned out to be.</summary>
internal enum ImageKind { Elf, LinuxImage, Raw }

/// <summary>A run of bytes to be put in guest memory, followed by zeroes up to its size in memory.</summary>
/// <param name="Offset">Where in <paramref name="Source"/> its bytes begin.</param>
/// <param name="FileSize">How many there are.</param>
internal sealed record Segment(ulong Address, ImageSource Source, long Offset, ulong FileSize, ulong MemorySize)
{
    /// <summary>First address behind the segment.</summary>
    public ulong End => Address + MemorySize;
}

/// <summary>A kernel or a firmware, ready to be put in guest memory.</summary>
/// <param name="Path">For messages.</param>
/// <param name="Entry">Physical address of the first instruction.</param>
/// <param name="Segments">In the file's order; not empty.</param>
/// <param name="Symbols">Addresses by name, of an ELF with a symbol table.</param>
internal sealed record BootImage(string Path, ImageKind Kind, ulong Entry, IReadOnlyList<Segment> Segments, IReadOnlyDictionary<string, ulong> Symbols)
{
    /// <summary>Bytes at the start of a file that tell what it is.</summary>
    private const int HeadSize = 64 << 10;

    private static readonly Dictionary<string, ulong> s_noSymbols = [];

    public ulong Start => Segments.Min(s => s.Address);
    public ulong End => Segments.Max(s => s.End);

    /// <summary>Reads a file of any of the supported kinds.</summary>
    /// <param name="what">"kernel" or "firmware", for messages.</param>
    /// <param name="address">Where an image that does not say so itself goes.</param>
    /// <exception cref="MachineException">The file cannot be used; the message says why.</exception>
    public static BootImage Load(string path, string what, ulong address)
    {
        var file = new ImageSource(path, what);
        byte[] head = file.Head(HeadSize);
        if (ElfFile.IsElf(head) || ImageFile.IsGzip(head) || EfiZboot.Is(head))
        {
            byte[] bytes = file.ReadAll();
            file.Dispose();
            bytes = EfiZboot.Unwrap(bytes, path, what);
            if (ImageFile.IsGzip(bytes))
                bytes = ImageFile.Gunzip(bytes, path, what);
            if (ElfFile.IsElf(bytes))
                return ElfFile.Load(bytes, path, what, ElfTarget.RiscV64);
            file = new ImageSource(path, bytes);
            head = file.Head(HeadSize);
        }
        RejectKnownMistakes(head, path, what);
        if (RiscVImage.TryLoad(head, file, path, what, address) is { } image)
            return image;
        return new BootImage(path, ImageKind.Raw, address, [new Segment(address, file, 0, (ulong)file.Length, (ulong)file.Length)], s_noSymbols);
    }

    /// <summary>Formats that would otherwise be taken for raw code.</summary>
    private static void RejectKnownMistakes(byte[] bytes, string path, string what)
    {
        string? problem = ForeignFile.Describe(bytes, "riscv64");
        if (problem is not null)
            throw new MachineException($"the {what} {path} {problem}");
    }
}
