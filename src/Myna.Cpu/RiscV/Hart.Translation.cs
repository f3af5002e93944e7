using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>
/// Virtual to physical addresses: Sv39, Sv48, Sv57 with Svnapot, Svpbmt, Svade and Svadu (privileged specification,
/// chapter "Supervisor-Level ISA", section "Virtual Address Translation Process"). Nothing is kept for address spaces
/// other than the one satp names: a write of satp forgets all.
/// </summary>
public sealed partial class Hart
{
    private enum Walk { Ok, PageFault, AccessFault }

    private static class Pte
    {
        public const ulong V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128, N = 1UL << 63, Pbmt = 3UL << 61, Reserved = 0x7FUL << 54;
        public const ulong PpnMask = (1UL << 44) - 1;
    }

    private const PageRights AllRights = PageRights.Read | PageRights.Write | PageRights.Execute;
    private const ulong PageMask = Ram.PageSize - 1;

    /// <param name="mode">How to translate (<see cref="MmuMode"/>).</param>
    /// <param name="access">Read, Write or Execute: the one wanted.</param>
    /// <param name="debug">Neither checks nor changes accessed and dirty bits, nor permissions.</param>
    /// <param name="rights">Everything that the translation allows now.</param>
    /// <param name="reach">Bytes that the leaf covers.</param>
    private Walk Translate(ulong va, int mode, PageRights access, bool debug, out ulong pa, out PageRights rights, out ulong reach)
    {
        pa = va;
        rights = AllRights;
        reach = Ram.PageSize;
        if (mode == MmuMode.Machine || _levels == 0)
            return Walk.Ok;
        _walks++;
        int bits = 12 + (9 * _levels);
        if ((long)(va << (64 - bits)) >> (64 - bits) != (long)va)
            return Walk.PageFault;

        bool pbmt = (_menvcfg & EnvironmentConfig.Pbmte) != 0;
        ulong table = (_satp & Pte.PpnMask) << 12;
        for (int level = _levels - 1; level >= 0; level--)
        {
            int shift = 12 + (9 * level);
            ulong address = table + ((va >> shift & 0x1FF) * 8);
            if (!TryReadEntry(address, debug, out ulong pte))
                return Walk.AccessFault;
            if ((pte & Pte.V) == 0 || (pte & (Pte.R | Pte.W)) == Pte.W || (pte & Pte.Reserved) != 0)
                return Walk.PageFault;
            if ((pte & Pte.Pbmt) != 0 && (!pbmt || (pte & Pte.Pbmt) == Pte.Pbmt))
                return Walk.PageFault;
            ulong ppn = pte >> 10 & Pte.PpnMask;
            if ((pte & (Pte.R | Pte.X)) == 0)
            {
                // D, A, U, N and PBMT are reserved in pointers.
                if ((pte & (Pte.D | Pte.A | Pte.U | Pte.N | Pte.Pbmt)) != 0)
                    return Walk.PageFault;
                table = ppn << 12;
                continue;
            }

            reach = 1UL << shift;
            if ((pte & Pte.N) != 0)
            {
                // Svnapot: 64 KiB is the only size.
                if (level != 0 || (ppn & 0xF) != 8)
                    return Walk.PageFault;
                reach = 1UL << 16;
                ppn &= ~0xFUL;
            }
            if ((ppn << 12 & (reach - 1)) != 0)
                return Walk.PageFault;
            rights = RightsOf(pte, mode);
            pa = ppn << 12 | va & (reach - 1);
            if (debug)
                return Walk.Ok;
            if ((rights & access) == 0)
                return Walk.PageFault;

            ulong wanted = Pte.A | (access == PageRights.Write ? Pte.D : 0);
            if ((pte & wanted) != wanted)
            {
                if ((_menvcfg & EnvironmentConfig.Adue) == 0)
                    return Walk.PageFault;
                switch (TrySetBits(address, pte, wanted))
                {
                    case null:
                        return Walk.AccessFault;
                    case false:
                        // Another hart changed the entry: look again.
                        level++;
                        continue;
                }
                pte |= wanted;
            }
            // The first store must come here for D to be set.
            if ((pte & Pte.D) == 0)
                rights &= ~PageRights.Write;
            return Walk.Ok;
        }
        return Walk.PageFault;
    }

    private PageRights RightsOf(ulong pte, int mode)
    {
        var rights = (PageRights)(pte >> 1 & 7);
        if ((_mstatus & Mstatus.Mxr) != 0 && (rights & PageRights.Execute) != 0)
            rights |= PageRights.Read;
        bool user = (pte & Pte.U) != 0;
        return mode switch
        {
            MmuMode.User => user ? rights : PageRights.None,
            MmuMode.Supervisor => user ? PageRights.None : rights,
            _ => user ? rights & ~PageRights.Execute : rights,
        };
    }

    // Entries are read and written as S-mode accesses, from RAM only.
    private bool TryReadEntry(ulong address, bool debug, out ulong pte)
    {
        pte = 0;
        if (!debug && !_pmp.Allows(address, 8, PageRights.Read, machine: false))
            return false;
        if (!_memory.FindRam(address, 8, out Ram? ram, out ulong offset, out int run) || run < 8)
            return false;
        pte = BinaryPrimitives.ReadUInt64LittleEndian(ram.Get(offset, 8));
        return true;
    }

    // null: not writable; false: the entry was not what it was.
    private bool? TrySetBits(ulong address, ulong pte, ulong bits)
    {
        if (!_pmp.Allows(address, 8, PageRights.Write, machine: false)
            || !_memory.FindRam(address, 8, out Ram? ram, out ulong offset, out int run) || run < 8 || ram.ReadOnly)
            return null;
        ref ulong entry = ref MemoryMarshal.Cast<byte, ulong>(ram.GetForWrite(offset, 8))[0];
        return Interlocked.CompareExchange(ref entry, pte | bits, pte) == pte;
    }

    /// <summary>SFENCE.VMA and SINVAL.VMA.</summary>
    /// <param name="anyAddress">rs1 = x0.</param>
    /// <param name="anyAsid">rs2 = x0.</param>
    /// <returns>False when an exception was raised.</returns>
    public bool SfenceVma(bool anyAddress, ulong address, bool anyAsid, ulong asid)
    {
        if (_privilege == PrivilegeLevel.User || (_privilege == PrivilegeLevel.Supervisor && (_mstatus & Mstatus.Tvm) != 0))
            return RaiseIllegal();
        Fence(anyAddress, address, anyAsid, asid);
        return true;
    }

    private void Fence(bool anyAddress, ulong address, bool anyAsid, ulong asid)
    {
        // Only translations of the present address space are kept; global ones need not go by ASID.
        if (!anyAsid && (ushort)asid != (ushort)(_satp >> 44))
            return;
        if (anyAddress)
            Block.Tlb.Flush();
        else
            Block.Tlb.FlushPage(address);
        Generation++;
    }

    /// <summary>SFENCE.W.INVAL and SFENCE.INVAL.IR: nothing is left to order.</summary>
    public bool SfenceInval() => _privilege != PrivilegeLevel.User || RaiseIllegal();

    /// <summary>FENCE.I. Stores to code that something was derived from were seen when they happened.</summary>
    public void FenceI()
    {
        Generation++;
        _user?.FlushShared();
    }

    // Enters a translation whose page is RAM with uniform protection, and without watchpoints.
    private bool TryFill(int mode, ulong va, ulong pa, PageRights rights, ulong reach)
    {
        ulong page = pa & ~PageMask;
        rights &= _pmp.RightsOf(page, Ram.PageSize, mode == MmuMode.Machine, out bool uniform);
        if (!uniform || rights == PageRights.None || IsWatchedPage(va))
            return false;
        Region? region = _memory.Find(page);
        if (region?.Ram is not { } ram || ((region.Start | region.Size | region.RamOffset) & PageMask) != 0)
            return false;
        Block.Tlb.Fill(mode, va, rights, ram, page - region.Start + region.RamOffset, reach);
        return true;
    }
}
