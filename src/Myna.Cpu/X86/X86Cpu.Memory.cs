using System.Runtime.InteropServices;
using Myna.Cpu.X86.Instructions;
using Myna.Hardware.Memory;
using Myna.Host.User;
using Myna.Jit.Engine;
using Myna.Jit.Memory;
using Myna.Jit.Operations;

namespace Myna.Cpu.X86;

/// <summary>
/// Data accesses and instruction fetches by linear address. Each tries the soft-TLB first; the slow path translates, fills it, and reaches devices.
/// Where no memory and no device answers, loads give all ones and stores vanish. The methods that engines call deliver the faults they find;
/// those named Try… leave them in <see cref="_fault"/>.
/// </summary>
public sealed partial class X86Cpu
{
    /// <summary>A load at any alignment, also across pages; user or supervisor by <paramref name="mode"/>.</summary>
    /// <param name="value">Zero-extended.</param>
    /// <returns>False when an exception was delivered.</returns>
    public bool Load(ulong linear, MemSize size, int mode, out ulong value) => TryLoad(linear, size, mode, out value) || Delivered();

    /// <summary>A store at any alignment, also across pages.</summary>
    /// <returns>False when an exception was delivered; nothing was stored.</returns>
    public bool Store(ulong linear, MemSize size, int mode, ulong value) => TryStore(linear, size, mode, value) || Delivered();

    /// <summary>As <see cref="Load"/>, for what the soft-TLB could not answer.</summary>
    public bool SlowLoad(ulong linear, MemSize size, int mode, out ulong value) => TrySlowLoad(linear, size, mode, out value) || Delivered();

    /// <summary>As <see cref="Store"/>, for what the soft-TLB could not answer.</summary>
    public bool SlowStore(ulong linear, MemSize size, int mode, ulong value) => TrySlowStore(linear, size, mode, value) || Delivered();

    /// <summary>A load of 16 bytes; of a <paramref name="pair"/>, these are the lower ones: none of 32 bytes may have an address that is none.</summary>
    public bool SlowLoadVector(ulong linear, int mode, bool pair, out ulong low, out ulong high)
    {
        low = high = 0;
        return ((!pair || CheckReach(linear, 32)) && CheckAccess(linear, 16, mode, WatchKind.Read) && TryLoad(linear, MemSize.B8, mode, out low) && TryLoad(Wrap(linear + 8), MemSize.B8, mode, out high)) || Delivered();
    }

    /// <summary>A store of 16 bytes; a fault leaves all of them as they were.</summary>
    public bool SlowStoreVector(ulong linear, int mode, ulong low, ulong high)
        => (CheckAccess(linear, 16, mode, WatchKind.Write) && TryProbe(linear, 16, mode, PageRights.Write) && TryStore(linear, MemSize.B8, mode, low) && TryStore(Wrap(linear + 8), MemSize.B8, mode, high)) || Delivered();

    /// <summary>An implicit supervisor access: descriptor tables, TSS. Faults are delivered.</summary>
    public bool ReadSystem(ulong linear, MemSize size, out ulong value) => TryReadSystem(linear, size, out value) || Delivered();

    /// <inheritdoc cref="ReadSystem"/>
    public bool WriteSystem(ulong linear, MemSize size, ulong value) => TryWriteSystem(linear, size, value) || Delivered();

    /// <summary>Checks that a store of up to 4096 bytes will not fault, and delivers the fault if it would.</summary>
    /// <param name="alignment">What is asked of the address where alignment is checked.</param>
    public bool ProbeWrite(ulong linear, int bytes, int mode, int alignment = 1) => TryProbe(linear, bytes, mode, PageRights.Write, alignment) || Delivered();

    /// <summary>As <see cref="ProbeWrite"/> for a load.</summary>
    public bool ProbeRead(ulong linear, int bytes, int mode) => TryProbe(linear, bytes, mode, PageRights.Read) || Delivered();

    private bool TryReadSystem(ulong linear, MemSize size, out ulong value) => TryLoad(Wrap(linear), size, MmuMode.Supervisor, out value);

    private bool TryWriteSystem(ulong linear, MemSize size, ulong value) => TryStore(Wrap(linear), size, MmuMode.Supervisor, value);

    private bool TryLoad(ulong linear, MemSize size, int mode, out ulong value)
        => Block.Tlb.TryRead(mode, linear, size, signed: false, out value) || TrySlowLoad(linear, size, mode, out value);

    private bool TryStore(ulong linear, MemSize size, int mode, ulong value)
        => Block.Tlb.TryWrite(mode, linear, size, value) || TrySlowStore(linear, size, mode, value);

    private bool TrySlowLoad(ulong linear, MemSize size, int mode, out ulong value)
    {
        int bytes = 1 << (int)size;
        value = 0;
        if (!CheckAccess(linear, bytes, mode, WatchKind.Read))
            return false;
        if (_user is not null)
            return SafeMemory.TryLoad(linear, (int)size, out value) || UserFault(linear, bytes, PageRights.Read);
        int first = (int)(Ram.PageSize - (linear & PageMask));
        if (first >= bytes)
        {
            if (!Resolve(linear, mode, PageRights.Read, out ulong physical))
                return false;
            value = ReadPhysical(physical, bytes);
            return true;
        }
        ulong second = Wrap(linear + (ulong)first);
        if (!Resolve(linear, mode, PageRights.Read, out ulong low) || !Resolve(second, mode, PageRights.Read, out ulong high))
            return false;
        for (int i = 0; i < bytes; i++)
            value |= ReadPhysical(i < first ? low + (ulong)i : high + (ulong)(i - first), 1) << (8 * i);
        return true;
    }

    private bool TrySlowStore(ulong linear, MemSize size, int mode, ulong value)
    {
        int bytes = 1 << (int)size;
        if (!CheckAccess(linear, bytes, mode, WatchKind.Write))
            return false;
        if (_user is not null)
            return SafeMemory.TryStore(linear, (int)size, value) || UserFault(linear, bytes, PageRights.Write);
        int first = (int)(Ram.PageSize - (linear & PageMask));
        if (first >= bytes)
        {
            if (!Resolve(linear, mode, PageRights.Write, out ulong physical))
                return false;
            // The entry may be there now: stores through it tell the watchers of code.
            if (!Block.Tlb.TryWrite(mode, linear, size, value))
                WritePhysical(physical, bytes, value);
            return true;
        }
        // Both pages are checked before either is written.
        ulong second = Wrap(linear + (ulong)first);
        if (!Resolve(linear, mode, PageRights.Write, out ulong low) || !Resolve(second, mode, PageRights.Write, out ulong high))
            return false;
        for (int i = 0; i < bytes; i++)
            WritePhysical(i < first ? low + (ulong)i : high + (ulong)(i - first), 1, (byte)(value >> (8 * i)));
        return true;
    }

    private bool TryProbe(ulong linear, int bytes, int mode, PageRights access, int alignment = 1)
    {
        if (!CheckAccess(linear, bytes, mode, access == PageRights.Write ? WatchKind.Write : WatchKind.Read, alignment))
            return false;
        ulong last = Wrap(linear + (ulong)(bytes - 1));
        if (_user is not null)
            return UserProbe(linear, last, access);
        return Resolve(linear, mode, access, out _) && (((linear ^ last) & ~PageMask) == 0 || Resolve(last & ~PageMask, mode, access, out _));
    }

    // Linear addresses have 32 bits outside IA-32e mode. Compatibility mode comes here too with addresses of system tables, which have 64; its
    // own accesses never reach beyond 4 GiB but in the middle of one that wraps around. LIMIT: that one goes to the bytes above.
    private ulong Wrap(ulong linear) => IsLong ? linear : (uint)linear;

    // Canonical addresses, and the end of 4 GiB.
    private bool CheckReach(ulong linear, int bytes)
    {
        if (_levels >= 4 && (!IsCanonical(linear) || !IsCanonical(linear + (ulong)(bytes - 1))))
            return Fault(UsesStackSegment(linear) ? Vector.SS : Vector.GP);
        // Segments that allow 4 GiB do not wrap around.
        if (!Is64 && Flags.Flat && linear <= uint.MaxValue && linear + (ulong)(bytes - 1) > uint.MaxValue)
            return Fault(UsesStackSegment(linear) ? Vector.SS : Vector.GP);
        return true;
    }

    // What comes before translation: the address itself, alignment (to its size, if nothing else is asked), breakpoints.
    private bool CheckAccess(ulong linear, int bytes, int mode, WatchKind kind, int alignment = 0)
    {
        if (!CheckReach(linear, bytes))
            return false;
        if (mode == MmuMode.UserAligned && (linear & (ulong)((alignment == 0 ? bytes : alignment) - 1)) != 0)
            return Fault(Vector.AC);
        if (_watchesData)
        {
            NoteDataBreakpoints(linear, bytes, kind);
            if (!_watchSuspended && !_delivering && IsWatched(linear, bytes, kind))
                return AbandonForWatchpoint();
        }
        return true;
    }

    // Translates an access inside one page, and fills the soft-TLB when that is possible.
    private bool Resolve(ulong linear, int mode, PageRights access, out ulong physical)
    {
        if (!Translate(linear, mode, access, debug: false, out physical, out PageRights rights, out ulong reach, out uint error))
        {
            _faultAddress = linear;
            return Fault(Vector.PF, error);
        }
        TryFill(mode, linear, physical, rights, reach);
        return true;
    }

    // Inside one page.
    private ulong ReadPhysical(ulong physical, int bytes)
    {
        if (IsApicPage(physical))
            return LocalApic!.Read((int)(physical & PageMask), bytes);
        Region? region = _memory.Find(physical);
        if (region is null)
            return Mask((MemSize)System.Numerics.BitOperations.Log2((uint)bytes));
        ulong value;
        if (region.Ram is not null || (physical & (ulong)(bytes - 1)) == 0)
        {
            if (_memory.Load(physical, bytes, out value))
                return value;
            if (bytes == 1)
                return 0xFF;
            if (region.Ram is null && bytes <= 4)
                return Mask((MemSize)System.Numerics.BitOperations.Log2((uint)bytes));
        }
        // Devices take no misaligned access and need not take 8 bytes.
        int half = bytes / 2;
        value = ReadPhysical(physical, half);
        return value | ReadPhysical(physical + (ulong)half, half) << (8 * half);
    }

    private void WritePhysical(ulong physical, int bytes, ulong value)
    {
        if (IsApicPage(physical))
        {
            LocalApic!.Write((int)(physical & PageMask), bytes, value);
            return;
        }
        Region? region = _memory.Find(physical);
        if (region is null)
            return;
        if (region is { Ram: { } ram, Device: null })
        {
            if (ram.ReadOnly)
                return;
            if (region.Size - (physical - region.Start) >= (ulong)bytes)
            {
                ulong offset = physical - region.Start + region.RamOffset;
                ram.NoteWrite(offset, (ulong)bytes);
                _memory.Store(physical, bytes, value);
                // What another CPU derived from the old bytes meanwhile must go too.
                ram.NoteWrite(offset, (ulong)bytes);
                return;
            }
        }
        else if ((physical & (ulong)(bytes - 1)) == 0 && (_memory.Store(physical, bytes, value) || bytes <= 4))
        {
            return;
        }
        if (bytes == 1)
            return;
        int half = bytes / 2;
        WritePhysical(physical, half, value & Mask((MemSize)System.Numerics.BitOperations.Log2((uint)half)));
        WritePhysical(physical + (ulong)half, half, value >> (8 * half));
    }

    // Fetches.

    /// <summary>Prepares fetches from the page of <paramref name="linear"/>.</summary>
    public FetchOutcome FillFetch(ulong linear)
    {
        if (Block.Tlb.TryFetchPage(FetchMode, linear, out _))
            return FetchOutcome.Ready;
        if (!ResolveFetch(linear, out _))
        {
            Delivered();
            return FetchOutcome.Fault;
        }
        return Block.Tlb.TryFetchPage(FetchMode, linear, out _) ? FetchOutcome.Ready : FetchOutcome.Interpret;
    }

    private bool ResolveFetch(ulong linear, out ulong physical)
    {
        physical = 0;
        if (_levels >= 4 && !IsCanonical(linear))
            return Fault(Vector.GP);
        if (_user is not null)
            return _user.CanFetch(linear) || UserFault(linear, 1, PageRights.Execute);
        return Resolve(linear, FetchMode, PageRights.Execute, out physical);
    }

    /// <summary>Bytes of an instruction, up to 15 or <paramref name="buffer"/>'s length.</summary>
    /// <returns>How many can be read before a fault, which is not raised: see <see cref="RaiseFetchFault"/>.</returns>
    public int FetchBytes(ulong linear, Span<byte> buffer)
    {
        int wanted = Math.Min(buffer.Length, 15);
        int done = 0;
        if (!Flags.Flat)
        {
            // Beyond the limit of CS there is nothing.
            ulong ip = ToIp(linear);
            ulong limit = State.Limits[(int)SegmentRegister.Cs];
            if (ip > limit)
                return 0;
            wanted = (int)Math.Min((ulong)wanted, limit - ip + 1);
        }
        while (done < wanted)
        {
            ulong address = Wrap(linear + (ulong)done);
            int run = Math.Min(wanted - done, (int)(Ram.PageSize - (address & PageMask)));
            if (!ResolveFetch(address, out ulong physical))
                break;
            if (_user is not null)
            {
                if (SafeMemory.Read(address, buffer.Slice(done, run)) != run)
                    break;
            }
            else if (!_memory.Read(physical, buffer.Slice(done, run)))
            {
                for (int i = 0; i < run; i++)
                    buffer[done + i] = _memory.FindRam(physical + (ulong)i, 1, out Ram? ram, out ulong offset, out _) ? ram.Get(offset, 1)[0] : (byte)0xFF;
            }
            done += run;
        }
        return done;
    }

    /// <summary>
    /// Delivers the fault of the first byte that <see cref="FetchBytes"/> could not read, or #GP(0) for an instruction of more than 15 bytes.
    /// </summary>
    public void RaiseFetchFault(ulong linear)
    {
        Span<byte> buffer = stackalloc byte[15];
        int count = FetchBytes(linear, buffer);
        if (count < 15 && (Flags.Flat || ToIp(linear) + (ulong)count <= State.Limits[(int)SegmentRegister.Cs]) && !ResolveFetch(Wrap(linear + (ulong)count), out _))
            Delivered();
        else
            RaiseException(Vector.GP);
    }
}
