namespace Myna.Machines.Guests;

/// <summary>What the default guest of an architecture is made of: Debian's kernel and busybox-static.</summary>
/// <param name="Arch">Myna's name of the architecture.</param>
/// <param name="DebianArch">Debian's name of it.</param>
/// <param name="KernelPackage">The package that depends on the newest kernel.</param>
/// <param name="Suites">Suites that have it, the default first.</param>
/// <param name="SerialConsole">The board's serial line, as the kernel names it.</param>
public sealed record GuestRecipe(string Arch, string DebianArch, string KernelPackage, string[] Suites, string SerialConsole)
{
    /// <summary>Changes when the files that are kept in the cache change.</summary>
    public const int Revision = 1;

    private static readonly GuestRecipe[] All =
    [
        new("riscv64", "riscv64", "linux-image-riscv64", ["trixie", "sid"], "ttyS0") { EarlyConsole = "sbi" },
        new("x86_64", "amd64", "linux-image-cloud-amd64", ["trixie", "bookworm", "sid"], "ttyS0"),
        new("arm64", "arm64", "linux-image-cloud-arm64", ["trixie", "bookworm", "sid"], "ttyAMA0"),
    ];

    /// <summary>
    /// Modules that /init loads, in this order; what they depend on comes along. One that the kernel has built in is skipped.
    /// </summary>
    public IReadOnlyList<string> Modules { get; } =
        ["virtio_pci", "virtio_mmio", "virtio_console", "virtio_blk", "virtio_net", "virtio_rng"];

    /// <summary>Modules that the guest finds when something asks for them (mounting a file system, modprobe).</summary>
    public IReadOnlyList<string> ModulesOnDemand { get; } = ["ext4", "vfat", "nls_cp437", "nls_ascii", "nls_utf8", "isofs", "loop"];

    /// <summary>Packages whose dependencies are followed: the kernel is split over several from 7.x on.</summary>
    public static bool IsKernelPart(string package) =>
        package.StartsWith("linux-image-", StringComparison.Ordinal) || package.StartsWith("linux-binary-", StringComparison.Ordinal)
        || package.StartsWith("linux-modules-", StringComparison.Ordinal) || package.StartsWith("linux-base-", StringComparison.Ordinal);

    /// <summary>The kernel's command line for a guest whose console is the board's serial line.</summary>
    public string CommandLine => EarlyConsole is null ? $"console={SerialConsole}" : $"console={SerialConsole} earlycon={EarlyConsole}";

    /// <summary>What the kernel prints to before it has found its console, or null.</summary>
    public string? EarlyConsole { get; private init; }

    /// <exception cref="GuestException">There is no recipe for it.</exception>
    public static GuestRecipe For(string arch) =>
        All.FirstOrDefault(r => r.Arch == arch)
        ?? throw new GuestException($"there is no default guest for {arch}; give --kernel");

    /// <exception cref="GuestException">The suite does not have this guest.</exception>
    public string CheckSuite(string? suite) =>
        suite is null ? Suites[0]
        : Suites.Contains(suite) ? suite
        : throw new GuestException($"there is no {Arch} guest in suite '{suite}'; it comes from {string.Join(" or ", Suites)}");
}
