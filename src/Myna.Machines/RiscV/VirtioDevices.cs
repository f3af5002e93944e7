using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Block;
using Myna.Devices.Virtio.Console;
using Myna.Devices.Virtio.Entropy;
using Myna.Devices.Virtio.Net;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;

namespace Myna.Machines.RiscV;

/// <summary>Builds the user's virtio devices and plugs them in.</summary>
internal static class VirtioDevices
{
    /// <summary>QEMU's default address, which people know from their logs; the last byte counts up.</summary>
    private static ReadOnlySpan<byte> FirstMac => [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    /// <exception cref="MachineException">There is no room for a device.</exception>
    public static void Add(VirtBoard board, AddressSpace memory, MachineOptions options)
    {
        var slots = new VirtioDevice?[VirtMemoryMap.VirtioSlots];
        int used = 0, cards = 0;
        foreach (DeviceOptions wanted in options.Devices)
        {
            VirtioDevice device = Create(wanted, memory, options, ref cards);
            if (wanted.Bus == DeviceBus.Mmio)
            {
                if (used == slots.Length)
                    throw new MachineException($"the board has {slots.Length} virtio-mmio slots, and more devices want one; attach some to PCI");
                slots[used++] = device;
                continue;
            }
            try
            {
                board.Add(new VirtioPci(device));
            }
            catch (ArgumentException e)
            {
                throw new MachineException($"the PCI bus is full: {options.Devices.Count} devices are too many; attach some as virtio-mmio", e);
            }
        }
        for (int i = 0; i < slots.Length; i++)
            board.Add(VirtMemoryMap.VirtioMmio + (ulong)i * VirtMemoryMap.VirtioMmioStride, new VirtioMmio(slots[i], board.Irq(VirtMemoryMap.VirtioIrq + i)), VirtMemoryMap.VirtioIrq + i);
    }

    private static VirtioDevice Create(DeviceOptions wanted, AddressSpace memory, MachineOptions options, ref int cards)
    {
        Log log = options.Log;
        switch (wanted)
        {
            case DiskDevice disk:
                return new VirtioBlock(memory, disk.Backend, disk.Serial, disk.Queues, log: log["virtio-blk"]);
            case NetDevice net:
                byte[] mac = net.Mac ?? FirstMac.ToArray();
                if (net.Mac is null)
                    mac[5] += (byte)cards++;
                return new VirtioNet(memory, net.Backend, mac, log: log["virtio-net"]);
            case ConsoleDevice { Name: null } console:
                return new VirtioConsole(memory, console.Backend, log: log["virtio-console"]);
            case ConsoleDevice console:
                return new VirtioConsole(memory, [new ConsolePortOptions(console.Backend, console.Name)], log: log["virtio-console"]);
            case RngDevice:
                return new VirtioEntropy(memory, bytes => VirtMachine.Fill(options, bytes), log: log["virtio-rng"]);
            default:
                throw new MachineException($"the board virt knows no device {wanted.GetType().Name}");
        }
    }
}
