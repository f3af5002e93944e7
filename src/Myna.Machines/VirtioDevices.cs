using Myna.Devices.Pci;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Block;
using Myna.Devices.Virtio.Console;
using Myna.Devices.Virtio.Entropy;
using Myna.Devices.Virtio.Net;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;

namespace Myna.Machines;

/// <summary>Builds the user's virtio devices.</summary>
internal static class VirtioDevices
{
    /// <summary>QEMU's default address, which people know from their logs; the last byte counts up.</summary>
    private static ReadOnlySpan<byte> FirstMac => [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    /// <summary>Makes the devices and says which bus each goes to, in the user's order.</summary>
    /// <param name="slots">virtio-mmio slots of the board.</param>
    /// <param name="pci">Whether the board has PCI.</param>
    /// <param name="origins">Gets what each device was made for.</param>
    /// <exception cref="MachineException">There is no room for a device.</exception>
    public static (List<VirtioDevice> Pci, List<VirtioDevice> Mmio) Create(AddressSpace memory, MachineOptions options, int slots, bool pci = true,
        IDictionary<VirtioDevice, DeviceOptions>? origins = null)
    {
        List<VirtioDevice> functions = [], registers = [];
        int cards = 0;
        foreach (DeviceOptions wanted in options.Devices)
        {
            if (Drives.IsOthers(wanted))
                continue;
            if (wanted.Bus == DeviceBus.Pci && !pci)
                throw new MachineException($"the board {options.Board} has no PCI bus; attach the device as virtio-mmio");
            bool mmio = wanted.Bus == DeviceBus.Mmio || !pci;
            if (mmio && registers.Count == slots)
            {
                throw new MachineException($"the board {options.Board} has {slots} virtio-mmio slots, and more devices want one; "
                    + (pci ? "attach some to PCI" : "leave some out, or take another board"));
            }
            VirtioDevice device = Create(wanted, memory, options, ref cards);
            (mmio ? registers : functions).Add(device);
            if (origins is not null)
                origins[device] = wanted;
        }
        return (functions, registers);
    }

    /// <summary>Plugs a device into a PCI bus.</summary>
    /// <exception cref="MachineException">The bus is full.</exception>
    public static void Plug(PciHost host, VirtioDevice device)
    {
        try
        {
            host.Add(new VirtioPci(device));
        }
        catch (ArgumentException e)
        {
            throw new MachineException("the PCI bus is full: there are too many devices; attach some as virtio-mmio", e);
        }
    }

    private static VirtioDevice Create(DeviceOptions wanted, AddressSpace memory, MachineOptions options, ref int cards)
    {
        Log log = options.Log;
        switch (wanted)
        {
            case DiskDevice disk:
                return new VirtioBlock(memory, disk.Backend, disk.Serial, disk.Queues, log: log[LogNames.VirtioBlock]);
            case NetDevice net:
                byte[] mac = net.Mac ?? FirstMac.ToArray();
                if (net.Mac is null)
                    mac[5] += (byte)cards++;
                return new VirtioNet(memory, net.Backend, mac, log: log[LogNames.VirtioNet]);
            case ConsoleDevice { Name: null } console:
                return new VirtioConsole(memory, console.Backend, log: log[LogNames.VirtioConsole]);
            case ConsoleDevice console:
                return new VirtioConsole(memory, [new ConsolePortOptions(console.Backend, console.Name)], log: log[LogNames.VirtioConsole]);
            case RngDevice:
                return new VirtioEntropy(memory, bytes => options.Fill(bytes), log: log[LogNames.VirtioEntropy]);
            default:
                throw new MachineException($"the board {options.Board} knows no device {wanted.GetType().Name}");
        }
    }
}
