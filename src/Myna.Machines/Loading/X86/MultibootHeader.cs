using System.Buffers.Binary;

namespace Myna.Machines.Loading.X86;

/// <summary>The header that makes a file a multiboot kernel (Multiboot Specification 0.6.96, section 3.1).</summary>
/// <param name="Segment">What the address fields say is to be loaded; null when the file is ELF and says so itself.</param>
/// <param name="Entry">Of the address fields.</param>
internal sealed record MultibootHeader(uint Flags, Segment? Segment, uint Entry)
{
    private const uint Magic = 0x1badb002;
    private const int SearchLength = 8192;
    private const uint PageAlign = 1, MemoryInfo = 2, VideoMode = 4, AddressFields = 1 << 16, Required = 0xffff;

    /// <summary>Looks for the header in the first 8 KiB of a file.</summary>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="MachineException">There is one that cannot be satisfied.</exception>
    public static MultibootHeader? Find(ReadOnlySpan<byte> file, string path)
    {
        int end = Math.Min(file.Length, SearchLength) - 12;
        for (int at = 0; at <= end; at += 4)
        {
            if (U32(file, at) != Magic)
                continue;
            uint flags = U32(file, at + 4);
            if (unchecked(Magic + flags + U32(file, at + 8)) == 0)
                return Read(file, at, flags, path);
        }
        return null;
    }

    private static MultibootHeader Read(ReadOnlySpan<byte> file, int at, uint flags, string path)
    {
        uint unknown = flags & Required & ~(PageAlign | MemoryInfo | VideoMode);
        if (unknown != 0)
            throw new MachineException($"the kernel {path} is a multiboot kernel that requires features 0x{unknown:x} which the specification does not define");
        if ((flags & AddressFields) == 0)
            return new MultibootHeader(flags, null, 0);
        if (at + 32 > file.Length)
            throw new MachineException($"the kernel {path} is truncated: its multiboot header ends at byte {at + 32}, the file at {file.Length}; build or fetch it again");
        uint header = U32(file, at + 12), load = U32(file, at + 16), loadEnd = U32(file, at + 20), bssEnd = U32(file, at + 24), entry = U32(file, at + 28);
        long offset = at - ((long)header - load);
        long size = loadEnd == 0 ? file.Length - offset : (long)loadEnd - load;
        if (header < load || offset < 0 || size <= 0 || (bssEnd != 0 && bssEnd < (ulong)load + (ulong)size) || entry < load)
            throw new MachineException($"the kernel {path} is damaged: the addresses in its multiboot header make no sense; build or fetch it again");
        if (offset + size > file.Length)
            throw new MachineException($"the kernel {path} is truncated: it has {file.Length} bytes and needs {offset + size}; build or fetch it again");
        ulong memory = bssEnd == 0 ? (ulong)size : bssEnd - load;
        return new MultibootHeader(flags, new Segment(load, null!, offset, (ulong)size, memory), entry);
    }

    private static uint U32(ReadOnlySpan<byte> b, int at) => BinaryPrimitives.ReadUInt32LittleEndian(b[at..]);
}
