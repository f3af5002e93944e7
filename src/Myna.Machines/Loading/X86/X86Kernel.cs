using System.Buffers.Binary;

namespace Myna.Machines.Loading.X86;

/// <summary>How a kernel wants to be entered.</summary>
internal enum BootProtocol
{
    /// <summary>Linux's 64-bit entry with boot_params (Linux, Documentation/arch/x86/boot.rst, section "64-bit Boot Protocol").</summary>
    Linux64,

    /// <summary>The real-mode code of Linux's bzImage (section "Running the Kernel"), which asks the BIOS about the machine.</summary>
    Linux16,

    /// <summary>Linux's 32-bit entry with boot_params (section "32-bit Boot Protocol").</summary>
    Linux32,

    /// <summary>Xen's PVH entry with hvm_start_info (Xen, docs/misc/pvh).</summary>
    Pvh,

    /// <summary>Multiboot Specification 0.6.96.</summary>
    Multiboot,

    /// <summary>Multiboot2 Specification 2.0.</summary>
    Multiboot2,
}

/// <summary>A kernel for a PC, of whichever kind its content is.</summary>
/// <param name="Path">For messages.</param>
/// <param name="Entry">Physical address of the first instruction.</param>
/// <param name="Segments">At physical addresses; not empty.</param>
/// <param name="Symbols">Addresses by name, of an ELF file with a symbol table.</param>
internal sealed record X86Kernel(string Path, BootProtocol Protocol, ulong Entry, IReadOnlyList<Segment> Segments, IReadOnlyDictionary<string, ulong> Symbols) : IDisposable
{
    /// <summary>XEN_ELFNOTE_PHYS32_ENTRY (Xen, xen/include/public/elfnote.h).</summary>
    private const uint Phys32Entry = 18;

    private const int HeadSize = 64 << 10;

    /// <summary>Of a bzImage.</summary>
    public LinuxImage? Linux { get; init; }

    /// <summary>Of a multiboot kernel.</summary>
    public MultibootHeader? Multiboot { get; init; }

    /// <summary>Of a multiboot 2 kernel.</summary>
    public Multiboot2Header? Multiboot2 { get; init; }

    /// <summary>Whether modules and a command line of multiboot's kind go with it.</summary>
    public bool IsMultiboot => Protocol is BootProtocol.Multiboot or BootProtocol.Multiboot2;

    public ulong End => Segments.Max(s => s.End);

    /// <summary>Reads a kernel and finds out what it is: bzImage, multiboot 2 or 1, PVH, or an ELF vmlinux; gzip around it is taken off.</summary>
    /// <exception cref="MachineException">The file cannot be used; the message says why.</exception>
    /// <param name="entry">Which entry of a bzImage: 16, 32 or 64 bits; null for the widest that it has.</param>
    public static X86Kernel Load(string path, int? entry = null)
    {
        X86Kernel kernel = Load(path);
        if (entry is null)
            return kernel;
        if (kernel.Linux is { } image)
        {
            if (entry == 64 && !image.Is64Bit)
            {
                kernel.Dispose();
                throw new MachineException($"the kernel {path} has no 64-bit entry; choose --kernel-entry 32 or 16");
            }
            return entry switch
            {
                16 => kernel with { Protocol = BootProtocol.Linux16, Entry = LinuxSetup.Address },
                32 => kernel with { Protocol = BootProtocol.Linux32, Entry = image.LoadAddress },
                _ => kernel,
            };
        }
        kernel.Dispose();
        throw new MachineException($"the kernel {path} is no bzImage: its kind says where it is entered; leave out --kernel-entry");
    }

    private static X86Kernel Load(string path)
    {
        const string What = "kernel";
        var file = new ImageSource(path, What);
        byte[] head = file.Head(HeadSize);
        if (LinuxImage.TryRead(head, file.Length, path) is { } linux)
        {
            long begin = linux.SetupSize;
            var segment = new Segment(linux.LoadAddress, file, begin, (ulong)(file.Length - begin), (ulong)(file.Length - begin));
            return new X86Kernel(path, linux.Is64Bit ? BootProtocol.Linux64 : BootProtocol.Linux32, linux.LoadAddress + (linux.Is64Bit ? LinuxImage.Entry64 : 0u), [segment],
                new Dictionary<string, ulong>())
            { Linux = linux };
        }
        byte[] bytes = file.ReadAll();
        file.Dispose();
        if (ImageFile.IsGzip(bytes))
            bytes = ImageFile.Gunzip(bytes, path, What);
        // A kernel with both headers learns more by the newer one.
        Multiboot2Header? second = Multiboot2Header.Find(bytes, path);
        MultibootHeader? multiboot = second is null ? MultibootHeader.Find(bytes, path) : null;
        if (second is { Segment: { } image, Entry: { } start })
        {
            var source = new ImageSource(path, bytes);
            return new X86Kernel(path, BootProtocol.Multiboot2, start, [image with { Source = source }], new Dictionary<string, ulong>()) { Multiboot2 = second };
        }
        if (multiboot is { Segment: { } flat })
        {
            var source = new ImageSource(path, bytes);
            return new X86Kernel(path, BootProtocol.Multiboot, multiboot.Entry, [flat with { Source = source }], new Dictionary<string, ulong>()) { Multiboot = multiboot };
        }
        if (!ElfFile.IsElf(bytes))
            throw NotAKernel(bytes, path, What);
        ElfFile elf = ElfFile.Parse(bytes, path, What, ElfTarget.X86);
        ElfNote? pvh = elf.Notes.FirstOrDefault(n => n is { Name: "Xen", Type: Phys32Entry, Descriptor.Length: >= 4 });
        (BootProtocol protocol, ulong entry) = second is not null ? (BootProtocol.Multiboot2, second.Entry ?? elf.Entry) : multiboot is not null ? (BootProtocol.Multiboot, elf.Entry)
            : pvh is not null ? (BootProtocol.Pvh, BinaryPrimitives.ReadUInt32LittleEndian(pvh.Descriptor))
            : (elf.Is64Bit ? BootProtocol.Linux64 : BootProtocol.Linux32, elf.Entry);
        return new X86Kernel(path, protocol, entry, elf.Segments, elf.ReadSymbols()) { Multiboot = multiboot, Multiboot2 = second };
    }

    public void Dispose()
    {
        foreach (Segment segment in Segments)
            segment.Source.Dispose();
    }

    private static MachineException NotAKernel(ReadOnlySpan<byte> b, string path, string what)
    {
        string problem = ForeignFile.Describe(b, "x86_64")
            ?? "is no kernel for x86: neither a bzImage nor an ELF file nor a multiboot image; check the path";
        return new MachineException($"the {what} {path} {problem}");
    }
}
