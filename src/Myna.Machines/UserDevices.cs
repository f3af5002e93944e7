using Myna.Devices.Pci;
using Myna.Devices.Power;
using Myna.Devices.Sound;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Balloon;
using Myna.Devices.Virtio.Block;
using Myna.Devices.Virtio.Console;
using Myna.Devices.Virtio.Entropy;
using Myna.Devices.Virtio.Net;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.Power;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>Builds the user's devices.</summary>
internal static class UserDevices
{
    /// <summary>QEMU's default address, which people know from their logs; the last byte counts up.</summary>
    private static ReadOnlySpan<byte> FirstMac => [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

    /// <summary>Makes the devices and says which bus each goes to, in the user's order.</summary>
    /// <param name="slots">virtio-mmio slots of the board.</param>
    /// <param name="pci">Whether the board has PCI.</param>
    /// <param name="origins">Gets what each function was made for.</param>
    /// <exception cref="MachineException">There is no room for a device.</exception>
    public static (List<PciDevice> Pci, List<VirtioDevice> Mmio) Create(AddressSpace memory, Clock clock, IPowerControl power, MachineOptions options, int slots, bool pci = true,
        IDictionary<PciDevice, DeviceOptions>? origins = null)
    {
        List<PciDevice> functions = [];
        List<VirtioDevice> registers = [];
        int cards = 0;
        foreach (DeviceOptions wanted in options.Devices)
        {
            if (Drives.IsOthers(wanted))
                continue;
            if (wanted.Bus == DeviceBus.Pci && !pci)
                throw new MachineException($"the board {options.Board} has no PCI bus; attach the device as virtio-mmio");
            if (wanted is GenerationDevice)
                continue;
            if (wanted is WatchdogDevice or PanicDevice)
            {
                if (!pci)
                    throw new MachineException($"the board {options.Board} has neither a watchdog nor pvpanic; take another board");
                if (wanted is WatchdogDevice watchdog)
                    Add(new I6300Esb(clock, power, watchdog.Action, options.Log[LogNames.Watchdog]), wanted);
                else if (wanted is PanicDevice { Isa: false } panic)
                    Add(new PvpanicPci(power, panic.Action, options.Log[LogNames.Panic]), wanted);
                continue;
            }
            if (wanted is SoundDevice)
            {
                if (!pci)
                    throw new MachineException($"sound plugs into PCI, which the board {options.Board} has not; take another board");
                Add(new HdaController(memory, clock, options.Audio, ich9: options.Board == "q35"), wanted);
                continue;
            }
            if (wanted is NetDevice { Model: not NetModel.Virtio } card)
            {
                if (!pci || wanted.Bus == DeviceBus.Mmio)
                    throw new MachineException($"the network card {card.Model} plugs into PCI, which the board {options.Board} has not; use model=virtio");
                Add(NetworkCards.Create(card, memory, clock, Mac(card, ref cards), options.Log), wanted);
                continue;
            }
            bool mmio = wanted.Bus == DeviceBus.Mmio || !pci;
            if (mmio && registers.Count == slots)
            {
                throw new MachineException($"the board {options.Board} has {slots} virtio-mmio slots, and more devices want one; "
                    + (pci ? "attach some to PCI" : "leave some out, or take another board"));
            }
            VirtioDevice device = Create(wanted, memory, options, ref cards);
            if (mmio)
                registers.Add(device);
            else
                Add(new VirtioPci(device, (wanted as NetDevice)?.Rom ?? default), wanted);
        }
        return (functions, registers);

        void Add(PciDevice function, DeviceOptions wanted)
        {
            functions.Add(function);
            if (origins is not null)
                origins[function] = wanted;
        }
    }

    /// <summary>Plugs a device into a PCI bus.</summary>
    /// <exception cref="MachineException">The bus is full.</exception>
    public static void Plug(PciHost host, PciDevice device)
    {
        try
        {
            host.Add(device);
        }
        catch (ArgumentException e)
        {
            throw new MachineException("the PCI bus is full: there are too many devices; leave some out, or attach them as virtio-mmio where the board has it", e);
        }
    }

    private static byte[] Mac(NetDevice card, ref int cards)
    {
        byte[] mac = card.Mac ?? FirstMac.ToArray();
        if (card.Mac is null)
            mac[5] += (byte)cards++;
        return mac;
    }

    private static VirtioDevice Create(DeviceOptions wanted, AddressSpace memory, MachineOptions options, ref int cards)
    {
        Log log = options.Log;
        switch (wanted)
        {
            case DiskDevice disk:
                return new VirtioBlock(memory, disk.Backend, disk.Serial, disk.Queues, log: log[LogNames.VirtioBlock]);
            case NetDevice net:
                return new VirtioNet(memory, net.Backend, Mac(net, ref cards), log: log[LogNames.VirtioNet]);
            case ConsoleDevice { Name: null } console:
                return new VirtioConsole(memory, console.Backend, log: log[LogNames.VirtioConsole]);
            case ConsoleDevice console:
                return new VirtioConsole(memory, [new ConsolePortOptions(console.Backend, console.Name)], log: log[LogNames.VirtioConsole]);
            case RngDevice:
                return new VirtioEntropy(memory, bytes => options.Fill(bytes), log: log[LogNames.VirtioEntropy]);
            case BalloonDevice:
                return new VirtioBalloon(memory, log: log[LogNames.VirtioBalloon]);
            default:
                throw new MachineException($"the board {options.Board} knows no device {wanted.GetType().Name}");
        }
    }
}
