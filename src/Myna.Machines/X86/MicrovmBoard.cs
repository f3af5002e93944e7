using Myna.Devices.Interrupts;
using Myna.Devices.Power;
using Myna.Devices.Timers;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Power;
using Myna.Hardware.Time;
using Myna.Machines.Firmware;

namespace Myna.Machines.X86;

/// <summary>
/// The board `microvm`: local APICs, an I/O APIC, a serial port, a clock and virtio-mmio, described by hardware-reduced ACPI.
/// No PCI, no 8259, 8254, HPET or keyboard controller: nothing that a guest would have to wait for.
/// </summary>
internal sealed class MicrovmBoard : PcBoard
{
    private readonly AcpiSleep _sleep;

    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    public MicrovmBoard(MachineOptions options, Clock clock, IPowerControl power)
        : base(options, clock, power, MicrovmMemoryMap.Memory(options.Memory), "console=ttyS0", Announcement(options))
    {
        Drives.Refuse(options);
        Interrupts = new GsiRouter(null, IoApic);
        Connect(Interrupts);
        AddSerial(Interrupts.Line(MicrovmMemoryMap.Com1Irq), Interrupts.Line(MicrovmMemoryMap.Com2Irq));
        var rtc = new Mc146818(clock, WallClock, Interrupts.Line(MicrovmMemoryMap.RtcIrq));
        MapPorts(MicrovmMemoryMap.Cmos, rtc.Ports, "rtc");
        Add(new BoardDevice("rtc", rtc, rtc.Reset));
        _sleep = new AcpiSleep(power, Interrupts.Line(MicrovmMemoryMap.PowerInterrupt));
        Ports.Map(MicrovmMemoryMap.Power, AcpiSleep.RegisterSize, "acpi-sleep", _sleep);
        Add(new BoardDevice("acpi-sleep", _sleep, _sleep.Reset));

        (_, List<VirtioDevice> devices) = UserDevices.Create(Memory, clock, power, options, MicrovmMemoryMap.VirtioInterrupts.Length, pci: false);
        for (int i = 0; i < devices.Count; i++)
        {
            ulong address = MicrovmMemoryMap.VirtioMmio + (ulong)i * MicrovmMemoryMap.VirtioStride;
            var slot = new VirtioMmio(devices[i], Interrupts.Line(MicrovmMemoryMap.VirtioInterrupts[i]));
            Memory.Map(address, VirtioMmio.RegisterSize, $"virtio-mmio@{address:x}", slot);
            Add(new BoardDevice($"virtio_mmio@{address:x}", slot, slot.Reset));
        }
        UseTables(MicrovmTables.Build(options.Cpus, devices.Count, SerialPorts));
        UseMpTable(MpTable.Build(options.Cpus, (uint)MicrovmMemoryMap.LocalApic, (uint)MicrovmMemoryMap.IoApic,
            pin => MicrovmMemoryMap.VirtioInterrupts.Contains((byte)pin)));
        AddTestDevices(Interrupts.Line);
    }

    /// <inheritdoc/>
    public override bool PressPowerButton()
    {
        _sleep.PressPowerButton();
        return true;
    }

    /// <summary>The devices for a kernel that is told not to look at ACPI (Linux, virtio_mmio.device of kernel-parameters.txt).</summary>
    private static string Announcement(MachineOptions options)
    {
        if (options.Append is null || !options.Append.Split(' ').Contains("acpi=off"))
            return "";
        int devices = Math.Min(options.Devices.Count, MicrovmMemoryMap.VirtioInterrupts.Length);
        return string.Join(' ', Enumerable.Range(0, devices).Select(i =>
            $"virtio_mmio.device={MicrovmMemoryMap.VirtioStride >> 10}K@0x{MicrovmMemoryMap.VirtioMmio + (ulong)i * MicrovmMemoryMap.VirtioStride:x}:{MicrovmMemoryMap.VirtioInterrupts[i]}"));
    }
}
