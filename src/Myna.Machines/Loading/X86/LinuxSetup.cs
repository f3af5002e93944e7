using System.Buffers.Binary;

namespace Myna.Machines.Loading.X86;

/// <summary>
/// A bzImage's boot sector and real-mode code, with what a boot loader fills in (Linux, Documentation/arch/x86/boot.rst,
/// sections "The Real-Mode Kernel Header" and "Running the Kernel").
/// </summary>
internal static class LinuxSetup
{
    /// <summary>Where it goes, a multiple of 64 KiB, and where the command line goes.</summary>
    public const ulong Address = 0x10000, CommandLine = 0x20000, CommandLineEnd = 0x30000;

    /// <summary>All segment registers but CS, and CS; IP is 0.</summary>
    public const ushort DataSegment = (ushort)(Address >> 4), CodeSegment = DataSegment + 0x20;

    /// <summary>The stack pointer, and the end of the heap.</summary>
    public const ushort HeapEnd = 0xe000;

    /// <summary>More than that no real-mode code may have: it and its heap share 64 KiB with the stack.</summary>
    public const int MaximumSize = 0x8000;

    private const byte UnassignedLoader = 0xff, CanUseHeap = 0x80;

    /// <param name="setupData">Address of the first struct setup_data, or 0.</param>
    /// <exception cref="MachineException">The image cannot be started this way.</exception>
    public static byte[] Prepare(X86Kernel kernel, BootModule? initrd, ulong setupData)
    {
        LinuxImage image = kernel.Linux!;
        if (image.SetupSize > MaximumSize)
            throw new MachineException($"the kernel {kernel.Path} has {image.SetupSize} bytes of real-mode code, but only {MaximumSize} are possible; start it without firmware (--firmware none)");
        byte[] setup = new byte[image.SetupSize];
        kernel.Segments[0].Source.Read(0, setup);
        void U32(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(setup.AsSpan(at), value);
        setup[0x210] = UnassignedLoader;
        setup[0x211] |= CanUseHeap;
        BinaryPrimitives.WriteUInt16LittleEndian(setup.AsSpan(0x224), HeapEnd - 0x200);
        U32(0x228, (uint)CommandLine);
        U32(0x218, (uint)(initrd?.Start ?? 0));
        U32(0x21c, (uint)(initrd?.Size ?? 0));
        if (image.Version >= 0x0209)
            U32(0x250, (uint)setupData);
        return setup;
    }
}
