using Myna.Devices.Pci;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Machines.Firmware.Acpi;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>
/// Intel's 440FX with a PIIX3 and the power management of a PIIX4, as QEMU's machine `pc` combines them: PCI, IDE, for systems older than
/// PCI Express and SATA.
/// </summary>
internal sealed class I440FxChipset : Chipset
{
    private const int Pirqs = 4;
    private const ulong PciMemoryEnd = Q35MemoryMap.PciMemoryEnd;

    // RAM ends at 3.5 GiB at most; with more, 3 GiB stay below 4 GiB.
    private const ulong LowRamLimit = 0xe000_0000, LowRamSplit = 0xc000_0000;

    private Piix3Isa? _isa;

    /// <summary>IRQs of PIRQA to PIRQD.</summary>
    private static ReadOnlySpan<byte> Interrupts => [10, 10, 11, 11];

    public override string IsaPath => "isa@1";

    public override bool HasFloppy => true;

    public override PcMemory Memory(ulong size) => new(size, LowRamLimit, LowRamSplit, new E820Entry(0xfffc_0000, 0x4_0000, E820Type.Reserved));

    public override PciHost Create(ChipsetWiring wiring)
    {
        Piix3Isa isa = _isa = new Piix3Isa(Enumerable.Range(0, IsaInterrupts).Select(wiring.Gsi));
        ulong low = PciMemory(wiring.Layout), high = Q35MemoryMap.PciMemory64(wiring.Layout.End);
        var pci = new PciHost(wiring.Memory, [new(low, PciMemoryEnd - low), new(high, Q35MemoryMap.PciMemory64Size)],
            Enumerable.Range(0, Pirqs).Select(i => new InterruptLine(isa, i)), wiring.Messages, wiring.Ports, Piix3Isa.Pirq, new I440Fx(wiring.Pam));
        pci.Add(isa, Piix3Isa.Slot);
        pci.Add(new Piix4Pm(wiring.Ports, wiring.Pm, wiring.HasFirmware ? null : Q35MemoryMap.PmBase), Piix4Pm.Slot, Piix4Pm.Function);
        return pci;
    }

    public override void AddDrives(PciHost pci, ChipsetWiring wiring, IDictionary<DeviceOptions, string> paths)
    {
        Drives.Refuse(wiring.Options, DiskInterface.Ahci);
        Drives.AddIde(pci, wiring, paths);
    }

    public override AcpiTableSet Tables(int cpus, PcMemory layout, uint hpet, ChipsetTables.Extras extras)
    {
        static uint Route(int slot, int pin) => Interrupts[Piix3Isa.Pirq(slot, pin)];
        return ChipsetTables.Build(new ChipsetTables.Chipset
        {
            PciMemory = [(PciMemory(layout), PciMemoryEnd - 1)], IsaBridge = Piix3Isa.Slot << 16, ApicRoute = Route, PicRoute = Route,
            LevelInterrupts = [10, 11],
        }, cpus, layout.End, hpet, extras);
    }

    public override void Prepare(AddressSpace ports)
    {
        for (int i = 0; i < Pirqs; i++)
            _isa!.WriteConfig(Piix3Isa.PIRQRC + i, 1, Interrupts[i]);
        ports.Store(0x4d1, 1, 0x0c);
    }

    /// <summary>Where SeaBIOS begins to place PCI devices (its src/fw/pciinit.c): at 2, 3 or 3.5 GiB, behind the RAM.</summary>
    private static ulong PciMemory(PcMemory layout) => layout.BelowHole <= 0x8000_0000 ? 0x8000_0000 : layout.BelowHole <= LowRamSplit ? LowRamSplit : LowRamLimit;
}
