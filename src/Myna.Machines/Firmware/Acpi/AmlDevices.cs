using Myna.Devices.FirmwareConfig;

namespace Myna.Machines.Firmware.Acpi;

/// <summary>Devices that several boards describe alike in their DSDT.</summary>
internal static class AmlDevices
{
    /// <summary>\_S5: how to switch off (ACPI 6.5, section 7.4.2).</summary>
    /// <param name="type">SLP_TYP.</param>
    public static byte[] SoftOff(int type) => Aml.Name("_S5_", Aml.Package(Aml.Number((ulong)type), Aml.Number((ulong)type), Aml.Zero, Aml.Zero));

    /// <summary>The CPUs, as the MADT numbers them (section 8.4).</summary>
    public static byte[] Processors(int count)
    {
        byte[][] cpus = [.. Enumerable.Range(0, count).Select(i => Aml.Device($"C{i:X3}", Aml.Name("_HID", "ACPI0007"), Aml.Name("_UID", (ulong)i)))];
        return Aml.Scope("_SB_", cpus);
    }

    /// <summary>A device with an identifier and its resources.</summary>
    public static byte[] Isa(string name, string id, params ReadOnlySpan<byte[]> resources)
        => Aml.Device(name, Aml.Name("_HID", Aml.EisaId(id)), Aml.Name("_CRS", Resources.Template(resources)));

    /// <summary>A serial port; the number tells ports apart.</summary>
    public static byte[] Serial(int number, int port, int irq)
        => Aml.Device($"COM{number}", Aml.Name("_HID", Aml.EisaId("PNP0501")), Aml.Name("_UID", (ulong)number),
            Aml.Name("_CRS", Resources.Template(Resources.Ports(port, 8), Resources.Irq(irq))));

    /// <summary>
    /// A power button (section 4.8.3.3.1.2) behind a generic event device (section 5.6.9), as hardware-reduced ACPI has it.
    /// </summary>
    /// <param name="port">An I/O port that reads as 1 once after the button has been pressed.</param>
    /// <param name="gsi">Its interrupt.</param>
    public static byte[] PowerButton(int port, uint gsi)
        => Aml.List(
            Aml.Device("PWRB", Aml.Name("_HID", Aml.EisaId("PNP0C0C"))),
            Aml.Device("GED_",
                Aml.Name("_HID", "ACPI0013"),
                Aml.Name("_UID", 0),
                Aml.Name("_CRS", Resources.Template(Resources.LevelInterrupt(gsi))),
                Aml.PortField("EREG", "ESEL", (ulong)port),
                Aml.Method("_EVT", 1, Aml.If(Aml.Equal(Aml.Path("ESEL"), Aml.One), Aml.Notify("PWRB", 0x80)))));

    /// <summary>A table of its own for the machine's generation identifier (QEMU documentation, specs/vmgenid).</summary>
    public static void AddGenerationId(AcpiTableSet set)
    {
        const int HeaderSize = 36;
        byte[] page = Aml.Name("VGIA", Aml.WideNumber(0));
        int table = set.Add("SSDT", 1, Aml.List(
            page,
            Aml.Scope("\\_SB",
                Aml.Device("VGEN",
                    Aml.Name("_HID", "MYNA0001"),
                    Aml.Name("_CID", "VM_Gen_Counter"),
                    Aml.Name("_DDN", "VM_Gen_Counter"),
                    Aml.Name("_STA", 0x0f),
                    Aml.Method("ADDR", 0,
                        Aml.Store(Aml.Package(Aml.Zero, Aml.Zero), Aml.Local(0)),
                        Aml.Store(Aml.Add(Aml.Path("\\VGIA"), Aml.Number(VmGenId.Offset)), Aml.Index(Aml.Local(0), 0)),
                        Aml.Return(Aml.Local(0))))),
            Aml.Scope("\\_GPE", Aml.Method($"_E{VmGenId.Event:X2}", 0, Aml.Notify("\\_SB.VGEN", 0x80)))));
        set.Link(table + HeaderSize + page.Length - sizeof(uint), sizeof(uint), VmGenId.PageFile, VmGenId.AddressFile);
    }

    /// <summary>A slot of virtio-mmio; QEMU's identifier, which Linux knows.</summary>
    public static byte[] VirtioMmio(int number, uint address, uint size, uint gsi)
        => Aml.Device($"VR{number:D2}", Aml.Name("_HID", "LNRO0005"), Aml.Name("_UID", (ulong)number), Aml.Name("_CCA", 1),
            Aml.Name("_CRS", Resources.Template(Resources.FixedMemory(address, size), Resources.LevelInterrupt(gsi))));
}
