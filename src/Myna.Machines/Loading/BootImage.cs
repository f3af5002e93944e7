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
        ReadOnlySpan<byte> b = bytes;
        string? problem =
            b.Length > 0x206 && b.Slice(0x202, 4).SequenceEqual("HdrS"u8) ? "is a Linux kernel for x86; this machine is riscv64"
            : b.Length >= 64 && b.Slice(56, 4).SequenceEqual("ARM\x64"u8) ? "is a Linux kernel for arm64; this machine is riscv64"
            : Begins(b, 0x28, 0xb5, 0x2f, 0xfd) ? "is compressed with zstd, which is not supported here; decompress it first (zstd -d)"
            : Begins(b, 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0) ? "is compressed with xz, which is not supported here; decompress it first (xz -d)"
            : b.StartsWith("BZh"u8) ? "is compressed with bzip2, which is not supported here; decompress it first (bunzip2)"
            : Begins(b, 0x04, 0x22, 0x4d, 0x18) || Begins(b, 0x02, 0x21, 0x4c, 0x18) ? "is compressed with LZ4, which is not supported here; decompress it first (lz4 -d)"
            : Begins(b, 0x51, 0x46, 0x49, 0xfb) ? "is a qcow2 disk image; use --disk"
            : b.StartsWith("!<arch>\n"u8) ? "is an archive (.deb or .a); unpack it first"
            : b.StartsWith("070701"u8) || b.StartsWith("070702"u8) ? "is a cpio archive; use --initrd"
            : null;
        if (problem is not null)
            throw new MachineException($"the {what} {path} {problem}");
    }

    private static bool Begins(ReadOnlySpan<byte> bytes, params ReadOnlySpan<byte> magic) => bytes.StartsWith(magic);
}
