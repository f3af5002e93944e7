using System.Globalization;
using Myna.Devices.Usb;
using Myna.Hardware.Backends;
using Myna.Hardware.Time;

namespace Myna.Machines;

/// <summary>
/// A machine's USB devices as the user sees them, who plugs and pulls them while it runs. Thread-safe. LIMIT: what came later than the machine is not
/// in a machine that loads its state.
/// </summary>
public sealed class UsbPorts : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Xhci _controller;
    private readonly Clock _clock;
    private readonly List<Entry> _devices = [];
    private InputRouter? _input;
    private int _next;

    internal UsbPorts(Xhci controller, Clock clock)
    {
        _controller = controller;
        _clock = clock;
    }

    /// <summary>A device of the user's.</summary>
    /// <param name="Medium">Of one that came later.</param>
    private sealed record Entry(string Name, UsbDevice Device, bool Late, IBlockBackend? Medium)
    {
        public bool Attached { get; set; } = true;
    }

    /// <summary>Names, kinds, and whether they are plugged in.</summary>
    public IReadOnlyList<(string Name, string Kind, bool Attached)> Devices
    {
        get
        {
            lock (_lock)
                return [.. _devices.Select(d => (d.Name, d.Device.Name, d.Attached))];
        }
    }

    /// <summary>Plugs a keyboard, tablet or hub in.</summary>
    /// <returns>Its name.</returns>
    /// <exception cref="MachineException">No port is free.</exception>
    public string Add(UsbKind kind) => Add(kind switch { UsbKind.Keyboard => new UsbKeyboard(_clock), UsbKind.Tablet => new UsbTablet(_clock), _ => new UsbHub() }, null);

    /// <summary>Plugs mass storage in.</summary>
    /// <param name="medium">Is disposed when the device goes.</param>
    /// <inheritdoc cref="Add(UsbKind)"/>
    public string Add(IBlockBackend medium)
    {
        try
        {
            return Add(UsbStorage.Disk(medium), medium);
        }
        catch (MachineException)
        {
            (medium as IDisposable)?.Dispose();
            throw;
        }
    }

    /// <summary>Plugs a device of the machine's in again.</summary>
    /// <returns>False when there is none of this name that was pulled out.</returns>
    public bool PlugAgain(string name)
    {
        lock (_lock)
        {
            if (_devices.Find(d => d.Name == name) is not { Attached: false } device)
                return false;
            device.Attached = true;
            _input?.Add(device.Device);
            return _controller.SetAttached(device.Device, true);
        }
    }

    /// <summary>Pulls a device out.</summary>
    /// <returns>False when there is none of this name that is plugged in.</returns>
    public bool Remove(string name)
    {
        lock (_lock)
        {
            if (_devices.Find(d => d.Name == name) is not { Attached: true } device)
                return false;
            device.Attached = false;
            _input?.Remove(device.Device);
            if (!device.Late)
                return _controller.SetAttached(device.Device, false);
            _controller.Unplug(device.Device);
            _devices.Remove(device);
            (device.Medium as IDisposable)?.Dispose();
            return true;
        }
    }

    /// <summary>Lets go of media that came later than the machine.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (Entry device in _devices)
                (device.Medium as IDisposable)?.Dispose();
        }
    }

    /// <summary>A device that the machine is made with.</summary>
    internal void Has(UsbDevice device) => _devices.Add(new Entry(NextName(), device, Late: false, null));

    /// <summary>Where keys and pointers go.</summary>
    internal void Connect(InputRouter input) => _input = input;

    private string Add(UsbDevice device, IBlockBackend? medium)
    {
        lock (_lock)
        {
            if (!_controller.Plug(device))
                throw new MachineException($"there is no free USB port for {device.Name}; pull something out with device_del");
            var entry = new Entry(NextName(), device, Late: true, medium);
            _devices.Add(entry);
            _input?.Add(device);
            return entry.Name;
        }
    }

    private string NextName() => string.Create(CultureInfo.InvariantCulture, $"usb{_next++}");
}
