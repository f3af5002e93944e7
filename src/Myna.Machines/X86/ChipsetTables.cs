using Myna.Devices.Power;
using Myna.Devices.Security;
using Myna.Machines.Firmware.Acpi;

namespace Myna.Machines.X86;

/// <summary>The ACPI tables of PCs with a chipset.</summary>
internal static class ChipsetTables
{
    private const int Slots = 32;

    /// <summary>What differs between chipsets.</summary>
    public sealed record Chipset
    {
        /// <summary>PCI Express: where its configuration space lies in memory.</summary>
        public ulong? Ecam { get; init; }

        /// <summary>The ranges for PCI devices below 4 GiB, first and last address.</summary>
        public required IReadOnlyList<(ulong First, ulong Last)> PciMemory { get; init; }

        /// <summary>_ADR of the ISA bridge.</summary>
        public required uint IsaBridge { get; init; }

        /// <summary>Global system interrupts of PCI slots and pins, with the I/O APIC and with the 8259s.</summary>
        public required Func<int, int, uint> ApicRoute { get; init; }
        public required Func<int, int, uint> PicRoute { get; init; }

        /// <summary>ISA interrupts that PCI devices have.</summary>
        public IReadOnlyList<byte> LevelInterrupts { get; init; } = [];
    }

    /// <summary>What the user may add.</summary>
    /// <param name="Consoles">Serial ports, 1 to 4.</param>
    /// <param name="Panic">pvpanic on the ISA bus.</param>
    /// <param name="Tpm">A TPM 2.0 with the FIFO interface.</param>
    /// <param name="TpmLog">Firmware logs what it measures.</param>
    /// <param name="Generation">The machine's generation identifier.</param>
    public sealed record Extras(int Consoles, bool Panic = false, bool Tpm = false, bool Generation = false, bool TpmLog = false);

    /// <param name="ramEnd">First address behind the RAM.</param>
    /// <param name="hpet">Bits 31:0 of the HPET's capabilities.</param>
    public static AcpiTableSet Build(Chipset chipset, int cpus, ulong ramEnd, uint hpet, Extras extras)
    {
        var set = new AcpiTableSet();
        int facs = set.AddFacs();
        int dsdt = set.Add("DSDT", 2, Dsdt(chipset, cpus, ramEnd, extras), listed: false);
        Tables.AddFadt(set, new Tables.FixedHardware
        {
            PmBase = Q35MemoryMap.PmBase, SciInterrupt = Q35MemoryMap.SciInterrupt, Has8042 = true, HasLegacyDevices = true, CenturyIndex = 0x32,
            Reset = new(Memory: false, Q35MemoryMap.ResetControl, 8), ResetValue = 0x0f,
        }, dsdt, facs);
        set.Add("APIC", 5, Tables.Madt(cpus, (uint)Q35MemoryMap.LocalApic, (uint)Q35MemoryMap.IoApic, legacyPics: true,
            [new(Q35MemoryMap.PitIrq, 2, 0), new(Q35MemoryMap.SciInterrupt, Q35MemoryMap.SciInterrupt, Tables.LevelHigh),
                .. chipset.LevelInterrupts.Select(irq => new Tables.Override(irq, irq, Tables.LevelHigh))]));
        set.Add("HPET", 1, Tables.Hpet((uint)Q35MemoryMap.Hpet, hpet));
        if (chipset.Ecam is { } ecam)
            set.Add("MCFG", 1, Tables.Mcfg(ecam, 255));
        set.Add("SPCR", 2, Tables.Spcr(Q35MemoryMap.Com1, Q35MemoryMap.Com1Irq, pics: true));
        if (extras.Tpm)
        {
            int table = set.Add("TPM2", 4, Tables.Tpm2(extras.TpmLog));
            if (extras.TpmLog)
                set.Link(table + Tables.TpmLogAddress, sizeof(ulong), Tables.TpmLogFile);
        }
        if (extras.Generation)
            AmlDevices.AddGenerationId(set);
        set.Add("WAET", 1, Tables.Waet());
        set.Finish();
        return set;
    }

    private static byte[] Dsdt(Chipset chipset, int cpus, ulong ramEnd, Extras extras)
    {
        ulong wide = Q35MemoryMap.PciMemory64(ramEnd);
        byte[][] serial = [AmlDevices.Serial(1, Q35MemoryMap.Com1, Q35MemoryMap.Com1Irq), AmlDevices.Serial(2, Q35MemoryMap.Com2, Q35MemoryMap.Com2Irq),
            AmlDevices.Serial(3, Q35MemoryMap.Com3, Q35MemoryMap.Com1Irq), AmlDevices.Serial(4, Q35MemoryMap.Com4, Q35MemoryMap.Com2Irq)];
        return Aml.List(
            // Set by the system through \_PIC: the interrupt controllers in use (section 5.8.1).
            Aml.Name("PICF", 0),
            Aml.Method("_PIC", 1, Aml.Store(Aml.Arg(0), Aml.Path("PICF"))),
            AmlDevices.SoftOff(0),
            AmlDevices.Processors(cpus),
            Aml.Scope("_SB_",
                Aml.Device("PCI0",
                    Aml.Name("_HID", Aml.EisaId(chipset.Ecam is not null ? "PNP0A08" : "PNP0A03")),
                    chipset.Ecam is not null ? Aml.Name("_CID", Aml.EisaId("PNP0A03")) : [],
                    Aml.Name("_SEG", 0),
                    Aml.Name("_BBN", 0),
                    Aml.Name("_UID", 0),
                    Aml.Name("_CCA", 1),
                    Aml.Name("_CRS", Resources.Template(
                        Resources.BusRange(0, 255),
                        Resources.Ports(0xcf8, 8),
                        Resources.PortRange(0, 0xcf7),
                        Resources.PortRange(0xd00, 0xffff),
                        Resources.MemoryRange(0xa0000, 0xbffff),
                        Aml.List([.. chipset.PciMemory.Select(r => Resources.MemoryRange((uint)r.First, (uint)r.Last))]),
                        Resources.WideMemoryRange(wide, wide + Q35MemoryMap.PciMemory64Size - 1))),
                    chipset.Ecam is not null ? OperatingSystemCapabilities() : [],
                    Aml.Name("PRTA", Routes(chipset.ApicRoute)),
                    Aml.Name("PRTP", Routes(chipset.PicRoute)),
                    Aml.Method("_PRT", 0,
                        Aml.If(Aml.Path("PICF"), Aml.Return(Aml.Path("PRTA"))),
                        Aml.Return(Aml.Path("PRTP"))),
                    Aml.Device("ISA_",
                        Aml.Name("_ADR", chipset.IsaBridge),
                        AmlDevices.Isa("RTC_", "PNP0B00", Resources.Ports(Q35MemoryMap.Cmos, 8), Resources.Irq(Q35MemoryMap.RtcIrq)),
                        AmlDevices.Isa("KBD_", "PNP0303", Resources.Ports(0x60, 1), Resources.Ports(0x64, 1), Resources.Irq(Q35MemoryMap.KeyboardIrq)),
                        AmlDevices.Isa("MOU_", "PNP0F13", Resources.Irq(Q35MemoryMap.MouseIrq)),
                        Aml.List(serial.AsSpan(0, extras.Consoles)),
                        extras.Panic ? Aml.Device("PEVT", Aml.Name("_HID", "QEMU0001"), Aml.Name("_STA", 0x0f), Aml.Name("_CRS", Resources.Template(Resources.Ports((int)Pvpanic.Port, 1)))) : [])),
                Aml.Device("HPET",
                    Aml.Name("_HID", Aml.EisaId("PNP0103")),
                    Aml.Name("_UID", 0),
                    Aml.Name("_CRS", Resources.Template(Resources.FixedMemory((uint)Q35MemoryMap.Hpet, 0x400)))),
                extras.Tpm ? Aml.Device("TPM_",
                    Aml.Name("_HID", "MSFT0101"),
                    Aml.Name("_UID", 1),
                    Aml.Name("_STR", Aml.Buffer(System.Text.Encoding.Unicode.GetBytes("TPM 2.0 Device\0"))),
                    Aml.Name("_STA", 0x0f),
                    Aml.Name("_CRS", Resources.Template(Resources.FixedMemory((uint)TpmTis.Address, (uint)TpmTis.Size)))) : [],
                Aml.Device("FWCF",
                    Aml.Name("_HID", "QEMU0002"),
                    Aml.Name("_STA", 0x0b),
                    Aml.Name("_CRS", Resources.Template(Resources.Ports(Q35MemoryMap.FwCfg, 12)))),
                // What no other device may be given: the configuration space, power management, the chipset's registers.
                Aml.Device("MRES",
                    Aml.Name("_HID", Aml.EisaId("PNP0C02")),
                    Aml.Name("_UID", 1),
                    Aml.Name("_CRS", Resources.Template(
                        chipset.Ecam is { } ecam ? Resources.FixedMemory((uint)ecam, (uint)Q35MemoryMap.EcamSize) : [],
                        chipset.Ecam is not null ? Resources.FixedMemory((uint)Q35MemoryMap.Rcba, 0x4000) : [],
                        Resources.Ports(Q35MemoryMap.PmBase, 0x80))))));
    }

    /// <summary>_OSC (PCI Firmware Specification 3.3, section 4.5): the system may control what it asks for.</summary>
    private static byte[] OperatingSystemCapabilities() =>
        Aml.Method("_OSC", 4,
            Aml.CreateDWordField(Aml.Arg(3), 0, "CDW1"),
            Aml.If(Aml.Equal(Aml.Arg(0), Aml.Uuid("33db4d5b-1ff7-401c-9657-7441c03dd766")),
                Aml.CreateDWordField(Aml.Arg(3), 8, "CDW3"),
                Aml.And(Aml.Path("CDW3"), Aml.Number(0x1f), Aml.Path("CDW3"))),
            Aml.Else(
                // Unrecognized UUID.
                Aml.Or(Aml.Path("CDW1"), Aml.Number(4), Aml.Path("CDW1"))),
            Aml.Return(Aml.Arg(3)));

    /// <summary>Interrupt routes of the root bus (section 6.2.13): every pin of every slot, hard-wired.</summary>
    private static byte[] Routes(Func<int, int, uint> interrupt)
    {
        var routes = new List<byte[]>();
        for (int slot = 0; slot < Slots; slot++)
        {
            for (int pin = 0; pin < 4; pin++)
                routes.Add(Aml.Package(Aml.Number((ulong)slot << 16 | 0xffff), Aml.Number((ulong)pin), Aml.Zero, Aml.Number(interrupt(slot, pin))));
        }
        return Aml.Package([.. routes]);
    }
}
