using System.Globalization;
using Myna.Devices.Pci;
using Myna.Devices.Scsi;
using Myna.Devices.Virtio.Scsi;
using Myna.Devices.Virtio.Transport;
using Myna.Hardware.Memory;

namespace Myna.Machines;

/// <summary>The user's disks and CD drives on virtio-scsi.</summary>
internal static class ScsiDrives
{
    private const int Most = 256;

    public static bool Is(DeviceOptions wanted) => wanted is DiskDevice { Interface: DiskInterface.Scsi } or CdromDevice { Interface: DiskInterface.Scsi };

    /// <summary>Plugs one controller with the user's drives as targets, if there are any.</summary>
    /// <param name="paths">Firmware's names of devices, to which those of the drives are added.</param>
    /// <param name="removable">Gets the CD drives.</param>
    /// <exception cref="MachineException">There are too many drives, or the PCI bus is full.</exception>
    public static void Add(PciHost pci, AddressSpace memory, MachineOptions options, IDictionary<DeviceOptions, string> paths, ICollection<RemovableDrive> removable)
    {
        DeviceOptions[] drives = [.. options.Devices.Where(Is)];
        if (drives.Length == 0)
            return;
        if (drives.Length > Most)
            throw new MachineException($"virtio-scsi has {Most} targets, and more drives want one; attach some as if=virtio");
        // Systems tell drives apart by their serial numbers.
        int number = 0;
        var controller = new VirtioScsi(memory, drives.Select(Unit), options.Cpus, log: options.Log[LogNames.VirtioScsi]);
        var function = new VirtioPci(controller);
        UserDevices.Plug(pci, function);
        for (int i = 0; i < drives.Length; i++)
        {
            int target = i;
            paths[drives[i]] = string.Create(CultureInfo.InvariantCulture, $"/pci@i0cf8/scsi@{function.DeviceFunction >> 3:x}/channel@0/disk@{target:x},0");
            if (drives[i] is CdromDevice)
                removable.Add(new RemovableDrive(string.Create(CultureInfo.InvariantCulture, $"cd{removable.Count}"), (medium, force) => controller.ExchangeMedium(target, medium, force)));
        }

        ScsiUnit Unit(DeviceOptions wanted)
        {
            number++;
            return wanted switch
            {
                DiskDevice disk => new ScsiDisk(disk.Backend, disk.Serial.Length != 0 ? disk.Serial : string.Create(CultureInfo.InvariantCulture, $"MYNASD{number:00}")),
                CdromDevice cdrom => new ScsiCdrom(cdrom.Medium, cdrom.Serial.Length != 0 ? cdrom.Serial : string.Create(CultureInfo.InvariantCulture, $"MYNACD{number:00}")),
                _ => throw new ArgumentOutOfRangeException(nameof(wanted)),
            };
        }
    }
}
