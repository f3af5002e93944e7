using Myna.Hardware.Firmware;

namespace Myna.Machines.RiscV;

/// <summary>What the device tree says beyond the board's devices.</summary>
/// <param name="IsaExtensions">Names as in the binding riscv,isa-extensions.</param>
internal sealed record VirtTreeOptions(ulong RamSize, int Harts, string Isa, IReadOnlyList<string> IsaExtensions, string MmuType)
{
    public string? BootArguments { get; init; }
    public (ulong Start, ulong End)? Initrd { get; init; }
    public byte[] RngSeed { get; init; } = [];
}

/// <summary>The device tree of the board `virt` (Linux, Documentation/devicetree/bindings/riscv and the devices' own bindings).</summary>
internal static class VirtDeviceTree
{
    private const int MachineSoftware = 3, MachineTimer = 7, SupervisorExternal = 9, MachineExternal = 11;
    private const uint TestPass = 0x5555, TestReset = 0x7777;

    public static DeviceTreeNode Build(VirtBoard board, VirtTreeOptions options)
    {
        var root = new DeviceTreeNode("");
        root.SetCells("#address-cells", 2).SetCells("#size-cells", 2)
            .SetStrings("compatible", "riscv-virtio").SetStrings("model", "riscv-virtio,myna");
        uint phandle = 0;
        Chosen(root.Add("chosen"), options);
        root.Add($"memory@{VirtMemoryMap.Ram:x}").SetStrings("device_type", "memory").SetNumbers("reg", VirtMemoryMap.Ram, options.RamSize);
        uint[] cpuInterrupts = Cpus(root.Add("cpus"), options, ref phandle);

        DeviceTreeNode soc = root.Add("soc");
        soc.SetCells("#address-cells", 2).SetCells("#size-cells", 2).SetStrings("compatible", "simple-bus").SetFlag("ranges");
        bool aia = board.SupervisorImsic is not null;
        // What devices' wires end in, and what takes messages.
        uint wires = ++phandle, messages = aia ? ++phandle : 0, machineMessages = board.MachineImsic is not null ? ++phandle : 0;
        foreach (VirtBoard.PlatformEntry entry in board.Platform)
        {
            DeviceTreeNode node = soc.Add($"{entry.Device.NodeName}@{entry.Address:x}");
            entry.Device.Describe(node);
            node.SetNumbers("reg", entry.Address, entry.Device.Size);
            if (entry.Irq != 0)
                node.SetCells("interrupts", Wire((uint)entry.Irq, aia)).SetCells("interrupt-parent", wires);
            switch (entry.Address)
            {
                case VirtMemoryMap.Clint:
                    node.SetCells("interrupts-extended", Extended(cpuInterrupts, MachineSoftware, MachineTimer));
                    break;
                case VirtMemoryMap.Plic when !aia:
                    node.SetCells("interrupts-extended", Extended(cpuInterrupts, MachineExternal, SupervisorExternal)).SetCells("phandle", wires);
                    break;
                case VirtMemoryMap.ImsicS:
                    node.SetCells("interrupts-extended", Extended(cpuInterrupts, SupervisorExternal)).SetCells("phandle", messages);
                    break;
                case VirtMemoryMap.ImsicM:
                    node.SetCells("interrupts-extended", Extended(cpuInterrupts, MachineExternal)).SetCells("phandle", machineMessages);
                    break;
                case VirtMemoryMap.AplicS:
                    node.SetCells("msi-parent", messages).SetCells("phandle", wires);
                    break;
                case VirtMemoryMap.AplicM:
                    // OpenSBI before 1.4 knows the delegation by its draft name.
                    node.SetCells("msi-parent", machineMessages).SetCells("riscv,children", wires)
                        .SetCells("riscv,delegation", wires, 1, VirtMemoryMap.Sources).SetCells("riscv,delegate", wires, 1, VirtMemoryMap.Sources);
                    break;
                case VirtMemoryMap.Test:
                    uint test = ++phandle;
                    node.SetCells("phandle", test);
                    SystemControl(root.Add("poweroff"), "syscon-poweroff", test, TestPass);
                    SystemControl(root.Add("reboot"), "syscon-reboot", test, TestReset);
                    break;
            }
        }
        PciHost(soc.Add($"pci@{VirtMemoryMap.PcieEcam:x}"), options, wires, messages);
        return root;
    }

    private static void Chosen(DeviceTreeNode chosen, VirtTreeOptions options)
    {
        chosen.SetStrings("stdout-path", $"/soc/serial@{VirtMemoryMap.Uart:x}");
        if (options.BootArguments is { } arguments)
            chosen.SetStrings("bootargs", arguments);
        if (options.Initrd is (ulong start, ulong end))
            chosen.SetNumbers("linux,initrd-start", start).SetNumbers("linux,initrd-end", end);
        if (options.RngSeed.Length != 0)
            chosen.SetBytes("rng-seed", options.RngSeed);
    }

    private static uint[] Cpus(DeviceTreeNode cpus, VirtTreeOptions options, ref uint phandle)
    {
        cpus.SetCells("#address-cells", 1).SetCells("#size-cells", 0).SetCells("timebase-frequency", VirtMemoryMap.TimebaseHertz);
        uint[] interrupts = new uint[options.Harts];
        for (int hart = 0; hart < options.Harts; hart++)
        {
            DeviceTreeNode cpu = cpus.Add($"cpu@{hart:x}");
            cpu.SetStrings("device_type", "cpu").SetCells("reg", (uint)hart).SetStrings("status", "okay").SetStrings("compatible", "riscv")
                .SetStrings("riscv,isa-base", "rv64i").SetStrings("riscv,isa-extensions", [.. options.IsaExtensions]).SetStrings("riscv,isa", options.Isa)
                .SetStrings("mmu-type", options.MmuType)
                .SetCells("riscv,cbom-block-size", 64).SetCells("riscv,cbop-block-size", 64).SetCells("riscv,cboz-block-size", 64);
            interrupts[hart] = ++phandle;
            cpu.Add("interrupt-controller").SetCells("#address-cells", 0).SetCells("#interrupt-cells", 1).SetFlag("interrupt-controller")
                .SetStrings("compatible", "riscv,cpu-intc").SetCells("phandle", interrupts[hart]);
        }
        return interrupts;
    }

    /// <summary>An interrupt specifier: the PLIC's has one cell, the APLIC's a second with the trigger (4: level, active high).</summary>
    private static uint[] Wire(uint source, bool aplic) => aplic ? [source, 4] : [source];

    private static uint[] Extended(uint[] cpuInterrupts, params int[] codes)
        => [.. cpuInterrupts.SelectMany(phandle => codes.SelectMany(code => new[] { phandle, (uint)code }))];

    private static void SystemControl(DeviceTreeNode node, string compatible, uint test, uint value)
        => node.SetStrings("compatible", compatible).SetCells("regmap", test).SetCells("offset", 0).SetCells("value", value);

    /// <summary>PCI Bus Binding to IEEE 1275, sections 2.2 and 4.3; Linux binding pci/host-generic-pci.</summary>
    private static void PciHost(DeviceTreeNode node, VirtTreeOptions options, uint wires, uint messages)
    {
        const uint Memory32 = 0x0200_0000, Memory64 = 0x0300_0000;
        ulong high = VirtMemoryMap.PcieMmio64(options.RamSize);
        node.SetStrings("compatible", "pci-host-ecam-generic").SetStrings("device_type", "pci")
            .SetCells("#address-cells", 3).SetCells("#size-cells", 2).SetCells("#interrupt-cells", 1)
            .SetNumbers("reg", VirtMemoryMap.PcieEcam, VirtMemoryMap.PcieEcamSize)
            .SetCells("linux,pci-domain", 0).SetCells("bus-range", 0, 0xff).SetFlag("dma-coherent");
        if (messages != 0)
            node.SetCells("msi-parent", messages);
        List<uint> ranges = [];
        Range(Memory32, VirtMemoryMap.PcieMmio32, VirtMemoryMap.PcieMmio32Size);
        Range(Memory64, high, VirtMemoryMap.PcieMmio64Size);
        node.SetCells("ranges", [.. ranges]);

        // Four devices describe the swizzle; the mask leaves the low two bits of the device number and the pin.
        List<uint> map = [];
        for (uint device = 0; device < 4; device++)
        {
            for (uint pin = 1; pin <= 4; pin++)
                map.AddRange([device << 11, 0, 0, pin, wires, .. Wire(VirtMemoryMap.PcieIrq + (device + pin - 1) % 4, messages != 0)]);
        }
        node.SetCells("interrupt-map-mask", 3 << 11, 0, 0, 7).SetCells("interrupt-map", [.. map]);

        void Range(uint space, ulong start, ulong size)
            => ranges.AddRange([space, (uint)(start >> 32), (uint)start, (uint)(start >> 32), (uint)start, (uint)(size >> 32), (uint)size]);
    }
}
