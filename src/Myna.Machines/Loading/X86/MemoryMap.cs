namespace Myna.Machines.Loading.X86;

/// <summary>Types of a range of memory in BIOS call 15h, E820h (ACPI 6.5, table 15.5).</summary>
internal enum E820Type : uint
{
    Ram = 1,
    Reserved = 2,
    Acpi = 3,
}

/// <summary>A range of physical addresses and what it is.</summary>
internal readonly record struct E820Entry(ulong Start, ulong Size, E820Type Type)
{
    /// <summary>First address behind the range.</summary>
    public ulong End => Start + Size;
}

/// <summary>
/// Where a PC's RAM lies: below the hole that 32-bit devices need, and the rest from 4 GiB on; and what the firmware, or
/// a loader in its place, says of it.
/// </summary>
internal sealed class PcMemory
{
    private const ulong FourGiB = 1UL << 32;

    /// <summary>End of conventional memory: the last KiB below 640 KiB is the extended BIOS data area.</summary>
    public const ulong LowEnd = 0x9fc00;

    public const ulong Vga = 0xa0000, OptionRoms = 0xc0000, Bios = 0xe0000, High = 0x100000;

    private readonly List<E820Entry> _map;

    /// <param name="size">Bytes of RAM.</param>
    /// <param name="limit">RAM that does not end below this address is split at <paramref name="split"/>.</param>
    /// <param name="reserved">Ranges of the board that no RAM or PCI device may be put in.</param>
    public PcMemory(ulong size, ulong limit, ulong split, params ReadOnlySpan<E820Entry> reserved)
    {
        Size = size;
        BelowHole = size <= limit ? size : split;
        AboveHole = size - BelowHole;
        _map =
        [
            new(0, LowEnd, E820Type.Ram),
            new(LowEnd, Vga - LowEnd, E820Type.Reserved),
            new(Bios, High - Bios, E820Type.Reserved),
            new(High, BelowHole - High, E820Type.Ram),
            .. reserved,
        ];
        if (AboveHole != 0)
            _map.Add(new(FourGiB, AboveHole, E820Type.Ram));
    }

    /// <summary>Bytes in all.</summary>
    public ulong Size { get; }

    /// <summary>Bytes from address 0, less what lies under the VGA's window.</summary>
    public ulong BelowHole { get; }

    /// <summary>Bytes from 4 GiB on.</summary>
    public ulong AboveHole { get; }

    /// <summary>First address behind all RAM.</summary>
    public ulong End => AboveHole == 0 ? BelowHole : FourGiB + AboveHole;

    /// <summary>What loaders tell a kernel, in ascending order.</summary>
    public IReadOnlyList<E820Entry> Map => _map;

    /// <summary>Whether a range is RAM that a kernel may be loaded to.</summary>
    public bool Holds(ulong start, ulong end)
        => _map.Exists(e => e.Type == E820Type.Ram && start >= e.Start && end <= e.End && start <= end);
}
