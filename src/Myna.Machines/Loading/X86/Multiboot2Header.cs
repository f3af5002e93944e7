using System.Buffers.Binary;

namespace Myna.Machines.Loading.X86;

/// <summary>The header that makes a file a multiboot 2 kernel (Multiboot2 Specification 2.0, section 3.1).</summary>
/// <param name="Segment">What an address tag says is to be loaded; null when the file is ELF and says so itself.</param>
/// <param name="Entry">Of an entry address tag; null for the ELF file's.</param>
/// <param name="Relocatable">It wants to be told where it was loaded; it is never loaded elsewhere.</param>
internal sealed record Multiboot2Header(Segment? Segment, uint? Entry, bool Relocatable)
{
    private const uint Magic = 0xe85250d6;
    private const int SearchLength = 32768, HeadSize = 16;

    // Tags (sections 3.1.4 to 3.1.13), and the pieces of boot information that a kernel may require.
    private const int EndTag = 0, InformationRequest = 1, AddressTag = 2, EntryTag = 3, ConsoleFlags = 4, FramebufferTag = 5, ModuleAlignment = 6, EfiBootServices = 7, EntryEfi32 = 8, EntryEfi64 = 9,
        RelocatableTag = 10;
    private const int Optional = 1, ArchitectureI386 = 0;

    private static readonly uint[] s_offered = [1, 2, 3, 4, 6, 14, 15, 21];

    /// <summary>Looks for the header in the first 32 KiB of a file.</summary>
    /// <returns>Null when there is none for this architecture.</returns>
    /// <exception cref="MachineException">There is one that cannot be satisfied.</exception>
    public static Multiboot2Header? Find(ReadOnlySpan<byte> file, string path)
    {
        int end = Math.Min(file.Length, SearchLength) - HeadSize;
        for (int at = 0; at <= end; at += 8)
        {
            if (U32(file, at) != Magic || U32(file, at + 4) != ArchitectureI386)
                continue;
            uint length = U32(file, at + 8);
            if (unchecked(Magic + length + U32(file, at + 12)) != 0)
                continue;
            if (length < HeadSize || length > file.Length - at)
                throw new MachineException($"the kernel {path} is truncated: its multiboot 2 header has {length} bytes; build or fetch it again");
            return Read(file, at, file.Slice(at + HeadSize, (int)length - HeadSize), path);
        }
        return null;
    }

    private static Multiboot2Header Read(ReadOnlySpan<byte> file, int headerAt, ReadOnlySpan<byte> tags, string path)
    {
        (uint Header, uint Load, uint LoadEnd, uint BssEnd)? addresses = null;
        uint? entry = null;
        bool relocatable = false;
        while (tags.Length >= 8)
        {
            int type = BinaryPrimitives.ReadUInt16LittleEndian(tags), flags = BinaryPrimitives.ReadUInt16LittleEndian(tags[2..]);
            uint size = U32(tags, 4);
            if (type == EndTag)
                break;
            if (size < 8 || size > tags.Length)
                throw Damaged(path);
            ReadOnlySpan<byte> content = tags[8..(int)size];
            switch (type)
            {
                case InformationRequest when (flags & Optional) == 0:
                    for (int i = 0; i + 4 <= content.Length; i += 4)
                    {
                        if (!s_offered.Contains(U32(content, i)))
                            throw new MachineException($"the kernel {path} requires multiboot 2 information of type {U32(content, i)}, which there is not");
                    }
                    break;
                case AddressTag when content.Length >= 16:
                    addresses = (U32(content, 0), U32(content, 4), U32(content, 8), U32(content, 12));
                    break;
                case EntryTag when content.Length >= 4:
                    entry = U32(content, 0);
                    break;
                case RelocatableTag:
                    relocatable = true;
                    break;
                // Modules are page-aligned. There is no frame buffer before the kernel sets one up, and no EFI: others' entries are not used.
                case InformationRequest or ConsoleFlags or FramebufferTag or ModuleAlignment or EfiBootServices or EntryEfi32 or EntryEfi64:
                    break;
                default:
                    if ((flags & Optional) == 0)
                        throw new MachineException($"the kernel {path} is a multiboot 2 kernel with a tag {type} that is required and not known");
                    break;
            }
            tags = tags[(int)Math.Min((size + 7) & ~7u, (uint)tags.Length)..];
        }
        if (addresses is not { } a)
            return new Multiboot2Header(null, entry, relocatable);
        long offset = headerAt - ((long)a.Header - a.Load);
        // All ones: from the file's beginning.
        if (a.Load == uint.MaxValue)
            (offset, a.Load) = (0, a.Header - (uint)headerAt);
        long size2 = a.LoadEnd == 0 ? file.Length - offset : (long)a.LoadEnd - a.Load;
        if (a.Header < a.Load || offset < 0 || size2 <= 0 || (a.BssEnd != 0 && a.BssEnd < (ulong)a.Load + (ulong)size2) || entry is null || entry < a.Load)
            throw Damaged(path);
        if (offset + size2 > file.Length)
            throw new MachineException($"the kernel {path} is truncated: it has {file.Length} bytes and needs {offset + size2}; build or fetch it again");
        return new Multiboot2Header(new Segment(a.Load, null!, offset, (ulong)size2, a.BssEnd == 0 ? (ulong)size2 : a.BssEnd - a.Load), entry, relocatable);
    }

    private static MachineException Damaged(string path) => new($"the kernel {path} is damaged: its multiboot 2 header makes no sense; build or fetch it again");

    private static uint U32(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt32LittleEndian(b[at..]);
}
