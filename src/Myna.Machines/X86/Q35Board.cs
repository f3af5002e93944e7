using Myna.Devices.Interrupts;
using Myna.Devices.Pci;
using Myna.Devices.Virtio;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Power;
using Myna.Hardware.Time;

namespace Myna.Machines.X86;

/// <summary>The board `q35`: a PC with Intel's Q35 chipset and virtio devices behind PCI Express.</summary>
internal sealed class Q35Board : PcBoard
{
    private readonly I8259Pair _pic;
    private readonly PciHost _pci;

    /// <exception cref="MachineException">Something in the options cannot be had.</exception>
    public Q35Board(MachineOptions options, Clock clock, IPowerControl power)
        : base(options, clock, power, Q35MemoryMap.Memory(options.Memory), "console=ttyS0")
    {
        _pic = new I8259Pair(new InterruptLine(Apics, ApicBus.Lint0));
        Apics.Pic = _pic;
        MapPorts(0x20, _pic.Master, "pic-master");
        MapPorts(0xa0, _pic.Slave, "pic-slave");
        MapPorts(0x4d0, _pic.Elcr, "pic-elcr");
        Add(new BoardDevice("pic", _pic, _pic.Reset));
        Interrupts = new GsiRouter(_pic, IoApic);

        ulong high = Q35MemoryMap.PciMemory64(Layout.End);
        _pci = new PciHost(Memory,
            [new(Q35MemoryMap.PciMemory, Q35MemoryMap.PciMemoryEnd - Q35MemoryMap.PciMemory), new(high, Q35MemoryMap.PciMemory64Size)],
            [.. Enumerable.Range(0, 4).Select(i => Interrupts.Line((int)Q35MemoryMap.PciInterrupt + i))], Apics);
        Memory.Map(Q35MemoryMap.Ecam, Q35MemoryMap.EcamSize, "pcie-ecam", _pci);
        (List<VirtioDevice> devices, _) = VirtioDevices.Create(Memory, options, 0);
        foreach (VirtioDevice device in devices)
            VirtioDevices.Plug(_pci, device);
        foreach (PciDevice device in _pci.Devices)
            Add(BoardDevice.Of(device));
        UseTables(Q35Tables.Build(options.Cpus, Layout.End, 0x8086a201, 1));
    }
}
