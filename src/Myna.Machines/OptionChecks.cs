namespace Myna.Machines;

/// <summary>What can be said about options before anything is built.</summary>
internal static class OptionChecks
{
    public const int MaximumCpus = 64;
    private const string AiaProperty = "aia=aplic-imsic";
    private const ulong MinimumMemory = 1 << 20, MinimumPcMemory = 2 << 20, MaximumMemory = 512UL << 30;

    /// <summary>Whether the board has the advanced interrupt architecture instead of a PLIC.</summary>
    public static bool HasAia(MachineOptions options) => options.Board!.Split(',').Skip(1).LastOrDefault(p => p.StartsWith("aia=", StringComparison.Ordinal)) == AiaProperty;

    /// <exception cref="MachineException">An option makes no sense; the message says what would.</exception>
    public static void Check(MachineOptions options)
    {
        string[] board = options.Board!.Split(',');
        if (!Boards.Of(options.Arch).Contains(board[0]))
            throw new MachineException($"there is no board {board[0]} for {options.Arch}; use {string.Join(" or ", Boards.Of(options.Arch))}");
        foreach (string property in board.Skip(1))
        {
            if (board[0] != "virt")
                throw new MachineException($"the board {board[0]} has no property {property}; it has none");
            if (property is not ("aia=none" or AiaProperty))
                throw new MachineException($"the board virt has no property {property}; it knows aia=none and {AiaProperty}");
        }
        if (options.Cpus is < 1 or > MaximumCpus)
            throw new MachineException($"{options.Cpus} CPUs are not possible; choose 1 to {MaximumCpus}");
        ulong minimum = options.Arch == "x86_64" ? MinimumPcMemory : MinimumMemory;
        if (options.Memory < minimum || options.Memory > MaximumMemory)
            throw new MachineException($"{options.Memory} bytes of memory are not possible; choose {minimum >> 20} MiB to 512 GiB");
        if (options.Memory % 4096 != 0)
            throw new MachineException($"{options.Memory} bytes of memory are not a multiple of 4096");
        if (options.SignatureGranularity is not (4 or 8 or 16))
            throw new MachineException($"a signature granularity of {options.SignatureGranularity} is not possible; choose 4, 8 or 16");
        if (options.Arch != "x86_64" && (options.Cpu ?? (object?)options.DebugExitPort) is not null)
            throw new MachineException($"CPU models and the debug-exit device are for x86_64; the machine is {options.Arch}");
        if (options.Board is not ("q35" or "pc") && options.FurtherConsoles.Count != 0)
            throw new MachineException($"a third serial port is for q35 and pc; the board is {options.Board}");
        if (options.Board is not ("q35" or "pc") && options.Tpm is not null)
            throw new MachineException($"a TPM is for q35 and pc; the board is {options.Board}");
        if (options.FurtherConsoles.Count > 2)
            throw new MachineException("a PC has four serial ports at most");
        if (options.Board is not ("q35" or "pc") && options.Devices.Any(d => d is PanicDevice { Isa: true }))
            throw new MachineException($"pvpanic on the ISA bus is for q35 and pc; the board is {options.Board}: take the one on PCI");
        if (options.Board is not ("q35" or "pc") && options.Devices.Any(d => d is GenerationDevice))
            throw new MachineException($"the generation identifier is for q35 and pc; the board is {options.Board}: leave out --vmgenid");
        if (options.Arch != "x86_64" && options.SecondConsole is not null)
            throw new MachineException($"a second serial port is for x86_64; the machine is {options.Arch}");
        if (options.Arch == "x86_64" && (options.Flash ?? options.Signature) is not null)
            throw new MachineException("flash banks and signatures are for riscv64; the machine is x86_64");
        if (options.FirmwareVariables is not null && (options.Arch == "riscv64" ? options.Flash is null : options.Firmware == MachineOptions.FirmwareNone))
            throw new MachineException("UEFI's variables belong to a firmware; add --firmware uefi, or leave out --uefi-vars");
        if (options is { Flash: not null, Firmware: MachineOptions.FirmwareNone })
            throw new MachineException("what is in flash is started by a firmware (--firmware sbi or a file)");
        if (options is { Arch: "x86_64", Firmware: MachineOptions.FirmwareBuiltIn })
            throw new MachineException("there is no SBI on x86_64; use --firmware none or a firmware image");
        if (options is { Board: "microvm", Firmware: not MachineOptions.FirmwareNone })
            throw new MachineException("the board microvm starts kernels without firmware; leave out --firmware, or take q35");
        if (options is { Initrd: not null, Kernel: null, Arch: "x86_64" })
            throw new MachineException("--initrd needs a kernel (--kernel FILE)");
        if (options.KernelEntry is not null and not (16 or 32 or 64))
            throw new MachineException($"a kernel has no {options.KernelEntry}-bit entry; choose 16, 32 or 64");
        if (options.KernelEntry is not null && (options.Arch != "x86_64" || options.Kernel is null))
            throw new MachineException("--kernel-entry chooses an entry of a bzImage for x86_64; leave it out, or give such a kernel");
        if (options is { KernelEntry: not null and not 16, Firmware: not MachineOptions.FirmwareNone })
            throw new MachineException("a firmware starts kernels by their 16-bit entry alone; leave out --kernel-entry, or --firmware");
        if (options.Accel == Accel.Lockstep)
            throw new MachineException("a lockstep run is a pair of machines; choose --accel jit or interp for one");
        if (options.Firmware!.Length == 0)
            throw new MachineException("the firmware's name is empty; use sbi, none or a file");
        if (options is { Arch: "riscv64", Firmware: MachineOptions.FirmwareNone, Initrd: not null })
            throw new MachineException("--initrd has no use with --firmware none; leave one of them out");
    }
}
