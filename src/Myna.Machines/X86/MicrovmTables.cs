using Myna.Devices.Power;
using Myna.Machines.Firmware.Acpi;

namespace Myna.Machines.X86;

/// <summary>The ACPI tables of the board `microvm`: hardware-reduced, so that the guest looks for nothing that is not named.</summary>
internal static class MicrovmTables
{
    /// <param name="virtio">virtio-mmio devices.</param>
    /// <param name="consoles">Serial ports, 1 or 2.</param>
    public static AcpiTableSet Build(int cpus, int virtio, int consoles)
    {
        var set = new AcpiTableSet();
        byte[][] devices = [.. Enumerable.Range(0, virtio).Select(i => AmlDevices.VirtioMmio(i,
            (uint)(MicrovmMemoryMap.VirtioMmio + (ulong)i * MicrovmMemoryMap.VirtioStride), (uint)MicrovmMemoryMap.VirtioStride, MicrovmMemoryMap.VirtioInterrupts[i]))];
        byte[][] serial = [AmlDevices.Serial(1, MicrovmMemoryMap.Com1, MicrovmMemoryMap.Com1Irq), AmlDevices.Serial(2, MicrovmMemoryMap.Com2, MicrovmMemoryMap.Com2Irq)];
        byte[] code = Aml.List(
            AmlDevices.SoftOff(AcpiSleep.SleepTypeOff),
            AmlDevices.Processors(cpus),
            Aml.Scope("_SB_",
                Aml.List(serial.AsSpan(0, consoles)),
                AmlDevices.PowerButton(MicrovmMemoryMap.Power + AcpiSleep.EVENT, MicrovmMemoryMap.PowerInterrupt),
                AmlDevices.Isa("RTC_", "PNP0B00", Resources.Ports(MicrovmMemoryMap.Cmos, 8), Resources.Irq(MicrovmMemoryMap.RtcIrq)),
                Aml.List(devices)));
        int dsdt = set.Add("DSDT", 2, code, listed: false);
        Tables.AddFadt(set, new Tables.FixedHardware
        {
            HasLegacyDevices = true,
            SleepControl = new(Memory: false, MicrovmMemoryMap.Power, 8), SleepStatus = new(Memory: false, MicrovmMemoryMap.Power + 1, 8),
            Reset = new(Memory: false, MicrovmMemoryMap.Power + 2, 8), ResetValue = AcpiSleep.ResetValue,
        }, dsdt, facs: null);
        set.Add("APIC", 5, Tables.Madt(cpus, (uint)MicrovmMemoryMap.LocalApic, (uint)MicrovmMemoryMap.IoApic, legacyPics: false));
        set.Add("SPCR", 2, Tables.Spcr(MicrovmMemoryMap.Com1, MicrovmMemoryMap.Com1Irq, pics: false));
        set.Finish();
        return set;
    }
}
