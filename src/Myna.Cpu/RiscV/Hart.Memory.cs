using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Host.User;
using Myna.Jit.Engine;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.RiscV;

/// <summary>
/// Data accesses and instruction fetches. Each tries the soft-TLB first; the slow path translates, fills it, reaches
/// devices, and raises faults, whose tval is the lowest address that cannot be accessed.
/// </summary>
public sealed partial class Hart
{
    /// <summary>Bytes of a cache block (Zicbom, Zicboz).</summary>
    public const int CacheBlockSize = 64;

    /// <summary>A load; misaligned ones work, also across pages.</summary>
    /// <param name="raw">Zero-extended.</param>
    /// <returns>False when an exception was raised.</returns>
    public bool Load(ulong va, MemSize size, out ulong raw)
        => Block.Tlb.TryRead(_dataMode, va, size, signed: false, out raw) || SlowLoad(va, size, _dataMode, out raw);

    /// <summary>A store; misaligned ones work, also across pages.</summary>
    /// <returns>False when an exception was raised; nothing was stored.</returns>
    public bool Store(ulong va, MemSize size, ulong value)
        => Block.Tlb.TryWrite(_dataMode, va, size, value) || SlowStore(va, size, _dataMode, value);

    /// <summary>A load that the soft-TLB could not answer.</summary>
    public bool SlowLoad(ulong va, MemSize size, int mode, out ulong raw)
    {
        int bytes = 1 << (int)size;
        raw = 0;
        if (IsWatched(va, bytes, WatchKind.Read))
            return false;
        if (_user is not null)
            return SafeMemory.TryLoad(va, (int)size, out raw) || UserFault(va, bytes, PageRights.Read);
        int first = (int)(Ram.PageSize - (va & PageMask));
        if (first >= bytes)
        {
            return Resolve(va, mode, PageRights.Read, bytes, out ulong pa) && (ReadPhysical(pa, bytes, out raw) || Fault(va, PageRights.Read, Walk.AccessFault));
        }
        ulong second = va + (ulong)first;
        return Resolve(va, mode, PageRights.Read, first, out ulong low) && ReadPieces(va, low, first, 0, ref raw)
            && Resolve(second, mode, PageRights.Read, bytes - first, out ulong high) && ReadPieces(second, high, bytes - first, first, ref raw);
    }

    /// <summary>A store that the soft-TLB could not answer.</summary>
    public bool SlowStore(ulong va, MemSize size, int mode, ulong value)
    {
        int bytes = 1 << (int)size;
        if (IsWatched(va, bytes, WatchKind.Write))
            return false;
        if (_user is not null)
            return SafeMemory.TryStore(va, (int)size, value) || UserFault(va, bytes, PageRights.Write);
        int first = (int)(Ram.PageSize - (va & PageMask));
        if (first >= bytes)
        {
            if (!Resolve(va, mode, PageRights.Write, bytes, out ulong pa))
                return false;
            // The entry may be there now: stores through it tell the watchers of code.
            return Block.Tlb.TryWrite(mode, va, size, value) || WritePhysical(pa, bytes, value) || Fault(va, PageRights.Write, Walk.AccessFault);
        }
        // Both pages are checked before either is written.
        ulong second = va + (ulong)first;
        if (!Resolve(va, mode, PageRights.Write, first, out ulong low) || !Resolve(second, mode, PageRights.Write, bytes - first, out ulong high))
            return false;
        return WritePieces(va, low, first, value) && WritePieces(second, high, bytes - first, value >> (8 * first));
    }

    private bool ReadPieces(ulong va, ulong pa, int count, int done, ref ulong raw)
    {
        for (int i = 0; i < count; i++)
        {
            // Devices take no misaligned access, and a piece of one would have side effects.
            if (!_memory.FindRam(pa + (ulong)i, 1, out Ram? ram, out ulong offset, out _))
                return Fault(va, PageRights.Read, Walk.AccessFault);
            raw |= (ulong)ram.Get(offset, 1)[0] << (8 * (done + i));
        }
        return true;
    }

    private bool WritePieces(ulong va, ulong pa, int count, ulong value)
    {
        for (int i = 0; i < count; i++)
        {
            if (!_memory.FindRam(pa + (ulong)i, 1, out Ram? ram, out ulong offset, out _) || ram.ReadOnly)
                return Fault(va, PageRights.Write, Walk.AccessFault);
            ram.GetForWrite(offset, 1)[0] = (byte)(value >> (8 * i));
        }
        return true;
    }

    private bool ReadPhysical(ulong pa, int bytes, out ulong raw)
    {
        raw = 0;
        Region? region = _memory.Find(pa);
        return region is not null && (region.Ram is not null || (pa & (ulong)(bytes - 1)) == 0) && _memory.Load(pa, bytes, out raw);
    }

    private bool WritePhysical(ulong pa, int bytes, ulong value)
    {
        Region? region = _memory.Find(pa);
        return region is not null && (region.Device is null || (pa & (ulong)(bytes - 1)) == 0) && _memory.Store(pa, bytes, value);
    }

    // Translates and checks an access inside one page, and fills the soft-TLB when that is possible.
    private bool Resolve(ulong va, int mode, PageRights access, int bytes, out ulong pa)
    {
        Walk walk = Translate(va, mode, access, debug: false, out pa, out PageRights rights, out ulong reach);
        if (walk == Walk.Ok && !_pmp.Allows(pa, (ulong)bytes, access, mode == MmuMode.Machine))
            walk = Walk.AccessFault;
        if (walk != Walk.Ok)
            return Fault(va, access, walk);
        TryFill(mode, va, pa, rights, reach);
        return true;
    }

    private bool Fault(ulong va, PageRights access, Walk walk)
    {
        bool page = walk == Walk.PageFault;
        return Raise(access switch
        {
            PageRights.Read => page ? Cause.LoadPageFault : Cause.LoadAccessFault,
            PageRights.Write => page ? Cause.StorePageFault : Cause.StoreAccessFault,
            _ => page ? Cause.InstructionPageFault : Cause.InstructionAccessFault,
        }, va);
    }

    // Atomics.

    /// <summary>An AMO of 4 or 8 bytes.</summary>
    /// <param name="old">Sign-extended.</param>
    /// <returns>False when an exception was raised.</returns>
    public bool Atomic(AtomicOp op, ulong va, MemSize size, ulong operand, out ulong old)
    {
        if (_user is not null)
            return UserAtomic(op, va, size, operand, out old);
        if (Block.Tlb.TryAtomic(op, _dataMode, va, size, operand, out old))
            return true;
        if (!ResolveAtomic(va, size, out ulong pa))
            return false;
        if (Block.Tlb.TryAtomic(op, _dataMode, va, size, operand, out old))
            return true;
        // A page that cannot be cached; a readable mapping is required too.
        if (FindAtomic(pa, size) is not { Length: > 0 } target)
            return Fault(va, PageRights.Write, Walk.AccessFault);
        ulong seen = ReadTarget(target, size);
        while (!TryExchange(target, size, seen, SoftTlb.Apply(op, seen, size == MemSize.B4 ? (ulong)(int)operand : operand), out old))
            seen = old;
        return true;
    }

    /// <summary>LR. DEVIATION: a reservation is lost when the value changes, not when the memory is written; a value that
    /// changes and changes back is not noticed.</summary>
    public bool LoadReserved(ulong va, MemSize size, out ulong value)
    {
        value = 0;
        if ((va & (ulong)((1 << (int)size) - 1)) != 0)
            return Raise(Cause.LoadAddressMisaligned, va);
        if (!Load(va, size, out value))
            return false;
        if (size == MemSize.B4)
            value = (ulong)(int)value;
        ref JitContext context = ref Block.Context;
        context.ReservedSize = 1 << (int)size;
        context.ReservedAddress = va;
        context.ReservedValue = value;
        return true;
    }

    /// <summary>SC.</summary>
    /// <param name="failed">0 when the store happened, else 1.</param>
    public bool StoreConditional(ulong va, MemSize size, ulong value, out ulong failed)
    {
        ref JitContext context = ref Block.Context;
        failed = 1;
        bool reserved = context.ReservedSize == 1 << (int)size && context.ReservedAddress == va;
        ulong expected = context.ReservedValue;
        context.ReservedSize = 0;
        if (_user is not null)
            return UserStoreConditional(va, size, reserved, expected, value, out failed);
        if (!reserved)
        {
            // Permissions and alignment are checked even so.
            return ResolveAtomic(va, size, out _);
        }
        if (!Block.Tlb.TryCompareExchange(_dataMode, va, size, expected, value, out ulong old))
        {
            if (!ResolveAtomic(va, size, out ulong pa))
                return false;
            if (!Block.Tlb.TryCompareExchange(_dataMode, va, size, expected, value, out old))
            {
                if (FindAtomic(pa, size) is not { Length: > 0 } target)
                    return Fault(va, PageRights.Write, Walk.AccessFault);
                TryExchange(target, size, expected, value, out old);
            }
        }
        failed = old == expected ? 0u : 1u;
        return true;
    }

    private bool ResolveAtomic(ulong va, MemSize size, out ulong pa)
    {
        int bytes = 1 << (int)size;
        pa = 0;
        if (IsWatched(va, bytes, WatchKind.Access))
            return false;
        if ((va & (ulong)(bytes - 1)) != 0)
            return Raise(Cause.StoreAddressMisaligned, va);
        if (!Resolve(va, _dataMode, PageRights.Write, bytes, out pa))
            return false;
        return _pmp.Allows(pa, (ulong)bytes, PageRights.Read, _dataMode == MmuMode.Machine) || Fault(va, PageRights.Write, Walk.AccessFault);
    }

    // RAM behind an atomic that the soft-TLB does not hold; empty for devices and ROM, which support none.
    private Span<byte> FindAtomic(ulong pa, MemSize size)
        => _memory.FindRam(pa, 1 << (int)size, out Ram? ram, out ulong offset, out _) && !ram.ReadOnly ? ram.GetForWrite(offset, 1 << (int)size) : default;

    private static ulong ReadTarget(Span<byte> target, MemSize size)
        => size == MemSize.B4 ? (ulong)Volatile.Read(ref MemoryMarshal.Cast<byte, int>(target)[0]) : Volatile.Read(ref MemoryMarshal.Cast<byte, ulong>(target)[0]);

    private static bool TryExchange(Span<byte> target, MemSize size, ulong expected, ulong value, out ulong old)
    {
        old = size == MemSize.B4
            ? (ulong)Interlocked.CompareExchange(ref MemoryMarshal.Cast<byte, int>(target)[0], (int)value, (int)expected)
            : Interlocked.CompareExchange(ref MemoryMarshal.Cast<byte, ulong>(target)[0], value, expected);
        return old == expected;
    }

    private bool CacheBlockEnabled(ulong enable) => _privilege == PrivilegeLevel.Machine
        || ((_menvcfg & enable) != 0 && (_privilege == PrivilegeLevel.Supervisor || (_senvcfg & enable) != 0));

    /// <summary>CBO.*: acts on the block that holds the address. Caches are coherent, so only CBO.ZERO does anything.</summary>
    /// <returns>False when an exception was raised.</returns>
    public bool CacheBlock(CacheBlockOp op, ulong va)
    {
        ulong enable = op switch
        {
            CacheBlockOp.Zero => EnvironmentConfig.Cbze,
            CacheBlockOp.Inval => EnvironmentConfig.Cbie,
            _ => EnvironmentConfig.Cbcfe,
        };
        if (!CacheBlockEnabled(enable))
            return RaiseIllegal();
        ulong block = va & ~(ulong)(CacheBlockSize - 1);
        if (op == CacheBlockOp.Zero)
        {
            for (int i = 0; i < CacheBlockSize; i += 8)
            {
                if (!Store(block + (ulong)i, MemSize.B8, 0))
                    return false;
            }
            return true;
        }

        if (_user is not null)
            return SafeMemory.TryLoad(va, 0, out _) || UserFault(va, 1, PageRights.Write);
        // Management needs a page that is readable, writable or executable; what fails, fails as a store
        // (unprivileged specification, chapter "CMO", section "Traps").
        Walk walk = Translate(va, _dataMode, PageRights.Read, debug: false, out ulong pa, out _, out _);
        if (walk == Walk.PageFault)
            walk = Translate(va, _dataMode, PageRights.Execute, debug: false, out pa, out _, out _);
        bool machine = _dataMode == MmuMode.Machine;
        if (walk == Walk.Ok && _pmp.RightsOf(pa & ~(ulong)(CacheBlockSize - 1), CacheBlockSize, machine, out _) == PageRights.None)
            walk = Walk.AccessFault;
        if (walk == Walk.Ok && _memory.Find(pa) is null)
            walk = Walk.AccessFault;
        return walk == Walk.Ok || Fault(va, PageRights.Write, walk);
    }

    // Fetches.

    /// <summary>Prepares fetches from the page of <paramref name="pc"/>.</summary>
    public FetchOutcome FillFetch(ulong pc)
    {
        if (_user is not null)
            return _user.CanFetch(pc) ? FetchOutcome.Interpret : UserFetchFault(pc);
        if (Block.Tlb.TryFetchPage(FetchMode, pc, out _))
            return FetchOutcome.Ready;
        if (!Resolve(pc, FetchMode, PageRights.Execute, 2, out ulong pa))
            return FetchOutcome.Fault;
        if (Block.Tlb.TryFetchPage(FetchMode, pc, out _))
            return FetchOutcome.Ready;
        return _memory.FindRam(pa, 2, out _, out _, out _) ? FetchOutcome.Interpret : FetchFault(pc);
    }

    private FetchOutcome FetchFault(ulong pc)
    {
        Fault(pc, PageRights.Execute, Walk.AccessFault);
        return FetchOutcome.Fault;
    }

    /// <summary>Fetches the instruction at <paramref name="pc"/>, in parcels of 16 bits; a compressed one has zeros above.</summary>
    /// <returns>False when an exception was raised, with the faulting parcel's address.</returns>
    public bool Fetch(ulong pc, out uint instruction)
    {
        instruction = 0;
        if (!FetchParcel(pc, out ushort low))
            return false;
        instruction = low;
        if ((low & 3) != 3)
            return true;
        if (!FetchParcel(pc + 2, out ushort high))
            return false;
        instruction |= (uint)high << 16;
        return true;
    }

    private bool FetchParcel(ulong pc, out ushort parcel)
    {
        if (_user is not null)
            return _user.TryFetch(pc, out parcel) || Raise(Cause.InstructionPageFault, pc);
        if (Block.Tlb.TryFetch(FetchMode, pc, out parcel))
            return true;
        if (!Resolve(pc, FetchMode, PageRights.Execute, 2, out ulong pa))
            return false;
        if (!_memory.FindRam(pa, 2, out Ram? ram, out ulong offset, out _))
            return Fault(pc, PageRights.Execute, Walk.AccessFault);
        parcel = MemoryMarshal.Read<ushort>(ram.Get(offset, 2));
        return true;
    }
}
