using System.Security.Cryptography;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Power;
using Myna.Hardware.Time;
using Myna.Host;

namespace Myna.Machines;

/// <summary>What executes the guest's instructions.</summary>
public enum Accel
{
    /// <summary>The translator where this host has a back end for it, otherwise the interpreter.</summary>
    Auto,
    Interp,
    Jit,

    /// <summary>The host's own processor, through /dev/kvm.</summary>
    Kvm,

    /// <summary>Both, compared: a <see cref="LockstepMachine"/>, not a <see cref="Machine"/>.</summary>
    Lockstep,
}

/// <summary>Where a PC's interrupt controllers are under KVM.</summary>
public enum Irqchip
{
    /// <summary>Local APICs in the kernel where the processor virtualizes, otherwise here.</summary>
    Auto,

    /// <summary>Here.</summary>
    Off,

    /// <summary>Local APICs in the kernel, the others here.</summary>
    Split,

    /// <summary>All in the kernel, and the 8254.</summary>
    Full,
}

/// <summary>How a virtio device is attached.</summary>
public enum DeviceBus
{
    /// <summary>As is usual on the board: to PCI where it has that, otherwise to a virtio-mmio slot.</summary>
    Auto,
    Pci,
    Mmio,
}

/// <summary>The display device of a machine.</summary>
public enum ScreenKind
{
    None,

    /// <summary>QEMU's standard VGA (bochs-display where there are no I/O ports).</summary>
    Std,

    /// <summary>virtio-gpu, beside a standard VGA on PCs, with virtio-input keyboard and tablet.</summary>
    Virtio,

    /// <summary>A frame buffer in the guest's RAM that firmware sets up.</summary>
    Ramfb,
}

/// <summary>A device that the user adds to a board.</summary>
/// <param name="Bus">PCI, or a virtio-mmio slot of the board.</param>
public abstract record DeviceOptions(DeviceBus Bus)
{
    /// <summary>The host's side, if it has one; the machine disposes it at its end if it is <see cref="IDisposable"/>.</summary>
    public virtual object? Peer => null;

    /// <summary>Its place in the order in which firmware tries devices, smallest first; null when it is not named there.</summary>
    public int? BootIndex { get; init; }
}

/// <summary>The controller that a disk or CD drive is attached to.</summary>
public enum DiskInterface
{
    /// <summary>A virtio block device for a disk; for a CD drive the controller that the board has.</summary>
    Auto,
    Virtio,

    /// <summary>SATA: on q35, six drives.</summary>
    Ahci,

    /// <summary>On pc, four drives.</summary>
    Ide,

    /// <summary>Namespaces of one NVMe controller; disks only.</summary>
    Nvme,

    /// <summary>USB mass storage.</summary>
    Usb,

    /// <summary>Targets of one virtio-scsi controller, where there is PCI.</summary>
    Scsi,

    /// <summary>SD cards, each in an SDHCI controller on PCI; on PCs, disks only.</summary>
    Sd,
}

/// <summary>A disk.</summary>
/// <param name="Backend">The disk.</param>
/// <param name="Serial">Up to 20 ASCII bytes that the guest reads as the disk's serial number.</param>
/// <param name="Queues">Request queues of a virtio disk.</param>
public sealed record DiskDevice(IBlockBackend Backend, string Serial = "", int Queues = 1, DeviceBus Bus = DeviceBus.Auto, DiskInterface Interface = DiskInterface.Auto) : DeviceOptions(Bus)
{
    /// <inheritdoc/>
    public override object? Peer => Backend;
}

/// <summary>A CD and DVD drive.</summary>
/// <param name="Medium">The disc, or null for none.</param>
public sealed record CdromDevice(IBlockBackend? Medium, string Serial = "", DiskInterface Interface = DiskInterface.Auto) : DeviceOptions(DeviceBus.Auto)
{
    /// <inheritdoc/>
    public override object? Peer => Medium;
}

/// <summary>pvpanic, by which a guest says that its kernel has panicked.</summary>
/// <param name="Isa">A port of the ISA bus that ACPI names, on PCs, instead of a PCI function.</param>
/// <param name="Action">What happens then.</param>
public sealed record PanicDevice(bool Isa = false, GuestAction Action = GuestAction.PowerOff) : DeviceOptions(DeviceBus.Auto);

/// <summary>A watchdog timer, Intel's 6300ESB, on PCI.</summary>
/// <param name="Action">What happens when the guest does not feed it.</param>
public sealed record WatchdogDevice(GuestAction Action = GuestAction.Reset) : DeviceOptions(DeviceBus.Auto);

/// <summary>The machine's generation identifier (vmgenid), which changes when it goes on from a saved state. On q35 and pc.</summary>
/// <param name="Id">The same whatever happens; null for a random one, and another after each load.</param>
public sealed record GenerationDevice(Guid? Id = null) : DeviceOptions(DeviceBus.Auto);

/// <summary>
/// Intel's High Definition Audio: an ICH9's controller on q35, elsewhere an ICH6's, with one codec. Heard by
/// <see cref="MachineOptions.Audio"/>; what it records is silence.
/// </summary>
public sealed record SoundDevice() : DeviceOptions(DeviceBus.Auto);

/// <summary>What a <see cref="UsbDeviceOptions"/> is.</summary>
public enum UsbKind
{
    Keyboard,

    /// <summary>A pointer that says where it is.</summary>
    Tablet,

    /// <summary>The USB devices named after it are behind it.</summary>
    Hub,
}

/// <summary>A USB device without a back end; drives are <see cref="DiskInterface.Usb"/>. The first USB device brings an xHCI controller.</summary>
public sealed record UsbDeviceOptions(UsbKind Kind) : DeviceOptions(DeviceBus.Auto);

/// <summary>A diskette drive of a PC; two at most.</summary>
/// <param name="Medium">The diskette, of a size that there is, or null for none.</param>
public sealed record FloppyDevice(IBlockBackend? Medium) : DeviceOptions(DeviceBus.Auto)
{
    /// <inheritdoc/>
    public override object? Peer => Medium;
}

/// <summary>A network card.</summary>
/// <param name="Backend">The network.</param>
/// <param name="Mac">Six bytes, or null for 52:54:00:12:34:56 and following.</param>
/// <param name="Model">Those that are not virtio plug into PCI.</param>
/// <param name="Rom">Firmware on the card for booting from the network.</param>
public sealed record NetDevice(INetBackend Backend, byte[]? Mac = null, DeviceBus Bus = DeviceBus.Auto, NetModel Model = NetModel.Virtio,
    ReadOnlyMemory<byte> Rom = default) : DeviceOptions(Bus)
{
    /// <inheritdoc/>
    public override object? Peer => Backend;
}

/// <summary>A virtio console with one port.</summary>
/// <param name="Name">The port's name in the guest (/dev/virtio-ports/NAME), or null for a plain console (hvc0).</param>
public sealed record ConsoleDevice(ICharBackend Backend, string? Name = null, DeviceBus Bus = DeviceBus.Auto) : DeviceOptions(Bus)
{
    /// <inheritdoc/>
    public override object? Peer => Backend;
}

/// <summary>A virtio entropy source, fed from <see cref="MachineOptions.Random"/>.</summary>
public sealed record RngDevice(DeviceBus Bus = DeviceBus.Auto) : DeviceOptions(Bus);

/// <summary>A virtio memory balloon, through which the guest gives memory back to the host.</summary>
public sealed record BalloonDevice(DeviceBus Bus = DeviceBus.Auto) : DeviceOptions(Bus);

/// <summary>Everything that decides what a machine is. Nothing in it is read from the host behind the caller's back.</summary>
public sealed record MachineOptions
{
    public const string FirmwareBuiltIn = "sbi";
    public const string FirmwareNone = "none";

    /// <summary>The guest's instruction set, one of <see cref="Boards.Architectures"/>.</summary>
    public string Arch { get; init; } = "riscv64";

    /// <summary>The board and its properties, or null for the architecture's default: "virt" has a PLIC, "virt,aia=aplic-imsic" an APLIC and IMSICs, with which PCI
    /// devices use MSI-X; "q35" is a PC, "pc" an older one, "microvm" the least that an x86 kernel needs.</summary>
    public string? Board { get; init; }

    /// <summary>Number of virtual CPUs (harts), 1 to 64.</summary>
    public int Cpus { get; init; } = 1;

    /// <summary>The CPU model with features added and removed, as in "x86-64-v3,-avx2"; null for the architecture's default.</summary>
    public string? Cpu { get; init; }

    /// <summary>
    /// On PCs, the I/O port of a device that ends the machine with status (value × 2) + 1 (QEMU's isa-debug-exit); null for
    /// none, except that multiboot kernels, which test suites are made of, get it at 0xF4, and the test device with it.
    /// </summary>
    public ushort? DebugExitPort { get; init; }

    /// <summary>RAM in bytes, a multiple of 4096, at least 1 MiB.</summary>
    public ulong Memory { get; init; } = 512UL << 20;

    public Accel Accel { get; init; } = Accel.Auto;

    /// <summary>Where the guest's RAM comes from.</summary>
    public MemoryBacking MemoryBacking { get; init; }

    /// <summary>For KVM.</summary>
    public Irqchip Irqchip { get; init; }

    /// <summary>The translator counts instructions exactly, which slows it down; the interpreter always does.</summary>
    public bool CountInstructions { get; init; }

    /// <summary>
    /// Path of the kernel. RISC-V: ELF, an Image, a gzip-compressed one of these, or raw code. x86: a bzImage, ELF with or
    /// without a PVH note, or multiboot.
    /// </summary>
    public string? Kernel { get; init; }

    /// <summary>x86: the entry of a bzImage that is used: 16 (real mode), 32 or 64; null for the widest, and for 16 behind a firmware.</summary>
    public int? KernelEntry { get; init; }

    /// <summary>Path of the initial RAM disk; for a multiboot kernel its modules, each with its command line, between commas.</summary>
    public string? Initrd { get; init; }

    /// <summary>Command line of the kernel (/chosen/bootargs).</summary>
    public string? Append { get; init; }

    /// <summary>
    /// RISC-V: "sbi" (built in), "none" (the kernel starts in M-mode), or the path of a firmware image (OpenSBI). x86: "none" (the
    /// kernel is started directly), or the path of a firmware image (SeaBIOS), which is given the kernel. Null for the architecture's default.
    /// </summary>
    public string? Firmware { get; init; }

    /// <summary>The flash in which UEFI keeps its variables: on q35 below the firmware's, on virt the second bank; null for none.</summary>
    public IFlashBackend? FirmwareVariables { get; init; }

    /// <summary>virt: the content of the first flash bank of 32 MiB, which code runs from; null for erased flash. Changes are not written back.</summary>
    public string? Flash { get; init; }

    /// <summary>The byte stream of the UART.</summary>
    public ICharBackend? Console { get; init; }

    /// <summary>On PCs, the byte stream of a second UART (COM2); null for none.</summary>
    public ICharBackend? SecondConsole { get; init; }

    /// <summary>On q35 and pc, the byte streams of COM3 and COM4, which share the others' interrupts; null for one that nobody is connected to.</summary>
    public IReadOnlyList<ICharBackend?> FurtherConsoles { get; init; } = [];

    /// <summary>On q35 and pc, a TPM 2.0; null for none. The machine disposes it at its end if it is <see cref="IDisposable"/>.</summary>
    public ITpmBackend? Tpm { get; init; }

    /// <summary>Who hears the sound devices and, on PCs, the speaker; null for nobody. The machine disposes it at its end if it is <see cref="IDisposable"/>.</summary>
    public IAudioBackend? Audio { get; init; }

    public IReadOnlyList<DeviceOptions> Devices { get; init; } = [];

    /// <summary>What the guest shows pictures with.</summary>
    public ScreenKind Screen { get; init; }

    /// <summary>x86: path of the VGA BIOS that goes with <see cref="ScreenKind.Std"/>; null for none.</summary>
    public string? VgaBios { get; init; }

    /// <summary>Extra fw_cfg files by name, as in "opt/org.example/file".</summary>
    public IReadOnlyDictionary<string, byte[]> FwCfg { get; init; } = new Dictionary<string, byte[]>();

    /// <summary>Guest time; null for a <see cref="RealClock"/>.</summary>
    public Clock? Clock { get; init; }

    /// <summary>Wall-clock time at power-on, nanoseconds since 1970-01-01 UTC; null for the host's.</summary>
    public ulong? WallClock { get; init; }

    /// <summary>Fills a span with random bytes (entropy device, rng-seed); null for the host's generator.</summary>
    public Action<byte[]>? Random { get; init; }

    /// <summary>Where the machine's parts report; nowhere by default.</summary>
    public Log Log { get; init; } = Log.None;

    /// <summary>A guest's reset ends the machine with <see cref="ExitReason.Reset"/> instead of restarting it.</summary>
    public bool NoReboot { get; init; }

    /// <summary>
    /// At exit the memory between the kernel's symbols begin_signature and end_signature is written to this file, one
    /// hexadecimal word a line, as riscv-arch-test wants it.
    /// </summary>
    public string? Signature { get; init; }

    /// <summary>Bytes per line of the signature: 4, 8 or 16.</summary>
    public int SignatureGranularity { get; init; } = 4;

    /// <summary>Fills bytes from the machine's source of randomness.</summary>
    internal void Fill(Span<byte> bytes)
    {
        if (Random is not { } random)
        {
            RandomNumberGenerator.Fill(bytes);
            return;
        }
        byte[] buffer = new byte[bytes.Length];
        random(buffer);
        buffer.CopyTo(bytes);
    }
}
