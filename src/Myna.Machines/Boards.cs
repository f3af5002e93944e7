using Myna.Hardware.Power;
using Myna.Hardware.Time;
using Myna.Machines.Loading;
using Myna.Machines.RiscV;
using Myna.Machines.X86;

namespace Myna.Machines;

/// <summary>The architectures that machines exist for, and what a machine of each is by default.</summary>
public static class Boards
{
    private const string X86 = "x86_64";

    private sealed record Architecture(string Name, string[] Aliases, string[] Boards, string Firmware);

    private static readonly Architecture[] s_architectures =
    [
        new(X86, ["amd64", "x86-64"], ["q35", "microvm", "pc"], MachineOptions.FirmwareNone),
        new("riscv64", [], ["virt"], MachineOptions.FirmwareBuiltIn),
    ];

    /// <summary>Names of the architectures, the default first.</summary>
    public static IReadOnlyList<string> Architectures { get; } = [.. s_architectures.Select(a => a.Name)];

    /// <summary>Myna's name of an architecture that other programs call otherwise, or null when there is none.</summary>
    public static string? Canonical(string name) => Array.Find(s_architectures, a => a.Name == name || a.Aliases.Contains(name))?.Name;

    /// <summary>Names of an architecture's boards, the default first.</summary>
    /// <exception cref="MachineException">There is no such architecture.</exception>
    public static IReadOnlyList<string> Of(string arch) => Find(arch).Boards;

    /// <summary>The architecture that the other options speak of, where the user has not named one: that of the board, of the kernel's or the firmware's content.</summary>
    public static string Infer(string? board, string? kernel, string? firmware, string? cpu)
    {
        string? name = board?.Split(',')[0];
        return Array.Find(s_architectures, a => name is not null && a.Boards.Contains(name))?.Name
            ?? (cpu is not null ? X86 : firmware == MachineOptions.FirmwareBuiltIn ? "riscv64" : null)
            ?? (firmware is null ? null : Architectures.FirstOrDefault(a => Guests.GuestCache.FirmwareNames(a).Contains(firmware)))
            ?? (kernel is null ? null : ImageArchitecture.OfKernel(kernel))
            ?? (firmware is null ? null : ImageArchitecture.OfFirmware(firmware))
            ?? Architectures[0];
    }

    /// <summary>The options with their defaults filled in.</summary>
    /// <exception cref="MachineException">There is no such architecture.</exception>
    internal static MachineOptions Complete(MachineOptions options)
    {
        Architecture arch = Find(options.Arch);
        return options with { Arch = arch.Name, Board = options.Board ?? arch.Boards[0], Firmware = options.Firmware ?? arch.Firmware };
    }

    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    internal static IBoard Create(MachineOptions options, Clock clock, IPowerControl power) => options switch
    {
        { Arch: X86, Board: "microvm" } => new MicrovmBoard(options, clock, power),
        { Arch: X86, Board: "pc" } => new ChipsetBoard(options, clock, power, new I440FxChipset()),
        { Arch: X86 } => new ChipsetBoard(options, clock, power, new Q35Chipset()),
        _ => new VirtMachine(options, clock, power),
    };

    private static Architecture Find(string arch) =>
        Array.Find(s_architectures, a => a.Name == arch || a.Aliases.Contains(arch))
        ?? throw new MachineException($"there is no machine for the architecture {arch}; use {string.Join(" or ", Architectures)}");
}
