using System.Globalization;
using Myna.Devices.Ata;
using Myna.Devices.Nvme;
using Myna.Devices.Pci;
using Myna.Devices.Ports;
using Myna.Devices.Sd;
using Myna.Hardware.Backends;
using Myna.Hardware.Memory;
using Myna.Machines.X86;

namespace Myna.Machines;

/// <summary>The user's disks and CD drives that are not virtio devices: their controllers, and where firmware finds all of them.</summary>
internal static class Drives
{
    /// <summary>The device belongs to a controller, not to virtio.</summary>
    public static bool IsOthers(DeviceOptions wanted) => wanted is CdromDevice or FloppyDevice or UsbDeviceOptions or DiskDevice { Interface: not (DiskInterface.Auto or DiskInterface.Virtio) };

    /// <summary>For boards that have virtio alone, and perhaps USB.</summary>
    /// <exception cref="MachineException">The user wants something else.</exception>
    public static void Refuse(MachineOptions options, bool usb = false)
    {
        if (!usb && options.Devices.Any(UsbDevices.IsUsb))
            throw new MachineException($"the board {options.Board} has no USB; leave out --usb and if=usb, or take another board");
        if (options.Devices.Any(d => IsOthers(d) && !UsbDevices.IsUsb(d) && (options.Board == "microvm" || !ScsiDrives.Is(d))))
            throw new MachineException($"the board {options.Board} has {(options.Board == "microvm" ? "virtio disks only, and no CD drives" : "disks and CD drives of virtio, if=scsi and if=usb only")}; use q35, or leave out --cdrom and if=");
    }

    /// <summary>For boards that lack a controller.</summary>
    /// <exception cref="MachineException">The user wants it.</exception>
    public static void Refuse(MachineOptions options, DiskInterface missing)
    {
        if (options.Devices.Any(d => d is DiskDevice disk && disk.Interface == missing || d is CdromDevice cdrom && cdrom.Interface == missing))
            throw new MachineException($"the board {options.Board} has no {(missing == DiskInterface.Ide ? "IDE; use if=ahci, or --machine pc" : "SATA; use if=ide, or --machine q35")}");
    }

    /// <summary>Plugs the SATA controller with the user's drives, if there are any.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the drives are added.</param>
    /// <exception cref="MachineException">There are too many drives.</exception>
    public static void AddAhci(PciHost pci, ChipsetWiring wiring, IDictionary<DeviceOptions, string> paths)
    {
        MachineOptions options = wiring.Options;
        List<AtaDevice> drives = [];
        foreach (DeviceOptions wanted in options.Devices)
        {
            AtaDevice? drive = wanted switch
            {
                DiskDevice { Interface: DiskInterface.Ahci } disk => new AtaDisk(disk.Backend, disk.Serial),
                CdromDevice { Interface: DiskInterface.Auto or DiskInterface.Ahci } cdrom => new AtapiCdrom(cdrom.Medium, cdrom.Serial),
                _ => null,
            };
            if (drive is null)
                continue;
            if (drives.Count == Ahci.Ports)
                throw new MachineException($"the board {options.Board} has {Ahci.Ports} SATA ports, and more drives want one; attach some disks as if=virtio");
            paths[wanted] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/pci8086,2922@1f,2/drive@{drives.Count}/disk@0");
            drives.Add(drive);
        }
        if (drives.Count == 0)
            return;
        var controller = new Ahci(wiring.Memory, drives, options.Log[LogNames.Ahci]);
        pci.Add(controller, Ahci.Slot, Ahci.Function);
        for (int i = 0; i < drives.Count; i++)
        {
            int port = i;
            if (drives[i].IsPacket)
                AddRemovable(wiring, (medium, force) => controller.ExchangeMedium(port, medium, force));
        }
    }

    /// <summary>Plugs the IDE controller with the user's drives: disks from the first channel on, CD drives from the second.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the drives are added.</param>
    /// <exception cref="MachineException">There are too many drives.</exception>
    public static void AddIde(PciHost pci, ChipsetWiring wiring, IDictionary<DeviceOptions, string> paths)
    {
        const int Most = 4;
        ReadOnlySpan<int> diskPlaces = [0, 1, 2, 3], discPlaces = [2, 3, 1, 0];
        var drives = new AtaDevice?[Most];
        foreach (DeviceOptions wanted in wiring.Options.Devices)
        {
            AtaDevice? drive = wanted switch
            {
                DiskDevice { Interface: DiskInterface.Ide } disk => new AtaDisk(disk.Backend, disk.Serial),
                CdromDevice { Interface: DiskInterface.Auto or DiskInterface.Ide } cdrom => new AtapiCdrom(cdrom.Medium, cdrom.Serial),
                _ => null,
            };
            if (drive is null)
                continue;
            int place = -1;
            foreach (int p in drive.IsPacket ? discPlaces : diskPlaces)
            {
                if (drives[p] is null)
                {
                    place = p;
                    break;
                }
            }
            if (place < 0)
                throw new MachineException($"the board {wiring.Options.Board} has room for {Most} IDE drives; attach some disks as if=virtio");
            paths[wanted] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/ide@1,1/drive@{place >> 1}/disk@{place & 1}");
            drives[place] = drive;
        }
        var primary = new IdeChannel(wiring.Memory, wiring.Gsi(14), drives[0], drives[1]);
        var secondary = new IdeChannel(wiring.Memory, wiring.Gsi(15), drives[2], drives[3]);
        pci.Add(new Piix3Ide(primary, secondary), Piix3Ide.Slot, Piix3Ide.Function);
        foreach (int place in discPlaces)
        {
            if (drives[place] is { IsPacket: true })
                AddRemovable(wiring, (medium, force) => (place < 2 ? primary : secondary).ExchangeMedium(place & 1, medium, force));
        }
        Map(0x1f0, primary.CommandBlock, "ide0");
        Map(0x3f6, primary.ControlBlock, "ide0-control");
        Map(0x170, secondary.CommandBlock, "ide1");
        Map(0x376, secondary.ControlBlock, "ide1-control");

        void Map(ulong port, IRegisterBlock block, string name) => wiring.Ports.Map(port, block.Size, name, block);
    }

    private static void AddRemovable(ChipsetWiring wiring, Func<IBlockBackend?, bool, bool> exchange)
        => wiring.RemovableDrives.Add(new RemovableDrive(string.Create(CultureInfo.InvariantCulture, $"cd{wiring.RemovableDrives.Count}"), exchange));

    /// <summary>Plugs an NVMe controller with the user's disks as namespaces, if there are any.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the disks are added.</param>
    /// <exception cref="MachineException">The PCI bus is full.</exception>
    public static void AddNvme(PciHost pci, AddressSpace memory, MachineOptions options, IDictionary<DeviceOptions, string> paths)
    {
        DiskDevice[] disks = [.. options.Devices.OfType<DiskDevice>().Where(d => d.Interface == DiskInterface.Nvme)];
        if (disks.Length == 0)
            return;
        var controller = new NvmeController(memory, disks.Select(d => d.Backend), disks[0].Serial, options.Log[LogNames.Nvme]);
        try
        {
            pci.Add(controller);
        }
        catch (ArgumentException e)
        {
            throw new MachineException("the PCI bus is full: there are too many devices", e);
        }
        for (int i = 0; i < disks.Length; i++)
            paths[disks[i]] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/pci1b36,10@{controller.DeviceFunction >> 3:x}/namespace@{i + 1},0");
    }

    /// <summary>Plugs an SD host controller for each of the user's cards.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the cards are added.</param>
    /// <exception cref="MachineException">The PCI bus is full, or a card is none.</exception>
    public static void AddSd(PciHost pci, ChipsetWiring wiring, IDictionary<DeviceOptions, string> paths)
    {
        int number = 0;
        foreach (DiskDevice card in wiring.Options.Devices.OfType<DiskDevice>().Where(d => d.Interface == DiskInterface.Sd))
        {
            Check(card.Backend);
            var controller = new Sdhci(wiring.Memory, card.Backend, wiring.Options.Log[LogNames.Sd]);
            UserDevices.Plug(pci, controller);
            paths[card] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/sd@{controller.DeviceFunction >> 3:x}");
            wiring.RemovableDrives.Add(new RemovableDrive(string.Create(CultureInfo.InvariantCulture, $"sd{number++}"), (medium, _) =>
            {
                Check(medium);
                return controller.ExchangeMedium(medium);
            }) { Capacity = Sdhci.Capacity });
        }

        static void Check(IBlockBackend? medium)
        {
            if (medium is not null && !Sdhci.IsCard(medium.Length))
                throw new MachineException($"an SD card has a multiple of 512 KiB, 2 TiB at most; this image has {medium.Length} bytes");
        }
    }

    /// <summary>Adds firmware's names of the functions that are a disk or a network card by themselves.</summary>
    public static void NameFunctions(IReadOnlyDictionary<PciDevice, DeviceOptions> origins, IDictionary<DeviceOptions, string> paths)
    {
        foreach ((PciDevice function, DeviceOptions wanted) in origins)
        {
            int slot = function.DeviceFunction >> 3;
            if (wanted is DiskDevice)
                paths[wanted] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/scsi@{slot:x}/disk@0,0");
            else if (wanted is NetDevice)
                paths[wanted] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/ethernet@{slot:x}/ethernet-phy@0");
        }
    }

    /// <summary>The file `bootorder` of fw_cfg: devices by their Open Firmware paths (QEMU documentation, bootindex).</summary>
    public static IEnumerable<KeyValuePair<string, byte[]>> BootOrder(IReadOnlyDictionary<DeviceOptions, string> paths, params IEnumerable<string> first)
    {
        IEnumerable<string> devices = paths.Where(p => p.Key.BootIndex is not null).OrderBy(p => p.Key.BootIndex).Select(p => p.Value);
        string text = string.Join('\n', first.Concat(devices));
        return text.Length == 0 ? [] : [new("bootorder", new Loading.ByteWriter().CString(text).ToArray())];
    }
}
