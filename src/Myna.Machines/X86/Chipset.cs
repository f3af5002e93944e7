using Myna.Devices.Pci;
using Myna.Devices.Power;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Machines.Firmware.Acpi;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>What a <see cref="ChipsetBoard"/> has for its chipset.</summary>
/// <param name="Gsi">Makes a new source of a global system interrupt.</param>
/// <param name="Messages">Where message-signalled interrupts go.</param>
/// <param name="Pam">Switches ROM and RAM below 1 MiB; null without firmware.</param>
internal sealed record ChipsetWiring(MachineOptions Options, AddressSpace Memory, AddressSpace Ports, PcMemory Layout, AcpiPm Pm, Func<int, InterruptLine> Gsi, IMsiSink Messages, IPamControl? Pam)
{
    /// <summary>Drives whose medium the user may exchange, which the chipset adds to.</summary>
    public List<RemovableDrive> RemovableDrives { get; } = [];

    public bool HasFirmware => Options.Firmware != MachineOptions.FirmwareNone;
}

/// <summary>What tells PCs apart: the functions of the chipset and how PCI interrupts are wired.</summary>
internal abstract class Chipset
{
    protected const int IsaInterrupts = 16;

    /// <summary>Firmware's name of the bridge to ISA.</summary>
    public abstract string IsaPath { get; }

    /// <summary>There is a diskette controller in any case.</summary>
    public virtual bool HasFloppy => false;

    /// <summary>Where so many bytes of RAM lie.</summary>
    public abstract PcMemory Memory(ulong size);

    /// <summary>Makes the PCI bus with the chipset's functions. Once.</summary>
    public abstract PciHost Create(ChipsetWiring wiring);

    /// <summary>Plugs the controllers of the user's drives.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the drives are added.</param>
    /// <exception cref="MachineException">There are too many drives.</exception>
    public abstract void AddDrives(PciHost pci, ChipsetWiring wiring, IDictionary<DeviceOptions, string> paths);

    /// <summary>The ACPI tables.</summary>
    /// <param name="hpet">Bits 31:0 of the HPET's capabilities.</param>
    public abstract AcpiTableSet Tables(int cpus, PcMemory layout, uint hpet, ChipsetTables.Extras extras);

    /// <summary>Programs what firmware would, when there is none.</summary>
    public abstract void Prepare(AddressSpace ports);
}
