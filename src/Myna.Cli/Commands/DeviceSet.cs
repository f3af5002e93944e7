using Myna.Devices.Floppy;
using Myna.Devices.Sd;
using Myna.Hardware.Backends;
using Myna.Hardware.Time;
using Myna.Machines;
using Myna.Network;
using Myna.Storage;

namespace Myna.Cli.Commands;

/// <summary>The devices of a machine and their back ends, which it disposes unless a machine has taken them over.</summary>
internal sealed class DeviceSet : IDisposable
{
    private readonly List<DeviceOptions> _devices = [];
    private readonly List<IDisposable> _backends = [];

    public IReadOnlyList<DeviceOptions> Options => _devices;

    public void Add(DeviceOptions device) => _devices.Add(device);

    public void AddDisks(IReadOnlyList<DiskOption> disks, BootOption? boot)
    {
        for (int i = 0; i < disks.Count; i++)
            AddDisk(disks[i], boot, i);
    }

    private void AddDisk(DiskOption disk, BootOption? boot, int number)
    {
        IBlockBackend image = Open(disk.Path, disk.ReadOnly, disk.Interface == DiskInterface.Sd ? Sdhci.Capacity : null);
        _devices.Add(new DiskDevice(image, disk.Serial, Bus: disk.Mmio ? DeviceBus.Mmio : DeviceBus.Auto, Interface: disk.Interface)
        {
            BootIndex = disk.BootIndex ?? boot?.IndexOf('c', number),
        });
    }

    public void AddCdroms(IReadOnlyList<CdromOption> drives, BootOption? boot)
    {
        for (int i = 0; i < drives.Count; i++)
        {
            CdromOption drive = drives[i];
            _devices.Add(new CdromDevice(drive.Path is null ? null : Open(drive.Path, readOnly: true), Interface: drive.Interface)
            {
                BootIndex = drive.BootIndex ?? boot?.IndexOf('d', i),
            });
        }
    }

    /// <param name="disks">Disks that stand before these in the boot order.</param>
    public void AddUsb(IReadOnlyList<UsbOption> usb, BootOption? boot, int disks)
    {
        foreach (UsbOption wanted in usb)
        {
            if (wanted.Drive is { } drive)
                AddDisk(drive, boot, disks++);
            else if (wanted.Kind is { } kind)
                _devices.Add(new UsbDeviceOptions(kind));
        }
    }

    public void AddFloppies(IReadOnlyList<FloppyOption> drives, BootOption? boot)
    {
        for (int i = 0; i < drives.Count; i++)
        {
            FloppyOption drive = drives[i];
            _devices.Add(new FloppyDevice(drive.Path is null ? null : Open(drive.Path, drive.ReadOnly, FloppyGeometry.Capacity)) { BootIndex = drive.BootIndex ?? boot?.IndexOf('a', i) });
        }
    }

    private IBlockBackend Open(string path, bool readOnly, Func<ulong, ulong>? capacity = null)
    {
        IBlockBackend image = DiskImage.Open(path, DiskFormat.Raw, readOnly, capacity);
        if (image is IDisposable disposable)
            _backends.Add(disposable);
        return image;
    }

    /// <summary>One user-mode network unless the user said otherwise.</summary>
    /// <param name="rom">The firmware of a card, or an empty one.</param>
    public void AddNetworks(IReadOnlyList<NetOption> networks, Clock clock, BootOption? boot, Func<NetOption, byte[]> rom)
    {
        foreach (NetOption wanted in NetOption.OrDefault(networks))
        {
            if (wanted.Network is null)
                continue;
            var network = new UserNetwork(wanted.Network, clock);
            _backends.Add(network);
            _devices.Add(new NetDevice(network, wanted.Mac, Model: wanted.Model, Rom: rom(wanted)) { BootIndex = boot?.IndexOf('n', _devices.Count) });
        }
    }

    public void Dispose()
    {
        foreach (IDisposable backend in _backends)
            backend.Dispose();
    }
}
