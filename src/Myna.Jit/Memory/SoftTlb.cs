using System.Numerics;
using System.Runtime.CompilerServices;
using Myna.Hardware.Memory;
using Myna.Host;
using Myna.Jit.Operations;

namespace Myna.Jit.Memory;

/// <summary>What an entry of the soft-TLB allows.</summary>
[Flags]
public enum PageRights { None = 0, Read = 1, Write = 2, Execute = 4 }

/// <summary>
/// A virtual CPU's cache of address translations to host addresses: direct-mapped, 4 KiB pages, one table per MMU mode.
/// Generated code looks it up inline; the interpreter uses the methods here. Only its CPU's thread may call it, save
/// for <see cref="ForceSlowWrites"/>.
/// </summary>
public sealed unsafe partial class SoftTlb
{
    internal const int IndexBits = 12;
    internal const int EntrySize = 32;
    internal const int BytesPerMode = EntrySize << IndexBits;
    internal const ulong PageMask = Ram.PageSize - 1;
    /// <summary>In a write tag: writable, but stores must take the slow path because the page holds translated code.</summary>
    private const ulong Watched = 1 << 11;
    private const int LogSize = 1024;

    private readonly Entry* _entries;
    private readonly int _modes;
    private readonly int[] _log = new int[LogSize];
    private int _logged;
    private uint _usedModes;
    private ulong _largeStart = ulong.MaxValue, _largeEnd;
    private readonly CpuBlock _owner;
    private CodePages? _pages;

    internal struct Entry
    {
        public ulong Read, Write, Fetch;
        /// <summary>Host address minus guest address.</summary>
        public ulong Addend;
    }

    internal SoftTlb(CpuBlock owner, NativeBlock memory, int offset, int modes)
    {
        _owner = owner;
        // SAFETY: Span checked that the tables lie inside the block, which outlives this object (both are the CPU's).
        _ = memory.Span<byte>(offset, modes * BytesPerMode);
        _entries = (Entry*)(memory.Address + offset);
        _modes = modes;
        for (int mode = 0; mode < modes; mode++)
            ClearMode(mode);
    }

    /// <summary>Entries filled and whole flushes, for the engine's counters.</summary>
    public ulong Fills { get; private set; }
    public ulong Flushes { get; private set; }

    internal void Attach(CodePages pages) => _pages = pages;

    /// <summary>Enters a translation.</summary>
    /// <param name="mode">MMU mode, below the number given to <see cref="CpuBlock"/>.</param>
    /// <param name="va">Guest virtual address; its page is entered.</param>
    /// <param name="rights">Write only with the page's dirty bit set already.</param>
    /// <param name="ram">The memory behind the page; a page of ROM never becomes writable.</param>
    /// <param name="ramOffset">Offset of the page (low 12 bits ignored) in it.</param>
    /// <param name="reach">Bytes that one translation covers when it is larger than 4096: <see cref="FlushPage"/> inside that range then flushes all.</param>
    public void Fill(int mode, ulong va, PageRights rights, Ram ram, ulong ramOffset, ulong reach = Ram.PageSize)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)mode, (uint)_modes, nameof(mode));
        ulong page = va & ~PageMask;
        ulong offset = ramOffset & ~PageMask;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(offset, ram.Size, nameof(ramOffset));
        int index = Index(mode, va);
        // SAFETY: index is below modes << IndexBits.
        Entry* e = _entries + index;
        Fills++;
        _usedModes |= 1u << mode;
        // In the log before in the table: ForceSlowWrites goes by the log.
        int logged = _logged;
        if (logged < LogSize)
            _log[logged] = index;
        Volatile.Write(ref _logged, logged + 1);
        e->Read = e->Write = e->Fetch = ulong.MaxValue;
        e->Addend = (ulong)ram.HostAddress + offset - page;
        if ((rights & PageRights.Read) != 0)
            e->Read = page;
        if ((rights & PageRights.Execute) != 0)
            e->Fetch = page;
        if ((rights & PageRights.Write) != 0 && !ram.ReadOnly)
        {
            // Visible to ForceSlowWrites before the question whether the page is watched: one of the two sees the other.
            Interlocked.Exchange(ref e->Write, page);
            if (ram.IsWatched(offset))
                e->Write = page | Watched;
        }
        if (reach > Ram.PageSize)
        {
            ulong start = va & ~(reach - 1);
            _largeStart = Math.Min(_largeStart, start);
            _largeEnd = Math.Max(_largeEnd, start + (reach - 1));
        }
    }

    /// <summary>Forgets everything, cached jump targets too.</summary>
    public void Flush()
    {
        Flushes++;
        _owner.FlushJumps();
        if (_logged <= LogSize)
        {
            for (int i = 0; i < _logged; i++)
                Clear(_entries + _log[i]);
        }
        else
        {
            for (int mode = 0; mode < _modes; mode++)
            {
                if ((_usedModes >> mode & 1) != 0)
                    ClearMode(mode);
            }
        }
        _usedModes = 0;
        _logged = 0;
        _largeStart = ulong.MaxValue;
        _largeEnd = 0;
    }

    /// <summary>Forgets the translations of one 4 KiB page in all modes, and everything when the page may lie inside a larger one.</summary>
    public void FlushPage(ulong va)
    {
        if (va >= _largeStart && va <= _largeEnd)
        {
            Flush();
            return;
        }
        _owner.FlushJumpsTo(va);
        ulong page = va & ~PageMask;
        for (int mode = 0; mode < _modes; mode++)
        {
            // SAFETY: index is below modes << IndexBits.
            Entry* e = _entries + Index(mode, va);
            if (e->Read == page || (e->Write & ~PageMask) == page || e->Fetch == page)
                Clear(e);
        }
    }

    /// <summary>A load when the translation is cached. Misaligned is fine inside one page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead<T>(int mode, ulong va, out T value) where T : unmanaged
    {
        Entry* e = _entries + Index(mode, va);
        if (e->Read != ((va + (ulong)(sizeof(T) - 1)) & ~PageMask))
        {
            value = default;
            return false;
        }
        // SAFETY: the tag says that [va, va + size) lies in a page whose host address is va + Addend.
        value = Unsafe.ReadUnaligned<T>((byte*)(va + e->Addend));
        return true;
    }

    /// <summary>A store when the translation is cached; stores to watched pages tell the watchers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryWrite<T>(int mode, ulong va, T value) where T : unmanaged
    {
        Entry* e = _entries + Index(mode, va);
        if (e->Write != ((va + (ulong)(sizeof(T) - 1)) & ~PageMask))
            return TryWriteWatched(e, va, value);
        // SAFETY: as in TryRead.
        Unsafe.WriteUnaligned((byte*)(va + e->Addend), value);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryWriteWatched<T>(Entry* e, ulong va, T value) where T : unmanaged
    {
        if (!Watch(e, va, sizeof(T)))
            return false;
        // SAFETY: as in TryRead; Watch compared the tag.
        Unsafe.WriteUnaligned((byte*)(va + e->Addend), value);
        ReportAgain(e, va, sizeof(T));
        return true;
    }

    /// <summary>A load of 1 to 8 bytes when the translation is cached; meant for a constant <paramref name="size"/>.</summary>
    /// <param name="value">Sign- or zero-extended.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(int mode, ulong va, MemSize size, bool signed, out ulong value)
    {
        Entry* e = _entries + Index(mode, va);
        if (e->Read != ((va + (ulong)((1 << (int)size) - 1)) & ~PageMask))
        {
            value = 0;
            return false;
        }
        // SAFETY: as in TryRead<T>.
        byte* p = (byte*)(va + e->Addend);
        value = size switch
        {
            MemSize.B1 => signed ? (ulong)(sbyte)*p : *p,
            MemSize.B2 => signed ? (ulong)Unsafe.ReadUnaligned<short>(p) : Unsafe.ReadUnaligned<ushort>(p),
            MemSize.B4 => signed ? (ulong)Unsafe.ReadUnaligned<int>(p) : Unsafe.ReadUnaligned<uint>(p),
            _ => Unsafe.ReadUnaligned<ulong>(p),
        };
        return true;
    }

    /// <summary>A store of the low 1 to 8 bytes when the translation is cached, as by <see cref="TryWrite{T}"/>; meant for a constant <paramref name="size"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryWrite(int mode, ulong va, MemSize size, ulong value) => size switch
    {
        MemSize.B1 => TryWrite(mode, va, (byte)value),
        MemSize.B2 => TryWrite(mode, va, (ushort)value),
        MemSize.B4 => TryWrite(mode, va, (uint)value),
        _ => TryWrite(mode, va, value),
    };

    /// <summary>Where a store would go that does not straddle pages, when the translation is cached; the page may be watched.</summary>
    internal bool TryFindWritten(int mode, ulong va, int bytes, out nint address)
    {
        Entry* e = _entries + Index(mode, va);
        address = (nint)(va + e->Addend);
        return (e->Write & ~Watched) == ((va + (ulong)(bytes - 1)) & ~PageMask) && (va & ~PageMask) == (e->Write & ~Watched);
    }

    /// <summary>An instruction fetch of 2 or 4 bytes when the translation is cached.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFetch<T>(int mode, ulong va, out T value) where T : unmanaged
    {
        Entry* e = _entries + Index(mode, va);
        if (e->Fetch != ((va + (ulong)(sizeof(T) - 1)) & ~PageMask))
        {
            value = default;
            return false;
        }
        // SAFETY: as in TryRead.
        value = Unsafe.ReadUnaligned<T>((byte*)(va + e->Addend));
        return true;
    }

    /// <summary>The physical page that instructions at <paramref name="va"/> come from, when cached.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFetchPage(int mode, ulong va, out CodePage page)
    {
        Entry* e = _entries + Index(mode, va);
        page = new CodePage((nint)((va & ~PageMask) + e->Addend));
        return e->Fetch == (va & ~PageMask);
    }

    /// <summary>An atomic read-modify-write of 4 or 8 bytes when the page is cached as readable and writable; <paramref name="va"/> is aligned.</summary>
    public bool TryAtomic(AtomicOp op, int mode, ulong va, MemSize size, ulong operand, out ulong old)
    {
        Entry* e = _entries + Index(mode, va);
        if (!Writable(e, va, 1 << (int)size))
        {
            old = 0;
            return false;
        }
        byte* p = (byte*)(va + e->Addend);
        // SAFETY: as in TryRead; callers pass aligned addresses, checked here.
        if (size == MemSize.B8)
        {
            ref ulong target = ref Unsafe.AsRef<ulong>(p);
            ulong seen = Volatile.Read(ref target);
            while ((old = Interlocked.CompareExchange(ref target, Apply(op, seen, operand), seen)) != seen)
                seen = old;
        }
        else
        {
            ref uint target = ref Unsafe.AsRef<uint>(p);
            uint seen = Volatile.Read(ref target), now;
            while ((now = Interlocked.CompareExchange(ref target, (uint)Apply(op, (ulong)(int)seen, (ulong)(int)operand), seen)) != seen)
                seen = now;
            old = (ulong)(int)now;
        }
        ReportAgain(e, va, 1 << (int)size);
        return true;
    }

    /// <summary>Atomic compare-and-exchange of 4 or 8 bytes; <paramref name="old"/> is sign-extended. Conditions as for <see cref="TryAtomic"/>.</summary>
    public bool TryCompareExchange(int mode, ulong va, MemSize size, ulong expected, ulong desired, out ulong old)
    {
        Entry* e = _entries + Index(mode, va);
        if (!Writable(e, va, 1 << (int)size))
        {
            old = 0;
            return false;
        }
        byte* p = (byte*)(va + e->Addend);
        // SAFETY: as in TryRead; the address is aligned.
        old = size == MemSize.B8
            ? Interlocked.CompareExchange(ref Unsafe.AsRef<ulong>(p), desired, expected)
            : (ulong)(int)Interlocked.CompareExchange(ref Unsafe.AsRef<uint>(p), (uint)desired, (uint)expected);
        ReportAgain(e, va, 1 << (int)size);
        return true;
    }

    /// <summary>What a read-modify-write stores; operands of the 4-byte forms are sign-extended.</summary>
    public static ulong Apply(AtomicOp op, ulong memory, ulong operand) => op switch
    {
        AtomicOp.Swap => operand,
        AtomicOp.Add => memory + operand,
        AtomicOp.And => memory & operand,
        AtomicOp.Or => memory | operand,
        AtomicOp.Xor => memory ^ operand,
        AtomicOp.MinS => (long)memory < (long)operand ? memory : operand,
        AtomicOp.MaxS => (long)memory > (long)operand ? memory : operand,
        // Sign extension keeps the unsigned order of 32-bit values.
        AtomicOp.MinU => memory < operand ? memory : operand,
        _ => memory > operand ? memory : operand,
    };

    /// <summary>Makes stores to a page take the slow path from now on. Any thread.</summary>
    internal void ForceSlowWrites(nint hostPage)
    {
        int logged = Volatile.Read(ref _logged);
        if (logged <= LogSize)
        {
            for (int i = 0; i < logged; i++)
                ForceSlow(_entries + _log[i], hostPage);
            return;
        }
        uint used = Volatile.Read(ref _usedModes);
        for (int i = 0; i < _modes << IndexBits; i++)
        {
            if ((used >> (i >> IndexBits) & 1) != 0)
                ForceSlow(_entries + i, hostPage);
        }
    }

    // SAFETY: e lies in the table.
    private static void ForceSlow(Entry* e, nint hostPage)
    {
        ulong tag = Volatile.Read(ref e->Write);
        if ((tag & PageMask) == 0 && tag + e->Addend == (ulong)hostPage)
            Interlocked.CompareExchange(ref e->Write, tag | Watched, tag);
    }

    private bool Writable(Entry* e, ulong va, int size)
    {
        ulong page = va & ~PageMask;
        if ((va & (ulong)(size - 1)) != 0 || e->Read != page)
            return false;
        return e->Write == page || Watch(e, va, size);
    }

    // After a store that Watch reported: what another CPU derived from the old bytes since then must go too.
    private void ReportAgain(Entry* e, ulong va, int size)
    {
        if ((e->Write & Watched) != 0)
            Watch(e, va, size);
    }

    // A store to a page that is or was watched: tells the watchers, or makes the entry fast again.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Watch(Entry* e, ulong va, int size)
    {
        ulong page = va & ~PageMask;
        if (e->Write != (page | Watched) || ((va + (ulong)(size - 1)) & ~PageMask) != page || _pages is null)
            return false;
        if (!_pages.Store((nint)(va + e->Addend), size))
        {
            Interlocked.Exchange(ref e->Write, page);
            if (_pages.IsWatched((nint)(page + e->Addend)))
                e->Write = page | Watched;
        }
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Index(int mode, ulong va) => (mode << IndexBits) | ((int)(va >> Ram.PageBits) & ((1 << IndexBits) - 1));

    private static void Clear(Entry* e) => e->Read = e->Write = e->Fetch = ulong.MaxValue;

    private void ClearMode(int mode) => new Span<byte>((byte*)_entries + (mode * BytesPerMode), BytesPerMode).Fill(0xFF);
}
