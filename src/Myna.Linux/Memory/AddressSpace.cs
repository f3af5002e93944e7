using Myna.Host;
using Myna.Host.User;
using Myna.Jit.Memory;
using Myna.Jit.User;
using static Myna.Linux.Errno;

namespace Myna.Linux.Memory;

/// <summary>
/// The memory of a user-mode guest, mapped where the guest sees it (identity) by the host's mmap. Every address is chosen
/// here, so that no mapping of the guest replaces one of Myna's runtime, which lies above <see cref="Limit"/>. Guest pages
/// that are executable are readable on the host, never executable.
/// </summary>
/// <remarks>All methods are thread-safe; results are addresses or -errno as in the kernel.</remarks>
public sealed class AddressSpace : IGuestSpace
{
    /// <summary>
    /// End of what guests get. Position-independent programs of an x86-64 host begin at two thirds of its user addresses
    /// (ELF_ET_DYN_BASE, 0x5555_5555_4000) and its mmap area lies above them.
    /// </summary>
    public const ulong Limit = 0x5400_0000_0000;
    /// <summary>Below is the host's mmap_min_addr by default: dereferenced null pointers must fault.</summary>
    public const ulong Lowest = 0x1_0000;
    public const ulong PageSize = 4096;

    private const long SysMmap = 9, SysMprotect = 10, SysMunmap = 11, SysMremap = 25;
    private const ulong Low32BitEnd = 0x8000_0000;

    private readonly RegionList _regions = new();
    private ulong _brk, _brkStart;
    /// <summary>Number of the last shared anonymous mapping.</summary>
    private ulong _anonymous;

    /// <summary>End of what 32-bit programs get (IA32_PAGE_OFFSET).</summary>
    public const ulong NarrowLimit = 0xFFFF_E000;

    /// <param name="top">Mappings without an address are placed below this one, downwards.</param>
    /// <param name="narrow">The program's addresses have 32 bits.</param>
    public AddressSpace(ulong top = 0x3fff_ffff_f000, bool narrow = false)
    {
        // Copies from and to the guest may fault from here on.
        HostSignals.Initialize();
        End = narrow ? NarrowLimit : Limit;
        Top = Math.Min(top, End);
        if (narrow)
            ReserveGuard();
    }

    // Accesses whose first byte is the guest's may reach beyond 4 GiB: nothing may come to lie there.
    private static void ReserveGuard()
    {
        const MapFlags flags = MapFlags.Private | MapFlags.Anonymous | MapFlags.NoReserve | MapFlags.FixedNoReplace;
        _ = HostSyscall.Invoke(SysMmap, (long)NarrowLimit, (1L << 32) + (64 << 10) - (long)NarrowLimit, 0, (long)flags, -1, 0);
    }

    /// <summary>End of this program's addresses: <see cref="Limit"/> or <see cref="NarrowLimit"/>.</summary>
    public ulong End { get; }

    /// <summary>Held while mappings change: a fork takes it, so that the child finds it free and the list whole.</summary>
    public Lock Sync { get; } = new();

    public ulong Top { get; }

    /// <summary>System V shared memory by address, with its size; <see cref="Sync"/> is held.</summary>
    internal Dictionary<ulong, ulong> Segments { get; } = [];

    /// <summary>Told when pages were unmapped, replaced or got other rights: translations of them must go.</summary>
    public IUserTranslator? Translator { get; set; }

    /// <summary>The guest's RLIMIT_AS, in bytes: the host's own limit would hit Myna's runtime.</summary>
    public ulong SizeLimit { get; set; } = ulong.MaxValue;

    /// <summary>New mappings are locked (MCL_FUTURE of mlockall(2)).</summary>
    internal bool LocksFuture { get; set; }

    /// <summary>Bytes mapped.</summary>
    public ulong Size
    {
        get
        {
            lock (Sync)
                return _regions.Total;
        }
    }

    /// <summary>The heap as brk(2) made it; for [heap] in /proc/self/maps.</summary>
    public (ulong Start, ulong End) Heap => (_brkStart, _brk);

    public PageRights RightsAt(ulong va)
    {
        // The numbers are mmap's.
        lock (Sync)
            return _regions.TryFind(va, out Region region) ? (PageRights)region.Rights : PageRights.None;
    }

    public bool IsMapped(ulong va) => TryFind(va, out _);

    public bool IsShared(ulong va)
    {
        lock (Sync)
            return _regions.TryFind(va, out Region region) && region.Shared;
    }

    public void AddAliases(ulong page, List<ulong> aliases)
    {
        lock (Sync)
        {
            if (!_regions.TryFind(page, out Region of) || of.Object == 0)
                return;
            for (int i = 0; i < _regions.Count; i++)
            {
                Region other = _regions[i];
                ulong alias = page + of.Delta - other.Delta;
                if (other.Object == of.Object && (other.Rights & Protection.Write) != 0 && alias != page && alias >= other.Start && alias < other.End)
                    aliases.Add(alias);
            }
        }
    }

    // Stores through a mapping that has become writable are to be noticed by whoever executes the same memory elsewhere.
    private void FlushAliases(ulong start, ulong end)
    {
        for (int i = _regions.FirstEndingAbove(start); i < _regions.Count && _regions[i].Start < end; i++)
        {
            Region changed = _regions[i];
            if (changed.Object == 0 || (changed.Rights & Protection.Write) == 0)
                continue;
            for (int k = 0; k < _regions.Count; k++)
            {
                Region other = _regions[k];
                ulong first = Math.Max(other.Start, changed.Start + changed.Delta - other.Delta), last = Math.Min(other.End, changed.End + changed.Delta - other.Delta);
                if (k != i && other.Object == changed.Object && (other.Rights & Protection.Execute) != 0 && first < last)
                    Translator?.FlushInstructions(first, last - first);
            }
        }
    }

    // Which file a shared mapping is of; 0 when it cannot be said.
    private static ulong ObjectOf(int file)
    {
        const long SysFstat = 5;
        using var scratch = new HostScratch(4096);
        Span<byte> status = scratch.Take(144, out long address);
        if (HostSyscall.Invoke(SysFstat, file, address) != 0)
            return 0;
        // st_dev and st_ino of x86-64's struct stat.
        ulong device = BitConverter.ToUInt64(status), number = BitConverter.ToUInt64(status[8..]);
        return (device * 0x9E37_79B9_7F4A_7C15 + number) | 1UL << 63;
    }

    /// <summary>The guest's region at an address.</summary>
    public bool TryFind(ulong address, out Region region)
    {
        lock (Sync)
            return _regions.TryFind(address, out region);
    }

    public Region[] Regions()
    {
        lock (Sync)
        {
            var all = new Region[_regions.Count];
            for (int i = 0; i < all.Length; i++)
                all[i] = _regions[i];
            return all;
        }
    }

    /// <summary>mmap(2).</summary>
    public long Map(ulong address, ulong length, Protection rights, MapFlags flags, int file = -1, long offset = 0)
    {
        if (length == 0 || ((ulong)offset & (PageSize - 1)) != 0 || ((flags & MapFlags.TypeMask) == 0))
            return -EINVAL;
        if (length > End)
            return -ENOMEM;
        length = RoundUp(length);
        bool isFixed = (flags & (MapFlags.Fixed | MapFlags.FixedNoReplace)) != 0;
        if (isFixed && (address & (PageSize - 1)) != 0)
            return -EINVAL;
        lock (Sync)
        {
            if (_regions.Total + length > SizeLimit)
                return -ENOMEM;
            ulong start;
            if (isFixed)
            {
                if (address > End || length > End - address)
                    return -ENOMEM;
                if (address < Lowest)
                    return -EPERM;
                if ((flags & MapFlags.FixedNoReplace) != 0 && !_regions.IsFree(address, address + length))
                    return -EEXIST;
                start = address;
            }
            else
            {
                start = Place(address, length, flags);
                if (start == 0)
                    return -ENOMEM;
            }
            MapFlags host = (flags & ~(MapFlags.FixedNoReplace | MapFlags.Low32Bit | MapFlags.GrowsDown)) | MapFlags.Fixed;
            if (LocksFuture)
                host |= MapFlags.Locked;
            long result = HostSyscall.Invoke(SysMmap, (long)start, (long)length, (long)Host(rights), (long)host, file, offset);
            if (result < 0)
            {
                // A failed MAP_FIXED may have removed what was there.
                if (result is not (-EBADF or -EACCES or -EINVAL or -ENODEV or -EPERM))
                    Forget(start, start + length);
                return result;
            }
            if (isFixed)
                Translator?.Forget(start, length);
            bool shared = (flags & MapFlags.TypeMask) != MapFlags.Private;
            // mremap(2) may double an anonymous one.
            ulong of = !shared ? 0 : (flags & MapFlags.Anonymous) == 0 ? ObjectOf(file) : ++_anonymous;
            if ((flags & MapFlags.Anonymous) != 0)
                offset = 0;
            _regions.Set(new Region(start, start + length, rights & (Protection)7, shared, of, of == 0 ? 0 : (ulong)offset - start, !shared && (flags & MapFlags.GrowsDown) != 0));
            if (of != 0)
                FlushAliases(start, start + length);
            return (long)start;
        }
    }

    /// <summary>An access to unmapped memory: a mapping with MAP_GROWSDOWN above it may grow down to it.</summary>
    /// <returns>Whether it did, so that the access is to be tried again.</returns>
    public bool TryGrow(ulong address, ulong stackLimit)
    {
        // stack_guard_gap.
        const ulong gap = 256 * PageSize;
        address &= ~(PageSize - 1);
        lock (Sync)
        {
            if (_regions.NextAbove(address) is not { GrowsDown: true } region || region.End - address > stackLimit || address < Lowest + gap
                || !_regions.IsFree(address - gap, region.Start))
                return false;
            return Map(address, region.Start - address, region.Rights, MapFlags.Private | MapFlags.Anonymous | MapFlags.FixedNoReplace | MapFlags.GrowsDown) >= 0;
        }
    }

    /// <summary>munmap(2).</summary>
    public long Unmap(ulong address, ulong length)
    {
        if ((address & (PageSize - 1)) != 0 || length == 0 || address > End || length > End - address)
            return -EINVAL;
        ulong end = address + RoundUp(length);
        lock (Sync)
        {
            long result = HostSyscall.Invoke(SysMunmap, (long)address, (long)(end - address));
            if (result == 0)
            {
                _regions.Remove(address, end);
                Translator?.Forget(address, end - address);
            }
            return result;
        }
    }

    /// <summary>mprotect(2).</summary>
    public long Protect(ulong address, ulong length, Protection rights)
    {
        const Protection grows = Protection.GrowsDown | Protection.GrowsUp;
        if ((address & (PageSize - 1)) != 0 || (rights & ~(grows | (Protection)15)) != 0)
            return -EINVAL;
        if (length == 0)
            return 0;
        if (address > End || length > End - address)
            return -ENOMEM;
        ulong end = address + RoundUp(length);
        lock (Sync)
        {
            // The stack is one mapping of full length here.
            if ((rights & Protection.GrowsDown) != 0 && _regions.TryFind(address, out Region stack))
                address = stack.Start;
            rights &= (Protection)7;
            long result = HostSyscall.Invoke(SysMprotect, (long)address, (long)(end - address), (long)Host(rights));
            // The kernel changes what lies in front of the first hole, then says ENOMEM.
            if (result == 0 || result == -ENOMEM)
            {
                _regions.Protect(address, result == 0 ? end : FirstHole(address, end), rights);
                Translator?.Forget(address, end - address);
                if ((rights & Protection.Write) != 0)
                    FlushAliases(address, end);
            }
            return result;
        }
    }

    /// <summary>mremap(2).</summary>
    public long Remap(ulong old, ulong oldLength, ulong newLength, RemapFlags flags, ulong target)
    {
        const RemapFlags known = RemapFlags.MayMove | RemapFlags.Fixed | RemapFlags.DontUnmap;
        if ((flags & ~known) != 0 || (old & (PageSize - 1)) != 0 || newLength == 0
            || ((flags & (RemapFlags.Fixed | RemapFlags.DontUnmap)) != 0 && (flags & RemapFlags.MayMove) == 0))
            return -EINVAL;
        if (newLength > End || oldLength > End || old > End - oldLength)
            return -ENOMEM;
        oldLength = RoundUp(oldLength);
        newLength = RoundUp(newLength);
        lock (Sync)
        {
            if (!_regions.TryFind(old, out Region region))
                return -EFAULT;
            if ((flags & (RemapFlags.Fixed | RemapFlags.DontUnmap)) == 0)
            {
                if (newLength <= oldLength)
                {
                    if (newLength < oldLength)
                        _ = Unmap(old + newLength, oldLength - newLength);
                    return (long)old;
                }
                if (_regions.Total + (newLength - oldLength) > SizeLimit)
                    return -ENOMEM;
                if (oldLength != 0 && newLength <= End - old && _regions.IsFree(old + oldLength, old + newLength))
                {
                    long grown = HostSyscall.Invoke(SysMremap, (long)old, (long)oldLength, (long)newLength, 0);
                    if (grown >= 0)
                    {
                        _regions.Set(region with { Start = old + oldLength, End = old + newLength });
                        return grown;
                    }
                }
                if ((flags & RemapFlags.MayMove) == 0)
                    return -ENOMEM;
            }
            if ((flags & RemapFlags.Fixed) != 0)
            {
                if ((target & (PageSize - 1)) != 0 || target < Lowest || target > End || newLength > End - target
                    || (target < old + oldLength && old < target + newLength))
                    return -EINVAL;
            }
            else
            {
                target = Place(target, newLength, 0);
                if (target == 0)
                    return -ENOMEM;
            }
            long result = HostSyscall.Invoke(SysMremap, (long)old, (long)oldLength, (long)newLength, (long)(flags | RemapFlags.Fixed | RemapFlags.MayMove), (long)target);
            if (result < 0)
                return result;
            if ((flags & RemapFlags.DontUnmap) == 0 && oldLength != 0)
                _regions.Remove(old, old + oldLength);
            _regions.Set(region with { Start = target, End = target + newLength, Delta = region.Object == 0 ? 0 : region.Delta + old - target });
            Translator?.Forget(old, oldLength);
            Translator?.Forget(target, newLength);
            FlushAliases(target, target + newLength);
            return result;
        }
    }

    /// <summary>Puts the heap's start and end behind a loaded program.</summary>
    public void StartHeap(ulong address)
    {
        lock (Sync)
            _brkStart = _brk = RoundUp(address);
    }

    /// <summary>brk(2) as the kernel has it: the heap's end, changed or not.</summary>
    public long Break(ulong address)
    {
        lock (Sync)
        {
            if (address < _brkStart || address > End)
                return (long)_brk;
            ulong old = RoundUp(_brk), end = RoundUp(address);
            if (end > old)
            {
                const MapFlags flags = MapFlags.Private | MapFlags.Anonymous | MapFlags.FixedNoReplace;
                if (Map(old, end - old, Protection.Read | Protection.Write, flags) < 0)
                    return (long)_brk;
            }
            else if (end < old && Unmap(end, old - end) < 0)
            {
                return (long)_brk;
            }
            _brk = address;
            return (long)address;
        }
    }

    /// <summary>Enters what another call mapped in guest addresses (shmat) or took away (rights null).</summary>
    /// <param name="of">Equal for mappings of the same memory; 0 when that cannot be said.</param>
    public void Note(ulong start, ulong length, Protection? rights, ulong of = 0)
    {
        lock (Sync)
        {
            if (rights is { } r)
            {
                _regions.Set(new Region(start, start + RoundUp(length), r, Shared: true, of, of == 0 ? 0 : 0 - start));
                if (of != 0)
                    FlushAliases(start, start + length);
            }
            else
                _regions.Remove(start, start + RoundUp(length));
        }
    }

    /// <summary>A free place for a mapping that another call is about to make; 0 if there is none.</summary>
    /// <remarks>The caller holds <see cref="Sync"/> until the mapping is there.</remarks>
    public ulong Place(ulong hint, ulong length, MapFlags flags, ulong alignment = PageSize)
    {
        lock (Sync)
        {
            length = RoundUp(length);
            hint &= ~(alignment - 1);
            if (hint >= Lowest && hint < End && length <= End - hint && _regions.IsFree(hint, hint + length)
                && ((flags & MapFlags.Low32Bit) == 0 || hint + length <= Low32BitEnd))
                return hint;
            if ((flags & MapFlags.Low32Bit) != 0)
                return _regions.HighestGap(0x4000_0000, Low32BitEnd, length, alignment);
            ulong start = _regions.HighestGap(Lowest, Top, length, alignment);
            return start != 0 ? start : _regions.HighestGap(Top, End, length, alignment);
        }
    }

    /// <summary>Takes everything away: another program takes this one's place.</summary>
    public void Clear()
    {
        lock (Sync)
        {
            foreach (Region region in Regions())
                _ = Unmap(region.Start, region.Length);
            _brk = _brkStart = 0;
        }
    }

    public static ulong RoundUp(ulong value) => (value + (PageSize - 1)) & ~(PageSize - 1);

    private static Protection Host(Protection guest)
    {
        Protection host = guest & (Protection.Read | Protection.Write);
        return (guest & Protection.Execute) != 0 ? host | Protection.Read : host;
    }

    private ulong FirstHole(ulong address, ulong end)
    {
        while (address < end && _regions.TryFind(address, out Region region))
            address = region.End;
        return Math.Min(address, end);
    }

    private void Forget(ulong start, ulong end)
    {
        Translator?.Forget(start, end - start);
        _ = HostSyscall.Invoke(SysMunmap, (long)start, (long)(end - start));
        _regions.Remove(start, end);
    }
}
