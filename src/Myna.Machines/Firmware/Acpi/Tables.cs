using Myna.Machines.Loading;

namespace Myna.Machines.Firmware.Acpi;

/// <summary>The bodies of ACPI's binary tables, behind the common header (ACPI 6.5, chapter 5).</summary>
internal static class Tables
{
    /// <summary>A source of the 8259 that ends somewhere else at the I/O APIC, or with another trigger (section 5.2.12.5).</summary>
    /// <param name="Flags">MPS INTI flags: 0 as the bus says, 0Dh level and active high.</param>
    public readonly record struct Override(int Irq, uint Gsi, int Flags);

    /// <summary>Level-triggered, active high (table 5.24).</summary>
    public const int LevelHigh = 0x0d;

    /// <summary>A register's place (Generic Address Structure, section 5.2.3.2).</summary>
    public readonly record struct Register(bool Memory, ulong Address, int Bits)
    {
        internal void Write(ByteWriter w)
        {
            if (Address == 0)
                w.Zero(12);
            else
                w.U8(Memory ? 0 : 1).U8(Bits).U8(0).U8(Bits switch { 8 => 1, 16 => 2, 32 => 3, _ => 0 }).U64(Address);
        }
    }

    /// <summary>What a board's FADT says (section 5.2.9).</summary>
    public sealed record FixedHardware
    {
        /// <summary>Base of PM1 events (4 ports), control (+4), timer (+8) and GPE0 (+20h, 16 ports), as ICH9 lays them out; 0 for hardware-reduced ACPI.</summary>
        public int PmBase { get; init; }

        public int SciInterrupt { get; init; }
        public Register Reset { get; init; }
        public byte ResetValue { get; init; }
        public Register SleepControl { get; init; }
        public Register SleepStatus { get; init; }

        /// <summary>There is an 8042 keyboard controller (IAPC_BOOT_ARCH bit 1).</summary>
        public bool Has8042 { get; init; }

        /// <summary>There are ISA devices a user can see, such as serial ports (IAPC_BOOT_ARCH bit 0).</summary>
        public bool HasLegacyDevices { get; init; }

        /// <summary>Where the century lies in the real-time clock's RAM, 0 for nowhere.</summary>
        public byte CenturyIndex { get; init; }
    }

    private const int HeaderSize = 36;

    /// <param name="dsdt">The DSDT's place, and <paramref name="facs"/> that of the FACS if there is one.</param>
    public static void AddFadt(AcpiTableSet set, FixedHardware hardware, int dsdt, int? facs)
    {
        const uint Wbinvd = 1, ProcC1 = 1 << 2, NoSleepButton = 1 << 5, ResetSupported = 1 << 10, HardwareReduced = 1 << 20, NoPowerButton = 1 << 4, WideTimer = 1 << 8;
        const int LegacyDevices = 1, I8042 = 2, NoVga = 4;
        bool reduced = hardware.PmBase == 0;
        int pm = hardware.PmBase;
        uint flags = Wbinvd | ProcC1 | NoSleepButton | (hardware.Reset.Address != 0 ? ResetSupported : 0) | (reduced ? HardwareReduced | NoPowerButton : WideTimer);
        var w = new ByteWriter().U32(0).U32(0).U8(0).U8(reduced ? 7 : 1 /* performance server, desktop */).U16(hardware.SciInterrupt)
            .Zero(8); // SMI_CMD 0: the machine is in ACPI mode from the start
        PmBlock(w, pm, 0).U32(0);
        PmBlock(w, pm, 4).U32(0).U32(0);
        PmBlock(w, pm, 8);
        PmBlock(w, pm, 0x20).U32(0);
        w.U8(reduced ? 0 : 4).U8(reduced ? 0 : 2).U8(0).U8(reduced ? 0 : 4).U8(reduced ? 0 : 16).U8(0).U8(0).U8(0)
            .U16(0xfff).U16(0xfff) // no C2 and C3
            .U16(0).U16(0).U8(0).U8(0).U8(0).U8(0).U8(hardware.CenturyIndex)
            .U16((hardware.HasLegacyDevices ? LegacyDevices : 0) | (hardware.Has8042 ? I8042 : 0) | NoVga).U8(0).U32(flags);
        hardware.Reset.Write(w);
        w.U8(hardware.ResetValue).U16(0).U8(5).U64(0).U64(0);
        Io(pm, 0, 32).Write(w);
        default(Register).Write(w);
        Io(pm, 4, 16).Write(w);
        default(Register).Write(w);
        default(Register).Write(w);
        Io(pm, 8, 32).Write(w);
        Io(pm, 0x20, 128).Write(w);
        default(Register).Write(w);
        hardware.SleepControl.Write(w);
        hardware.SleepStatus.Write(w);
        w.Text("MYNA", 8, '\0');
        List<AcpiTableSet.Pointer> pointers = [new(40, 4, dsdt), new(140, 8, dsdt)];
        if (facs is int place)
            pointers.Add(new(36, 4, place));
        set.Add("FACP", 6, w.ToArray(), listed: true, [.. pointers]);

        static ByteWriter PmBlock(ByteWriter w, int pm, int offset) => w.U32(pm == 0 ? 0 : (uint)(pm + offset));
        static Register Io(int pm, int offset, int bits) => pm == 0 ? default : new Register(false, (ulong)(pm + offset), bits);
    }

    /// <summary>Multiple APIC Description Table (section 5.2.12): CPUs by APIC ID, one I/O APIC from GSI 0 on.</summary>
    /// <param name="legacyPics">There is a pair of 8259s too.</param>
    public static byte[] Madt(int cpus, uint localApic, uint ioApic, bool legacyPics, params ReadOnlySpan<Override> overrides)
    {
        var w = new ByteWriter().U32(localApic).U32(legacyPics ? 1u : 0);
        for (int i = 0; i < cpus; i++)
            w.U8(0).U8(8).U8(i).U8(i).U32(1);
        w.U8(1).U8(12).U8(0).U8(0).U32(ioApic).U32(0);
        foreach (Override o in overrides)
            w.U8(2).U8(10).U8(0).U8(o.Irq).U32(o.Gsi).U16(o.Flags);
        // Local APIC NMI: LINT1 of all.
        return w.U8(4).U8(6).U8(0xff).U16(0).U8(1).ToArray();
    }

    /// <summary>Memory-mapped configuration space (PCI Firmware Specification 3.3, section 4.1.2).</summary>
    public static byte[] Mcfg(ulong ecam, int lastBus) => new ByteWriter().Zero(8).U64(ecam).U16(0).U8(0).U8(lastBus).U32(0).ToArray();

    /// <summary>HPET description (IA-PC HPET Specification 1.0a, section 3.2.4).</summary>
    /// <param name="id">Bits 31:0 of its capabilities register.</param>
    public static byte[] Hpet(uint address, uint id)
    {
        var w = new ByteWriter().U32(id);
        w.U8(0).U8(0).U8(0).U8(0).U64(address);
        return w.U8(0).U16(0x80).U8(0).ToArray();
    }

    /// <summary>Serial Port Console Redirection Table, revision 2: a 16550A at I/O ports, 115,200 baud, an ANSI terminal.</summary>
    /// <param name="pics">The interrupt reaches 8259s too.</param>
    public static byte[] Spcr(int port, int irq, bool pics)
    {
        const int DualPics = 1, IoApic = 2, Baud115200 = 7, Ansi = 3;
        var w = new ByteWriter().U8(0).Zero(3);
        new Register(Memory: false, (ulong)port, 8).Write(w);
        w.U8(IoApic | (pics ? DualPics : 0)).U8(pics ? irq : 0).U32((uint)irq).U8(Baud115200).U8(0).U8(1).U8(0).U8(Ansi).U8(0);
        // No PCI device.
        return w.U16(0xffff).U16(0xffff).U8(0).U8(0).U8(0).U32(0).U8(0).U32(0).ToArray();
    }

    /// <summary>The TPM's start method: memory-mapped, by the FIFO interface (TCG ACPI Specification 1.3, table 7).</summary>
    public static byte[] Tpm2(bool log)
    {
        const int Client = 0, MemoryMapped = 6, StartParameters = 12;
        var table = new ByteWriter().U16(Client).U16(0).U64(0).U32(MemoryMapped);
        // The log's least length and its address, which firmware fills in.
        return (log ? table.Zero(StartParameters).U32(TpmLogSize).U64(0) : table).ToArray();
    }

    /// <summary>Where the address of the log lies in the table TPM2.</summary>
    public const int TpmLogAddress = 68;

    /// <summary>The file of fw_cfg that is the place for the log of what firmware measures, and its bytes.</summary>
    public const string TpmLogFile = "etc/tpm/log";
    public const int TpmLogSize = 64 << 10;

    /// <summary>Windows ACPI Emulated Devices Table: clock and PM timer read right the first time.</summary>
    public static byte[] Waet() => new ByteWriter().U32(3).ToArray();
}
