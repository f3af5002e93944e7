using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Jit.Memory;

namespace Myna.Cpu.X86;

/// <summary>
/// Linear to physical addresses (Intel SDM volume 3, chapter 5): 32-bit paging with PSE and PSE-36, PAE, 4-level and 5-level paging. Nothing is
/// kept for address spaces other than the one CR3 names: a write of CR3 forgets all, whatever PCIDs say.
/// </summary>
public sealed partial class X86Cpu
{
    /// <summary>Width of physical addresses in bits, as CPUID leaf 0x8000_0008 says.</summary>
    public const int PhysicalAddressBits = 40;

    private const ulong PhysicalMask = (1UL << PhysicalAddressBits) - 1;
    private const ulong PageMask = Ram.PageSize - 1;
    private const PageRights AllRights = PageRights.Read | PageRights.Write | PageRights.Execute;

    private static class Pte
    {
        public const ulong P = 1, RW = 2, US = 4, A = 32, D = 64, PS = 128, NX = 1UL << 63, Address = 0x000F_FFFF_FFFF_F000;
        /// <summary>Bits above the physical address width, up to 51.</summary>
        public const ulong Reserved = Address & ~PhysicalMask;
    }

    /// <summary>Bits of #PF's error code (section 5.7).</summary>
    private static class PageFault
    {
        public const uint P = 1, W = 2, U = 4, RSVD = 8, I = 16, PK = 32;
    }

    [NotSaved("the region that holds page tables, found last")] private Region? _tableRegion;
    [NotSaved("version of the memory map that it was found in")] private int _tableMap;

    /// <param name="mode">How to translate (<see cref="MmuMode"/>).</param>
    /// <param name="access">Read, Write or Execute: the one wanted.</param>
    /// <param name="debug">Neither checks nor changes anything.</param>
    /// <param name="rights">Everything that the translation allows now.</param>
    /// <param name="reach">Bytes that the leaf covers.</param>
    /// <param name="error">#PF's error code when the answer is false.</param>
    private bool Translate(ulong linear, int mode, PageRights access, bool debug, out ulong physical, out PageRights rights, out ulong reach, out uint error)
    {
        rights = AllRights;
        reach = Ram.PageSize;
        error = 0;
        if (_levels == 0)
        {
            physical = linear & _a20Mask;
            return true;
        }
        if (!debug)
            _walks++;
        bool user = mode is MmuMode.User or MmuMode.UserAligned;
        bool nxe = (_efer & Efer.NXE) != 0 && _levels != 2;
        error = (access == PageRights.Write ? PageFault.W : 0) | (user ? PageFault.U : 0)
            | (access == PageRights.Execute && (nxe || (_cr4 & Cr4.SMEP) != 0) ? PageFault.I : 0);
        int entrySize = _levels == 2 ? 4 : 8;
        int indexBits = _levels == 2 ? 10 : 9;
        int level = _levels - 1;
        ulong table;
        physical = 0;
        if (_levels == 3)
        {
            // The four PDPTEs are registers; their reserved bits were checked when they were loaded.
            ulong pdpte = _pdptes[linear >> 30 & 3];
            if ((pdpte & Pte.P) == 0)
                return false;
            table = pdpte & Pte.Address;
            level = 1;
        }
        else
        {
            table = _cr3 & (_levels == 2 ? 0xFFFF_F000 : Pte.Address & PhysicalMask);
        }

        ulong allowed = Pte.RW | Pte.US;
        bool noExecute = false;
        // Directory entries to be marked as accessed: addresses and values. A walk that faults marks none.
        Span<ulong> unmarked = stackalloc ulong[8];
        int pending = 0;
        while (true)
        {
            int shift = 12 + (indexBits * level);
            ulong address = (table + ((linear >> shift & ((1UL << indexBits) - 1)) * (ulong)entrySize)) & _a20Mask;
            ulong entry = ReadEntry(address, entrySize);
            if ((entry & Pte.P) == 0)
                return false;
            bool leaf = level == 0 || ((entry & Pte.PS) != 0 && (_levels == 2 ? (_cr4 & Cr4.PSE) != 0 : true));
            if (HasReservedBits(entry, level, leaf, nxe))
            {
                error |= PageFault.P | PageFault.RSVD;
                return false;
            }
            allowed &= entry;
            noExecute |= (entry & Pte.NX) != 0;
            if (!leaf)
            {
                if ((entry & Pte.A) == 0)
                {
                    unmarked[pending++] = address;
                    unmarked[pending++] = entry;
                }
                table = entry & (_levels == 2 ? 0xFFFF_F000 : Pte.Address);
                level--;
                continue;
            }

            reach = 1UL << shift;
            ulong frame;
            if (_levels == 2)
            {
                // PSE-36: bits 20:13 are address bits 39:32.
                frame = level == 0 ? entry & 0xFFFF_F000 : entry & 0xFFC0_0000 | (entry >> 13 & 0xFF) << 32;
            }
            else
            {
                frame = entry & Pte.Address & ~(reach - 1);
            }
            physical = (frame | linear & (reach - 1)) & _a20Mask;
            rights = RightsOf(allowed, noExecute, mode, user);
            uint keyError = 0;
            if ((_cr4 & Cr4.PKE) != 0 && IsLong && (allowed & Pte.US) != 0)
                rights = ApplyProtectionKey((int)(entry >> 59 & 15), rights, user, access, ref keyError);
            if (debug)
                return true;
            if ((rights & access) == 0)
            {
                error |= PageFault.P | keyError;
                return false;
            }
            ulong wanted = Pte.A | (access == PageRights.Write ? Pte.D : 0);
            bool unchanged = true;
            for (int i = 0; i < pending && unchanged; i += 2)
                unchanged = TrySetBits(unmarked[i], entrySize, unmarked[i + 1], Pte.A);
            if (!unchanged || ((entry & wanted) != wanted && !TrySetBits(address, entrySize, entry, wanted)))
            {
                // Another CPU changed the entry: everything it says may be different now.
                return Translate(linear, mode, access, debug, out physical, out rights, out reach, out error);
            }
            // The first store must come here for D to be set.
            if (((entry | wanted) & Pte.D) == 0)
                rights &= ~PageRights.Write;
            error = 0;
            return true;
        }
    }

    private bool HasReservedBits(ulong entry, int level, bool leaf, bool nxe)
    {
        if (_levels == 2)
        {
            // Bit 21 of a 4 MiB page, when bits 20:13 hold the address.
            return leaf && level == 1 && (entry & 1 << 21) != 0;
        }
        ulong reserved = Pte.Reserved;
        if (!nxe)
            reserved |= Pte.NX;
        if (_levels == 3)
            reserved |= 0x7FF0_0000_0000_0000;
        if (leaf && level > 0)
        {
            if (level > 2 || (level == 2 && !Model.Has(CpuFeature.Pdpe1gb)))
                reserved |= Pte.PS;
            // Address bits below the page's size, without PAT in bit 12.
            else
                reserved |= (1UL << (12 + (9 * level))) - (1UL << 13);
        }
        return (entry & reserved) != 0;
    }

    private PageRights RightsOf(ulong allowed, bool noExecute, int mode, bool user)
    {
        bool userPage = (allowed & Pte.US) != 0;
        bool writable = (allowed & Pte.RW) != 0;
        PageRights rights = noExecute ? PageRights.Read : PageRights.Read | PageRights.Execute;
        if (user)
        {
            if (!userPage)
                return PageRights.None;
            return writable ? rights | PageRights.Write : rights;
        }
        if (writable || (_cr0 & Cr0.WP) == 0)
            rights |= PageRights.Write;
        if (userPage)
        {
            if ((_cr4 & Cr4.SMEP) != 0)
                rights &= ~PageRights.Execute;
            if ((_cr4 & Cr4.SMAP) != 0 && mode == MmuMode.Supervisor)
                rights &= PageRights.Execute;
        }
        return rights;
    }

    // Section 5.6.2: protection keys restrict data accesses to user pages, by supervisors too.
    private PageRights ApplyProtectionKey(int key, PageRights rights, bool user, PageRights access, ref uint error)
    {
        bool accessDisabled = (_pkru >> (2 * key) & 1) != 0;
        bool writeDisabled = (_pkru >> ((2 * key) + 1) & 1) != 0 && (user || (_cr0 & Cr0.WP) != 0);
        PageRights denied = accessDisabled ? PageRights.Read | PageRights.Write : writeDisabled ? PageRights.Write : PageRights.None;
        if ((denied & access) != 0)
            error = PageFault.PK;
        return rights & ~denied;
    }

    // Page tables that are not in memory read as all ones, as any address where nothing answers.
    private ulong ReadEntry(ulong address, int size)
    {
        if (!TryFindTable(address, size, out Ram? ram, out ulong offset))
            return size == 4 ? uint.MaxValue : ulong.MaxValue;
        ReadOnlySpan<byte> bytes = ram.Get(offset, size);
        return size == 4 ? MemoryMarshal.Read<uint>(bytes) : MemoryMarshal.Read<ulong>(bytes);
    }

    // Most tables lie in one region.
    private bool TryFindTable(ulong address, int size, [NotNullWhen(true)] out Ram? ram, out ulong offset)
    {
        Region? region = _tableRegion;
        if (region is null || _tableMap != _memory.Version || address - region.Start >= region.Size)
        {
            _tableMap = _memory.Version;
            _tableRegion = region = _memory.Find(address);
        }
        ram = region?.Ram;
        offset = ram is null ? 0 : address - region!.Start + region.RamOffset;
        return ram is not null && region!.Size - (address - region.Start) >= (ulong)size;
    }

    // False: the entry is not what it was. In ROM it stays as it is.
    private bool TrySetBits(ulong address, int size, ulong entry, ulong bits)
    {
        if (!TryFindTable(address, size, out Ram? ram, out ulong offset) || ram.ReadOnly)
            return true;
        Span<byte> bytes = ram.GetForWrite(offset, size);
        if (size == 4)
            return Interlocked.CompareExchange(ref MemoryMarshal.Cast<byte, uint>(bytes)[0], (uint)(entry | bits), (uint)entry) == (uint)entry;
        return Interlocked.CompareExchange(ref MemoryMarshal.Cast<byte, ulong>(bytes)[0], entry | bits, entry) == entry;
    }

    /// <summary>Loads the PDPTEs of PAE paging (section 5.4.1).</summary>
    /// <returns>False for reserved bits: nothing was changed.</returns>
    private bool TryLoadPdptes(ulong cr3)
    {
        Span<ulong> found = stackalloc ulong[4];
        for (int i = 0; i < 4; i++)
        {
            ulong entry = ReadEntry(((cr3 & 0xFFFF_FFE0) + (ulong)(i * 8)) & _a20Mask, 8);
            if ((entry & Pte.P) != 0 && (entry & (Pte.Reserved | 0xFFF0_0000_0000_01E6)) != 0)
                return false;
            found[i] = entry;
        }
        found.CopyTo(_pdptes);
        return true;
    }

    // Enters a translation whose page is RAM without watchpoints, breakpoints and the local APIC.
    private void TryFill(int mode, ulong linear, ulong physical, PageRights rights, ulong reach)
    {
        if (mode == MmuMode.UserAligned || rights == PageRights.None || IsWatchedPage(linear) || IsApicPage(physical))
            return;
        ulong page = physical & ~PageMask;
        Region? region = _tableRegion;
        if (region is null || _tableMap != _memory.Version || page - region.Start >= region.Size)
            region = _memory.Find(page);
        if (region?.Ram is not { } ram || ((region.Start | region.Size | region.RamOffset) & PageMask) != 0)
            return;
        Block.Tlb.Fill(mode, linear, rights, ram, page - region.Start + region.RamOffset, reach);
    }

    private bool IsApicPage(ulong physical)
    {
        // Bit 11: enabled; bit 10: x2APIC mode, which has no page.
        return LocalApic is { } apic && apic.ApicBase is var value && (value & 0xC00) == 0x800 && ((physical ^ value) & PhysicalMask & ~PageMask) == 0;
    }
}
