using Myna.Devices.Interrupts;
using Myna.Devices.Power;
using Myna.Devices.Timers;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Power;
using Myna.Hardware.Time;

namespace Myna.Machines.X86;

/// <summary>
/// The board `microvm`: local APICs, an I/O APIC, a serial port, a clock and virtio-mmio, described by hardware-reduced ACPI.
/// No PCI, no 8259, 8254, HPET or keyboard controller: nothing that a guest would have to wait for.
/// </summary>
internal sealed class MicrovmBoard : PcBoard
{
    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    public MicrovmBoard(MachineOptions options, Clock clock, IPowerControl power)
        : base(options, clock, power, MicrovmMemoryMap.Memory(options.Memory), "console=ttyS0")
    {
        Interrupts = new GsiRouter(null, IoApic);
        AddSerial(Interrupts.Line(MicrovmMemoryMap.Com1Irq));
        var rtc = new Mc146818(clock, WallClock, Interrupts.Line(MicrovmMemoryMap.RtcIrq));
        MapPorts(MicrovmMemoryMap.Cmos, rtc.Ports, "rtc");
        Add(new BoardDevice("rtc", rtc, rtc.Reset));
        var sleep = new AcpiSleep(power);
        Ports.Map(MicrovmMemoryMap.Power, AcpiSleep.RegisterSize, "acpi-sleep", sleep);
        Add(new BoardDevice("acpi-sleep", sleep, sleep.Reset));

        (_, List<VirtioDevice> devices) = VirtioDevices.Create(Memory, options, MicrovmMemoryMap.VirtioInterrupts.Length, pci: false);
        for (int i = 0; i < devices.Count; i++)
        {
            ulong address = MicrovmMemoryMap.VirtioMmio + (ulong)i * MicrovmMemoryMap.VirtioStride;
            var slot = new VirtioMmio(devices[i], Interrupts.Line(MicrovmMemoryMap.VirtioInterrupts[i]));
            Memory.Map(address, VirtioMmio.RegisterSize, $"virtio-mmio@{address:x}", slot);
            Add(new BoardDevice($"virtio_mmio@{address:x}", slot, slot.Reset));
        }
        UseTables(MicrovmTables.Build(options.Cpus, devices.Count));
        AddTestDevices(Interrupts.Line);
    }
}
