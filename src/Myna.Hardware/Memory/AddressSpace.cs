using System.Buffers.Binary;

namespace Myna.Hardware.Memory;

/// <summary>One range of an address space: RAM, ROM, a device, or a device whose content is read as ROM.</summary>
/// <param name="Start">First address.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Name">Shown in the memory map.</param>
/// <param name="Ram">The RAM behind it, or null for a device.</param>
/// <param name="RamOffset">Where in <paramref name="Ram"/> the range begins.</param>
/// <param name="Device">The device behind it, or null for RAM. With a <paramref name="Ram"/>, which is read only then, it gets the stores alone.</param>
public sealed record Region(ulong Start, ulong Size, string Name, Ram? Ram, ulong RamOffset, IMmio? Device)
{
    /// <summary>Last address, inclusive.</summary>
    public ulong Last => Start + Size - 1;
}

/// <summary>
/// Dispatches physical addresses to RAM, ROM and devices through a sorted flat view, replaced as a whole when the map
/// changes, so that readers need no lock.
/// </summary>
public sealed class AddressSpace
{
    private readonly Lock _lock = new();
    private Region[] _view = [];
    private volatile int _version;

    /// <summary>Counts changes of the map; caches of translations compare it.</summary>
    public int Version => _version;

    /// <summary>Raised after the map changed, on the thread that changed it.</summary>
    public event Action? Changed;

    /// <summary>The regions in ascending order of address.</summary>
    public IReadOnlyList<Region> Regions => Volatile.Read(ref _view);

    /// <summary>Maps a RAM or ROM at an address.</summary>
    /// <exception cref="ArgumentException">The range overlaps another or wraps around.</exception>
    public Region Map(ulong start, Ram ram) => Add(new Region(start, ram.Size, ram.Name, ram, 0, null));

    /// <summary>Maps part of a RAM, for instance around a device that lies inside it.</summary>
    /// <param name="offset">First byte of the part, and <paramref name="size"/> its bytes: multiples of a page.</param>
    /// <exception cref="ArgumentException">The range overlaps another or wraps around, or is not part of the RAM.</exception>
    public Region Map(ulong start, Ram ram, ulong offset, ulong size)
    {
        if (offset > ram.Size || size > ram.Size - offset || (offset | size) % Ram.PageSize != 0)
            throw new ArgumentException($"{ram.Name} has no such part: 0x{offset:x}, 0x{size:x} bytes");
        return Add(new Region(start, size, ram.Name, ram, offset, null));
    }

    /// <summary>Maps a device's registers.</summary>
    /// <exception cref="ArgumentException">The range overlaps another or wraps around.</exception>
    public Region Map(ulong start, ulong size, string name, IMmio device) => Add(new Region(start, size, name, null, 0, device));

    /// <summary>Maps a device's registers where the guest wants them.</summary>
    /// <returns>The region, or null when the range is empty, wraps around or overlaps another: nothing changed then.</returns>
    public Region? TryMap(ulong start, ulong size, string name, IMmio device)
    {
        var region = new Region(start, size, name, null, 0, device);
        return TryAdd(region) is null ? region : null;
    }

    /// <summary>Maps a RAM where the guest wants it. Result as for a device.</summary>
    public Region? TryMap(ulong start, Ram ram, string name)
    {
        var region = new Region(start, ram.Size, name, ram, 0, null);
        return TryAdd(region) is null ? region : null;
    }

    /// <summary>Takes a region out of the map; one that is not in it is ignored.</summary>
    public void Unmap(Region region)
    {
        lock (_lock)
        {
            Volatile.Write(ref _view, Array.FindAll(_view, r => !ReferenceEquals(r, region)));
            _version++;
        }
        Changed?.Invoke();
    }

    /// <summary>Puts another region into a region's place. No access falls between the two.</summary>
    /// <returns>The new region.</returns>
    /// <exception cref="ArgumentException">It has another range, or the old one is not in the map.</exception>
    public Region Replace(Region old, Region region)
    {
        if (region.Start != old.Start || region.Size != old.Size)
            throw new ArgumentException($"{region.Name} does not lie where {old.Name} does");
        lock (_lock)
        {
            int at = Array.FindIndex(_view, r => ReferenceEquals(r, old));
            if (at < 0)
                throw new ArgumentException($"{old.Name} is not mapped");
            Region[] view = [.. _view];
            view[at] = region;
            Volatile.Write(ref _view, view);
            _version++;
        }
        Changed?.Invoke();
        return region;
    }

    /// <summary>The region that holds an address, or null.</summary>
    public Region? Find(ulong address)
    {
        Region[] view = Volatile.Read(ref _view);
        int low = 0, high = view.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            Region r = view[middle];
            if (address < r.Start)
                high = middle - 1;
            else if (address - r.Start >= r.Size)
                low = middle + 1;
            else
                return r;
        }
        return null;
    }

    /// <summary>A load of 1, 2, 4 or 8 bytes, little-endian, as a CPU makes it.</summary>
    /// <returns>False for a bus error: nothing mapped, a device's refusal, or a range that leaves its region.</returns>
    public bool Load(ulong address, int size, out ulong value)
    {
        value = 0;
        Region? r = Find(address);
        if (r is null || r.Size - (address - r.Start) < (ulong)size)
            return false;
        ulong offset = address - r.Start;
        if (r.Ram is not { } ram)
            return r.Device!.Read(offset, size, out value);
        ReadOnlySpan<byte> bytes = ram.Get(offset + r.RamOffset, size);
        value = size switch
        {
            1 => bytes[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        };
        return true;
    }

    /// <summary>A store of 1, 2, 4 or 8 bytes, little-endian. Parameters and result as for <see cref="Load"/>.</summary>
    public bool Store(ulong address, int size, ulong value)
    {
        Region? r = Find(address);
        if (r is null || r.Size - (address - r.Start) < (ulong)size)
            return false;
        ulong offset = address - r.Start;
        // What an instruction's register holds above the bytes that it stores is not the device's to see.
        if (r.Device is { } device)
            return device.Write(offset, size, size < 8 ? value & ((1ul << (8 * size)) - 1) : value);
        if (r.Ram!.ReadOnly)
            return false;
        Span<byte> bytes = r.Ram.GetForWrite(offset + r.RamOffset, size);
        switch (size)
        {
            case 1: bytes[0] = (byte)value; break;
            case 2: BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)value); break;
            case 4: BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)value); break;
            default: BinaryPrimitives.WriteUInt64LittleEndian(bytes, value); break;
        }
        return true;
    }

    /// <summary>Copies guest RAM or ROM out. Never touches devices.</summary>
    /// <returns>False when part of the range is not RAM or ROM; the destination is then undefined.</returns>
    public bool Read(ulong address, Span<byte> destination)
    {
        while (destination.Length != 0)
        {
            if (!FindRam(address, destination.Length, out Ram? ram, out ulong offset, out int run))
                return false;
            ram.Get(offset, run).CopyTo(destination);
            destination = destination[run..];
            address += (ulong)run;
        }
        return true;
    }

    /// <summary>Copies into guest RAM, and into ROM when <paramref name="rom"/> (loaders). Never touches devices.</summary>
    /// <returns>False when part of the range is not writable RAM; what precedes it was written.</returns>
    public bool Write(ulong address, ReadOnlySpan<byte> source, bool rom = false)
    {
        while (source.Length != 0)
        {
            if (!FindRam(address, source.Length, out Ram? ram, out ulong offset, out int run) || (ram.ReadOnly && !rom))
                return false;
            source[..run].CopyTo(ram.GetForWrite(offset, run));
            ram.NoteWrite(offset, (ulong)run);
            source = source[run..];
            address += (ulong)run;
        }
        return true;
    }

    /// <summary>The RAM behind an address and how many of the wanted bytes lie in it without a break.</summary>
    public bool FindRam(ulong address, int wanted, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Ram? ram, out ulong offset, out int run)
    {
        Region? r = Find(address);
        ram = r?.Ram;
        offset = 0;
        run = 0;
        if (ram is null)
            return false;
        offset = address - r!.Start + r.RamOffset;
        run = (int)Math.Min((ulong)wanted, r.Size - (address - r.Start));
        return true;
    }

    private Region Add(Region region)
        => TryAdd(region) is { } problem ? throw new ArgumentException(problem) : region;

    /// <returns>What is wrong with the region, or null when it was added.</returns>
    private string? TryAdd(Region region)
    {
        if (region.Size == 0 || region.Last < region.Start)
            return $"{region.Name} at 0x{region.Start:x} has no size or wraps around";
        lock (_lock)
        {
            foreach (Region r in _view)
            {
                if (region.Start <= r.Last && r.Start <= region.Last)
                    return $"{region.Name} at 0x{region.Start:x} overlaps {r.Name} at 0x{r.Start:x}";
            }
            Region[] view = [.. _view, region];
            Array.Sort(view, (a, b) => a.Start.CompareTo(b.Start));
            Volatile.Write(ref _view, view);
            _version++;
        }
        Changed?.Invoke();
        return null;
    }
}
