using Myna.Devices.Display;

namespace Myna.Machines.Loading.X86;

/// <summary>A file in guest memory besides the kernel: the initrd, or a multiboot module.</summary>
internal readonly record struct BootModule(ulong Start, ulong Size, string CommandLine);

/// <summary>What a loader passes to a kernel, in the form that each protocol wants. All addresses are physical.</summary>
internal static class BootStructures
{
    /// <summary>Type of a boot loader without an assigned number (boot.rst, type_of_loader).</summary>
    private const byte UnassignedLoader = 0xff;

    private const int BootParamsSize = 4096, E820Maximum = 128;

    /// <summary>boot_params, the "zero page" (Linux, Documentation/arch/x86/zero-page.rst).</summary>
    /// <param name="image">The bzImage, or null for a bare vmlinux.</param>
    /// <param name="setupData">Address of the first struct setup_data, or 0.</param>
    /// <param name="hasTextMode">The display is a VGA in mode 3.</param>
    public static byte[] BootParams(LinuxImage? image, PcMemory memory, ulong commandLine, BootModule? initrd, ulong rsdp, ulong setupData, bool hasTextMode = false)
    {
        byte[] page = new byte[BootParamsSize];
        void U32(int at, uint value) => BitConverter.TryWriteBytes(page.AsSpan(at), value);
        void U64(int at, ulong value) => BitConverter.TryWriteBytes(page.AsSpan(at), value);
        if (image is not null)
            image.Header.CopyTo(page, LinuxImage.HeaderOffset);
        else
        {
            // A bare vmlinux has no header; what the kernel looks at is the magic and what follows here.
            U32(0x1fe, 0xaa55);
            "HdrS"u8.CopyTo(page.AsSpan(0x202));
            U32(0x206, 0x020f);
            page[0x211] = 1;
            U32(0x230, 0x1000000);
            U32(0x238, 2047);
        }
        page[0x210] = UnassignedLoader;
        if (hasTextMode)
        {
            // struct screen_info: mode, columns, rows, "a VGA", lines of a character.
            (page[0x06], page[0x07], page[0x0e], page[0x0f], page[0x10]) = (3, Vga.TextColumns, Vga.TextRows, 1, VgaFont.Lines);
        }
        U64(0x070, rsdp);
        U32(0x228, (uint)commandLine);
        U32(0x0c8, (uint)(commandLine >> 32));
        if (initrd is { } ramdisk)
        {
            U32(0x218, (uint)ramdisk.Start);
            U32(0x21c, (uint)ramdisk.Size);
            U32(0x0c0, (uint)(ramdisk.Start >> 32));
            U32(0x0c4, (uint)(ramdisk.Size >> 32));
        }
        // setup_data exists from protocol 2.09 on.
        if (image is null || image.Version >= 0x0209)
            U64(0x250, setupData);
        // alt_mem_k and ext_mem_k are what kernels without E820 would use.
        U32(0x1e0, (uint)((memory.BelowHole - PcMemory.High) >> 10));
        int count = Math.Min(memory.Map.Count, E820Maximum);
        page[0x1e8] = (byte)count;
        for (int i = 0; i < count; i++)
        {
            E820Entry e = memory.Map[i];
            U64(0x2d0 + i * 20, e.Start);
            U64(0x2d0 + i * 20 + 8, e.Size);
            U32(0x2d0 + i * 20 + 16, (uint)e.Type);
        }
        return page;
    }

    /// <summary>struct setup_data with a seed for the kernel's random numbers (SETUP_RNG_SEED).</summary>
    public static byte[] RandomSeed(ReadOnlySpan<byte> seed)
        => new ByteWriter().U64(0).U32(9).U32((uint)seed.Length).Bytes(seed).ToArray();

    /// <summary>hvm_start_info version 1 with its modules and memory map behind it (Xen, xen/include/public/arch-x86/hvm/start_info.h).</summary>
    /// <param name="address">Where it will lie.</param>
    public static byte[] PvhStartInfo(ulong address, PcMemory memory, ulong commandLine, BootModule? initrd, ulong rsdp)
    {
        const int InfoSize = 56, ModuleSize = 32;
        ulong modules = address + InfoSize, map = modules + ModuleSize;
        var w = new ByteWriter().U32(0x336ec578).U32(1).U32(0).U32(initrd is null ? 0u : 1).U64(initrd is null ? 0 : modules)
            .U64(commandLine).U64(rsdp).U64(map).U32((uint)memory.Map.Count).U32(0);
        w.U64(initrd?.Start ?? 0).U64(initrd?.Size ?? 0).U64(0).U64(0);
        foreach (E820Entry e in memory.Map)
            w.U64(e.Start).U64(e.Size).U32((uint)e.Type).U32(0);
        return w.ToArray();
    }

    /// <summary>Multiboot information with what it points to behind it (Multiboot Specification 0.6.96, section 3.3).</summary>
    /// <param name="address">Where it will lie, below 4 GiB.</param>
    public static byte[] MultibootInfo(uint address, PcMemory memory, string commandLine, IReadOnlyList<BootModule> modules)
    {
        const uint Memory = 1, CommandLine = 4, Modules = 8, MemoryMap = 64, LoaderName = 512;
        const uint InfoSize = 120;
        uint map = address + InfoSize, mapSize = (uint)memory.Map.Count * 24;
        uint list = map + mapSize, strings = list + (uint)modules.Count * 16;
        var text = new ByteWriter();
        uint String(string s)
        {
            uint at = strings + (uint)text.Length;
            text.CString(s);
            return at;
        }
        uint line = String(commandLine), loader = String("Myna");
        uint[] lines = [.. modules.Select(m => String(m.CommandLine))];

        var w = new ByteWriter().U32(Memory | CommandLine | MemoryMap | LoaderName | (modules.Count == 0 ? 0 : Modules))
            .U32((uint)(PcMemory.LowEnd >> 10)).U32((uint)((memory.BelowHole - PcMemory.High) >> 10))
            .U32(0).U32(line).U32((uint)modules.Count).U32(modules.Count == 0 ? 0 : list)
            .Zero(16).U32(mapSize).U32(map).U32(0).U32(0).U32(0).U32(loader);
        w.Zero((int)InfoSize - w.Length);
        foreach (E820Entry e in memory.Map)
            w.U32(20).U64(e.Start).U64(e.Size).U32((uint)e.Type);
        for (int i = 0; i < modules.Count; i++)
            w.U32((uint)modules[i].Start).U32((uint)(modules[i].Start + modules[i].Size)).U32(lines[i]).U32(0);
        return w.Bytes(text.ToArray()).ToArray();
    }

    /// <summary>Flat segments with the selectors that Linux's protocols name: code 10h, data 18h. The accessed bits are set already.</summary>
    public static byte[] Gdt(bool wide)
        => new ByteWriter().U64(0).U64(0).U64(wide ? 0x00af9b000000fffful : 0x00cf9b000000ffff).U64(0x00cf93000000ffff).ToArray();

    /// <summary>Page tables that map the first 4 GiB to themselves in 2 MiB pages: PML4, PDPT, four page directories.</summary>
    public static byte[] IdentityTables(ulong address)
    {
        const ulong PresentWrite = 3, Large = 0x80, Page = 4096;
        var w = new ByteWriter().U64((address + Page) | PresentWrite).Align((int)Page);
        for (ulong i = 0; i < 4; i++)
            w.U64((address + (2 + i) * Page) | PresentWrite);
        w.Align((int)Page);
        for (ulong i = 0; i < 2048; i++)
            w.U64(i << 21 | Large | PresentWrite);
        return w.ToArray();
    }
}
