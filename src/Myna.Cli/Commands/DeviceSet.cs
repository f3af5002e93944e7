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

    public void AddDisks(IEnumerable<DiskOption> disks)
    {
        foreach (DiskOption disk in disks)
        {
            IBlockBackend image = DiskImage.Open(disk.Path, DiskFormat.Raw, disk.ReadOnly);
            if (image is IDisposable disposable)
                _backends.Add(disposable);
            _devices.Add(new DiskDevice(image, disk.Serial, Bus: disk.Mmio ? DeviceBus.Mmio : DeviceBus.Auto));
        }
    }

    /// <summary>One user-mode network unless the user said otherwise.</summary>
    public void AddNetworks(IReadOnlyList<string> networks, Clock clock)
    {
        foreach (string text in networks.Count > 0 ? networks : ["user"])
        {
            if (text == "none")
                continue;
            var network = new UserNetwork(UserNetworkOptions.Parse(text), clock);
            _backends.Add(network);
            _devices.Add(new NetDevice(network));
        }
    }

    public void Dispose()
    {
        foreach (IDisposable backend in _backends)
            backend.Dispose();
    }
}
