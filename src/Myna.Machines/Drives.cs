using System.Globalization;
using Myna.Devices.Ata;
using Myna.Devices.Pci;
using Myna.Devices.Virtio;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Memory;

namespace Myna.Machines;

/// <summary>The user's disks and CD drives that are not virtio devices: their controllers, and where firmware finds all of them.</summary>
internal static class Drives
{
    /// <summary>The device belongs to a controller, not to virtio.</summary>
    public static bool IsOthers(DeviceOptions wanted) => wanted is CdromDevice or DiskDevice { Interface: not (DiskInterface.Auto or DiskInterface.Virtio) };

    /// <summary>For boards without such controllers.</summary>
    /// <exception cref="MachineException">The user wants one.</exception>
    public static void Refuse(MachineOptions options)
    {
        if (options.Devices.Any(IsOthers))
            throw new MachineException($"the board {options.Board} has virtio disks only, and no CD drives; use q35, or leave out --cdrom and if=");
    }

    /// <summary>Plugs the SATA controller with the user's drives, if there are any.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the drives are added.</param>
    /// <exception cref="MachineException">There are too many drives.</exception>
    public static void AddAhci(PciHost pci, AddressSpace memory, MachineOptions options, IDictionary<DeviceOptions, string> paths)
    {
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
        if (drives.Count != 0)
            pci.Add(new Ahci(memory, drives, options.Log[LogNames.Ahci]), Ahci.Slot, Ahci.Function);
    }

    /// <summary>Adds firmware's names of the virtio devices on a bus.</summary>
    public static void NameVirtio(PciHost pci, IReadOnlyDictionary<VirtioDevice, DeviceOptions> origins, IDictionary<DeviceOptions, string> paths)
    {
        foreach (VirtioPci function in pci.Devices.OfType<VirtioPci>())
        {
            string? name = function.Device.Id switch { VirtioDeviceId.Block => "scsi", VirtioDeviceId.Net => "ethernet", _ => null };
            if (name is not null && origins.TryGetValue(function.Device, out DeviceOptions? wanted))
                paths[wanted] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/{name}@{function.DeviceFunction >> 3:x}/{(name == "scsi" ? "disk@0,0" : "ethernet-phy@0")}");
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
