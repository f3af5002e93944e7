using Myna.Host;
using Myna.Linux.Memory;
using static Myna.Linux.Errno;

namespace Myna.Linux.Loading;

/// <summary>Maps an ELF file's segments into a guest.</summary>
internal static class ElfMapper
{
    /// <returns>What the segments' addresses were moved by.</returns>
    /// <param name="preferred">Where a position-independent file goes if that is free; 0 for anywhere.</param>
    /// <exception cref="LoadException">The address space does not have the room, or the file changed meanwhile.</exception>
    public static ulong Map(AddressSpace space, ElfImage image, HostFile file, ulong preferred)
    {
        ulong length = image.High - image.Low, bias = 0;
        lock (space.Sync)
        {
            if (image.IsDynamic)
            {
                ulong place = space.Place(preferred, length, 0, image.Alignment);
                if (place == 0)
                    throw new LoadException($"{image.Shown} needs {length} bytes of address space, which are not there", ENOMEM);
                bias = place - image.Low;
            }
            else if (image.Low < AddressSpace.Lowest)
            {
                throw new LoadException($"{image.Shown} wants to lie at address 0x{image.Low:x}, below 0x{AddressSpace.Lowest:x}, which is kept free", ENOEXEC);
            }
            foreach (ElfSegment segment in image.Segments)
                MapSegment(space, image, segment, file, bias);
        }
        return bias;
    }

    private static void MapSegment(AddressSpace space, ElfImage image, in ElfSegment segment, HostFile file, ulong bias)
    {
        const ulong page = AddressSpace.PageSize;
        const MapFlags flags = MapFlags.Private | MapFlags.Fixed;
        ulong start = segment.Address + bias, low = start & ~(page - 1), fileEnd = start + segment.FileSize, end = start + segment.MemorySize;
        ulong mapped = low;
        if (segment.FileSize > 0)
        {
            mapped = AddressSpace.RoundUp(fileEnd);
            // The part of the last page behind the file's bytes is zeroed through the mapping.
            bool zero = fileEnd < end && fileEnd != mapped;
            Check(image, space.Map(low, mapped - low, zero ? segment.Rights | Protection.Write | Protection.Read : segment.Rights, flags, file.Descriptor,
                (long)(segment.Offset - (start - low))));
            if (zero)
            {
                Span<byte> zeroes = stackalloc byte[(int)page];
                zeroes.Clear();
                if (!GuestMemory.TryWrite(fileEnd, zeroes[..(int)(mapped - fileEnd)]))
                    throw new LoadException($"{image.Shown} got shorter while it was loaded", ENOEXEC);
                if ((segment.Rights & Protection.Write) == 0)
                    _ = space.Protect(mapped - page, page, segment.Rights);
            }
        }
        ulong top = AddressSpace.RoundUp(end);
        if (top > mapped)
            Check(image, space.Map(mapped, top - mapped, segment.Rights, flags | MapFlags.Anonymous));
    }

    private static void Check(ElfImage image, long result)
    {
        if (result < 0)
            throw new LoadException($"{image.Shown} cannot be mapped ({Name((int)-result)})", (int)-result);
    }
}
