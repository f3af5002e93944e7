using Myna.Hardware.Memory;
using Myna.Machines.Firmware;
using Myna.Machines.Loading;

namespace Myna.Machines.RiscV;

/// <summary>Where the images of a machine go in its RAM; loads them at power-on and again at every reset.</summary>
internal sealed class BootLayout : IDisposable
{
    private const ulong Megabyte = 1 << 20;

    /// <summary>Kernels start 2 MiB into RAM, below lies the firmware (Linux, arch/riscv/boot: PMD alignment).</summary>
    private const ulong KernelOffset = 2 * Megabyte;

    /// <summary>OpenSBI and U-Boot edit the device tree in place and need room behind it.</summary>
    private const ulong TreeSlack = 64 << 10;

    private readonly MachineOptions _options;
    private readonly ulong _ramEnd;
    private readonly ImageSource? _initrd;

    /// <exception cref="MachineException">An image is missing, wrong, or does not fit.</exception>
    public BootLayout(MachineOptions options)
    {
        _options = options;
        _ramEnd = VirtMemoryMap.Ram + options.Memory;
        bool builtIn = options.Firmware == MachineOptions.FirmwareBuiltIn, none = options.Firmware == MachineOptions.FirmwareNone;
        if (options.Kernel is null && (none || (builtIn && options.Flash is null)))
            throw new MachineException("there is nothing to start: give a kernel (--kernel FILE) or a firmware (--firmware FILE)");
        if (!builtIn && !none)
            Firmware = BootImage.Load(options.Firmware!, "firmware", VirtMemoryMap.Ram);
        ulong kernelAddress = VirtMemoryMap.Ram + (none ? 0 : KernelOffset);
        if (Firmware is not null)
            kernelAddress = Math.Max(kernelAddress, AlignUp(Firmware.End, KernelOffset));
        if (options.Kernel is { } kernel)
            Kernel = BootImage.Load(kernel, "kernel", kernelAddress);
        CheckInRam(Firmware, "firmware");
        CheckInRam(Kernel, "kernel");
        if (Firmware is not null && Kernel is not null && Kernel.Start < Firmware.End && Firmware.Start < Kernel.End)
            throw new MachineException($"the kernel {Kernel.Path} (from 0x{Kernel.Start:x}) and the firmware {Firmware.Path} (up to 0x{Firmware.End:x}) overlap; link the kernel for a higher address");
        if (options.Initrd is { } initrd)
        {
            if (Kernel is null)
                throw new MachineException("--initrd needs a kernel (--kernel FILE)");
            _initrd = new ImageSource(initrd, "initrd");
        }
    }

    public BootImage? Firmware { get; }
    public BootImage? Kernel { get; }

    /// <summary>Where the harts begin, or with a built-in firmware, where it goes first.</summary>
    public ulong Entry => Firmware?.Entry ?? Next;

    /// <summary>Where a firmware goes: the kernel, or the firmware for S-mode in flash; 0 for neither.</summary>
    private ulong Next => Kernel?.Entry ?? (_options.Flash is null ? 0 : VirtMemoryMap.Flash0);

    public (ulong Start, ulong End)? Initrd { get; private set; }
    public ulong TreeAddress { get; private set; }
    public byte[] Tree { get; private set; } = [];

    /// <summary>Decides the addresses of the initrd and of the device tree, and makes the latter.</summary>
    /// <param name="build">Makes the tree once the initrd's place is known.</param>
    /// <exception cref="MachineException">They do not fit.</exception>
    public void Place(Func<BootLayout, Myna.Hardware.Firmware.DeviceTreeNode> build)
    {
        ulong imagesEnd = Math.Max(Firmware?.End ?? 0, Kernel?.End ?? 0);
        // A guess of the tree's size suffices to place the initrd below it; its own size does not depend on that place.
        Initrd = _initrd is null ? null : (0, 0);
        ulong treeSize = (ulong)FlattenedDeviceTree.Write(build(this)).Length;
        // Below 3 GiB, where 32-bit firmware stages reach it.
        ulong treeEnd = Math.Min(_ramEnd, 3UL << 30);
        ulong alignment = _options.Memory >= 64 * Megabyte ? 2 * Megabyte : Ram.PageSize;
        TreeAddress = AlignDown(treeEnd - Math.Min(treeEnd, treeSize + TreeSlack), alignment);
        if (TreeAddress < Math.Max(imagesEnd, VirtMemoryMap.Ram))
            throw new MachineException($"the {(Kernel is null ? "firmware" : "kernel")} {(Kernel ?? Firmware)?.Path ?? _options.Flash} needs memory up to 0x{imagesEnd:x} and the device tree more, but RAM ends at 0x{_ramEnd:x}; raise --memory");
        if (_initrd is not null)
        {
            ulong room = AlignDown(TreeAddress, Ram.PageSize) - AlignUp(imagesEnd, Ram.PageSize);
            if ((ulong)_initrd.Length > room)
                throw new MachineException($"the initrd {_options.Initrd} has {_initrd.Length} bytes, but only {room} are left in {_options.Memory >> 20} MiB of memory; raise --memory");
            ulong start = AlignDown(TreeAddress - (ulong)_initrd.Length, Ram.PageSize);
            Initrd = (start, start + (ulong)_initrd.Length);
        }
        Tree = FlattenedDeviceTree.Write(build(this));
    }

    /// <summary>Puts everything into memory. RAM that no image covers keeps its content, as at a reset.</summary>
    public void Load(AddressSpace memory, Ram resetRom)
    {
        foreach (Segment segment in (Firmware?.Segments ?? []).Concat(Kernel?.Segments ?? []))
            SegmentLoader.Load(memory, segment);
        if (Initrd is (ulong start, _))
            SegmentLoader.Load(memory, new Segment(start, _initrd!, 0, (ulong)_initrd!.Length, (ulong)_initrd.Length));
        memory.Write(TreeAddress, Tree);
        ResetVector.Build(Entry, TreeAddress, Firmware is null ? 0 : Next).CopyTo(resetRom.GetForWrite(0, 0x1000));
    }

    public void Dispose()
    {
        foreach (Segment segment in (Firmware?.Segments ?? []).Concat(Kernel?.Segments ?? []))
            segment.Source.Dispose();
        _initrd?.Dispose();
    }

    private void CheckInRam(BootImage? image, string what)
    {
        foreach (Segment s in image?.Segments ?? [])
        {
            if (s.Address < VirtMemoryMap.Ram || s.End > _ramEnd)
            {
                string remedy = image!.Kind != ImageKind.Elf || (s.Address >= VirtMemoryMap.Ram && s.Address < _ramEnd) ? "raise --memory" : "link it for an address in RAM, or use the kernel's Image";
                throw new MachineException($"the {what} {image.Path} loads at 0x{s.Address:x}-0x{s.End - 1:x}, outside RAM (0x{VirtMemoryMap.Ram:x}-0x{_ramEnd - 1:x}); {remedy}");
            }
        }
        if (image is { Kind: ImageKind.Elf } && (image.Entry < VirtMemoryMap.Ram || image.Entry >= _ramEnd))
            throw new MachineException($"the {what} {image.Path} starts at 0x{image.Entry:x}, outside RAM; link it for an address in RAM");
    }

    private static ulong AlignUp(ulong value, ulong alignment) => (value + alignment - 1) / alignment * alignment;
    private static ulong AlignDown(ulong value, ulong alignment) => value / alignment * alignment;
}
