using Myna.Hardware.Power;
using Myna.Machines;
using Myna.Machines.Guests;

namespace Myna.Cli.Commands;

/// <summary>What the user asked <c>myna run</c> for, each value checked by itself.</summary>
internal sealed record RunSettings
{
    public required string Arch { get; init; }
    public string? Board { get; init; }
    public string? Cpu { get; init; }
    public required int Cpus { get; init; }
    public ushort? DebugExitPort { get; init; }
    public required ulong Memory { get; init; }
    public required Accel Accel { get; init; }
    public Irqchip Irqchip { get; init; }
    public string? Kernel { get; init; }
    public int? KernelEntry { get; init; }
    public string? Initrd { get; init; }
    public string? Append { get; init; }
    public string? Firmware { get; init; }

    /// <summary>What the first flash bank holds: UEFI for riscv64.</summary>
    public string? Flash { get; init; }

    /// <summary>The file of UEFI's variables.</summary>
    public string? UefiVariables { get; init; }

    /// <summary>The content of a new file of variables.</summary>
    public byte[]? UefiTemplate { get; init; }
    public IReadOnlyList<DiskOption> Disks { get; init; } = [];
    public IReadOnlyList<CdromOption> Cdroms { get; init; } = [];
    public IReadOnlyList<FloppyOption> Floppies { get; init; } = [];

    public IReadOnlyList<UsbOption> Usb { get; init; } = [];

    /// <summary>The firmware's boot order; null for its own.</summary>
    public BootOption? Boot { get; init; }
    public IReadOnlyList<NetOption> Networks { get; init; } = [];
    /// <summary>Where gdb may attach; the guest waits for it.</summary>
    public string? Gdb { get; init; }

    /// <summary>Where the monitor's prompt is: an address, or <see cref="MonitorStdio"/>.</summary>
    public string? Monitor { get; init; }

    public const string MonitorStdio = "stdio";
    /// <summary>Who looks at the screen; null for no screen.</summary>
    public DisplayOption? Display { get; init; }
    public ScreenKind Screen { get; init; } = ScreenKind.Std;
    public IReadOnlyList<string> Log { get; init; } = [];

    /// <summary>What serial ports are connected to, from the first one on.</summary>
    public IReadOnlyList<SerialOption> Serials { get; init; } = [];

    /// <summary>What the watchdog does; null for no watchdog.</summary>
    public GuestAction? Watchdog { get; init; }
    public PanicDevice? Panic { get; init; }

    /// <summary>The sound device; null for none.</summary>
    public bool Sound { get; init; }

    /// <summary>The WAVE file that hears the machine; null for none.</summary>
    public string? Audio { get; init; }

    /// <summary>The machine's generation identifier; null for none.</summary>
    public GenerationDevice? Generation { get; init; }

    /// <summary>Where swtpm's control socket is; null for no TPM.</summary>
    public string? Tpm { get; init; }

    /// <summary>The file that the second serial port writes to.</summary>
    public string? SecondSerial { get; init; }

    /// <summary>Null: no trace; empty: on standard error; otherwise a file.</summary>
    public string? Trace { get; init; }
    public string? Signature { get; init; }
    public int SignatureGranularity { get; init; } = 4;
    public string? GuestSuite { get; init; }
    public bool Sandbox { get; init; } = true;
    public Myna.Host.Confinement Confinement { get; init; } = new();
    public Myna.Host.MemoryBacking MemoryBacking { get; init; }
    public bool Balloon { get; init; }
    public bool NoReboot { get; init; }
    public bool Verbose { get; init; }

    /// <summary>Empty: the console is the user's.</summary>
    public string[] Command { get; init; } = [];

    /// <summary>Whether the default guest is booted: no kernel is given, nor a firmware that would look for one on a disk.</summary>
    public bool BootsGuest => Kernel is null && Flash is null
        && (Arch == "riscv64" ? Firmware is not (GuestCache.UefiName or GuestCache.UBootName) : Firmware is null or MachineOptions.FirmwareNone);
}
