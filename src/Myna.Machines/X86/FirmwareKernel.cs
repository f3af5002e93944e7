using System.Buffers.Binary;
using Myna.Devices.FirmwareConfig;
using Myna.Hardware.Memory;
using Myna.Machines.Loading;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>
/// A bzImage that firmware starts: its parts as fw_cfg items, by the keys that QEMU gave them, and the option ROM that makes
/// it a boot device, the first one.
/// </summary>
internal sealed class FirmwareKernel
{
    /// <summary>The end of low memory, where firmware keeps tables.</summary>
    private const ulong FirmwareRoom = 1 << 20;

    private const string RomName = "genroms/myna-linuxboot.bin";

    /// <summary>Its name in the boot order.</summary>
    public const string BootPath = $"/rom@{RomName}";

    /// <param name="commandLine">What the board puts in front of the user's words, unless they name a console.</param>
    /// <exception cref="MachineException">An image is missing, wrong, or does not fit.</exception>
    public FirmwareKernel(MachineOptions options, PcMemory memory, string commandLine)
    {
        using X86Kernel kernel = X86Kernel.Load(options.Kernel!);
        if (kernel.Linux is not { } image)
            throw new MachineException($"the kernel {kernel.Path} is no bzImage, and a firmware starts no others; leave out --firmware");
        ulong top = memory.BelowHole - FirmwareRoom;
        if (image.WorkEnd > top)
            throw new MachineException($"the kernel {kernel.Path} needs memory up to 0x{image.WorkEnd:x}, but only 0x{top:x} bytes are free; raise --memory");
        string line = KernelCommandLine.Make(kernel, commandLine, options.Append, "", LinuxSetup.CommandLineEnd - LinuxSetup.CommandLine);

        BootModule? initrd = null;
        byte[] initrdBytes = [];
        if (options.Initrd is { } path)
        {
            initrdBytes = ImageFile.Read(path, "initrd");
            ulong size = (ulong)initrdBytes.Length;
            top = Math.Min(top, image.InitrdMaximum + 1);
            ulong start = size > top ? 0 : (top - size) / Ram.PageSize * Ram.PageSize, floor = Math.Max(kernel.End, image.WorkEnd);
            if (start < floor)
                throw new MachineException($"the initrd {path} has {size} bytes, but only {Math.Max(top, floor) - floor} are left in {options.Memory >> 20} MiB of memory; raise --memory");
            initrd = new BootModule(start, size, "");
        }
        byte[] setup = LinuxSetup.Prepare(kernel, initrd, setupData: 0), proper = new byte[kernel.Segments[0].FileSize];
        kernel.Segments[0].Source.Read(kernel.Segments[0].Offset, proper);
        byte[] words = new ByteWriter().CString(line).ToArray();
        Items =
        [
            new(FwCfg.SETUP_ADDR, Number(LinuxSetup.Address)), new(FwCfg.SETUP_SIZE, Number(setup.Length)), new(FwCfg.SETUP_DATA, setup),
            new(FwCfg.KERNEL_ADDR, Number(image.LoadAddress)), new(FwCfg.KERNEL_SIZE, Number(proper.Length)), new(FwCfg.KERNEL_DATA, proper),
            new(FwCfg.CMDLINE_ADDR, Number(LinuxSetup.CommandLine)), new(FwCfg.CMDLINE_SIZE, Number(words.Length)), new(FwCfg.CMDLINE_DATA, words),
            new(FwCfg.INITRD_ADDR, Number(initrd?.Start ?? 0)), new(FwCfg.INITRD_SIZE, Number(initrdBytes.Length)), new(FwCfg.INITRD_DATA, initrdBytes),
        ];
        byte[] rom = LinuxBootRom.Build(
        [
            new(FwCfg.SETUP_DATA, (uint)LinuxSetup.Address, (uint)setup.Length),
            new(FwCfg.KERNEL_DATA, image.LoadAddress, (uint)proper.Length),
            new(FwCfg.CMDLINE_DATA, (uint)LinuxSetup.CommandLine, (uint)words.Length),
            .. initrd is { } ramdisk ? [new((ushort)FwCfg.INITRD_DATA, (uint)ramdisk.Start, (uint)ramdisk.Size)] : Array.Empty<LinuxBootRom.Transfer>(),
        ]);
        Files = [new(RomName, rom)];
    }

    public IReadOnlyList<KeyValuePair<ushort, byte[]>> Items { get; }

    public IReadOnlyList<KeyValuePair<string, byte[]>> Files { get; }

    private static byte[] Number<T>(T value) where T : System.Numerics.INumberBase<T>
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, uint.CreateChecked(value));
        return bytes;
    }
}
