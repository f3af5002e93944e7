using Myna.Devices.Pci;
using Myna.Devices.Smbus;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Machines.Firmware.Acpi;
using Myna.Machines.Loading.X86;

namespace Myna.Machines.X86;

/// <summary>Intel's Q35 with an ICH9: PCI Express, SATA.</summary>
internal sealed class Q35Chipset : Chipset
{
    private const int Pirqs = 8;

    private Ich9Lpc? _lpc;
    private Q35Mch? _mch;
    private bool _firmware;

    public override string IsaPath => "isa@1f";

    public override PcMemory Memory(ulong size) => Q35MemoryMap.Memory(size);

    public override PciHost Create(ChipsetWiring wiring)
    {
        bool firmware = _firmware = wiring.HasFirmware;
        Ich9Lpc lpc = _lpc = new Ich9Lpc(wiring.Ports, wiring.Memory, wiring.Pm, Enumerable.Range(0, Pirqs).Select(i => wiring.Gsi(16 + i)),
            Enumerable.Range(0, IsaInterrupts).Select(wiring.Gsi), firmware ? null : Q35MemoryMap.PmBase);
        Q35Mch mch = _mch = new Q35Mch(wiring.Memory, firmware ? null : Q35MemoryMap.Ecam, wiring.Pam);
        ulong high = Q35MemoryMap.PciMemory64(wiring.Layout.End);
        var pci = new PciHost(wiring.Memory,
            [new(PciMemory(wiring.Layout), Q35MemoryMap.PciMemoryEnd - PciMemory(wiring.Layout)), new(high, Q35MemoryMap.PciMemory64Size)],
            Enumerable.Range(0, Pirqs).Select(i => new InterruptLine(lpc, i)), wiring.Messages, wiring.Ports, Ich9Lpc.Pirq, mch);
        pci.Add(lpc, Ich9Lpc.Slot, Ich9Lpc.Function);
        pci.Add(new Ich9Smbus(), Ich9Smbus.Slot, Ich9Smbus.Function);
        return pci;
    }

    public override void AddDrives(PciHost pci, ChipsetWiring wiring, IDictionary<DeviceOptions, string> paths)
    {
        Drives.Refuse(wiring.Options, DiskInterface.Ide);
        Drives.AddAhci(pci, wiring, paths);
    }

    public override AcpiTableSet Tables(int cpus, PcMemory layout, uint hpet, ChipsetTables.Extras extras)
        => ChipsetTables.Build(new ChipsetTables.Chipset
        {
            Ecam = Ecam, PciMemory = PciRanges(layout), IsaBridge = Ich9Lpc.Slot << 16,
            ApicRoute = (slot, pin) => Q35MemoryMap.PciInterrupt + (uint)Ich9Lpc.Pirq(slot, pin),
            PicRoute = (slot, pin) => Q35MemoryMap.PicInterrupts[Ich9Lpc.Pirq(slot, pin) % 4],
        }, cpus, layout.End, hpet, extras);

    // Firmware places the configuration space: SeaBIOS where Myna would, EDK2 at E0000000h.
    private ulong Ecam => _mch?.Ecam ?? Q35MemoryMap.Ecam;

    /// <summary>Where PCI devices may be: SeaBIOS puts them behind the configuration space, EDK2 between RAM and it.</summary>
    private ulong PciMemory(PcMemory layout) => _firmware ? Math.Max(layout.BelowHole, Q35MemoryMap.LowRamSplit) : Q35MemoryMap.PciMemory;

    // As many whatever Ecam is, since the tables' length is fixed.
    private IReadOnlyList<(ulong First, ulong Last)> PciRanges(PcMemory layout)
    {
        (ulong start, ulong end) = (PciMemory(layout), Q35MemoryMap.PciMemoryEnd);
        return _firmware ? [(start, Ecam - 1), (Ecam + Q35MemoryMap.EcamSize, end - 1)] : [(start, end - 1)];
    }

    public override void Prepare(AddressSpace ports)
    {
        // What _PRT says of a system that uses the 8259s.
        for (int i = 0; i < 4; i++)
        {
            _lpc!.WriteConfig(Ich9Lpc.PIRQA_ROUT + i, 1, Q35MemoryMap.PicInterrupts[i]);
            _lpc.WriteConfig(Ich9Lpc.PIRQE_ROUT + i, 1, Q35MemoryMap.PicInterrupts[i]);
        }
        ports.Store(0x4d1, 1, 0x0c);
    }
}
