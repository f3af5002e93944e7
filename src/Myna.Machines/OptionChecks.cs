namespace Myna.Machines;

/// <summary>What can be said about options before anything is built.</summary>
internal static class OptionChecks
{
    public const int MaximumCpus = 64;
    private const string AiaProperty = "aia=aplic-imsic";
    private const ulong MinimumMemory = 1 << 20, MaximumMemory = 512UL << 30;

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
        if (options.Memory is < MinimumMemory or > MaximumMemory)
            throw new MachineException($"{options.Memory} bytes of memory are not possible; choose 1 MiB to 512 GiB");
        if (options.Memory % 4096 != 0)
            throw new MachineException($"{options.Memory} bytes of memory are not a multiple of 4096");
        if (options.SignatureGranularity is not (4 or 8 or 16))
            throw new MachineException($"a signature granularity of {options.SignatureGranularity} is not possible; choose 4, 8 or 16");
        if (options.Accel == Accel.Lockstep)
            throw new MachineException("a lockstep run is a pair of machines; choose --accel jit or interp for one");
        if (options.Firmware!.Length == 0)
            throw new MachineException("the firmware's name is empty; use sbi, none or a file");
        if (options is { Arch: "riscv64", Firmware: MachineOptions.FirmwareNone, Initrd: not null })
            throw new MachineException("--initrd has no use with --firmware none; leave one of them out");
    }
}
